//! What ends a query before it has an answer.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::{KINDS, source};
use crate::parse::Options;
use crate::source::{Source, View};
use crate::{Engine, EngineOptions, Error, ErrorKind, QueryOptions, Value};

fn engine(samples_max: u64) -> Engine {
    Engine::new(EngineOptions {
        samples_max,
        bytes_max: 1 << 40,
        ..EngineOptions::default()
    })
}

fn range(engine: &Engine, source: &dyn Source, query: &str) -> Result<Value, Error> {
    let options = QueryOptions::default();
    let result = engine.range(source, query, 0, 99_000, 1000, &options);
    result.map(|result| result.value)
}

fn of_bytes(bytes_max: u64) -> Engine {
    Engine::new(EngineOptions {
        bytes_max,
        ..EngineOptions::default()
    })
}

#[test]
fn what_a_query_holds_is_given_back() {
    let source = source(20, 100);
    for query in KINDS {
        let engine = Engine::new(EngineOptions {
            parse: Options::ALL,
            ..EngineOptions::default()
        });
        let options = QueryOptions::default();
        let result = engine.range(&source, query, 0, 99_000, 1000, &options);
        let result = result.unwrap_or_else(|error| panic!("{query}: {error}"));
        assert_eq!(engine.bytes_held(), result.memory.bytes(), "{query}");
        let Value::Matrix(series) = &result.value else {
            panic!("no matrix");
        };
        // The answer is among what is held.
        let cells: usize = series.iter().map(|series| series.values.len()).sum();
        assert!(result.memory.bytes() >= 16 * cells as u64, "{query}");
        drop(result);
        assert_eq!(engine.bytes_held(), 0, "{query}");
    }
}

/// Whatever the limit, a query past it ends with an error that names it, and gives back what it
/// held.
#[test]
fn any_number_of_bytes_may_be_the_limit() {
    let source = source(20, 100);
    for query in KINDS {
        let mut answered = 0;
        for bytes_max in (0..20).map(|power| 100 << power) {
            let engine = Engine::new(EngineOptions {
                parse: Options::ALL,
                bytes_max,
                ..EngineOptions::default()
            });
            let options = QueryOptions::default();
            match engine.range(&source, query, 0, 99_000, 1000, &options) {
                Ok(result) => {
                    answered += 1;
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

#[test]
fn answers_that_are_still_to_be_sent_count() {
    let source = source(10, 100);
    let engine = of_bytes(40_000);
    let first = range(&engine, &source, "m").unwrap();
    drop(first);
    let options = QueryOptions::default();
    let held = engine
        .range(&source, "m", 0, 99_000, 1000, &options)
        .unwrap();
    let refused = range(&engine, &source, "m").unwrap_err().to_string();
    assert!(refused.contains("and others "), "{refused}");
    drop(held);
    range(&engine, &source, "m").unwrap();
}

#[test]
fn a_query_holds_no_more_samples_than_it_may() {
    let source = source(10, 100);
    // 10 rows of 100 values, and a series of 100 samples while it is read.
    for (query, needs) in [
        ("m", 1000),
        ("rate(m[10s])", 1000),
        ("m + m", 3000),
        ("label_replace(m, \"x\", \"y\", \"\", \"\")", 1000),
        // An aggregation holds its groups, not the rows that it gets.
        ("sum(m)", 200),
        ("sum(rate(m[10s]))", 200),
        ("quantile(0.5, m)", 1100),
    ] {
        let refused = range(&engine(needs - 200), &source, query).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Execution, "{query}");
        let text = refused.to_string();
        let limit = format!("more than {} (--query-max-samples) after", needs - 200);
        assert!(
            text.starts_with(
                "query processing would load too many samples into memory in query execution: "
            ) && text.contains(&limit),
            "{query}: {text}"
        );
        range(&engine(needs + 200), &source, query).unwrap();
    }
}

#[test]
fn a_grid_of_more_steps_than_samples_is_refused_before_it_is_made() {
    let source = source(1, 1);
    let options = QueryOptions::default();
    for query in [
        "m",
        "1",
        "time()",
        "vector(1)",
        "scalar(m)",
        "absent(m)",
        "rate(m[5m])",
    ] {
        let result = engine(1_000_000).range(&source, query, 0, i64::MAX, 1, &options);
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Execution, "{query}");
    }
    let subquery = "sum_over_time(m[292y:1ms])";
    let result = engine(1_000_000).instant(&source, subquery, 0, &options);
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Execution);
}

#[test]
fn a_label_that_is_made_is_not_endless() {
    let source = source(1, 1);
    let many = "$1".repeat(10_000);
    let mut query = "m".to_owned();
    for _ in 0..3 {
        query = format!("label_replace({query}, \"n\", \"{many}\", \"n\", \"(.*)\")");
    }
    let options = QueryOptions::default();
    let error = engine(1 << 40)
        .instant(&source, &query, 0, &options)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "label value longer than 16 MiB in label_replace()"
    );
}

#[test]
fn labels_that_double_are_held() {
    let source = source(1, 1);
    let mut query = "m".to_owned();
    for _ in 0..40 {
        query = format!("label_join({query}, \"n\", \"\", \"n\", \"n\")");
    }
    let options = QueryOptions::default();
    let engine = of_bytes(4 << 20);
    let result = engine.instant(&source, &query, 0, &options);
    let text = result.unwrap_err().to_string();
    assert!(
        text.contains("of the 4.0 MiB for all queries together (--query-max-bytes)"),
        "{text}"
    );
    assert_eq!(engine.bytes_held(), 0);
}

#[test]
fn time_and_callers_end_queries() {
    let source = source(1, 10);
    let cancel = AtomicBool::new(true);
    let canceled = QueryOptions {
        cancel: Some(&cancel),
        ..QueryOptions::default()
    };
    let late = QueryOptions {
        timeout: Some(Duration::ZERO),
        ..QueryOptions::default()
    };
    for (options, kind, text) in [
        (
            canceled,
            ErrorKind::Canceled,
            "query was canceled in expression evaluation",
        ),
        (
            late,
            ErrorKind::Timeout,
            "query timed out in expression evaluation",
        ),
    ] {
        let error = Engine::default()
            .instant(&source, "m", 0, &options)
            .unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().starts_with(text), "{error}");
    }
}

