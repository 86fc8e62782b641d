//! What threads that work in the background see of others, and what they ask of the system.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::Options;
use crate::db::courtesy::Activity;
use crate::db::recovery::recover;
use crate::db::{Db, Handle, WriteBatch};
use crate::sys::Sys;
use crate::sys::sim::{SimClock, SimDisk};

const NOW_MS: i64 = 1_700_000_000_000;
const PATIENCE: Duration = Duration::from_secs(30);

fn one(timestamp_ms: i64) -> WriteBatch {
    let mut batch = WriteBatch::new();
    let series = batch.series(&[("__name__", "m")]).unwrap();
    batch.float(series, timestamp_ms, 1.0);
    batch
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let clock = Sys::real().clock;
    let begin = clock.monotonic();
    while !is_so() {
        assert!(clock.monotonic() - begin < PATIENCE, "{what}");
        std::thread::yield_now();
    }
}

fn open(clock: &Arc<SimClock>) -> Db {
    let sys = SimDisk::new(1).sys_with(Arc::clone(clock));
    Db::open_with(sys, "/data", Options::default()).unwrap()
}

#[test]
fn who_writes_or_reads_is_seen_at_work() {
    let db = open(&Arc::new(SimClock::new(NOW_MS)));
    let counters = &db.0.shared.counters;
    let before = counters.count();
    db.write(&one(NOW_MS)).unwrap();
    assert_eq!(counters.count(), before + 1);
    let _view = db.view();
    assert_eq!(counters.count(), before + 2);
}

#[test]
fn the_oldest_write_is_seen_to_wait_until_it_is_answered() {
    let clock = Arc::new(SimClock::new(NOW_MS));
    let db = open(&clock);
    let since = || db.0.shared.counters.waiting_since();
    eventually("the committer waits", || since().is_none());
    clock.advance(Duration::from_millis(5));
    let first = db.gather(&one(NOW_MS)).unwrap();
    let came = Duration::from_millis(5);
    assert_eq!(since(), Some(came));
    clock.advance(Duration::from_micros(100));
    let second = db.gather(&one(NOW_MS + 1)).unwrap();
    assert_eq!(since(), Some(came));
    db.commit_gathered();
    first.commit.wait().unwrap();
    second.commit.wait().unwrap();
    eventually("nobody waits", || since().is_none());
    db.write(&WriteBatch::new()).unwrap();
    assert_eq!(since(), None);
}

#[test]
fn a_write_that_waits_for_no_other_is_seen_to_wait_as_well() {
    let clock = Arc::new(SimClock::new(NOW_MS));
    let sys = SimDisk::new(1).sys_with(Arc::clone(&clock));
    // Nobody commits.
    let recovered = recover(sys, "/data".as_ref(), &Options::default()).unwrap();
    let shared = Arc::clone(&recovered.shared);
    let threads = Mutex::default();
    let db = Db(Arc::new(Handle { shared, threads }));
    clock.advance(Duration::from_millis(5));
    let _first = db.submit(&one(NOW_MS)).unwrap();
    clock.advance(Duration::from_millis(1));
    let _second = db.submit(&one(NOW_MS + 1)).unwrap();
    let came = Some(Duration::from_millis(5));
    assert_eq!(recovered.shared.counters.waiting_since(), came);
    // What the committer goes by once it has answered those before.
    assert_eq!(recovered.shared.sequencer.lock().waiting_since(), came);
}

#[test]
#[cfg(target_os = "linux")]
fn flusher_and_compactor_ask_for_long_slices_and_the_compactor_for_little_of_a_core() {
    use crate::sys::priority::{self, scheduled};

    let asked = std::thread::Builder::new().name("long-slice".to_owned());
    let asked = asked.spawn(|| {
        let _asked = priority::lengthen_own_slice();
        scheduled("long-slice")
    });
    let asked = asked.unwrap().join().unwrap();
    let [(Some(long), Some(usual))] = asked[..] else {
        eprintln!("SKIPPED: this system does not tell of slices: {asked:?}");
        return;
    };
    if long < 100_000_000 {
        eprintln!("SKIPPED: this system does not take slices: {long} ns");
        return;
    }
    let db = open(&Arc::new(SimClock::new(NOW_MS)));
    // Its committer is at work, and has its name.
    db.write(&one(NOW_MS)).unwrap();
    // The system cuts names to 15 bytes.
    eventually("the flusher's slices are long", || {
        scheduled("silverback-flus").contains(&(Some(long), Some(usual)))
    });
    eventually("the compactor's are, and it gives way", || {
        // 139 is the lowest there is, where this runs as low as that.
        let is_so = |&(slice, priority)| slice == Some(long) && priority > Some(usual.min(138));
        scheduled("silverback-comp").iter().any(is_so)
    });
    let committers = scheduled("silverback-comm");
    assert!(!committers.is_empty());
    assert!(committers.iter().all(|&(slice, _)| slice < Some(long)));
}
