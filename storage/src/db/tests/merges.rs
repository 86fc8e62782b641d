//! Merging as part of the database: what is waited for, what fails, what is left out.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

use super::model::{Model, Rows};
use crate::db::compactor::{Compactor, Step};
use crate::db::recovery::{Recovered, recover};
use crate::db::{Db, Handle, WriteBatch};
use crate::model::Labels;
use crate::sys::sim::{Fault, SimDisk};
use crate::{Error, ErrorKind, Options};

const NOW_MS: i64 = 1_700_000_000_000;
const HOUR: i64 = 3_600_000;

/// Some samples about an hour ago, of which others of these writes have some too.
fn rows(number: i64) -> Rows {
    let row = |series: i64| {
        let labels = [("__name__", "m"), ("n", &*series.to_string())];
        let at = NOW_MS - HOUR + 1000 * series + 500 * number;
        (Labels::from_pairs(labels).unwrap(), at, number as f64)
    };
    (0..40).map(row).collect()
}

fn write(db: &Db, rows: &Rows) {
    let mut batch = WriteBatch::new();
    for (labels, at, value) in rows {
        let labels: Vec<(&str, &str)> = labels.iter().collect();
        let series = batch.series(&labels).unwrap();
        batch.float(series, *at, *value);
    }
    db.write(&batch).unwrap();
}

/// A database with so many segments over one another, and what it must show.
fn with_segments(disk: &SimDisk, count: i64) -> (Db, Model) {
    let db = open(disk);
    let mut model = Model::read(&db.view());
    for number in 0..count {
        let rows = rows(number);
        write(&db, &rows);
        model.write(&rows);
        db.flush().unwrap();
    }
    // The flusher drops the log, then frees the head, after a flush is done: what comes now has
    // the disk for itself.
    let freed = (0..60_000).any(|_| {
        thread::park_timeout(Duration::from_millis(1));
        db.stats().heads_freed == count as u64
    });
    assert!(freed, "heads stay");
    (db, model)
}

fn open(disk: &SimDisk) -> Db {
    Db::open_with(disk.sys(NOW_MS), "/data", Options::default()).unwrap()
}

/// The same without threads, to make merges step by step.
fn by_hand(disk: &SimDisk) -> (Db, Compactor) {
    let Recovered {
        shared, compactor, ..
    } = recover(disk.sys(NOW_MS), "/data".as_ref(), &Options::default()).unwrap();
    let handle = Handle {
        shared,
        threads: Mutex::default(),
    };
    (Db(Arc::new(handle)), compactor)
}

fn files(disk: &SimDisk, folder: &str) -> Vec<PathBuf> {
    let folder = Path::new("/data").join(folder);
    let all = disk.files().into_iter().map(|(path, _)| path);
    all.filter(|path| path.starts_with(&folder)).collect()
}

