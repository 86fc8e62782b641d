//! A query that is told to end does so soon, whatever it is at.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::parse::Options;
use crate::source::{
    Allowance, Column, Cursor, Selection, SeriesSet, Source, Symbol, Values, View,
};
use crate::{Engine, EngineOptions, Error, ErrorKind, Labels, QueryOptions};

/// How soon, on a machine that does other things too.
const SOON: Duration = Duration::from_millis(250);

const NAMES: [&str; 3] = ["__name__", "m", "n"];
const STEP_MS: i64 = 1000;

/// So many series with a sample each second, made as they are read.
#[derive(Clone, Copy)]
pub(super) struct Endless(pub(super) usize);

impl Source for Endless {
    fn view(&self) -> Result<Box<dyn View + '_>, Error> {
        Ok(Box::new(*self))
    }
}

impl View for Endless {
    fn select(&self, selection: &Selection<'_>) -> Result<Box<dyn SeriesSet + '_>, Error> {
        let first_ms = selection.start_ms.div_euclid(STEP_MS) * STEP_MS;
        Ok(Box::new(EndlessSet {
            series: self.0,
            times_ms: (first_ms, selection.end_ms),
        }))
    }
}

struct EndlessSet {
    series: usize,
    times_ms: (i64, i64),
}

impl SeriesSet for EndlessSet {
    fn len(&self) -> usize {
        self.series
    }

    fn label_symbols(&self, series: usize, out: &mut Vec<(Symbol, Symbol)>) {
        let value = Symbol(NAMES.len() as u32 + series as u32);
        *out = vec![(Symbol(0), Symbol(1)), (Symbol(2), value)];
    }

    fn symbol(&self, text: &str) -> Option<Symbol> {
        let at = NAMES.iter().position(|name| *name == text)?;
        Some(Symbol(at as u32))
    }

    fn labels(&self, series: usize) -> Labels {
        // Not in order, so that sorting is work.
        let number = series.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Labels::from_pairs([("__name__", "m"), ("n", &number.to_string())])
    }

    fn columns(
        &self,
        series: usize,
        cursor: &mut Cursor,
        _allowance: &dyn Allowance,
        each: &mut dyn FnMut(Column<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (mut next_ms, last_ms) = self.times_ms;
        while next_ms <= last_ms {
            cursor.timestamps_ms.clear();
            cursor.values.clear();
            while next_ms <= last_ms && cursor.values.len() < 1000 {
                cursor.timestamps_ms.push(next_ms);
                cursor.values.push((series as i64 * 7 + next_ms) as f64);
                next_ms += STEP_MS;
            }
            each(Column {
                timestamps_ms: &cursor.timestamps_ms,
                values: Values::Floats(&cursor.values),
                statistics: None,
            })?;
        }
        Ok(())
    }
}

/// How long a query goes on after it was told to end, a while after it began.
fn goes_on(query: &str, series: usize, (steps, threads): (i64, usize)) -> Duration {
    let options = EngineOptions {
        parse: Options::ALL,
        samples_max: u64::MAX,
        bytes_max: 4 << 30,
        threads_max: threads,
        ..EngineOptions::default()
    };
    let engine = Engine::new(options);
    let cancel = AtomicBool::new(false);
    thread::scope(|scope| {
        let canceling = scope.spawn(|| {
            thread::sleep(Duration::from_millis(150));
            cancel.store(true, Ordering::Relaxed);
            Instant::now()
        });
        let options = QueryOptions {
            cancel: Some(&cancel),
            ..QueryOptions::default()
        };
        let end_ms = 1_000_000 + (steps - 1) * 15_000;
        let result = engine.range(&Endless(series), query, 1_000_000, end_ms, 15_000, &options);
        let ended = Instant::now();
        let error = match result {
            Ok(_) => panic!("{query}: it ended by itself"),
            Err(error) => error,
        };
        assert_eq!(error.kind(), ErrorKind::Canceled, "{query}: {error}");
        engine.wait_for_freed();
        assert_eq!(engine.bytes_held(), 0, "{query}");
        ended.duration_since(canceling.join().unwrap())
    })
}

#[test]
fn a_query_that_is_canceled_ends_soon() {
    let many = 5_000_000;
    for (query, series, steps) in [
        // Reading, one series that does not end, and many.
        ("sum_over_time(m[30d])", many, 1),
        ("m", many, 1),
        ("sum(rate(m[5m]))", many, 1000),
        // Windows that are looked at anew at each step.
        ("quantile_over_time(0.5, m[12h])", 10, 5000),
        ("deriv(m[1h])", many, 1000),
        // Rows that are put together.
        ("topk(5, m)", 20_000, 2000),
        ("quantile(0.5, m)", 20_000, 2000),
        ("count_values(\"v\", m)", 20_000, 2000),
        ("m * on (n) group_left () m", 20_000, 2000),
        ("m or (m offset 1h)", 20_000, 2000),
        (
            "label_replace(m, \"x\", \"$1\", \"n\", \"(.*).\")",
            500_000,
            1,
        ),
        ("sort(m)", 500_000, 1),
        ("sort_by_label(m, \"n\")", 500_000, 1),
        // A subquery's steps.
        ("max_over_time(rate(m[5m])[1d:1s])", many, 10),
    ] {
        for threads in [0, 2] {
            let mut soonest = Duration::MAX;
            // The machine may have been at something else.
            for _ in 0..3 {
                soonest = soonest.min(goes_on(query, series, (steps, threads)));
                if soonest < SOON {
                    break;
                }
            }
            println!("{query} with {threads} threads: {soonest:?}");
            assert!(
                soonest < SOON,
                "{query} with {threads} threads: {soonest:?}"
            );
        }
    }
}
