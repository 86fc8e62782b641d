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

/// For so long a write may wait, several times what it takes as a rule. Then those who answer it
/// lack a core, or the disk,
const LATE: Duration = Duration::from_millis(2);
/// and pauses are so many times as long.
const WHILE_LATE: u32 = 4;

/// What tells that others are at work.
pub(super) trait Activity {
    /// Counts what they did, and never falls.
    fn count(&self) -> u64;

    /// Since when, on the monotonic clock, the oldest of what was asked for is not answered; none
    /// where nobody waits.
    fn waiting_since(&self) -> Option<Duration>;
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
    /// core, and a seventeenth while others are late. With 0, where somebody waits for the work, it
    /// does not pause.
    pub(super) fn step(&self, rest: impl FnOnce() -> u32, pause: impl FnOnce(Duration)) {
        let now = self.clock.monotonic();
        let worked = now.saturating_sub(self.since.get());
        if worked < WORK {
            return;
        }
        if self.are_others_busy(now) {
            let times = match self.are_others_late(now) {
                true => rest().saturating_mul(WHILE_LATE),
                false => rest(),
            };
            let length = worked.saturating_mul(times).min(PAUSE_MAX);
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

    fn are_others_late(&self, now: Duration) -> bool {
        let since = self.activity.waiting_since();
        since.is_some_and(|since| now.saturating_sub(since) >= LATE)
    }
}

/// Since when the oldest write waits that is not answered, to be looked at without a lock.
#[derive(Debug, Default)]
pub(super) struct WaitingSince {
    /// On the monotonic clock, in nanoseconds and one more; 0 where none waits.
    nanoseconds: AtomicU64,
}

impl WaitingSince {
    /// A write came. Of others that wait the oldest counts.
    pub(super) fn note(&self, now: Duration) {
        if self.get().is_none() {
            self.set(Some(now));
        }
    }

    /// Those that wait now are others.
    pub(super) fn set(&self, since: Option<Duration>) {
        // Nanoseconds of five centuries.
        let nanoseconds = since.map_or(0, |since| since.as_nanos() as u64 + 1);
        self.nanoseconds.store(nanoseconds, Relaxed);
    }

    pub(super) fn get(&self) -> Option<Duration> {
        let nanoseconds = self.nanoseconds.load(Relaxed).checked_sub(1)?;
        Some(Duration::from_nanos(nanoseconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::sim::SimClock;

    /// What others do.
    #[derive(Debug, Default)]
    struct Others {
        count: AtomicU64,
        waiting: WaitingSince,
    }

    impl Activity for Others {
        fn count(&self) -> u64 {
            self.count.load(Relaxed)
        }

        fn waiting_since(&self) -> Option<Duration> {
            self.waiting.get()
        }
    }

    /// The pauses in steps that take so many microseconds each; `acts` says whether others do
    /// something in one.
    fn pauses(steps_us: &[u64], acts: impl Fn(usize) -> bool, rest: u32) -> Vec<Duration> {
        pauses_beside(&Others::default(), steps_us, acts, rest)
    }

    fn pauses_beside(
        others: &Others,
        steps_us: &[u64],
        acts: impl Fn(usize) -> bool,
        rest: u32,
    ) -> Vec<Duration> {
        let clock = SimClock::new(0);
        let courtesy = Courtesy::new(&clock, others);
        let mut pauses = Vec::new();
        for (number, &us) in steps_us.iter().enumerate() {
            clock.advance(Duration::from_micros(us));
            others.count.fetch_add(u64::from(acts(number)), Relaxed);
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
    fn while_others_are_late_work_takes_a_smaller_part_of_a_core() {
        let ms = Duration::from_millis;
        let others = Others::default();
        // A write comes with the first step: 250 us of work and 1 ms twice, and it is late.
        others.waiting.note(ms(0));
        let late = pauses_beside(&others, &[250; 5], |_| true, 4);
        assert_eq!(late, [1, 1, 4, 4, 4].map(ms));
        // Where somebody waits for the work, or nobody else is at it, there is no pause.
        assert_eq!(pauses_beside(&others, &[250; 20], |_| true, 0), []);
        assert_eq!(pauses_beside(&others, &[250; 20], |_| false, 4), []);
        others.waiting.set(None);
        assert_eq!(pauses_beside(&others, &[250; 5], |_| true, 4), [ms(1); 5]);
        assert_eq!(
            pauses_beside(&others, &[250], |_| true, u32::MAX),
            [PAUSE_MAX]
        );
    }

    #[test]
    fn the_oldest_write_that_waits_counts() {
        let waiting = WaitingSince::default();
        assert_eq!(waiting.get(), None);
        waiting.note(Duration::ZERO);
        waiting.note(Duration::from_secs(3));
        assert_eq!(waiting.get(), Some(Duration::ZERO));
        waiting.set(Some(Duration::from_secs(3)));
        assert_eq!(waiting.get(), Some(Duration::from_secs(3)));
        waiting.set(None);
        assert_eq!(waiting.get(), None);
    }

    #[test]
    fn others_who_come_to_the_end_of_nothing_are_still_at_work() {
        // Once something in the first step, then nothing for 100 ms: 80 times 0.25 + 1 ms.
        assert_eq!(pauses(&[250; 1_000], |step| step == 0, 4).len(), 80);
        // They come back.
        assert_eq!(pauses(&[250; 1_000], |step| step % 500 == 0, 4).len(), 160);
    }
}
