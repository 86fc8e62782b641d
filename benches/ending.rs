//! How soon a query ends that is told to.
//!
//! `cargo bench -p silverback-benches --bench ending [-- PART_OF_AN_EXPRESSION]`
//!
//! Costly expressions over a database of a million series and a hundred million samples are
//! evaluated once to the end, and then told to end at shares of that time, the first and last
//! ones and some at random. What counts is the time from there until the evaluation has returned.
//!
//! `ENDING_SERIES` (600000) says how many series the widest metric has, and `ENDING_SAMPLES`
//! (5000000, two and a half years at 15 s) how many samples the longest series; `ENDING_THREADS`
//! (2) how many threads queries have beside their own. The server tells glibc to join free pieces
//! of memory at once, which `GLIBC_TUNABLES=glibc.malloc.mxfast=0` does here.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a bench that cannot set up its load has nothing to say"
)]
#![expect(clippy::print_stdout, reason = "what was measured")]

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use silverback_benches::START_MS;
use silverback_query::parse::Options as ParseOptions;
use silverback_query::{Engine, EngineOptions, ErrorKind, QueryOptions};
use silverback_storage::{Db, Options, WalSync, WriteBatch};

/// At which percents of its time a query is told to end, beside those at random.
const PERCENTS: [u32; 6] = [10, 25, 40, 55, 70, 95];
const RANDOM_ONES: u32 = 6;

/// How many samples a write has.
const WRITTEN: usize = 100_000;
const SECOND_MS: i64 = 1000;
/// When most queries look at the database.
const NOW_MS: i64 = START_MS + 60 * SECOND_MS;

