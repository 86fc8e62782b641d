//! What a write leaves behind, across restarts, without faults.

use std::time::Duration;

use super::model::Model;
use crate::db::{Db, RejectReason, WriteBatch};
use crate::model::{Labels, MatchOp, Matcher, Samples, TimeRange};
use crate::sys::sim::SimDisk;
use crate::{ErrorKind, Options, WalSync};

const NOW_MS: i64 = 1_700_000_000_000;

fn open(disk: &SimDisk, options: &Options) -> Db {
    Db::open_with(disk.sys(NOW_MS), "/data", options.clone()).unwrap()
}

fn one(name: &str, timestamp_ms: i64, value: f64) -> WriteBatch {
    let mut batch = WriteBatch::new();
    let series = batch
        .series(&[("__name__", name), ("job", "test")])
        .unwrap();
    batch.float(series, timestamp_ms, value);
    batch
}

fn samples(db: &Db, name: &str) -> Vec<(i64, u64)> {
    let view = db.view();
    let matcher = Matcher::new(MatchOp::Equal, "__name__", name).unwrap();
    let selection = view.select(&[matcher], TimeRange::ALL).unwrap();
    let mut samples = Samples::default();
    match selection.len() {
        0 => Vec::new(),
        1 => {
            selection.samples(0, &mut samples).unwrap();
            samples.iter().map(|(t, v)| (t, v.to_bits())).collect()
        }
        more => panic!("{more} series called {name}"),
    }
}

#[test]
fn what_was_written_is_there_after_a_restart_to_the_bit() {
    let disk = SimDisk::new(1);
    let stale = f64::from_bits(crate::model::STALE_NAN_BITS);
    let payload = f64::from_bits(0x7ff8_dead_beef_0001);
    let values = [
        0.0,
        -0.0,
        1.5,
        f64::INFINITY,
        f64::NEG_INFINITY,
        stale,
        payload,
        5e-324,
    ];
    let expected: Vec<(i64, u64)> = values
        .iter()
        .enumerate()
        .map(|(i, v)| (NOW_MS + i as i64, v.to_bits()))
        .collect();
    {
        let db = open(&disk, &Options::default());
        for (i, &value) in values.iter().enumerate() {
            db.write(&one("m", NOW_MS + i as i64, value)).unwrap();
        }
        assert_eq!(samples(&db, "m"), expected);
    }
    let db = open(&disk, &Options::default());
    assert_eq!(samples(&db, "m"), expected);
    assert_eq!(db.stats().replay_damage, 0);
}

#[test]
fn the_last_write_wins_whatever_came_between() {
    let disk = SimDisk::new(1);
    let expected = vec![(NOW_MS, 1f64.to_bits()), (NOW_MS + 1, 9f64.to_bits())];
    {
        let db = open(&disk, &Options::default());
        db.write(&one("m", NOW_MS, 1.0)).unwrap();
        db.write(&one("m", NOW_MS + 1, 9.0)).unwrap();
        db.write(&one("m", NOW_MS, 2.0)).unwrap();
        // A retry of the first write, after a newer one at the same timestamp.
        db.write(&one("m", NOW_MS, 1.0)).unwrap();
        assert_eq!(samples(&db, "m"), expected);
    }
    assert_eq!(samples(&open(&disk, &Options::default()), "m"), expected);
}

