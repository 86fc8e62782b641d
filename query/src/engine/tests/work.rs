//! How much is done from one check to the next: no more than a few milliseconds' worth, whatever
//! the query is at. Nothing here looks at a clock.

use std::sync::atomic::AtomicBool;

use super::ends::Endless;
use crate::limits::meter::counted::{Meter, while_running};
use crate::parse::Options;
use crate::{Engine, EngineOptions, ErrorKind, QueryOptions};

/// So much may be done between two checks, in samples looked at; a label set is 32 of them.
const WORK_MAX: usize = 1 << 19;

/// Series of those that have many: a loop over their labels without a check does more than that.
const MANY: usize = 20_000;
/// Samples of a long series, as a range: a second apart.
const LONG: &str = "[500000s]";

/// What may follow the check that ends a query: that much once, and what frees its small things.
const AFTER_MAX: usize = WORK_MAX;

fn engine() -> Engine {
    Engine::new(EngineOptions {
        parse: Options::ALL,
        samples_max: u64::MAX,
        bytes_max: 4 << 30,
        threads_max: 0,
        timeout: None,
        ..EngineOptions::default()
    })
}

/// What is counted while a query is evaluated that is told to end at a check.
fn metered(engine: &Engine, query: &str, series: usize, steps: i64, ends_at: usize) -> Meter {
    let never = AtomicBool::new(false);
    let options = QueryOptions {
        cancel: Some(&never),
        ..QueryOptions::default()
    };
    let source = Endless(series);
    let (start_ms, step_ms) = (1_000_000_000, 15_000);
    let end_ms = start_ms + (steps - 1) * step_ms;
    let mut kind = None;
    let meter = while_running(ends_at, || {
        let result = match steps {
            1 => engine.instant(&source, query, start_ms, &options),
            _ => engine.range(&source, query, start_ms, end_ms, step_ms, &options),
        };
        match result {
            // What has an answer is freed by who asked.
            Ok(answer) => engine.free_behind(answer),
            Err(error) => kind = Some((error.kind(), error.to_string())),
        }
    });
    engine.wait_for_freed();
    let expected = (ends_at < usize::MAX).then_some(ErrorKind::Canceled);
    assert_eq!(
        kind.as_ref().map(|(kind, _)| *kind),
        expected,
        "{query}: {kind:?}"
    );
    if ends_at < usize::MAX {
        assert_eq!(engine.bytes_held(), 0, "{query}");
    }
    meter
}

/// Costly expressions, with how many series and steps.
fn costly() -> Vec<(String, usize, i64)> {
    let le = "label_replace(m, \"le\", \"$1\", \"n\", \"(.*)\")";
    let mut all: Vec<(String, usize, i64)> = [
        "m",
        "abs(m) + 1",
        "sum by (n) (m)",
        "sum without (x) (abs(m))",
        "avg(m)",
        "m + m",
        "m * on (n) m",
        "m * on (n) group_left () m",
        "m and on (n) m",
        "m or on (n) m",
        "m unless on () m",
        "topk(10000, m)",
        "bottomk by (n) (1, m)",
        "limitk(10000, m)",
        "limit_ratio(0.5, m)",
        "quantile(0.5, m)",
        "quantile by (n) (0.5, m)",
        "count_values(\"v\", m)",
        "label_replace(m, \"x\", \"y$1\", \"n\", \"(.*)\")",
        "label_join(m, \"x\", \"-\", \"n\", \"n\")",
        "max_over_time(m[30s:10s])",
        "rate({n=~\".+\"}[1m])",
        "absent(m)",
        "scalar(m) + m",
        "info(m)",
        "sum(m * 2) + count(m * 2) + max(m * 2) + sum(abs(m * 2))",
    ]
    .into_iter()
    .flat_map(|query| [(query.to_owned(), MANY, 1), (query.to_owned(), MANY, 3)])
    .collect();
    for query in ["sort(m)", "sort_desc(m)", "sort_by_label(m, \"n\")"] {
        all.push((query.to_owned(), MANY, 1));
    }
    all.push((format!("histogram_quantile(0.5, {le})"), MANY, 1));
    all.push((
        format!("histogram_quantile(0.5, label_replace({le}, \"h\", \"$1\", \"n\", \"(.*)\"))"),
        MANY,
        1,
    ));
    for function in [
        "sum",
        "avg",
        "count",
        "min",
        "max",
        "stddev",
        "mad",
        "last",
        "ts_of_max",
        "present",
    ] {
        all.push((format!("{function}_over_time(m{LONG})"), 2, 1));
    }
    for function in ["rate", "changes", "resets", "deriv", "irate", "delta"] {
        all.push((format!("{function}(m{LONG})"), 2, 1));
    }
    all.push((format!("quantile_over_time(0.5, m{LONG})"), 2, 1));
    all.push((format!("predict_linear(m{LONG}, 9)"), 2, 1));
    all.push((
        format!("double_exponential_smoothing(m{LONG}, 0.5, 0.5)"),
        2,
        1,
    ));
    all.push((format!("increase(m{LONG} smoothed)"), 2, 1));
    all.push((format!("m{LONG}"), 2, 1));
    all.push(("sum_over_time(m[300000s:1s])".to_owned(), 2, 1));
    all
}

#[test]
fn no_loop_goes_on_without_a_look() {
    let engine = engine();
    let mut worst = Vec::new();
    for (query, series, steps) in costly() {
        let meter = metered(&engine, &query, series, steps, usize::MAX);
        println!(
            "{query}, {steps} steps: {} between {} checks",
            meter.most, meter.checks
        );
        if meter.most > WORK_MAX {
            worst.push((query, steps, meter.most));
        }
    }
    assert!(worst.is_empty(), "more than {WORK_MAX}: {worst:#?}");
}

#[test]
fn what_is_told_to_end_does_little_more() {
    let engine = engine();
    let mut worst = Vec::new();
    for (query, series, steps) in costly() {
        // At more steps nothing else is done.
        if steps > 1 {
            continue;
        }
        let whole = metered(&engine, &query, series, steps, usize::MAX);
        for percent in [10, 40, 70, 95] {
            let ends_at = (whole.checks * percent / 100).max(1);
            let meter = metered(&engine, &query, series, steps, ends_at);
            if meter.after > AFTER_MAX {
                worst.push((query.clone(), steps, percent, meter.after));
            }
        }
    }
    assert!(worst.is_empty(), "more than {AFTER_MAX}: {worst:#?}");
}
