//! The worst that a query can ask for: each ends within its limits, with an answer or an error
//! that says why, while other queries go on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use silverback_tests::Result;
use silverback_tests::api::{Api, Reply, seconds};
use silverback_tests::server::Server;

use super::ends::holds_nothing;
use super::{MAX_BYTES, crowded, forget_peak, memory};

/// All series there are.
const ALL: &str = "{__name__=~\".+\"}";
pub(super) const TIMEOUT: Duration = Duration::from_secs(8);
/// How much longer than that a query may take until its client has the error: a machine that
/// runs tests is at other things too.
const LATE_MAX: Duration = Duration::from_secs(4);
/// What a small query may take beside a bad one.
const SMALL_MAX: Duration = Duration::from_secs(4);

/// Why a query may end.
const BYTES: &str = "(--query-max-bytes)";
const SAMPLES: &str = "(--query-max-samples)";
const TIME: &str = "(--query-timeout or the timeout of the request)";

/// A query and how it may end.
pub(super) struct Bad {
    what: &'static str,
    query: String,
    /// How many steps of how many seconds; none for an instant query.
    steps: Option<(i64, i64)>,
    /// Whether it may be answered.
    answered: bool,
    /// What its error may say, any of these.
    errors: &'static [&'static str],
}

pub(super) fn bad(what: &'static str, query: impl Into<String>) -> Bad {
    Bad {
        what,
        query: query.into(),
        steps: None,
        answered: false,
        errors: &[BYTES],
    }
}

impl Bad {
    pub(super) fn over(self, steps: i64, step_s: i64) -> Self {
        Self {
            steps: Some((steps, step_s)),
            ..self
        }
    }

    pub(super) fn may_be_answered(self) -> Self {
        Self {
            answered: true,
            ..self
        }
    }

    fn says(self, errors: &'static [&'static str]) -> Self {
        Self { errors, ..self }
    }

    fn send(&self, api: &Api, end_ms: i64) -> Result<Reply> {
        let end = seconds(end_ms);
        let Some((steps, step_s)) = self.steps else {
            return api.post_form("/api/v1/query", &[("query", &self.query), ("time", &end)]);
        };
        let start = seconds(end_ms - (steps - 1) * step_s * 1000);
        let params = [
            ("query", &*self.query),
            ("start", &start),
            ("end", &end),
            ("step", &step_s.to_string()),
        ];
        api.post_form("/api/v1/query_range", &params)
    }
}

fn nested(times: usize, open: &str, inner: &str, close: &str) -> String {
    format!("{}{inner}{}", open.repeat(times), close.repeat(times))
}

/// Those that select too much.
fn too_much() -> Vec<Bad> {
    vec![
        bad("everything there is", format!("{ALL}[30d]")),
        bad("everything at many steps", ALL).over(5_000, 7),
        bad("a cross join", format!("{ALL} * on () {ALL}"))
            .says(&["many-to-many matching not allowed", BYTES]),
        bad(
            "a group_left that explodes",
            format!("{ALL} * on (job) group_left (n) {ALL}"),
        )
        .says(&["found duplicate series for the match group {job=", BYTES]),
        bad(
            "count_values over everything",
            format!("count_values(\"v\", {ALL})"),
        )
        .over(500, 60),
        bad("quantile over everything", format!("quantile(0.99, {ALL})")).over(5_000, 7),
        bad("topk of everything", format!("topk(1e18, {ALL})")).over(5_000, 7),
        bad("everything sorted", format!("sort_by_label({ALL}, \"n\")")).may_be_answered(),
        bad(
            "every metric worth a remark",
            format!("sum(rate({ALL}[10m]))"),
        )
        .over(600, 60)
        .may_be_answered()
        .says(&[BYTES, TIME, "same labelset"]),
    ]
}

/// Those that look at too many moments.
fn too_often() -> Vec<Bad> {
    vec![
        bad(
            "subqueries in subqueries",
            format!("max_over_time(sum_over_time(rate({ALL}[1h])[10h:1s])[10h:1s])"),
        )
        .says(&[BYTES, SAMPLES, TIME]),
        bad("a subquery of all time", "sum_over_time(metric_1[292y:1ms])").says(&[SAMPLES, BYTES]),
        bad("steps without number", "metric_1")
            .over(1_000_000_000, 1)
            .says(&["exceeded maximum resolution of 11,000 points per timeseries"]),
        bad("absence of everything", format!("absent_over_time({ALL}[30d:1s])"))
            .says(&[BYTES, SAMPLES, TIME]),
        bad("the ends of time", "metric_1 @ 9223372036854775 offset -292y + metric_1 @ -9223372036854775 offset 292y")
            .may_be_answered()
            .says(&["timestamp", "duration"]),
        bad("a duration out of range", "rate(metric_1[99999999999y])").says(&["duration out of range"]),
        bad("a duration computed out of range", "rate(metric_1[2 ^ 1000])")
            .says(&["duration", "parse error"]),
        bad("numbers nested in numbers", nested(490, "min_of(time(), ", "1", ")"))
            .over(10_000, 1)
            .may_be_answered(),
        bad("quantiles that differ at each step", format!("histogram_quantiles(label_replace({ALL}, \"le\", \"$1\", \"n\", \"(.*)\"), \"q\", time() / 2e9)"))
            .over(2_000, 7)
            .says(&[BYTES, TIME]),
    ]
}

