//! A clock that a test sets.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use super::super::Clock;

/// A clock that stands still until told otherwise.
#[derive(Debug)]
pub struct SimClock {
    now_ms: AtomicI64,
    monotonic_ns: AtomicU64,
}

impl SimClock {
    /// A clock whose wall time is `now_ms` and whose monotonic time is zero.
    pub fn new(now_ms: i64) -> Self {
        Self {
            now_ms: AtomicI64::new(now_ms),
            monotonic_ns: AtomicU64::new(0),
        }
    }

    /// Lets time pass on both clocks.
    pub fn advance(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        let ns = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.now_ms.fetch_add(ms, Ordering::Relaxed);
        self.monotonic_ns.fetch_add(ns, Ordering::Relaxed);
    }

    /// Sets the wall clock, back or forth, as an operator or NTP does; the monotonic one stays.
    pub fn set_now_ms(&self, now_ms: i64) {
        self.now_ms.store(now_ms, Ordering::Relaxed);
    }
}

impl Clock for SimClock {
    fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.monotonic_ns.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_jumps_and_the_monotonic_one_does_not() {
        let clock = SimClock::new(5_000);
        clock.advance(Duration::from_millis(250));
        clock.set_now_ms(-7);
        assert_eq!(clock.now_ms(), -7);
        assert_eq!(clock.monotonic(), Duration::from_millis(250));
    }
}
