//! A query at several times and over several ranges, and how the answers of two servers to it
//! differ.

use serde_json::Value as Json;
use silverback_tests::api::{self, Api, Data, Point, Reply, Series, seconds};
use silverback_tests::compare::{self, Ties};
use silverback_tests::{Error, Result};

use super::demo::{DOWN_MS, END_MS, START_MS};
use super::queries::Query;

/// When an expression is asked for, in milliseconds.
#[derive(Clone, Copy, Debug)]
enum When {
    At(i64),
    /// Start, end and step.
    Over(i64, i64, i64),
}

const MINUTE_MS: i64 = 60_000;

const TIMES: &[When] = &[
    // As the compliance tester asks: ten minutes in steps of ten seconds.
    When::Over(END_MS - 15 * MINUTE_MS, END_MS - 5 * MINUTE_MS, 10_000),
    // Everything, from before the first sample to when the last has gone.
    When::Over(START_MS - MINUTE_MS, END_MS + 6 * MINUTE_MS, 97_000),
    // Steps shorter than scrapes, where an instance goes down.
    When::Over(DOWN_MS.start - 40_000, DOWN_MS.start + 40_000, 1_700),
    // Where it comes back, and at no full second.
    When::Over(DOWN_MS.end - 31_003, DOWN_MS.end + 200_000, 7_001),
    When::At(END_MS - 10 * MINUTE_MS),
    When::At(START_MS + 47 * MINUTE_MS + 12_345),
    When::At(DOWN_MS.start + 100_000),
    When::At(START_MS - 1),
];

/// How the answers to a query compare.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// How many points were the same, to the last digit.
    pub(super) exact: usize,
    /// Others, and the largest relative difference among them: at most 1e-12.
    pub(super) close: usize,
    pub(super) distance_max: f64,
    /// What must not differ and does.
    pub(super) wrong: Vec<String>,
}

/// Asks both servers at all times.
///
/// # Errors
/// A server that does not answer at all.
pub(super) fn ask(query: &Query, expected: &Api, actual: &Api) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    for &when in TIMES {
        let (want, got) = (send(query, expected, when)?, send(query, actual, when)?);
        if let Err(why) = outcome.add(query, when, &want, &got) {
            outcome.wrong.push(format!("{when:?}: {why}"));
        }
    }
    Ok(outcome)
}

fn send(query: &Query, api: &Api, when: When) -> Result<Reply> {
    let expr = ("query", query.expr.as_str());
    match when {
        When::At(time) => api.post_form("/api/v1/query", &[expr, ("time", &seconds(time))]),
        When::Over(start, end, step) => {
            let [start, end, step] = [start, end, step].map(seconds);
            let params = [expr, ("start", &start), ("end", &end), ("step", &step)];
            api.post_form("/api/v1/query_range", &params)
        }
    }
}

impl Outcome {
    fn add(&mut self, query: &Query, when: When, want: &Reply, got: &Reply) -> Result<()> {
        let json = |reply: &Reply| {
            let parsed: Result<Json, _> = serde_json::from_str(&reply.body);
            parsed.map_err(|error| Error::about(&reply.body, error))
        };
        let (want_json, got_json) = (json(want)?, json(got)?);
        for field in ["error", "warnings", "infos"] {
            let (want, got) = (texts(&want_json[field]), texts(&got_json[field]));
            if want != got {
                let expected = format!("expected {want:?}\n    got      {got:?}");
                return Err(Error::about(field, expected));
            }
        }
        let kinds = [&want_json["errorType"], &got_json["errorType"]];
        if (want.status, kinds[0]) != (got.status, kinds[1]) {
            let (want, got) = (short(&want.body), short(&got.body));
            return Err(Error::new(format!("expected {want}, got {got}")));
        }
        let failed = want.status != 200;
        let may_differ = match when {
            // Before the first sample nothing is there to clash.
            When::At(time) => time < START_MS,
            // Windows and texts have no steps.
            When::Over(..) => want.body.contains("invalid expression type"),
        };
        if failed != query.fails && !may_differ {
            let body = short(&want.body);
            return Err(Error::about("should it fail? Both answer", body));
        }
        if failed {
            return Ok(());
        }
        let is_ordered = match when {
            When::Over(..) => true,
            When::At(_) => ["sort", "topk", "bottomk"]
                .iter()
                .any(|name| query.expr.starts_with(name)),
        };
        self.compare(&api::data(want)?, &api::data(got)?, is_ordered)
    }

    fn compare(&mut self, want: &Data, got: &Data, is_ordered: bool) -> Result<()> {
        compare::answers(want, got, Ties::No)?;
        let (mut want, mut got) = (series(want), series(got));
        if !is_ordered {
            want.sort_by(|a, b| a.labels.cmp(&b.labels));
            got.sort_by(|a, b| a.labels.cmp(&b.labels));
        }
        for (want, got) in want.iter().zip(&got) {
            if want.labels != got.labels {
                let (want, got) = (&want.labels, &got.labels);
                return Err(Error::new(format!("order: {want:?} where {got:?} is")));
            }
            for (want, got) in want.points.iter().zip(&got.points) {
                self.point(want, got)?;
            }
        }
        Ok(())
    }

    fn point(&mut self, want: &Point, got: &Point) -> Result<()> {
        if want == got {
            self.exact += 1;
            return Ok(());
        }
        let read = |point: &Point| -> Result<f64> {
            let value = point.value.parse();
            value.map_err(|error| Error::about(&point.value, error))
        };
        let (want, got) = (read(want)?, read(got)?);
        let distance = (want - got).abs() / want.abs().max(got.abs());
        self.close += 1;
        self.distance_max = self.distance_max.max(distance);
        Ok(())
    }
}

/// The series of an answer; a scalar is one without labels.
fn series(data: &Data) -> Vec<Series> {
    match data {
        Data::Vector(series) | Data::Matrix(series) => series.clone(),
        Data::Scalar(point) | Data::String(point) => vec![Series {
            labels: Default::default(),
            points: vec![point.clone()],
        }],
    }
}

/// A text, or a list of them in an order that says nothing; less what the peer's version tells
/// otherwise.
fn texts(json: &Json) -> Vec<String> {
    let text = |json: &Json| alike(json.as_str().unwrap_or_default());
    let mut texts = match json {
        Json::Null => Vec::new(),
        Json::Array(list) => list.iter().filter_map(text).collect(),
        one => text(one).into_iter().collect(),
    };
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// A text without what Prometheus 3.5 and 3.14 say differently.
fn alike(text: &str) -> Option<String> {
    // From where to where such a part is, and the text it is in.
    const PARTS: [(&str, &str, &str); 3] = [
        // 3.7 (#16794) names the metric no more where the name is dropped by then.
        ("bucket label \"le\" is missing", " for metric name", " ("),
        // 3.10 (#15578) tells more.
        ("fixed for monotonicity", "#histogram_quantile)", " ("),
        // Both of the two series that clash, in an order that says nothing in 3.5.
        ("found duplicate series", ": [", "];"),
    ];
    // Since 3.12 (#18498).
    if text.contains("sort is ineffective for range queries") {
        return None;
    }
    for (within, start, end) in PARTS {
        if text.contains(within)
            && let Some((before, rest)) = text.split_once(start)
            && let Some((_, after)) = rest.rsplit_once(end)
        {
            return Some(format!("{before}{end}{after}"));
        }
    }
    Some(text.to_owned())
}

fn short(body: &str) -> String {
    body.chars().take(300).collect()
}
