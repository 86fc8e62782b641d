//! Pauses of threads that work in the background.
//!
//! Writing a head to a file takes a core for a fifth of a second, and a merge for seconds. Where
//! there are few cores, whoever answers requests then waits for one of them, whatever the
//! priorities: a thread that wakes is put where it ran before, behind another one that answers
//! requests, while the core beside it belongs to a merge. Work that stops every fraction of a
//! millisecond leaves none of them waiting for longer.

use std::cell::Cell;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::sys::Clock;

/// For how long is worked without a pause: about as long as others may wait for that.
const WORK: Duration = Duration::from_micros(250);
/// The pause that follows.
const PAUSE: Duration = Duration::from_micros(500);

/// Has a piece of background work pause while others write.
#[derive(Debug)]
pub(super) struct Courtesy<'a> {
    clock: &'a dyn Clock,
    /// How many groups of writes were committed.
    groups: &'a AtomicU64,
    begin: Duration,
    /// For how long there are pauses: what takes longer is to be done.
    lasts: Duration,
    /// When the last pause ended.
    since: Cell<Duration>,
    /// How many groups there were when it was looked last.
    known: Cell<u64>,
}

impl<'a> Courtesy<'a> {
    /// For a piece of work that begins now.
    pub(super) fn new(clock: &'a dyn Clock, groups: &'a AtomicU64, lasts: Duration) -> Self {
        let begin = clock.monotonic();
        Self {
            clock,
            groups,
            begin,
            lasts,
            since: Cell::new(begin),
            known: Cell::new(groups.load(Relaxed)),
        }
    }

    /// To be called between small steps of the work. Pauses with `pause` if it is time to, if
    /// something was written since the last time, and unless somebody waits for the work.
    pub(super) fn step(&self, is_waited_for: impl FnOnce() -> bool, pause: impl FnOnce(Duration)) {
        let now = self.clock.monotonic();
        if now.saturating_sub(self.since.get()) < WORK {
            return;
        }
        let groups = self.groups.load(Relaxed);
        let is_busy = self.known.replace(groups) != groups;
        let has_time = now.saturating_sub(self.begin) < self.lasts;
        if is_busy && has_time && !is_waited_for() {
            pause(PAUSE);
        }
        self.since.set(self.clock.monotonic());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::sim::SimClock;

    const LASTS: Duration = Duration::from_secs(1);

    /// How many pauses there are in steps of 50 us each, `writes` saying whether something is
    /// written before one.
    fn pauses(steps: u32, writes: impl Fn(u32) -> bool, is_waited_for: bool) -> u32 {
        let (clock, groups) = (SimClock::new(0), AtomicU64::new(7));
        let courtesy = Courtesy::new(&clock, &groups, LASTS);
        let mut pauses = 0;
        for step in 0..steps {
            clock.advance(Duration::from_micros(50));
            groups.fetch_add(u64::from(writes(step)), Relaxed);
            courtesy.step(
                || is_waited_for,
                |pause| {
                    clock.advance(pause);
                    pauses += 1;
                },
            );
        }
        pauses
    }

    #[test]
    fn work_pauses_while_others_write_and_nobody_waits_for_it() {
        assert_eq!(pauses(100, |_| true, false), 20);
        assert_eq!(pauses(100, |_| true, true), 0);
        assert_eq!(pauses(100, |_| false, false), 0);
        // One write in the first half, one in the second.
        assert_eq!(pauses(100, |step| step % 50 == 7, false), 2);
        // A second has so many times 250 us of work and a pause of 500 us.
        assert_eq!(pauses(100_000, |_| true, false), 1_333);
    }
}