#[test]
fn samples_out_of_bounds_are_refused_counted_and_named_and_the_rest_is_kept() {
    let disk = SimDisk::new(1);
    let options = Options {
        retention: Some(Duration::from_secs(3600)),
        ..Options::default()
    };
    let db = open(&disk, &options);
    let mut batch = WriteBatch::new();
    let series = batch.series(&[("__name__", "m")]).unwrap();
    let latest_ms = NOW_MS + 600_000;
    let earliest_ms = NOW_MS - 3_600_000;
    for timestamp_ms in [
        i64::MIN,
        earliest_ms - 1,
        earliest_ms,
        latest_ms,
        latest_ms + 1,
        i64::MAX,
    ] {
        batch.float(series, timestamp_ms, 1.0);
    }
    let report = db.write(&batch).unwrap();
    assert_eq!(
        (
            report.accepted,
            report.before_retention,
            report.too_far_in_future
        ),
        (2, 2, 2)
    );
    let first = report.first_rejected.unwrap();
    assert_eq!(
        first.labels,
        Labels::from_pairs([("__name__", "m")]).unwrap()
    );
    assert_eq!(first.timestamp_ms, i64::MIN);
    assert_eq!(first.reason, RejectReason::BeforeRetention { earliest_ms });
    assert_eq!(
        samples(&db, "m"),
        [(earliest_ms, 1f64.to_bits()), (latest_ms, 1f64.to_bits())]
    );
}

#[test]
fn a_batch_of_refused_samples_leaves_no_series_behind() {
    let disk = SimDisk::new(1);
    let db = open(&disk, &Options::default());
    let report = db.write(&one("m", NOW_MS + 3_600_000, 1.0)).unwrap();
    assert_eq!((report.accepted, report.rejected()), (0, 1));
    assert_eq!(
        db.view().label_names(&[], TimeRange::ALL).unwrap(),
        Vec::<String>::new()
    );
    assert_eq!(db.stats().series, 0);
}

#[test]
fn without_bounds_every_timestamp_is_taken() {
    let disk = SimDisk::new(1);
    let options = Options {
        max_future: None,
        ..Options::default()
    };
    let db = open(&disk, &options);
    for timestamp_ms in [0, i64::MAX, i64::MIN, -1, 1] {
        db.write(&one("m", timestamp_ms, timestamp_ms as f64))
            .unwrap();
    }
    let timestamps: Vec<i64> = samples(&db, "m").iter().map(|&(t, _)| t).collect();
    assert_eq!(timestamps, [i64::MIN, -1, 0, 1, i64::MAX]);
}

#[test]
fn a_view_stays_as_it_was_while_writes_go_on() {
    let disk = SimDisk::new(1);
    let db = open(&disk, &Options::default());
    db.write(&one("m", NOW_MS, 1.0)).unwrap();
    let view = db.view();
    let before = Model::read(&view);
    for i in 0..300 {
        db.write(&one("m", NOW_MS + i, 2.0)).unwrap();
        db.write(&one("other", NOW_MS - i, 2.0)).unwrap();
    }
    assert_eq!(Model::read(&view), before);
    assert_ne!(Model::read(&db.view()), before);
}

#[test]
fn a_directory_in_use_is_refused_and_free_again_after_the_last_clone() {
    let disk = SimDisk::new(1);
    let db = open(&disk, &Options::default());
    let again = Db::open_with(disk.sys(NOW_MS), "/data", Options::default());
    let error = again.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InUse);
    assert_eq!(
        error.to_string(),
        "the data directory /data is in use by another process"
    );
    drop(db);
    open(&disk, &Options::default());
}

#[test]
fn a_closed_database_refuses_writes_and_still_answers() {
    let disk = SimDisk::new(1);
    let db = open(&disk, &Options::default());
    db.write(&one("m", NOW_MS, 1.0)).unwrap();
    db.close().unwrap();
    assert_eq!(
        db.write(&one("m", NOW_MS + 1, 2.0)).unwrap_err().kind(),
        ErrorKind::Closed
    );
    assert_eq!(samples(&db, "m").len(), 1);
}

#[test]
fn closing_syncs_what_the_interval_and_never_modes_left() {
    for wal_sync in [WalSync::Never, WalSync::Interval(Duration::from_secs(3600))] {
        let disk = SimDisk::new(1);
        let options = Options {
            wal_sync,
            ..Options::default()
        };
        let db = open(&disk, &options);
        db.write(&one("m", NOW_MS, 1.0)).unwrap();
        db.close().unwrap();
        disk.crash();
        drop(db);
        assert_eq!(
            samples(&open(&disk, &options), "m").len(),
            1,
            "{wal_sync:?}"
        );
    }
}