/// Those whose text is bad already.
fn too_clever() -> Vec<Bad> {
    let doubled = nested(
        60,
        "label_join(",
        "metric_1",
        ", \"n\", \"\", \"n\", \"n\")",
    );
    let copies: Vec<String> = (0..200)
        .map(|copy| format!("label_replace({ALL}, \"copy\", \"{copy}\", \"\", \"\")"))
        .collect();
    vec![
        bad(
            "parentheses 10,000 deep",
            nested(10_000, "(", "metric_1", ")"),
        )
        .says(&["nested deeper than 1010 levels"]),
        bad(
            "aggregations as deep as they may be",
            nested(1_000, "sum(", ALL, ")"),
        )
        .may_be_answered(),
        bad("a long row of or", vec![ALL; 20_000].join(" or ")).says(&[BYTES, TIME]),
        bad(
            "more operators than there may be",
            vec!["1"; 150_000].join("+"),
        )
        .says(&["more than 100000 operators", BYTES]),
        bad("a union of copies", copies.join(" or ")).over(100, 60),
        bad("a label that doubles", doubled).says(&[BYTES, "longer than 16 MiB"]),
        bad(
            "a regular expression made to backtrack",
            "{n=~\"(x+x+)+y|([0-9]+)+$|(.*)*z\"}",
        )
        .may_be_answered(),
        bad(
            "a regular expression that grows",
            "{n=~\"(((a|b|.){1,9}){1,9}){1,10}.{900}\"}",
        )
        .may_be_answered()
        .says(&["regular expression", "regexp", "compile", BYTES]),
        bad(
            "regular expressions without end",
            format!(
                "{{{}}}",
                vec!["n=~\"((a|b|c){1,30}){1,30}x\""; 3_000].join(",")
            ),
        )
        .says(&[BYTES, TIME]),
        bad(
            "a regular expression on a label made long",
            format!(
                "label_replace({}, \"x\", \"$1\", \"n\", \"((a|.){{1,500}})*y\")",
                nested(
                    17,
                    "label_join(",
                    "metric_1",
                    ", \"n\", \"-\", \"n\", \"n\")"
                )
            ),
        )
        .says(&["too long for the regular expression", BYTES]),
    ]
}

/// Small queries, one after the other, while something else runs.
struct Others {
    end: AtomicBool,
    asked: AtomicU64,
}

impl Others {
    fn go_on(&self, server: &Server, end_ms: i64) -> Result<()> {
        let api = server.api();
        while !self.end.load(Ordering::Relaxed) {
            let began = Instant::now();
            api.query("sum by (job) (rate(metric_3{n=\"3\"}[10m]))", end_ms)?;
            let took = began.elapsed();
            assert!(took < SMALL_MAX, "a small query took {took:?}");
            self.asked.fetch_add(1, Ordering::Relaxed);
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}

/// Ends them, also where a check has failed.
struct End<'o>(&'o Others);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.end.store(true, Ordering::Relaxed);
    }
}

fn check(server: &Server, end_ms: i64, bad: &Bad, idle_bytes: u64) -> Result<()> {
    let Bad {
        what,
        answered,
        errors,
        ..
    } = bad;
    forget_peak(server)?;
    let before_bytes = memory(server, "VmRSS")?;
    let began = Instant::now();
    let reply = bad.send(&server.api(), end_ms)?;
    let took = began.elapsed();
    let peak_bytes = memory(server, "VmHWM")?;
    let told = &reply.body[..reply.body.len().min(500)];
    println!(
        "{what}: {} after {took:?}, {} MiB over idle, {} before; {}",
        reply.status,
        peak_bytes.saturating_sub(idle_bytes) >> 20,
        before_bytes.saturating_sub(idle_bytes) >> 20,
        if reply.status == 200 { "" } else { told }
    );
    assert!(took < TIMEOUT + LATE_MAX, "{what}: {took:?}");
    if reply.status == 200 {
        assert!(answered, "{what}: answered with {told}");
    } else {
        let known = errors.iter().any(|error| reply.body.contains(error));
        assert!(known, "{what}: {told}");
        assert!(
            [400, 422, 503].contains(&reply.status),
            "{what}: {}",
            reply.status
        );
    }
    let most = idle_bytes + MAX_BYTES + MAX_BYTES / 4;
    assert!(
        peak_bytes <= most,
        "{what}: {peak_bytes} bytes, idle {idle_bytes}, {told}"
    );
    Ok(())
}

fn all_end(bads: &[Bad]) -> Result<()> {
    let timeout = format!("{}s", TIMEOUT.as_secs());
    let (server, end_ms) = crowded(&["--query-timeout", &timeout])?;
    end_on(&server, end_ms, bads)
}

/// Sends them one after the other, beside small queries of others.
pub(super) fn end_on(server: &Server, end_ms: i64, bads: &[Bad]) -> Result<()> {
    // What a first query makes once belongs to no query.
    server.api().query("sum(metric_1)", end_ms)?;
    let idle_bytes = memory(server, "VmRSS")?;
    let others = Others {
        end: AtomicBool::new(false),
        asked: AtomicU64::new(0),
    };
    thread::scope(|scope| {
        let going_on = scope.spawn(|| others.go_on(server, end_ms));
        {
            let _end = End(&others);
            for bad in bads {
                check(server, end_ms, bad, idle_bytes)?;
            }
        }
        going_on.join().unwrap()
    })?;
    // Most of the bad ones end within some milliseconds.
    let asked = others.asked.load(Ordering::Relaxed);
    assert!(asked > bads.len() as u64, "{asked} small queries");
    holds_nothing(server)?;
    Ok(())
}

#[test]
fn queries_that_select_too_much_end() -> Result<()> {
    all_end(&too_much())
}

#[test]
fn queries_that_look_too_often_end() -> Result<()> {
    all_end(&too_often())
}

#[test]
fn queries_that_are_too_clever_end() -> Result<()> {
    all_end(&too_clever())
}
