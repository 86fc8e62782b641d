//! A damaged file answers what it still can, and whoever asks is told of the rest.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use crate::Options;
use crate::db::{Db, View, WriteBatch};
use crate::model::{
    Exemplar, Labels, MatchOp, Matcher, Metadata, MetricType, ReadDamage, Samples, TimeRange,
};
use crate::sys::Sys;
use crate::sys::sim::{Rng, SimDisk};

const SERIES: u64 = 1500;
const FLIPS: u64 = 80;
/// When the samples of the first file, of the second, and of the head were taken.
const STARTS_MS: [i64; 3] = [0, 100_000, 200_000];

fn open(sys: Sys) -> Db {
    let options = Options {
        max_future: None,
        ..Options::default()
    };
    Db::open_with(sys, "/data", options).unwrap()
}

/// Some samples of each series, whose values take several pages.
fn write(db: &Db, start_ms: i64) {
    let mut rng = Rng::new(start_ms as u64);
    let mut batch = WriteBatch::new();
    for number in 0..SERIES {
        let number = number.to_string();
        let series = batch
            .series(&[("__name__", "m"), ("n", number.as_str())])
            .unwrap();
        for place in 0..8 {
            let value = f64::from_bits(rng.next_u64() >> 2);
            batch.float(series, start_ms + 10 * place, value);
        }
        batch.exemplar(
            series,
            Exemplar {
                labels: Labels::from_pairs([("trace_id", number.as_str())]).unwrap(),
                timestamp_ms: start_ms,
                value: 1.0,
            },
        );
    }
    let metadata = Metadata {
        metric_type: MetricType::Gauge,
        ..Metadata::default()
    };
    batch.metadata("m", metadata);
    db.write(&batch).unwrap();
}

/// A database of two segments and a head, and the first segment.
fn life() -> (SimDisk, PathBuf) {
    let disk = SimDisk::new(1);
    let db = open(disk.sys(0));
    for start_ms in STARTS_MS {
        write(&db, start_ms);
        if start_ms != STARTS_MS[2] {
            db.flush().unwrap();
        }
    }
    db.close().unwrap();
    let is_segment = |path: &PathBuf| path.starts_with("/data/segments");
    let mut files = disk.files().into_iter().map(|(path, _)| path);
    let first = files.find(is_segment).unwrap();
    (disk, first)
}

/// How many series have all their samples of each of the three times, none having some of them.
fn read(view: &View) -> [u64; 3] {
    let matcher = Matcher::new(MatchOp::Equal, "__name__", "m").unwrap();
    let selection = view.select(&[matcher], TimeRange::ALL).unwrap();
    let mut counts = [0; 3];
    let mut samples = Samples::default();
    for series in 0..selection.len() {
        selection.samples(series, &mut samples).unwrap();
        for (count, start_ms) in counts.iter_mut().zip(STARTS_MS) {
            let range = start_ms..start_ms + 1000;
            let found = samples.timestamps_ms.iter();
            match found.filter(|time| range.contains(time)).count() {
                0 => {}
                8 => *count += 1,
                some => panic!("{some} samples of a series after {start_ms}"),
            }
        }
    }
    counts
}

fn only(damage: Vec<ReadDamage>, path: &Path) -> Option<ReadDamage> {
    assert!(damage.len() <= 1 && damage.iter().all(|one| one.path == path));
    damage.into_iter().next()
}

#[test]
fn of_a_damaged_page_its_rows_go_missing_and_are_told() {
    let (disk, path) = life();
    let bytes = disk.files().iter().find(|file| file.0 == path).unwrap().1;
    let (partly, wholly, lists) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let mut rng = Rng::new(3);
    for _ in 0..FLIPS {
        let fork = disk.fork();
        fork.flip_bit(&path, rng.below(8 * bytes)).unwrap();
        let db = open(fork.sys(0));
        if db.stats().segments_damaged > 0 {
            continue;
        }
        let view = db.view();
        let [first, second, head] = read(&view);
        assert_eq!((second, head), (SERIES, SERIES));
        match only(view.read_damage(), &path) {
            None => assert_eq!(first, SERIES),
            Some(damage) => match damage.series {
                Some(series) => {
                    assert_eq!(first + series, SERIES, "{damage}");
                    partly.set(partly.get() + u64::from(first > 0));
                }
                None => {
                    assert_eq!(first, 0, "{damage}");
                    wholly.set(wholly.get() + 1);
                }
            },
        }
        assert_eq!(db.stats().read_damage, view.read_damage().len() as u64);

        let view = db.view();
        let n = view.label_values("n", &[], TimeRange::ALL).unwrap();
        assert_eq!(n.len() as u64, SERIES);
        assert_eq!(view.label_names(&[], TimeRange::ALL).unwrap().len(), 2);
        let exemplars = view.exemplars(&[], TimeRange::ALL).unwrap();
        assert_eq!(exemplars.len() as u64, SERIES);
        let all = exemplars.iter().map(|one| one.exemplars.len() as u64);
        let is_short = all.sum::<u64>() < 3 * SERIES;
        assert_eq!(view.metadata(None).unwrap().len(), 1);
        let damage = only(view.read_damage(), &path);
        assert!(damage.is_some() || !is_short);
        lists.set(lists.get() + u64::from(damage.is_some()));
    }
    assert!(partly.get() > 0 && wholly.get() > 0 && lists.get() > 0);
}
