//! What queries over native histograms hold.

use super::super::*;
use crate::parse::Options;
use crate::source::memory::MemorySource;
use crate::{FloatHistogram, Labels, Value};

const SERIES: i32 = 6;
const SAMPLES: i64 = 60;
const BUCKETS: i32 = 100;

/// Series of counters, each of which has its own buckets and some more with time, and floats.
fn source() -> MemorySource {
    let mut source = MemorySource::default();
    for n in 0..SERIES {
        let labels =
            |name: &str| Labels::from_pairs([("__name__", name), ("n", n.to_string().as_str())]);
        for at in 0..SAMPLES {
            let buckets = (0..BUCKETS + at as i32).map(|index| (index + n, f64::from(index + 1)));
            let histogram = FloatHistogram {
                schema: 3,
                count: 1e4 + at as f64,
                sum: 2e4 + at as f64,
                positive: buckets.clone().collect(),
                negative: buckets.take(5).collect(),
                ..FloatHistogram::default()
            };
            source.push_histogram(&labels("h"), at * 1000, histogram);
            source.push(&labels("f"), at * 1000, at as f64);
        }
    }
    source
}

/// Every kind of node that meets histograms.
const KINDS: [&str; 32] = [
    "h",
    "h or f",
    "-h",
    "h * 2",
    "h + h",
    "h == h",
    "h == bool h",
    "h and f",
    "f unless on (n) h",
    "h * on (n) group_left () f",
    "rate(h[10s])",
    "irate(h[10s])",
    "sum_over_time(h[5s])",
    "avg_over_time(h[5s])",
    "last_over_time(h[5s])",
    "count_over_time(h[5s])",
    "resets(h[5s])",
    "sum_over_time(h[20s:5s])",
    "rate(h[10s] smoothed)",
    "sum(h)",
    "avg by (n) (h)",
    "count(h)",
    "max({__name__=~\"h|f\"})",
    "limitk(3, h)",
    "count_values(\"v\", h)",
    "histogram_quantile(0.5, h)",
    "histogram_fraction(0, 1, h)",
    "histogram_stddev(h)",
    "label_replace(h, \"x\", \"y$1\", \"n\", \"(.*)\")",
    "absent_over_time(h[5s])",
    "timestamp(h)",
    "scalar(histogram_count(h)) + f",
];

fn engine(bytes_max: u64) -> Engine {
    Engine::new(EngineOptions {
        parse: Options::ALL,
        bytes_max,
        ..EngineOptions::default()
    })
}

fn asked(engine: &Engine, source: &MemorySource, query: &str) -> Result<QueryResult, Error> {
    engine.range(source, query, 0, 50_000, 1000, &QueryOptions::default())
}

/// Bytes of the histograms of an answer, each once.
fn answer_bytes(value: &Value) -> u64 {
    let Value::Matrix(series) = value else {
        panic!("no matrix");
    };
    let all = series.iter().flat_map(|series| &series.histograms);
    let mut all: Vec<_> = all.map(|(_, histogram)| histogram).collect();
    all.sort_by_key(|histogram| Arc::as_ptr(histogram));
    all.dedup_by_key(|histogram| Arc::as_ptr(histogram));
    let bytes = all.iter().map(|histogram| histogram.heap_bytes());
    bytes.sum::<usize>() as u64
}

#[test]
fn what_a_query_holds_is_given_back() {
    let source = source();
    let engine = engine(1 << 30);
    for query in KINDS {
        let result = asked(&engine, &source, query);
        let result = result.unwrap_or_else(|error| panic!("{query}: {error}"));
        assert_eq!(engine.bytes_held(), result.memory.bytes(), "{query}");
        let bytes = answer_bytes(&result.value);
        assert!(result.memory.bytes() >= bytes, "{query}: {bytes}");
        drop(result);
        assert_eq!(engine.bytes_held(), 0, "{query}");
    }
    let raw = engine.instant(&source, "h[30s]", 50_000, &QueryOptions::default());
    let raw = raw.unwrap();
    assert!(raw.memory.bytes() >= answer_bytes(&raw.value));
    drop(raw);
    assert_eq!(engine.bytes_held(), 0);
}

/// Whatever the limit, a query past it ends with an error that names it, and gives back what it
/// held; one that is answered held its answer at the least.
#[test]
fn any_number_of_bytes_may_be_the_limit() {
    let source = source();
    for query in KINDS {
        let whole = asked(&engine(1 << 30), &source, query).unwrap();
        let needs = answer_bytes(&whole.value);
        let mut answered = 0;
        for bytes_max in (0..20).map(|power| 1000 << power) {
            let engine = engine(bytes_max);
            match asked(&engine, &source, query) {
                Ok(result) => {
                    answered += 1;
                    assert!(bytes_max >= needs, "{query}: {needs} in {bytes_max}");
                    assert!(engine.take_largest_ended() <= bytes_max, "{query}");
                    drop(result);
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Execution, "{query}: {error}");
                    let text = error.to_string();
                    assert!(text.contains("(--query-max-bytes)"), "{query}: {text}");
                    assert_eq!(answered, 0, "{query}: {text}");
                }
            }
            assert_eq!(engine.bytes_held(), 0, "{query}");
        }
        assert!(answered > 0, "{query}");
    }
}

/// A window is of all that it needs in memory at once: its samples are held while it is.
#[test]
fn the_histograms_of_a_series_are_held_while_it_is_read() {
    let source = source();
    let engine = engine(1 << 30);
    let result = engine.instant(
        &source,
        "count_over_time(h[1m])",
        59_000,
        &QueryOptions::default(),
    );
    drop(result.unwrap());
    let one = 16 * (BUCKETS as u64) * (SAMPLES as u64);
    let peak = engine.take_largest_ended();
    assert!((one..SERIES as u64 * one).contains(&peak), "{peak}: {one}");
}