#[test]
fn a_lookback_delta_of_the_query_goes_before_the_engines() {
    let source = source(1, 1);
    let options = QueryOptions {
        lookback_delta_ms: Some(10_000),
        ..QueryOptions::default()
    };
    for (time_ms, count) in [(9_999, 1), (10_000, 0)] {
        let result = Engine::default().instant(&source, "m", time_ms, &options);
        let Value::Vector(elements) = result.unwrap().value else {
            panic!("no vector");
        };
        assert_eq!(elements.len(), count);
    }
}

/// A source that must not be asked.
struct Untouchable;

impl Source for Untouchable {
    fn view(&self) -> Result<Box<dyn View + '_>, Error> {
        panic!("the source was asked")
    }
}

#[test]
fn what_is_not_there_is_named_before_anything_is_read() {
    let engine = Engine::new(EngineOptions {
        parse: Options::ALL,
        ..EngineOptions::default()
    });
    for (query, message) in [
        (
            "sum(\n start_timestamp(up))",
            "not supported yet: function start_timestamp at 2:2",
        ),
        (
            "up + start_timestamp(up)",
            "not supported yet: function start_timestamp at 1:6",
        ),
    ] {
        let options = QueryOptions::default();
        let error = engine
            .instant(&Untouchable, query, 0, &options)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn a_range_query_needs_steps_and_the_right_type() {
    let engine = Engine::default();
    for (query, end_ms, step_ms, message) in [
        (
            "up[5m]",
            10,
            1,
            "invalid expression type \"range vector\" for range query, must be Scalar or instant \
             Vector",
        ),
        (
            "\"text\"",
            10,
            1,
            "invalid expression type \"string\" for range query, must be Scalar or instant Vector",
        ),
        (
            "up",
            10,
            0,
            "zero or negative query resolution step widths are not accepted. Try a positive \
             integer",
        ),
        ("up", -1, 1, "end timestamp must not be before start time"),
        ("up +", 10, 1, "1:5: parse error: unexpected end of input"),
    ] {
        let options = QueryOptions::default();
        let error = engine
            .range(&Untouchable, query, 0, end_ms, step_ms, &options)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadData);
        assert_eq!(error.to_string(), message);
    }
}

/// Tests run on threads of 2 MiB, as most do.
#[test]
fn the_deepest_expressions_do_not_overflow_the_stack() {
    let source = source(1, 1);
    let nested = |levels: usize, open: &str, close: &str| {
        format!("{}m{}", open.repeat(levels), close.repeat(levels))
    };
    for query in [
        nested(990, "abs(", ")"),
        nested(990, "(", ")"),
        nested(990, "-", ""),
        nested(990, "sum(", ")"),
        nested(990, "2 * ", ""),
        nested(990, "m + ", ""),
        nested(990, "", " + m"),
        nested(990, "m or ", ""),
        nested(990, "absent(", ")"),
        nested(330, "vector(scalar(", "))"),
        nested(450, "max_over_time(", "[1s:1s])"),
        nested(990, "sort(", ")"),
        nested(450, "label_join(", ", \"a\", \"b\", \"c\")"),
        nested(450, "topk(1, ", ")"),
        nested(450, "histogram_quantile(1, ", ")"),
        nested(450, "count_values(\"v\", ", ")"),
        // The deepest that are taken on the thread of the caller.
        nested(63, "sum(", ")"),
        nested(63, "m + ", ""),
        nested(31, "max_over_time(", "[1s:1s])"),
    ] {
        let result = Engine::default().instant(&source, &query, 0, &QueryOptions::default());
        result.unwrap_or_else(|error| panic!("{query}: {error}"));
    }
}

#[test]
fn operators_in_a_row_need_no_stack() {
    let test = || {
        let source = source(2, 10);
        let engine = Engine::new(EngineOptions {
            timeout: None,
            ..EngineOptions::default()
        });
        let count = 20_000;
        let m = r#"m{n="0"}"#;
        for (query, expected) in [
            (format!("1{}", " + 1".repeat(count)), 20_001.0),
            (format!("{m}{}", " + 1".repeat(count)), 20_002.0),
            (format!("{m}{}", format!(" - -{m}").repeat(count)), 40_002.0),
            (format!("1 * {m}{}", format!(" or {m}").repeat(count)), 2.0),
            (format!("time(){}", " > bool 2".repeat(count)), 0.0),
        ] {
            let options = QueryOptions::default();
            let result = engine.range(&source, &query, 2000, 2000, 1, &options);
            let Value::Matrix(series) = result.unwrap().value else {
                panic!("no matrix");
            };
            let first = series.first().and_then(|series| series.values.first());
            assert_eq!(first, Some(&expected), "{}", &query[..20]);
        }
    };
    let thread = std::thread::Builder::new().stack_size(1 << 20);
    thread.spawn(test).unwrap().join().unwrap();
}
