//! Series that are found by the bytes of their labels.

use crate::codec::label_fields::put_field;
use crate::db::{Db, Filler, WriteBatch};
use crate::model::{MatchOp, Matcher, Samples, TimeRange};
use crate::sys::sim::SimDisk;
use crate::{ErrorKind, LabelError, Options};

const NOW_MS: i64 = 1_700_000_000_000;
const LABELS: [(&str, &str); 4] = [("__name__", "up"), ("a", "1"), ("b", "2"), ("job", "node")];

fn open(disk: &SimDisk) -> Db {
    let options = Options {
        wal_file_bytes_max: 4096,
        ..Options::default()
    };
    Db::open_with(disk.sys(NOW_MS), "/data", options).unwrap()
}

/// Labels as remote write 1.0 has them, in the order in which they are.
pub(super) fn fields_of(labels: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in labels {
        put_field(&mut out, name, value);
    }
    out
}

/// Adds a sample of a series, and says whether its bytes were known.
fn add(
    filler: &mut Filler<'_>,
    labels: &[(&str, &str)],
    timestamp_ms: i64,
) -> Result<bool, LabelError> {
    let fields = fields_of(labels);
    let known = filler.known(&fields);
    let series = match known {
        Some(series) => series,
        None => filler.series(&fields, labels)?,
    };
    filler.batch().float(series, timestamp_ms, 1.0);
    Ok(known.is_some())
}

/// A batch of a sample, and whether its series' bytes were known.
fn one(db: &Db, labels: &[(&str, &str)], timestamp_ms: i64) -> (WriteBatch, bool) {
    let mut batch = WriteBatch::new();
    let known = db.fill(&mut batch, |filler| add(filler, labels, timestamp_ms));
    (batch, known.unwrap())
}

fn timestamps(db: &Db) -> Vec<i64> {
    let view = db.view();
    let matchers: Vec<Matcher> = LABELS
        .map(|(name, value)| Matcher::new(MatchOp::Equal, name, value).unwrap())
        .into();
    let selection = view.select(&matchers, TimeRange::ALL).unwrap();
    assert!(selection.len() < 2, "a series is there twice");
    let mut samples = Samples::default();
    if selection.len() == 1 {
        selection.samples(0, &mut samples).unwrap();
    }
    samples.timestamps_ms
}

#[test]
fn bytes_are_known_once_a_write_with_them_was_taken() {
    let disk = SimDisk::new(1);
    let db = open(&disk);
    for (write, want) in [(0, false), (1, true)] {
        let (batch, known) = one(&db, &LABELS, NOW_MS + write);
        assert_eq!(known, want);
        db.write(&batch).unwrap();
    }
    // Labels alone are the same bytes, as is what replay finds.
    let mut batch = WriteBatch::new();
    let series = batch.series(&LABELS).unwrap();
    batch.float(series, NOW_MS + 2, 1.0);
    db.write(&batch).unwrap();
    drop(db);
    let db = open(&disk);
    let (batch, known) = one(&db, &LABELS, NOW_MS + 3);
    assert!(known);
    db.write(&batch).unwrap();
    assert_eq!(timestamps(&db), [0, 1, 2, 3].map(|i| NOW_MS + i));
}

#[test]
fn four_other_orders_are_remembered_and_all_are_the_same_series() {
    let db = open(&SimDisk::new(1));
    let mut orders: Vec<Vec<(&str, &str)>> = vec![LABELS.to_vec()];
    for place in 1..4 {
        let mut other = LABELS.to_vec();
        other.swap(0, place);
        orders.push(other);
    }
    orders.push(LABELS.iter().rev().copied().collect());
    let empty = [&[("empty", "")], &LABELS[..]].concat();
    orders.push(empty);
    let mut known = Vec::new();
    let mut timestamp_ms = NOW_MS;
    for _round in 0..3 {
        for labels in &orders {
            let (batch, is_known) = one(&db, labels, timestamp_ms);
            known.push(is_known);
            db.write(&batch).unwrap();
            timestamp_ms += 1;
        }
    }
    assert!(known[..6].iter().all(|known| !known));
    assert_eq!(known[6..12], [true, true, true, true, true, false]);
    assert_eq!(known[6..12], known[12..]);
    let want: Vec<i64> = (NOW_MS..timestamp_ms).collect();
    assert_eq!(timestamps(&db), want);
}

