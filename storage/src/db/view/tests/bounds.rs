//! Reads that are told to end, or to take no more.

use super::*;
use crate::ErrorKind;
use crate::model::allowance::tests::Counted;
use crate::model::{Exemplar, Metadata, MetricType, Unbounded};

const SERIES: usize = 6000;

/// Series in a block, in a segment and in a head, a third of them in all three.
fn crowded() -> Db {
    // A result that is known takes fewer looks than one that is not: none is kept here.
    let options = Options {
        matcher_cache_bytes_max: 0,
        ..Options::default()
    };
    let db = Db::open_with(SimDisk::new(1).sys(0), "/data", options).unwrap();
    let put = |series: Range<usize>, timestamp_ms: i64| {
        let mut batch = WriteBatch::new();
        for n in series {
            let own = format!("{:016x}", (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let zone = (n % 7).to_string();
            let labels = [("__name__", "m"), ("own", own.as_str()), ("zone", &zone)];
            let row = batch.series(&labels).unwrap();
            batch.float(row, timestamp_ms, n as f64);
            batch.exemplar(
                row,
                Exemplar {
                    labels: Labels::from_pairs([("trace", own.as_str())]).unwrap(),
                    timestamp_ms,
                    value: 1.0,
                },
            );
            let metadata = Metadata {
                metric_type: MetricType::Counter,
                unit: String::new(),
                help: own.clone(),
            };
            batch.metadata(format!("family_{n}").as_str(), metadata);
        }
        db.write(&batch).unwrap();
    };
    put(0..SERIES * 2 / 3, 0);
    db.flush().unwrap();
    db.compact().unwrap();
    put(SERIES / 6..SERIES * 5 / 6, 1);
    db.flush().unwrap();
    put(SERIES / 3..SERIES, 2);
    db
}

/// What is asked, and the answer as text.
type Question = (
    &'static str,
    fn(&Bounded<'_, '_>, usize) -> Result<String, Error>,
);

fn matcher(op: MatchOp, name: &str, value: &str) -> Vec<Matcher> {
    vec![Matcher::new(op, name, value).unwrap()]
}

const ALL: TimeRange = TimeRange::ALL;

fn questions() -> Vec<Question> {
    fn text(list: Result<Vec<String>, Error>) -> Result<String, Error> {
        list.map(|list| list.join(","))
    }
    fn selected(selection: Result<Selection<'_>, Error>) -> Result<String, Error> {
        selection.map(|selection| format!("{:?}", content(&selection)))
    }
    vec![
        ("all series", |view, _| selected(view.select(&[], ALL))),
        ("series of a pattern", |view, _| {
            selected(view.select(&matcher(MatchOp::Regex, "own", "[0-9]+.*a.*"), ALL))
        }),
        ("series but a pattern", |view, _| {
            selected(view.select(&matcher(MatchOp::NotRegex, "own", ".*[a-f].*"), ALL))
        }),
        ("names", |view, limit| {
            text(view.label_names(&[[]], ALL, limit))
        }),
        ("names of some", |view, limit| {
            let some = matcher(MatchOp::Regex, "own", "1.*");
            text(view.label_names(&[some], ALL, limit))
        }),
        ("values", |view, limit| {
            text(view.label_values("own", &[[]], ALL, limit))
        }),
        ("values of some", |view, limit| {
            let some = matcher(MatchOp::NotEqual, "zone", "3");
            text(view.label_values("own", &[some], ALL, limit))
        }),
        ("values of few", |view, limit| {
            let few = matcher(MatchOp::Regex, "own", "12.*");
            text(view.label_values("zone", &[few], ALL, limit))
        }),
        ("label sets", |view, limit| {
            let sets = [
                matcher(MatchOp::NotEqual, "zone", "1"),
                matcher(MatchOp::Equal, "zone", "2"),
            ];
            let found = view.series(&sets, ALL, limit)?;
            assert!(found.is_sorted_by(|a, b| a < b));
            Ok(format!("{found:?}"))
        }),
        ("cardinality", |view, limit| {
            Ok(format!("{:?}", view.cardinality(ALL, limit)?))
        }),
        ("exemplars", |view, _| {
            Ok(format!("{:?}", view.exemplars(&[], ALL)?))
        }),
        ("metadata", |view, _| {
            Ok(format!("{:?}", view.metadata(None)?))
        }),
    ]
}

/// Whoever says no is not asked again, wherever that is.
#[test]
fn every_read_ends_where_it_is_told_to() {
    let db = crowded();
    let view = db.view();
    for (what, ask) in questions() {
        let whole = Counted::new(usize::MAX, usize::MAX);
        let answer = ask(&view.bounded(&whole), usize::MAX).unwrap();
        assert_eq!(
            answer,
            ask(&view.bounded(&Unbounded), usize::MAX).unwrap(),
            "{what}"
        );
        let asked = whole.asked.into_inner();
        // Three sources: at least one look in each.
        assert!(asked >= 3, "{what}: {asked}");
        for asks_max in (0..asked).step_by(asked.div_ceil(40)) {
            let allowance = Counted::new(asks_max, usize::MAX);
            let error = ask(&view.bounded(&allowance), usize::MAX).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Ended, "{what}");
            assert_eq!(allowance.asked.into_inner(), asks_max + 1, "{what}");
        }
    }
    assert!(view.read_damage().is_empty(), "an end is no damage");
}

#[test]
fn no_read_takes_more_than_it_may() {
    let db = crowded();
    let view = db.view();
    for (what, ask) in questions() {
        let whole = Counted::new(usize::MAX, usize::MAX);
        let answer = ask(&view.bounded(&whole), usize::MAX).unwrap();
        assert_eq!(whole.held.into_inner(), 0, "{what}");
        let needs = whole.peak.into_inner();
        for bytes_max in [0, needs / 100, needs / 3, needs - 1] {
            let allowance = Counted::new(usize::MAX, bytes_max);
            let error = ask(&view.bounded(&allowance), usize::MAX).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Ended, "{what}");
            assert_eq!(allowance.held.into_inner(), 0, "{what}");
        }
        // The answer is among what is held.
        let enough = Counted::new(usize::MAX, needs);
        assert_eq!(ask(&view.bounded(&enough), usize::MAX).unwrap(), answer);
    }
}

