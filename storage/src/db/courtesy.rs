//! Pauses of threads that work in the background.
//!
//! Writing a head to a file takes a core for a fifth of a second, and a merge for seconds. Where
//! there are few cores, whoever answers requests then waits for one of them, whatever the
//! priorities: a thread that wakes is put where it ran before, behind another one that answers
//! requests, while the core beside it belongs to a merge. Work that stops every fraction of a
//! millisecond, and takes a small part of a core, leaves none of them waiting for long.

use std::cell::Cell;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::sys::Clock;

/// For how long is worked without a pause, at least: about as long as others may wait for that.
const WORK: Duration = Duration::from_micros(250);
/// The longest pause, however long the work before it took.
const PAUSE_MAX: Duration = Duration::from_millis(20);
/// For so long after others were seen at work they are taken to be. Where a core is taken from
/// them they come to the end of nothing for a while, which is no reason to take more of it.
const LULL: Duration = Duration::from_millis(100);

/// What tells that others are at work: it counts what they did, and never falls.
pub(super) trait Activity {
    /// How much that is.
    fn count(&self) -> u64;
}

/// Has a piece of background work pause while others write or read.
#[derive(Debug)]
pub(super) struct Courtesy<'a, A> {
    clock: &'a dyn Clock,
    activity: &'a A,
    /// When the last pause ended.
    since: Cell<Duration>,
    /// What was counted when it was looked last.
    known: Cell<u64>,
    /// When it was more than before.
    busy: Cell<Option<Duration>>,
}

impl<'a, A: Activity> Courtesy<'a, A> {
    /// For a piece of work that begins now.
    pub(super) fn new(clock: &'a dyn Clock, activity: &'a A) -> Self {
        Self {
            clock,
            activity,
            since: Cell::new(clock.monotonic()),
            known: Cell::new(activity.count()),
            busy: Cell::new(None),
        }
    }

    /// To be called between small steps of the work. If it is time to, and others are at work, it
    /// pauses with `pause`, `rest` times as long as was worked: with 4 the work takes a fifth of a
    /// core. With 0, where somebody waits for the work, it does not.
    pub(super) fn step(&self, rest: impl FnOnce() -> u32, pause: impl FnOnce(Duration)) {
        let now = self.clock.monotonic();
        let worked = now.saturating_sub(self.since.get());
        if worked < WORK {
            return;
        }
        if self.are_others_busy(now) {
            let length = worked.saturating_mul(rest()).min(PAUSE_MAX);
            if !length.is_zero() {
                pause(length);
            }
        }
        self.since.set(self.clock.monotonic());
    }

    fn are_others_busy(&self, now: Duration) -> bool {
        let count = self.activity.count();
        if self.known.replace(count) != count {
            self.busy.set(Some(now));
        }
        let seen = self.busy.get();
        seen.is_some_and(|seen| now.saturating_sub(seen) < LULL)
    }
}

impl Activity for AtomicU64 {
    fn count(&self) -> u64 {
        self.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::sim::SimClock;

    /// The pauses in steps that take so many microseconds each; `acts` says whether others do
    /// something in one.
    fn pauses(steps_us: &[u64], acts: impl Fn(usize) -> bool, rest: u32) -> Vec<Duration> {
        let (clock, activity) = (SimClock::new(0), AtomicU64::new(7));
        let courtesy = Courtesy::new(&clock, &activity);
        let mut pauses = Vec::new();
        for (number, &us) in steps_us.iter().enumerate() {
            clock.advance(Duration::from_micros(us));
            activity.fetch_add(u64::from(acts(number)), Relaxed);
            courtesy.step(
                || rest,
                |pause| {
                    clock.advance(pause);
                    pauses.push(pause);
                },
            );
        }
        pauses
    }

    #[test]
    fn work_takes_its_part_of_a_core_while_others_are_at_work() {
        let ms = Duration::from_millis;
        // 20 times 250 us of work, and four times as long a pause each.
        assert_eq!(pauses(&[50; 100], |_| true, 4), [ms(1); 20]);
        assert_eq!(pauses(&[50; 100], |_| true, 0), []);
        assert_eq!(pauses(&[50; 100], |_| false, 4), []);
        // A step that took longer is followed by a longer pause, up to a limit.
        assert_eq!(
            pauses(&[900, 60_000], |_| true, 2),
            [Duration::from_micros(1800), ms(20)]
        );
    }

    #[test]
    fn others_who_come_to_the_end_of_nothing_are_still_at_work() {
        // Once something in the first step, then nothing for 100 ms: 80 times 0.25 + 1 ms.
        assert_eq!(pauses(&[250; 1_000], |step| step == 0, 4).len(), 80);
        // They come back.
        assert_eq!(pauses(&[250; 1_000], |step| step % 500 == 0, 4).len(), 160);
    }
}
