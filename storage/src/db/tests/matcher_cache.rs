//! Results of matchers are kept where they are right, for as long as their file is read.

use crate::db::{Db, View, WriteBatch};
use crate::error::ErrorKind;
use crate::model::allowance::tests::Counted;
use crate::model::{MatchOp, Matcher, TimeRange};
use crate::sys::Sys;
use crate::sys::sim::{Rng, SimDisk};
use crate::{Options, Stats};

const SERIES: usize = 3000;

fn options(matcher_cache_bytes_max: u64) -> Options {
    Options {
        max_future: None,
        matcher_cache_bytes_max,
        ..Options::default()
    }
}

fn open(sys: Sys) -> Db {
    Db::open_with(sys, "/data", options(1 << 20)).unwrap()
}

fn write(db: &Db, timestamp_ms: i64) {
    let mut batch = WriteBatch::new();
    for n in 0..SERIES {
        let (own, zone) = (format!("{:05}", n * 7), (n % 7).to_string());
        let labels = [("__name__", "m"), ("own", own.as_str()), ("zone", &zone)];
        let series = batch.series(&labels).unwrap();
        batch.float(series, timestamp_ms, n as f64);
    }
    db.write(&batch).unwrap();
}

/// Two matchers whose results are kept, and one whose are not.
fn matchers() -> Vec<Matcher> {
    let of = |op, name, value| Matcher::new(op, name, value).unwrap();
    vec![
        of(MatchOp::Equal, "__name__", "m"),
        of(MatchOp::Regex, "own", ".*7[0-4].*"),
        of(MatchOp::NotRegex, "zone", "2|3"),
    ]
}

fn found(view: &View, matchers: &[Matcher]) -> Vec<String> {
    let selection = view.select(matchers, TimeRange::ALL).unwrap();
    let labels = (0..selection.len()).map(|series| format!("{:?}", selection.labels(series)));
    labels.collect()
}

/// Hits, misses and results.
fn figures(db: &Db) -> (u64, u64, u64) {
    let Stats {
        matcher_cache_hits: hits,
        matcher_cache_misses: misses,
        matcher_cache_results: results,
        ..
    } = db.stats();
    (hits, misses, results)
}

#[test]
fn the_second_query_has_the_results_of_the_first() {
    let disk = SimDisk::new(1);
    let db = open(disk.sys(0));
    write(&db, 1);
    db.flush().unwrap();
    write(&db, 2);
    // A head is no file.
    let view = db.view();
    let first = found(&view, &matchers());
    assert_eq!(first.len(), expected());
    assert_eq!(figures(&db), (0, 2, 2));
    assert_eq!(found(&view, &matchers()), first);
    assert_eq!(figures(&db), (2, 2, 2));
    // Whatever is asked of them.
    let of_zone = view.label_values("zone", &matchers(), TimeRange::ALL);
    assert_eq!(of_zone.unwrap(), ["0", "1", "4", "5", "6"]);
    assert_eq!(figures(&db), (4, 2, 2));

    db.flush().unwrap();
    assert_eq!(found(&db.view(), &matchers()), first);
    assert_eq!(figures(&db), (6, 4, 4));
    db.compact().unwrap();
    assert_eq!(figures(&db).2, 0, "the segments have gone");
    assert_eq!(db.stats().matcher_cache_bytes, 0);
    assert_eq!(found(&view, &matchers()), first);
    assert_eq!(figures(&db).2, 0, "a view of them fills nothing");
    assert_eq!(found(&db.view(), &matchers()), first);
    assert_eq!(found(&db.view(), &matchers()), first);
    assert_eq!(figures(&db), (8, 6, 2));
    db.close().unwrap();
    drop((view, db));

    let db = Db::open_with(disk.sys(0), "/data", options(0)).unwrap();
    assert_eq!(found(&db.view(), &matchers()), first);
    assert_eq!(figures(&db), (0, 0, 0));
}

/// How many series [`matchers`] match.
fn expected() -> usize {
    let is_wanted = |&n: &usize| {
        let own = format!("{:05}", n * 7);
        let has = own
            .as_bytes()
            .windows(2)
            .any(|two| matches!(two, [b'7', b'0'..=b'4']));
        has && !matches!(n % 7, 2 | 3)
    };
    (0..SERIES).filter(is_wanted).count()
}