/// An expression, and how many steps of how many seconds it is evaluated at.
struct Costly(&'static str, i64, i64);

/// Each of them is to take more than 300 ms.
const COSTLY: &[Costly] = &[
    // Samples.
    Costly("sum_over_time(long[2y])", 1, 1),
    Costly("quantile_over_time(0.5, long[2y])", 1, 1),
    Costly("mad_over_time(long[2y])", 1, 1),
    Costly("stddev_over_time(long[2y])", 1, 1),
    Costly("double_exponential_smoothing(long[2y], 0.5, 0.5)", 1, 1),
    Costly("changes(long[2y])", 1, 1),
    Costly("long[2y]", 1, 1),
    Costly("rate(long[1h])", 5_000, 5_000),
    Costly("sum by (job) (rate(deep[5m]))", 1_000, 60),
    Costly("deep", 2_000, 30),
    // Series.
    Costly("wide", 1, 1),
    Costly("wide", 20, 1),
    Costly("sum by (n) (wide)", 1, 1),
    Costly("sum without (n) (abs(wide) + 1)", 20, 1),
    Costly("topk(500000, wide)", 1, 1),
    Costly("topk(5, wide)", 10, 1),
    Costly("quantile(0.5, wide)", 1, 1),
    Costly("quantile by (n) (0.5, wide)", 1, 1),
    Costly("limit_ratio(0.5, wide)", 1, 1),
    Costly("count_values(\"v\", wide)", 1, 1),
    Costly("sort(wide)", 1, 1),
    Costly("sort_by_label(wide, \"n\", \"instance\")", 1, 1),
    Costly("wide * on (n) wide", 1, 1),
    Costly("wide * ignoring (job) group_left () wide", 1, 1),
    Costly("wide and on (instance) wide", 1, 1),
    Costly("wide or on (n) wide", 1, 1),
    Costly("{__name__=~\"wide|other\"} + 1", 1, 1),
    Costly(
        "label_replace(wide, \"x\", \"$1-$2\", \"n\", \"([0-9]*)([0-9]{2})\")",
        1,
        1,
    ),
    Costly(
        "label_join(wide, \"x\", \"-\", \"n\", \"instance\", \"job\")",
        1,
        1,
    ),
    Costly("histogram_quantile(0.9, bucket)", 1, 1),
    Costly("sum by (le, h) (bucket)", 1, 1),
    Costly("info(wide)", 1, 1),
    Costly("max_over_time(rate(wide[1m])[20s:1s])", 1, 1),
    Costly("absent_over_time(wide[1m])", 1, 1),
    Costly("wide{n=~\".*[13579].*[02468].*\"}", 1, 1),
    Costly("rate({__name__=~\"wide\"}[1m])", 1, 1),
];

fn number(name: &str, default: i64) -> i64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Writes a sample of each of some series, by number.
fn write_all(db: &Db, count: i64, time_ms: i64, labels: impl Fn(i64, &mut WriteBatch, i64)) {
    let mut first = 0;
    while first < count {
        let end = count.min(first + WRITTEN as i64 / 10);
        let mut batch = WriteBatch::new();
        for number in first..end {
            labels(number, &mut batch, time_ms);
        }
        db.write(&batch).unwrap();
        first = end;
    }
}

fn push(batch: &mut WriteBatch, labels: &[(&str, &str)], time_ms: i64, value: f64) {
    let series = batch.series(labels).unwrap();
    batch.float(series, time_ms, value);
}

fn wide(number: i64, batch: &mut WriteBatch, time_ms: i64) {
    // Not in order, so that sorting is work.
    let mixed = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let labels = [
        ("__name__", "wide"),
        ("instance", &format!("10.0.0.{}:9100", number % 50_000)),
        ("job", &format!("job-{}", number % 10)),
        ("n", &format!("{mixed}-{number}")),
    ];
    push(batch, &labels, time_ms, (mixed % 500_000) as f64);
}

fn bucket(number: i64, batch: &mut WriteBatch, time_ms: i64) {
    let le = ["0.1", "1", "10", "100", "+Inf"][(number % 5) as usize];
    let labels = [
        ("__name__", "bucket"),
        ("h", &format!("{}", number / 5)),
        ("le", le),
    ];
    push(
        batch,
        &labels,
        time_ms,
        (number % 5 * 7 + number % 13) as f64,
    );
}

fn target_info(number: i64, batch: &mut WriteBatch, time_ms: i64) {
    let labels = [
        ("__name__", "target_info"),
        ("instance", &format!("10.0.0.{number}:9100")),
        ("job", &format!("job-{}", number % 10)),
        ("version", &format!("1.{}", number % 7)),
    ];
    push(batch, &labels, time_ms, 1.0);
}

/// `count` samples of a series, a second apart, from a time on.
fn write_long(db: &Db, labels: &[(&str, &str)], start_ms: i64, count: i64) {
    let mut first = 0;
    while first < count {
        let end = count.min(first + WRITTEN as i64);
        let mut batch = WriteBatch::new();
        let series = batch.series(labels).unwrap();
        for at in first..end {
            let value = (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44;
            batch.float(series, start_ms + at * SECOND_MS, value as f64 / 8.0);
        }
        db.write(&batch).unwrap();
        first = end;
    }
}

fn fill(dir: &Path) -> Db {
    let options = Options {
        wal_sync: WalSync::Never,
        max_future: None,
        retention: None,
        ..Options::default()
    };
    let db = Db::open(dir, options).unwrap();
    let samples = number("ENDING_SAMPLES", 5_000_000);
    let long = [("__name__", "long"), ("job", "a")];
    write_long(&db, &long, NOW_MS - samples * SECOND_MS, samples);
    // Late ones, which lie over those of other files.
    db.flush().unwrap();
    write_long(&db, &long, NOW_MS - samples * SECOND_MS + 500, samples / 4);
    db.flush().unwrap();
    write_long(
        &db,
        &[("__name__", "long"), ("job", "b")],
        NOW_MS - samples * SECOND_MS,
        samples,
    );
    let times = (0..10_000).map(|at| NOW_MS - 10 * SECOND_MS * (10_000 - at));
    for time_ms in times {
        write_all(&db, 1_000, time_ms, |number, batch, time_ms| {
            let n = number.to_string();
            let job = ["x", "y"][(number % 2) as usize];
            let labels = [("__name__", "deep"), ("job", job), ("n", &*n)];
            push(
                batch,
                &labels,
                time_ms,
                (time_ms / 1000 * number % 1_000_003) as f64,
            );
        });
    }
    let series = number("ENDING_SERIES", 600_000);
    for time_ms in [NOW_MS - 40 * SECOND_MS, NOW_MS - 20 * SECOND_MS] {
        write_all(&db, series, time_ms, wide);
        write_all(&db, series, time_ms, bucket);
        write_all(&db, 50_000, time_ms, target_info);
        if time_ms < NOW_MS - 30 * SECOND_MS {
            db.flush().unwrap();
        }
    }
    db
}

/// Evaluates, and says when it returned and whether it was told to end.
fn evaluate(engine: &Engine, db: &Db, costly: &Costly, cancel: &AtomicBool) -> (Instant, bool) {
    let &Costly(query, steps, step_s) = costly;
    let options = QueryOptions {
        cancel: Some(cancel),
        ..QueryOptions::default()
    };
    let step_ms = step_s * SECOND_MS;
    let result = match steps {
        1 => engine.instant(db, query, NOW_MS, &options),
        _ => engine.range(
            db,
            query,
            NOW_MS - (steps - 1) * step_ms,
            NOW_MS,
            step_ms,
            &options,
        ),
    };
    let returned = Instant::now();
    match result {
        Ok(_) => (returned, false),
        Err(error) if error.kind() == ErrorKind::Canceled => (returned, true),
        Err(error) => panic!("{query}: {error}"),
    }
}

/// How long an expression goes on once it is told to end `after` it began; none where it was
/// through before.
fn goes_on(engine: &Engine, db: &Db, costly: &Costly, after: Duration) -> Option<Duration> {
    let cancel = AtomicBool::new(false);
    thread::scope(|scope| {
        let canceling = scope.spawn(|| {
            thread::sleep(after);
            let told = Instant::now();
            cancel.store(true, Ordering::Relaxed);
            told
        });
        let (returned, was_ended) = evaluate(engine, db, costly, &cancel);
        let told = canceling.join().unwrap();
        was_ended.then(|| returned.duration_since(told))
    })
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("?").to_owned()
}

/// How long queries went on, and the percent of its time at which each was told to end; sorted.
struct Endings(Vec<(Duration, u32)>);

impl Endings {
    /// The one that so many percent of them are not longer than.
    fn at(&self, share: usize) -> Option<&(Duration, u32)> {
        let last = self.0.len().checked_sub(1)?;
        self.0.get((self.0.len() * share / 100).min(last))
    }

    fn millis(&self, share: usize) -> f64 {
        self.at(share).map_or(f64::NAN, |(time, _)| millis(*time))
    }

    /// The cells of a table: how many there are, the median, the 99th percentile, the longest.
    fn cells(&self) -> String {
        let [median, p99, max] = [50, 99, 100].map(|share| self.millis(share));
        format!("{} | {median:.1} | {p99:.1} | {max:.1}", self.0.len())
    }
}

/// Tells an expression to end at shares of the time that it takes alone; says that time, too.
fn endings(engine: &Engine, db: &Db, costly: &Costly, random: &mut u64) -> (Duration, Endings) {
    let never = AtomicBool::new(false);
    evaluate(engine, db, costly, &never);
    let began = Instant::now();
    let (returned, _) = evaluate(engine, db, costly, &never);
    let alone = returned.duration_since(began);
    let at_random = std::iter::repeat_with(|| {
        *random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (*random >> 33) as u32 % 98 + 1
    });
    let percents = PERCENTS
        .into_iter()
        .chain(at_random.take(RANDOM_ONES as usize));
    let mut took: Vec<(Duration, u32)> = percents
        .filter_map(|percent| {
            let after = alone * percent / 100;
            Some((goes_on(engine, db, costly, after)?, percent))
        })
        .collect();
    took.sort();
    (alone, Endings(took))
}

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let db = fill(dir.path());
    println!("filled in {:.0} s", began.elapsed().as_secs_f64());
    let only = std::env::args().skip(1).find(|arg| !arg.starts_with("--"));
    let engine = Engine::new(EngineOptions {
        parse: ParseOptions::ALL,
        samples_max: u64::MAX,
        bytes_max: 16 << 30,
        timeout: None,
        threads_max: number("ENDING_THREADS", 2) as usize,
        ..EngineOptions::default()
    });
    println!("load {}", load());
    println!("| expression | steps | alone ms | ended | median ms | p99 ms | max ms | at |");
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    let mut random: u64 = 1;
    let mut all = Endings(Vec::new());
    for costly in COSTLY {
        if only.as_ref().is_some_and(|only| !costly.0.contains(only)) {
            continue;
        }
        let (alone, endings) = endings(&engine, &db, costly, &mut random);
        println!(
            "| `{}` | {} | {:.0} | {} | {} % |",
            costly.0.replace('|', "\\|"),
            costly.1,
            millis(alone),
            endings.cells(),
            endings.at(100).map_or(0, |(_, percent)| *percent),
        );
        all.0.extend(endings.0);
    }
    all.0.sort();
    println!("| all | | | {} | |", all.cells());
    println!("load {}", load());
}
