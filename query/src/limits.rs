//! What one query may use: samples held in memory, time, and the caller's patience.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::{Error, ErrorKind};

/// Samples that the queries of Prometheus may hold unless told otherwise.
pub(crate) const SAMPLES_MAX_DEFAULT: u64 = 50_000_000;

/// How many samples are looked at from one check of time to the next within a series.
const WORK_BETWEEN_CHECKS: usize = 1 << 20;

/// The limits of one query and how far it has got.
///
/// A sample is a value of eight bytes that is held: decoded from the source, or in a column of
/// a result that is not complete yet.
#[derive(Debug)]
pub(crate) struct Limits<'a> {
    samples_max: u64,
    samples_held: AtomicU64,
    deadline: Option<Instant>,
    cancel: Option<&'a AtomicBool>,
}

impl<'a> Limits<'a> {
    /// Limits that count from now.
    pub(crate) fn new(
        samples_max: u64,
        timeout: Option<Duration>,
        cancel: Option<&'a AtomicBool>,
    ) -> Self {
        Self {
            samples_max,
            samples_held: AtomicU64::new(0),
            // A timeout too long for the clock is none.
            deadline: timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
            cancel,
        }
    }

    /// Whether the query may go on. Asked once a series.
    ///
    /// # Errors
    /// [`ErrorKind::Canceled`] and [`ErrorKind::Timeout`].
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.cancel.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
            return Err(Error::new(
                ErrorKind::Canceled,
                "query was canceled in expression evaluation",
            ));
        }
        if self
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
        {
            return Err(Error::new(
                ErrorKind::Timeout,
                "query timed out in expression evaluation",
            ));
        }
        Ok(())
    }

    /// The same in the middle of a loop, asked once in so much `work` (in samples looked at) as
    /// takes a few milliseconds. Begin with a `work` of 0 and leave it alone.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub(crate) fn check_work(&self, work: &mut usize, samples: usize) -> Result<(), Error> {
        *work += samples;
        if *work < WORK_BETWEEN_CHECKS {
            return Ok(());
        }
        *work = 0;
        self.check()
    }

    /// Counts `samples` more as held.
    ///
    /// # Errors
    /// [`ErrorKind::Execution`] where that is more than the query may hold.
    pub(crate) fn hold(&self, samples: usize) -> Result<(), Error> {
        let before = self
            .samples_held
            .fetch_add(samples as u64, Ordering::Relaxed);
        self.within(before.saturating_add(samples as u64))
    }

    /// Whether `samples` more could be held for a moment.
    ///
    /// # Errors
    /// [`ErrorKind::Execution`] where that is more than the query may hold.
    pub(crate) fn room_for(&self, samples: usize) -> Result<(), Error> {
        self.within(self.held().saturating_add(samples as u64))
    }

    fn within(&self, samples: u64) -> Result<(), Error> {
        if samples <= self.samples_max {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Execution,
            "query processing would load too many samples into memory in query execution",
        ))
    }

    /// How many samples are held.
    pub(crate) fn held(&self) -> u64 {
        self.samples_held.load(Ordering::Relaxed)
    }

    /// Forgets all that was held since [`Self::held`] answered `before`, but for `samples`.
    pub(crate) fn release_to(&self, before: u64, samples: usize) {
        self.samples_held
            .store(before + samples as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holding_more_than_the_limit_is_an_error() {
        let limits = Limits::new(10, None, None);
        limits.hold(10).unwrap();
        limits.room_for(0).unwrap();
        let error = limits.hold(1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Execution);
        limits.release_to(0, 4);
        limits.hold(6).unwrap();
    }

    #[test]
    fn time_and_cancellation_end_a_query() {
        let flag = AtomicBool::new(false);
        let limits = Limits::new(1, None, Some(&flag));
        limits.check().unwrap();
        flag.store(true, Ordering::Relaxed);
        assert_eq!(limits.check().unwrap_err().kind(), ErrorKind::Canceled);
        let late = Limits::new(1, Some(Duration::ZERO), None);
        assert_eq!(late.check().unwrap_err().kind(), ErrorKind::Timeout);
    }
}
