//! Writes that come faster than they can be flushed.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::db::recovery::{Recovered, recover};
use crate::db::{Db, Handle, WriteBatch};
use crate::model::{MatchOp, Matcher, TimeRange};
use crate::sys::sim::{Fault, SimClock, SimDisk};
use crate::{ErrorKind, Options};

const NOW_MS: i64 = 1_700_000_000_000;

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

#[test]
fn writes_wait_for_the_flusher_then_are_refused_and_resume_by_themselves() {
    let disk = SimDisk::new(1);
    let clock = Arc::new(SimClock::new(NOW_MS));
    let options = Options {
        wal_bytes_max: 8 << 10,
        ..Options::default()
    };
    let Recovered {
        shared,
        committer,
        mut flusher,
        ..
    } = recover(
        disk.sys_with(Arc::clone(&clock)),
        "/data".as_ref(),
        &options,
    )
    .unwrap();
    // A committer, and a flusher that does nothing until it is told to.
    let handle = Handle {
        shared,
        threads: Mutex::default(),
    };
    handle.spawn("commit", move || committer.run()).unwrap();
    let db = Db(Arc::new(handle));

    // Two heads of twice the size, and then one write that waits.
    let mut taken = 0;
    let waiting = loop {
        assert!(taken < 100, "nothing had to wait");
        let commit = db.submit(&one(taken)).unwrap().commit;
        // Nothing else tells that a write waits for good: only the last one takes so long.
        if !commit.is_done_within(Duration::from_secs(5)) {
            break commit;
        }
        commit.wait().unwrap();
        taken += 1;
    };
    assert_eq!(db.stats().heads_frozen, 1);
    assert_eq!(count(&db), taken, "reads go on");

    clock.advance(Duration::from_secs(11));
    db.0.shared.wake();
    assert_eq!(waiting.wait().unwrap_err().kind(), ErrorKind::Overloaded);
    let refused = db.write(&one(taken)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Overloaded, "{refused}");
    assert_eq!(count(&db), taken);

    flusher.flush().unwrap();
    // The committer was woken, and takes writes again once it has looked.
    let again = (0..1_000).find_map(|_| {
        std::thread::yield_now();
        db.write(&one(taken)).ok()
    });
    assert!(again.is_some(), "writes do not resume");
    assert_eq!(count(&db), taken + 1);
    assert_eq!(db.stats().segments, 1);
}

#[test]
fn a_flush_that_fails_again_and_again_leaves_no_more_than_one_segment() {
    let mut failures = 0;
    for op in 0..100 {
        let disk = SimDisk::new(1);
        let Recovered {
            shared,
            mut committer,
            mut flusher,
            ..
        } = recover(disk.sys(NOW_MS), "/data".as_ref(), &Options::default()).unwrap();
        let db = Db(Arc::new(Handle {
            shared,
            threads: Mutex::default(),
        }));
        let shared = &db.0.shared;
        let commit = db.submit(&one(1)).unwrap().commit;
        let work = committer.take(&mut shared.sequencer.lock());
        committer.perform(work);
        commit.wait().unwrap();
        shared.flushing.request();
        let work = committer.take(&mut shared.sequencer.lock());
        committer.perform(work);

        disk.fail_at(disk.ops() + op, Fault::Eio);
        let Err(error) = flusher.flush() else {
            break;
        };
        failures += 1;
        let segments = || {
            let files = disk.files().into_iter();
            files
                .filter(|(path, _)| path.starts_with("/data/segments"))
                .count()
        };
        assert!(segments() <= 1, "{op}: {error}");
        disk.fail_at(disk.ops(), Fault::Eio);
        flusher.flush().unwrap_err();
        assert!(segments() <= 1, "{op}: again after {error}");
        flusher.flush().unwrap();
        assert_eq!(segments(), 1, "{op}: in the end after {error}");
    }
    assert!(failures > 8, "{failures}");
}
