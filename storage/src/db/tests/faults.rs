//! A disk that is full, and a disk that fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::db::{Db, WriteBatch};
use crate::model::{MatchOp, Matcher, TimeRange};
use crate::sys::sim::{Fault, SimDisk};
use crate::sys::{Clock, Sys};
use crate::{ErrorKind, Options};

const NOW_MS: i64 = 1_700_000_000_000;

fn open(disk: &SimDisk) -> Db {
    let options = Options {
        wal_file_bytes_max: 4096,
        ..Options::default()
    };
    Db::open_with(disk.sys(NOW_MS), "/data", options).unwrap()
}

/// About a kilobyte of a series of its own.
fn one(number: usize) -> WriteBatch {
    let mut batch = WriteBatch::new();
    let text = format!("{number:01000}");
    let series = batch.series(&[("__name__", "m"), ("text", &text)]).unwrap();
    batch.float(series, NOW_MS, number as f64);
    batch
}

fn count(db: &Db) -> usize {
    let matcher = Matcher::new(MatchOp::Equal, "__name__", "m").unwrap();
    db.view().select(&[matcher], TimeRange::ALL).unwrap().len()
}

/// Writes one series after the other until one is refused; returns how many were taken.
fn write_until_refused(db: &Db, kind: ErrorKind) -> usize {
    for number in 0..1_000 {
        if let Err(error) = db.write(&one(number)) {
            assert_eq!(error.kind(), kind, "{error}");
            return number;
        }
    }
    panic!("nothing was refused");
}

#[test]
fn a_full_disk_refuses_writes_loses_nothing_and_resumes_by_itself() {
    let disk = SimDisk::new(1);
    let db = open(&disk);
    db.write(&one(0)).unwrap();
    disk.set_full(true);
    let taken = write_until_refused(&db, ErrorKind::Full);
    assert!(taken > 1, "the room reserved for the first file is used");
    // The same series and others, refused again and again.
    for number in [taken, taken, taken + 1] {
        assert_eq!(db.write(&one(number)).unwrap_err().kind(), ErrorKind::Full);
    }
    assert_eq!(count(&db), taken, "a refused write is seen");
    assert_eq!(db.stats().poisoned, None);

    disk.set_full(false);
    db.write(&one(taken + 1)).unwrap();
    db.write(&one(taken)).unwrap();
    assert_eq!(count(&db), taken + 2);
    drop(db);
    disk.crash();
    // The series refused at first were defined again by the writes that succeeded.
    let db = open(&disk);
    assert_eq!(count(&db), taken + 2);
    assert_eq!(db.stats().replay_damage, 0);
}

#[test]
fn a_failed_sync_poisons_writes_and_reads_go_on() {
    let disk = SimDisk::new(1);
    let db = open(&disk);
    db.write(&one(0)).unwrap();
    // The write, then the sync.
    disk.fail_at(disk.ops() + 1, Fault::Eio);
    let error = db.write(&one(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Poisoned, "{error}");
    assert_eq!(db.write(&one(2)).unwrap_err().kind(), ErrorKind::Poisoned);
    assert!(
        db.stats()
            .poisoned
            .is_some_and(|cause| cause.contains("sync"))
    );
    assert_eq!(count(&db), 1, "what is not durable is not seen");
    drop(db);
    disk.crash();
    let found = count(&open(&disk));
    assert!(
        (1..=2).contains(&found),
        "acknowledged lost, or refused kept: {found}"
    );
}

#[test]
fn a_failed_write_poisons() {
    let disk = SimDisk::new(1);
    let db = open(&disk);
    db.write(&one(0)).unwrap();
    disk.fail_at(disk.ops(), Fault::Eio);
    assert_eq!(db.write(&one(1)).unwrap_err().kind(), ErrorKind::Poisoned);
    assert_eq!(db.close().unwrap_err().kind(), ErrorKind::Poisoned);
    drop(db);
    let found = count(&open(&disk));
    assert!(
        (1..=2).contains(&found),
        "acknowledged lost, or refused kept: {found}"
    );
}

/// A clock that panics when told to, in the committer, which looks at it around each sync.
#[derive(Debug, Default)]
struct BrokenClock(AtomicBool);

impl Clock for BrokenClock {
    fn now_ms(&self) -> i64 {
        NOW_MS
    }

    fn monotonic(&self) -> Duration {
        let is_committer = std::thread::current().name() == Some("silverback-commit");
        let is_broken = is_committer && self.0.load(Ordering::SeqCst);
        assert!(!is_broken, "the clock is broken");
        Duration::ZERO
    }
}

#[test]
fn nobody_waits_for_a_committer_that_panicked() {
    let clock = Arc::new(BrokenClock::default());
    let sys = Sys {
        clock: clock.clone(),
        ..SimDisk::new(1).sys(NOW_MS)
    };
    let db = Db::open_with(sys, "/data", Options::default()).unwrap();
    db.write(&one(0)).unwrap();
    clock.0.store(true, Ordering::SeqCst);
    db.write(&one(1)).unwrap_err();
    // The thread may not have said farewell yet; then this write waits for that.
    let error = db.write(&one(2)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Poisoned, "{error}");
    assert!(db.stats().poisoned.is_some());
    assert_eq!(count(&db), 1);
}
