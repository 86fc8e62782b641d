//! Writes that wait for others to share a sync with.

use std::sync::Arc;
use std::time::Duration;

use crate::db::{Commit, Db, Submitted, WriteBatch};
use crate::sys::sim::{SimClock, SimDisk};
use crate::{ErrorKind, Options};

const NOW_MS: i64 = 1_700_000_000_000;
/// Long enough to see that nothing happens.
const MOMENT: Duration = Duration::from_millis(50);

struct Test {
    db: Db,
    clock: Arc<SimClock>,
    next: i64,
}

impl Test {
    fn new() -> Self {
        let clock = Arc::new(SimClock::new(NOW_MS));
        let sys = SimDisk::new(1).sys_with(Arc::clone(&clock));
        let db = Db::open_with(sys, "/data", Options::default()).unwrap();
        Self { db, clock, next: 0 }
    }

    fn batch(&mut self) -> WriteBatch {
        self.next += 1;
        let mut batch = WriteBatch::new();
        let series = batch.series(&[("__name__", "m")]).unwrap();
        batch.float(series, NOW_MS + self.next, 1.0);
        batch
    }

    fn gather(&mut self) -> Commit {
        let batch = self.batch();
        let Submitted { report, commit } = self.db.gather(&batch).unwrap();
        assert_eq!(report.accepted, 1);
        commit
    }

    fn all_done(&self, commits: impl IntoIterator<Item = Commit>) -> u64 {
        for commit in commits {
            commit.wait().unwrap();
        }
        self.db.stats().commit_groups
    }
}

#[test]
fn what_is_gathered_is_one_group_once_somebody_says_so() {
    let mut test = Test::new();
    let first = test.gather();
    assert!(!first.is_done_within(MOMENT));
    let others = [test.gather(), test.gather()];
    assert!(!first.is_done_within(MOMENT));
    test.db.commit_gathered();
    assert_eq!(test.all_done([first].into_iter().chain(others)), 1);
    // It is over with that: the next one waits again.
    test.db.commit_gathered();
    let next = test.gather();
    assert!(!next.is_done_within(MOMENT));
    test.db.commit_gathered();
    assert_eq!(test.all_done([next]), 2);
}

#[test]
fn a_write_that_does_not_wait_takes_the_gathered_ones_along() {
    let mut test = Test::new();
    let gathered = test.gather();
    let batch = test.batch();
    test.db.write(&batch).unwrap();
    assert!(gathered.is_done_within(Duration::ZERO), "one group");
    assert_eq!(test.all_done([gathered]), 1);
}

#[test]
fn the_first_one_waits_for_others_only_so_long() {
    let mut test = Test::new();
    let first = test.gather();
    test.clock.advance(Duration::from_micros(299));
    let second = test.gather();
    assert!(!first.is_done_within(MOMENT));
    test.clock.advance(Duration::from_micros(1));
    let third = test.gather();
    assert_eq!(test.all_done([first, second, third]), 1);
    // The time is that of a group, not of all that ever came.
    let next = test.gather();
    assert!(!next.is_done_within(MOMENT));
    test.db.commit_gathered();
    assert_eq!(test.all_done([next]), 2);
}

#[test]
fn a_write_of_nothing_hurries_nobody_who_comes_later() {
    let mut test = Test::new();
    test.db.write(&WriteBatch::new()).unwrap();
    test.db.commit_gathered();
    let later = test.gather();
    assert!(!later.is_done_within(MOMENT));
    test.db.commit_gathered();
    assert_eq!(test.all_done([later]), 1);
}

#[test]
fn a_flush_and_the_end_take_what_was_gathered() {
    let mut test = Test::new();
    let batch = test.batch();
    test.db.write(&batch).unwrap();
    let before = test.gather();
    test.db.flush().unwrap();
    assert!(before.is_done_within(Duration::ZERO));
    let last = test.gather();
    test.db.close().unwrap();
    assert_eq!(test.all_done([before, last]), 3);
    let batch = test.batch();
    let refused = test.db.gather(&batch).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Closed);
}