#[test]
fn what_is_flushed_becomes_blocks_when_it_is_asked_for() {
    let disk = SimDisk::new(1);
    let (db, mut model) = with_segments(&disk, 4);
    assert_eq!((db.stats().segments, db.stats().blocks), (4, 0));
    let before = (db.view(), model.clone());
    db.compact().unwrap();
    let stats = db.stats();
    assert_eq!((stats.segments, stats.blocks, stats.merges), (0, 1, 1));
    assert!(files(&disk, "segments").is_empty());
    assert_eq!(files(&disk, "blocks").len(), 1);
    assert_eq!(Model::read(&db.view()), model);
    // Over the block, in memory: which is not merged.
    let rows = rows(1);
    write(&db, &rows);
    model.write(&rows);
    db.compact().unwrap();
    assert_eq!(db.stats().merges, 1, "there was nothing to do");
    assert_eq!(Model::read(&db.view()), model);
    db.flush().unwrap();
    db.compact().unwrap();
    let stats = db.stats();
    assert_eq!((stats.segments, stats.blocks, stats.merges), (0, 1, 3));
    assert_eq!(Model::read(&db.view()), model);
    assert_eq!(Model::read(&before.0), before.1, "a view keeps what it saw");
    drop((db, before));
    disk.crash();
    let db = open(&disk);
    assert_eq!(Model::read(&db.view()), model);
    assert_eq!(db.stats().blocks, 1);
    db.close().unwrap();
    assert_eq!(db.compact().unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn writes_flushes_and_merges_go_on_at_the_same_time() {
    let disk = SimDisk::new(1);
    let db = open(&disk);
    let model = Mutex::new(Model::default());
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let over = SetWhenDropped(&is_over);
        let merging = scope.spawn(|| {
            while !is_over.load(Relaxed) {
                db.compact().unwrap();
            }
        });
        let reading = scope.spawn(|| {
            while !is_over.load(Relaxed) {
                // Nothing is written meanwhile, and merges change nothing that is seen.
                let model = model.lock();
                assert_eq!(Model::read(&db.view()), *model);
            }
        });
        for number in 0..40 {
            let rows = rows(number * 3 % 40);
            let mut model = model.lock();
            write(&db, &rows);
            model.write(&rows);
            drop(model);
            if number % 3 == 0 {
                db.flush().unwrap();
            }
        }
        drop(over);
        merging.join().unwrap();
        reading.join().unwrap();
    });
    // How many merges there were meanwhile is up to the scheduler.
    db.flush().unwrap();
    db.compact().unwrap();
    assert_eq!((db.stats().segments, db.stats().blocks), (0, 1));
    drop(db);
    disk.crash();
    assert_eq!(Model::read(&open(&disk).view()), *model.lock());
}

/// Lets the other threads end, whatever becomes of this one.
struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

#[test]
fn a_damaged_segment_stays_and_is_named_and_others_are_merged() {
    let disk = SimDisk::new(1);
    let (db, model) = with_segments(&disk, 5);
    drop(db);
    // Its samples cannot be read, all else of it can.
    let damaged = &files(&disk, "segments")[2];
    disk.flip_bit(damaged, 8 * 40).unwrap();
    let db = open(&disk);
    let view = db.view();
    let before = Model::read_damaged(&view).unwrap();
    let missing = view.read_damage();
    assert!(!missing.is_empty());
    for _ in 0..2 {
        let error = db.compact().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(
            error.to_string().contains(&*damaged.to_string_lossy()),
            "{error}"
        );
        let stats = db.stats();
        let counts = (stats.segments, stats.blocks, stats.merge_left_out);
        assert_eq!(counts, (1, 2, 1), "those before and those after it");
        assert_eq!(&files(&disk, "segments")[0], damaged);
    }
    let after = db.view();
    assert_eq!(Model::read_damaged(&after).unwrap(), before);
    assert_eq!(after.read_damage().len(), missing.len());
    drop((db, view, after));
    // Were the bit put right, it would be merged.
    disk.flip_bit(damaged, 8 * 40).unwrap();
    let db = open(&disk);
    db.compact().unwrap();
    assert_eq!((db.stats().segments, db.stats().blocks), (0, 1));
    assert_eq!(Model::read(&db.view()), model);
}

#[test]
fn a_segment_that_cannot_be_opened_is_named_and_no_merge_goes_across_it() {
    let disk = SimDisk::new(1);
    let (db, _) = with_segments(&disk, 5);
    drop(db);
    let damaged = &files(&disk, "segments")[2];
    // In its magic bytes.
    disk.flip_bit(damaged, 0).unwrap();
    let db = open(&disk);
    let shown = Model::read(&db.view());
    let error = db.compact().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(
        error.to_string().contains(&*damaged.to_string_lossy()),
        "{error}"
    );
    assert_eq!((db.stats().segments, db.stats().blocks), (0, 2));
    assert_eq!(Model::read(&db.view()), shown);
    assert_eq!(&files(&disk, "segments")[0], damaged);
}

