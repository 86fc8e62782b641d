//! A range query gives at each step what an instant query gives there.

use proptest::prelude::*;

use crate::source::memory::MemorySource;
use crate::{Engine, Labels, QueryOptions, Value};

const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

const QUERIES: [&str; 40] = [
    "a",
    "a offset 7s",
    "a @ 40",
    "rate(a[25s])",
    "increase(a[25s] offset 3s)",
    "delta(a[25s])",
    "irate(a[25s])",
    "idelta(a[25s])",
    "changes(a[25s])",
    "resets(a[25s])",
    "sum_over_time(a[25s])",
    "avg_over_time(a[25s])",
    "min_over_time(a[25s])",
    "max_over_time(a[25s])",
    "stddev_over_time(a[25s])",
    "quantile_over_time(0.3, a[25s])",
    "last_over_time(a[25s])",
    "deriv(a[25s])",
    "predict_linear(a[25s], 10)",
    "absent_over_time(a{x=\"1\"}[10s])",
    "absent(a{x=\"2\"})",
    "timestamp(a)",
    "sum(a)",
    "avg by (x) (a)",
    "stdvar without (x) (a)",
    "quantile(0.7, a)",
    "topk(2, a)",
    "count_values(\"v\", a)",
    "a * 2 > 1",
    "-a",
    "a + ignoring(y) b",
    "a > on(x) group_left b",
    "a and b",
    "a or on(x) b",
    "a unless on(x) b",
    "scalar(b) + 1",
    "label_replace(a, \"x\", \"new\", \"y\", \"1\")",
    "max_over_time(a[30s:7s])",
    "sum_over_time(sum(a)[30s:10s])",
    "clamp(a, -1, scalar(b))",
];

fn samples() -> impl Strategy<Value = Vec<(i64, f64)>> {
    let value = prop_oneof![
        6 => -5.0..5.0f64,
        2 => Just(1.0),
        1 => Just(f64::NAN),
        1 => Just(STALE),
    ];
    proptest::collection::vec((0..120_000i64, value), 0..30)
}

fn engine() -> Engine {
    Engine::new(crate::EngineOptions {
        lookback_delta_ms: 15_000,
        ..crate::EngineOptions::default()
    })
}

/// Labels, time and value of each point; a NaN as its bits say nothing.
fn points(value: Value) -> Vec<(String, i64, Option<u64>)> {
    let bits = |value: f64| (!value.is_nan()).then(|| value.to_bits());
    match value {
        Value::Matrix(series) => series
            .into_iter()
            .flat_map(|series| {
                let labels = series.labels.to_string();
                series
                    .timestamps_ms
                    .into_iter()
                    .zip(series.values)
                    .map(move |(at, value)| (labels.clone(), at, bits(value)))
            })
            .collect(),
        Value::Vector(elements) => elements
            .into_iter()
            .map(|element| {
                (
                    element.labels.to_string(),
                    element.timestamp_ms,
                    bits(element.value),
                )
            })
            .collect(),
        Value::Scalar {
            timestamp_ms,
            value,
        } => {
            vec![("{}".to_owned(), timestamp_ms, bits(value))]
        }
        Value::String { .. } => Vec::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_step_is_an_instant(
        a in proptest::collection::vec(samples(), 4),
        b in samples(),
        start_ms in -20_000..60_000i64,
        step_ms in 1_000..40_000i64,
    ) {
        let mut source = MemorySource::default();
        for (number, series) in a.iter().enumerate() {
            let (x, y) = ((number % 2).to_string(), (number / 2).to_string());
            let labels = Labels::from_pairs([("__name__", "a"), ("x", &x), ("y", &y)]);
            for &(at, value) in series {
                source.push(&labels, at, value);
            }
        }
        let labels = Labels::from_pairs([("__name__", "b"), ("x", "1")]);
        for &(at, value) in &b {
            source.push(&labels, at, value);
        }
        let engine = engine();
        let options = QueryOptions::default();
        let end_ms = start_ms + 100_000;
        for query in QUERIES {
            let range = engine.range(&source, query, start_ms, end_ms, step_ms, &options);
            let mut instants = Vec::new();
            let mut refused = None;
            for at in (start_ms..=end_ms).step_by(step_ms as usize) {
                match engine.instant(&source, query, at, &options) {
                    Ok(result) => instants.extend(points(result.value)),
                    Err(error) => refused = refused.or(Some(error.to_string())),
                }
            }
            match (range, refused) {
                (Ok(range), None) => {
                    let mut range = points(range.value);
                    range.sort();
                    instants.sort();
                    prop_assert_eq!(range, instants, "{}", query);
                }
                (range, refused) => {
                    prop_assert_eq!(range.err().map(|error| error.to_string()), refused, "{}", query);
                }
            }
        }
    }
}