#[test]
fn a_batch_outlives_the_epoch_that_it_was_filled_in() {
    let db = open(&SimDisk::new(1));
    db.write(&one(&db, &LABELS, NOW_MS).0).unwrap();
    let reversed: Vec<_> = LABELS.iter().rev().copied().collect();
    let (known, is_known) = one(&db, &LABELS, NOW_MS + 1);
    let (named, _) = one(&db, &reversed, NOW_MS + 2);
    assert!(is_known);
    // Another series gets the first id of the new epoch.
    db.flush().unwrap();
    let mut other = WriteBatch::new();
    let series = other.series(&[("__name__", "other")]).unwrap();
    other.float(series, NOW_MS, 1.0);
    db.write(&other).unwrap();
    db.write(&known).unwrap();
    db.write(&named).unwrap();
    assert_eq!(timestamps(&db), [0, 1, 2].map(|i| NOW_MS + i));
}

#[test]
fn a_batch_filled_for_one_database_may_go_to_another() {
    let (one_db, other_db) = (open(&SimDisk::new(1)), open(&SimDisk::new(2)));
    let mut other = WriteBatch::new();
    let series = other.series(&[("__name__", "other")]).unwrap();
    other.float(series, NOW_MS, 1.0);
    other_db.write(&other).unwrap();
    one_db.write(&one(&one_db, &LABELS, NOW_MS).0).unwrap();
    let (batch, known) = one(&one_db, &LABELS, NOW_MS + 1);
    assert!(known);
    other_db.write(&batch).unwrap();
    assert_eq!(timestamps(&one_db), [NOW_MS]);
    assert_eq!(timestamps(&other_db), [NOW_MS + 1]);
}

#[test]
fn known_series_whose_definition_failed_are_defined_again() {
    let disk = SimDisk::new(1);
    let db = open(&disk);
    disk.set_full(true);
    let (batch, _) = one(&db, &LABELS, NOW_MS);
    assert_eq!(db.write(&batch).unwrap_err().kind(), ErrorKind::Full);
    disk.set_full(false);
    for timestamp_ms in [NOW_MS, NOW_MS + 1] {
        let (batch, known) = one(&db, &LABELS, timestamp_ms);
        assert!(known, "it was registered");
        db.write(&batch).unwrap();
    }
    drop(db);
    disk.crash();
    let db = open(&disk);
    assert_eq!(db.stats().replay_damage, 0);
    assert_eq!(timestamps(&db), [NOW_MS, NOW_MS + 1]);
}

#[test]
fn bytes_of_labels_that_break_the_rules_stay_unknown() {
    let db = open(&SimDisk::new(1));
    let twice = [("__name__", "up"), ("a", "1"), ("a", "1")];
    let mut batch = WriteBatch::new();
    for _ in 0..2 {
        let refused = db.fill(&mut batch, |filler| add(filler, &twice, NOW_MS));
        assert!(matches!(refused, Err(LabelError::DuplicateName { .. })));
        assert!(batch.is_empty());
        db.write(&batch).unwrap();
    }
}

#[test]
fn a_batch_that_is_cleared_while_it_is_filled_knows_its_epoch() {
    let db = open(&SimDisk::new(1));
    db.write(&one(&db, &LABELS, NOW_MS).0).unwrap();
    let mut batch = WriteBatch::new();
    db.fill(&mut batch, |filler| {
        add(filler, &LABELS, NOW_MS + 1).unwrap();
        filler.batch().clear();
        add(filler, &LABELS, NOW_MS + 2).unwrap();
    });
    db.flush().unwrap();
    db.write(&batch).unwrap();
    assert_eq!(timestamps(&db), [NOW_MS, NOW_MS + 2]);
}