#[test]
fn a_merge_that_leaves_no_room_for_a_flush_is_put_off() {
    let disk = SimDisk::new(1);
    let (db, model) = with_segments(&disk, 2);
    let needed = db.stats().segment_bytes + Options::default().wal_bytes_max;
    disk.set_available(Some(needed - 1));
    let error = db.compact().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    assert_eq!(db.stats().merge_failures, 1);
    disk.set_available(Some(needed));
    db.compact().unwrap();
    assert_eq!((db.stats().segments, db.stats().blocks), (0, 1));
    assert_eq!(Model::read(&db.view()), model);
}

#[test]
fn a_database_that_is_closed_ends_its_merge() {
    let disk = SimDisk::new(1);
    let (db, model) = with_segments(&disk, 2);
    drop(db);
    let (db, mut compactor) = by_hand(&disk);
    db.close().unwrap();
    let error = compactor.step(true).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(files(&disk, "blocks").is_empty());
    assert_eq!(files(&disk, "segments").len(), 2);
    assert_eq!(Model::read(&db.view()), model);
}

/// Merges on a copy of this disk with this fault at operation `op`; none once there is no such
/// operation.
fn fail_at(disk: &SimDisk, model: &Model, op: u64, fault: Fault) -> Option<Error> {
    let disk = disk.fork();
    let (db, mut compactor) = by_hand(&disk);
    disk.fail_at(disk.ops() + op, fault);
    let mut failed = None;
    while failed.is_none() {
        match compactor.step(true) {
            Ok(Step::Done) => {}
            Ok(Step::Nothing) => break,
            Err(error) => {
                let blocks = files(&disk, "blocks").len();
                assert!(blocks <= 1, "{op}: {blocks} blocks after {error}");
                assert_eq!(Model::read(&db.view()), *model, "{op}");
                failed = Some(error);
                // It fails again where it is tried again.
                disk.fail_at(disk.ops(), fault);
                let _failed_or_not = compactor.step(true);
                assert_eq!(Model::read(&db.view()), *model, "{op}");
            }
        }
    }
    disk.set_full(false);
    disk.clear_faults();
    while compactor.step(true).unwrap() == Step::Done {}
    assert_eq!((db.stats().segments, db.stats().blocks), (0, 1), "{op}");
    assert!(files(&disk, "segments").is_empty(), "{op}");
    assert_eq!(files(&disk, "blocks").len(), 1, "{op}");
    drop((db, compactor));
    disk.crash();
    assert_eq!(Model::read(&open(&disk).view()), *model, "{op}");
    failed
}

#[test]
fn a_merge_that_fails_is_made_again_and_leaves_nothing_behind() {
    let disk = SimDisk::new(1);
    let (db, model) = with_segments(&disk, 3);
    drop(db);
    for fault in [Fault::Eio, Fault::Enospc] {
        let failures = (0..)
            .map_while(|op| fail_at(&disk, &model, op, fault))
            .count();
        println!("{fault:?}: {failures}");
        assert!(failures > 6, "{failures}");
    }
}

#[test]
fn a_merge_whose_naming_fails_twice_loses_nothing() {
    let mut failures = 0;
    for seed in 0..400 {
        // The manifest's new name, and the sync of its directory: what a crash makes of them is
        // not known. Then any step of the next try.
        let (first, second) = (8 + seed % 2, seed / 2 % 4);
        let disk = SimDisk::new(seed);
        let (db, model) = with_segments(&disk, 2);
        disk.fail_at(disk.ops() + first, Fault::Eio);
        db.compact().unwrap_err();
        disk.fail_at(disk.ops() + second, Fault::Enospc);
        failures += u64::from(db.compact().is_err());
        disk.set_full(false);
        disk.crash();
        drop(db);
        let db = open(&disk);
        let what = format!("seed {seed}, operation {first}, then {second}");
        assert_eq!(Model::read(&db.view()), model, "{what}");
    }
    assert!(failures > 0);
}
