//! Threads change how long a query takes, and nothing else.

use super::KINDS;
use crate::parse::Options;
use crate::source::memory::MemorySource;
use crate::{Engine, EngineOptions, ErrorKind, Labels, QueryOptions, QueryResult, Value};

fn engine(options: EngineOptions) -> [Engine; 2] {
    let options = EngineOptions {
        parse: Options::ALL,
        threads_max: 0,
        ..options
    };
    let engine = Engine::new(options);
    [engine.clone(), engine.with_eager_threads(3)]
}

/// Series of values whose sum depends on the order in which they are added up; some begin late
/// or end early.
fn source() -> MemorySource {
    let mut source = MemorySource::default();
    let mut state = 7u64;
    for number in 0..700 {
        let labels = Labels::from_pairs([("__name__", "m"), ("n", &number.to_string())]);
        for at in number % 50..100 - number % 7 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let exponent = (state >> 33) % 40;
            let value = (state >> 40) as f64 * 2f64.powi(exponent as i32 - 20);
            source.push(&labels, at * 1000, value);
        }
    }
    source
}

fn bits(result: &QueryResult) -> Vec<(String, Vec<(i64, u64)>)> {
    let Value::Matrix(series) = &result.value else {
        panic!("no matrix");
    };
    let points = |series: &crate::RangeSeries| {
        let values = series.values.iter().map(|value| value.to_bits());
        series.timestamps_ms.iter().copied().zip(values).collect()
    };
    series
        .iter()
        .map(|one| (one.labels.to_string(), points(one)))
        .collect()
}

#[test]
fn answers_are_the_same_to_the_last_bit() {
    let source = source();
    let more = [
        "sum(m)",
        "avg(rate(m[10s]))",
        "stddev(m)",
        "quantile_over_time(1.5, m[5s])",
    ];
    let options = QueryOptions::default();
    for query in KINDS.into_iter().chain(more) {
        let [alone, together] = engine(EngineOptions::default()).map(|engine| {
            engine
                .range(&source, query, 0, 99_000, 1000, &options)
                .unwrap()
        });
        assert_eq!(bits(&alone), bits(&together), "{query}");
        assert_eq!(alone.warnings, together.warnings, "{query}");
        assert_eq!(alone.infos, together.infos, "{query}");
        assert_eq!(alone.memory.bytes(), together.memory.bytes(), "{query}");
    }
}

#[test]
fn failures_are_the_same() {
    let source = source();
    let options = QueryOptions::default();
    let query = "double_exponential_smoothing(m[10s], time() / 50, 0.5)";
    let errors = engine(EngineOptions::default()).map(|engine| {
        let result = engine.range(&source, query, 0, 99_000, 1000, &options);
        let error = result.unwrap_err().to_string();
        assert_eq!(engine.bytes_held(), 0);
        error
    });
    assert_eq!(errors[0], errors[1]);
    assert!(
        errors[0].starts_with("invalid smoothing factor."),
        "{}",
        errors[0]
    );
}

/// Memory that is there for one thread and not for more is no reason to fail.
#[test]
fn threads_end_with_the_query_and_need_no_memory_that_is_not_there() {
    let source = source();
    let options = QueryOptions::default();
    for power in 10..24 {
        let limited = EngineOptions {
            bytes_max: 1 << power,
            ..EngineOptions::default()
        };
        let results = engine(limited).map(|engine| {
            let result = engine.range(&source, "sum(m)", 0, 99_000, 1000, &options);
            let result = result
                .map(|result| bits(&result))
                .map_err(|error| error.kind());
            assert_eq!(engine.bytes_held(), 0);
            result
        });
        assert_eq!(results[0], results[1], "{power}");
        assert!(results[0].is_ok() || results[0] == Err(ErrorKind::Execution));
    }
}

#[test]
fn threads_are_there_for_the_next_query() {
    let source = source();
    let [_, engine] = engine(EngineOptions::default());
    let options = QueryOptions::default();
    for _ in 0..3 {
        engine
            .range(&source, "m * m", 0, 99_000, 1000, &options)
            .unwrap();
        assert_eq!(engine.crew.free(), 3);
    }
}