#[test]
fn a_limit_gives_the_first_and_holds_no_more_than_they_take() {
    let db = crowded();
    let view = db.view();
    let values = view.label_values("own", &[], ALL).unwrap();
    assert_eq!(values.len(), SERIES);
    let some = matcher(MatchOp::NotEqual, "zone", "3");
    let of_some = view.label_values("own", &some, ALL).unwrap();
    for limit in [0, 1, 10, 700, SERIES, usize::MAX] {
        let allowance = Counted::new(usize::MAX, usize::MAX);
        let bounded = view.bounded(&allowance);
        let expected = |all: &[String]| all[..limit.min(all.len())].to_vec();
        let found = bounded.label_values("own", &[[]], ALL, limit).unwrap();
        assert_eq!(found, expected(&values), "{limit}");
        let found = bounded
            .label_values("own", &[&some[..]], ALL, limit)
            .unwrap();
        assert_eq!(found, expected(&of_some), "{limit}");
        let names = bounded.label_names(&[[]], ALL, limit).unwrap();
        let all = ["__name__", "own", "zone"].map(str::to_owned);
        assert_eq!(names, expected(&all));
    }
    let held = |limit| {
        let allowance = Counted::new(usize::MAX, usize::MAX);
        let bounded = view.bounded(&allowance);
        bounded.label_values("own", &[[]], ALL, limit).unwrap();
        allowance.peak.into_inner()
    };
    // Of the head it keeps a symbol for each value, and some runs to sort.
    assert!(held(1) < held(usize::MAX) / 3, "{}", held(1));
}

#[test]
fn a_limit_of_series_gives_that_many_of_them() {
    let db = crowded();
    let view = db.view();
    let sets = [matcher(MatchOp::Equal, "__name__", "m")];
    let all = view.bounded(&Unbounded).series(&sets, ALL, usize::MAX);
    let all: BTreeSet<Labels> = all.unwrap().into_iter().collect();
    assert_eq!(all.len(), SERIES);
    for limit in [0, 1, 17, SERIES / 2, SERIES * 3 / 4, SERIES - 1, SERIES + 1] {
        let allowance = Counted::new(usize::MAX, usize::MAX);
        let bounded = view.bounded(&allowance);
        let some = bounded.series(&sets, ALL, limit).unwrap();
        assert_eq!(some.len(), limit.min(SERIES));
        assert!(some.iter().all(|labels| all.contains(labels)));
        assert_eq!(some, bounded.series(&sets, ALL, limit).unwrap());
    }
    let asked = |limit| {
        let allowance = Counted::new(usize::MAX, usize::MAX);
        view.bounded(&allowance).series(&sets, ALL, limit).unwrap();
        (allowance.asked.into_inner(), allowance.peak.into_inner())
    };
    let (few, whole) = (asked(5), asked(usize::MAX));
    assert!(
        few.0 < whole.0 / 3 && few.1 < whole.1 / 5,
        "{few:?} of {whole:?}"
    );
}

#[test]
fn a_long_series_asks_as_it_is_read() {
    // All of them within the ten minutes after the clock's start that samples may lie ahead of it.
    const SAMPLES: i64 = 280_000;
    let db = open();
    let put = |times: Range<i64>, step: usize, value: f64| {
        for first in times.clone().step_by(40_000) {
            let mut batch = WriteBatch::new();
            let row = batch.series(&[("__name__", "long")]).unwrap();
            for at in (first..times.end.min(first + 40_000)).step_by(step) {
                batch.float(row, at, value + at as f64);
            }
            db.write(&batch).unwrap();
        }
    };
    // A block, a segment with late ones over it, and a head.
    put(0..SAMPLES, 1, 0.5);
    db.flush().unwrap();
    db.compact().unwrap();
    put(0..SAMPLES, 2, 0.25);
    db.flush().unwrap();
    put(SAMPLES..2 * SAMPLES, 1, 0.0);
    let view = db.view();
    let selection = view.select(&[], ALL).unwrap();
    let mut whole = Samples::default();
    selection.samples(0, &mut whole).unwrap();
    assert_eq!(whole.len() as i64, 2 * SAMPLES);

    let mut read = Samples::default();
    let allowance = Counted::new(usize::MAX, usize::MAX);
    selection.samples_within(0, &mut read, &allowance).unwrap();
    assert!(read.iter().eq(whole.iter()));
    // Times and values are decoded apart, and samples put over others.
    let asks = allowance.asked.into_inner();
    assert!(asks as i64 >= 4 * SAMPLES / 65_536, "{asks}");
    for asks_max in 0..asks {
        let allowance = Counted::new(asks_max, usize::MAX);
        let error = selection
            .samples_within(0, &mut read, &allowance)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Ended);
        assert!(read.is_empty());
        assert_eq!(allowance.asked.into_inner(), asks_max + 1, "it went on");
    }
}