#[test]
fn a_read_that_was_ended_leaves_nothing() {
    let db = open(SimDisk::new(1).sys(0));
    write(&db, 1);
    db.flush().unwrap();
    let view = db.view();
    let ask = |allowance: &Counted| {
        let selection = view.bounded(allowance).select(&matchers(), TimeRange::ALL);
        selection
            .map(|selection| selection.len())
            .map_err(|error| error.kind())
    };
    // As far as the rows that match are known: what comes after is another read.
    let mut asks_max = 0;
    while figures(&db).2 == 0 {
        asks_max += 1;
        let ended = ask(&Counted::new(asks_max, usize::MAX));
        assert!(asks_max > 5 || ended == Err(ErrorKind::Ended));
    }
    assert!(asks_max > 5, "{asks_max}");
    assert_eq!(figures(&db).2, 2, "both, or none");

    // What is held of the cache counts as what is held of a file.
    let whole = Counted::new(usize::MAX, usize::MAX);
    assert_eq!(ask(&whole), Ok(expected()));
    assert_eq!(whole.held.into_inner(), 0);
    let hits = figures(&db).0;
    assert_eq!(ask(&Counted::new(usize::MAX, 100)), Err(ErrorKind::Ended));
    assert_eq!(figures(&db).0, hits + 2);
}

#[test]
fn nothing_is_kept_of_a_damaged_index() {
    let disk = SimDisk::new(1);
    let db = open(disk.sys(0));
    write(&db, 1);
    let whole = found(&db.view(), &matchers());
    db.flush().unwrap();
    db.close().unwrap();
    drop(db);
    let is_segment = |(path, _): &(std::path::PathBuf, u64)| path.starts_with("/data/segments");
    let (path, bytes) = disk.files().into_iter().find(is_segment).unwrap();
    let mut rng = Rng::new(5);
    let (mut damaged, mut sound) = (0, 0);
    for _ in 0..60 {
        let fork = disk.fork();
        fork.flip_bit(&path, rng.below(8 * bytes)).unwrap();
        let db = open(fork.sys(0));
        if db.stats().segments_damaged > 0 {
            continue;
        }
        let view = db.view();
        let first = found(&view, &matchers());
        let damage = view.read_damage();
        let is_without = damage.iter().any(|one| one.series.is_none());
        if is_without && first.is_empty() {
            damaged += 1;
            let results = figures(&db).2;
            // The labels of the rows that were found may be what is damaged.
            assert!(results == 0 || results == 2, "{results}");
        } else {
            sound += 1;
            assert_eq!(figures(&db).2, 2);
            assert!(first.len() <= whole.len());
        }
        assert_eq!(found(&view, &matchers()), first, "the same each time");
    }
    assert!(damaged > 0 && sound > 0, "{damaged}, {sound}");
}

/// `cargo test --release -p silverback-storage measure_matcher_cache -- --ignored --nocapture`
#[test]
#[ignore = "prints figures"]
fn measure_matcher_cache() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Sys::real().clock;
    let fill = Db::open(dir.path(), options(0)).unwrap();
    for start in (0..1_000_000u32).step_by(50_000) {
        let mut batch = WriteBatch::new();
        for n in start..start + 50_000 {
            let pod = format!("pod-{:08x}-{n}", n.wrapping_mul(0x9e37_79b9));
            let labels = [
                ("__name__", "up"),
                ("cluster", "a"),
                ("instance", pod.as_str()),
            ];
            let series = batch.series(&labels).unwrap();
            batch.float(series, 1000, 1.0);
        }
        fill.write(&batch).unwrap();
    }
    fill.flush().unwrap();
    fill.compact().unwrap();
    fill.close().unwrap();
    drop(fill);
    let db = Db::open(dir.path(), options(0)).unwrap();
    for limit in [10, 10_000] {
        let rounds = (0..5).map(|_| {
            let started = clock.monotonic();
            db.view().cardinality(TimeRange::ALL, limit).unwrap();
            clock.monotonic() - started
        });
        println!("cardinality with a limit of {limit}: {:?}", rounds.min());
    }
    drop(db);
    let list: Vec<String> = (0..1000u32)
        .map(|n| n * 1000)
        .map(|n| format!("pod-{:08x}-{n}", n.wrapping_mul(0x9e37_79b9)))
        .collect();
    let list = list.join("|");
    for (op, value) in [
        (MatchOp::Equal, "pod-00000000-0"),
        (MatchOp::Regex, ".*-77777."),
        (MatchOp::Regex, "pod-00[0-9a-f]{4}.*"),
        (MatchOp::NotRegex, ".*[0-9]"),
        (MatchOp::Regex, list.as_str()),
        (MatchOp::Regex, "pod-00000000-0|pod-9e3779b9-1"),
    ] {
        let mut took = Vec::new();
        for bytes_max in [0, 32 << 20] {
            let db = Db::open(dir.path(), options(bytes_max)).unwrap();
            let view = db.view();
            let matchers = [Matcher::new(op, "instance", value).unwrap()];
            let mut count = 0;
            let rounds = (0..30).map(|_| {
                let started = clock.monotonic();
                count = view.select(&matchers, TimeRange::ALL).unwrap().len();
                clock.monotonic() - started
            });
            took.push((
                rounds.min().unwrap_or_default(),
                count,
                db.stats().matcher_cache_bytes,
            ));
        }
        let text: String = value.chars().take(30).collect();
        println!("instance{}{text:?}: without and with {took:?}", op.as_str());
    }
}
