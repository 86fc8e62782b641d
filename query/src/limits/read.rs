//! What reads beside queries may use: lists of series, of labels, of exemplars.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::{Budget, Limits, PARSED_BYTES, Reservation};
use crate::Error;
use crate::source::Allowance;

/// The bounds of one read that is no query: memory from the budget of all queries
/// ([`crate::EngineOptions::bytes_max`]), a time limit, and its caller's patience. What it holds is
/// given back when this is dropped.
#[derive(Debug)]
pub struct ReadLimits<'e> {
    limits: Limits<'e>,
    budget: &'e Arc<Budget>,
}

impl<'e> ReadLimits<'e> {
    pub(crate) fn new(
        budget: &'e Arc<Budget>,
        timeout: Option<Duration>,
        cancel: Option<&'e AtomicBool>,
    ) -> Self {
        Self {
            limits: Limits::new(budget, u64::MAX, timeout, cancel).of_list(),
            budget,
        }
    }

    /// Holds what the tree of an expression takes at most.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Execution`] where there is no room for it.
    pub fn hold_parsed(&self, text: &str) -> Result<(), Error> {
        self.hold(text.len().saturating_mul(PARSED_BYTES))
    }

    /// The end of the read: `bytes` of what it holds are its answer, held for as long as that is
    /// on its way; the others are given back.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Execution`] where it does not hold as many and there is no room;
    /// [`crate::ErrorKind::Canceled`], [`crate::ErrorKind::Timeout`].
    pub fn answer(self, bytes: usize) -> Result<Reservation, Error> {
        self.limits.check()?;
        let (bytes, held) = (bytes as u64, self.limits.bytes_held());
        match bytes.checked_sub(held) {
            Some(more) => self.limits.hold(0, more)?,
            None => self.limits.release(0, held - bytes),
        }
        self.limits.hand_over(bytes);
        Ok(Reservation::of_taken(Arc::clone(self.budget), bytes))
    }
}

/// Of a query: what it reads is counted by who reads it.
impl Allowance for Limits<'_> {
    fn check(&self) -> Result<(), Error> {
        Limits::check(self)
    }

    fn hold(&self, bytes: usize) -> Result<(), Error> {
        Limits::hold(self, 0, bytes as u64)
    }

    fn give_back(&self, bytes: usize) {
        self.release(0, bytes as u64);
    }
}

impl Allowance for ReadLimits<'_> {
    fn check(&self) -> Result<(), Error> {
        self.limits.check()
    }

    fn hold(&self, bytes: usize) -> Result<(), Error> {
        self.limits.hold(0, bytes as u64)
    }

    fn give_back(&self, bytes: usize) {
        self.limits.release(0, bytes as u64);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::ErrorKind;

    #[test]
    fn an_answer_is_held_until_it_goes() {
        let budget = Arc::new(Budget::new(8000));
        let read = ReadLimits::new(&budget, None, None);
        read.hold(5000).unwrap();
        read.give_back(1000);
        assert_eq!(budget.bytes_held(), 4000);
        let answer = read.answer(3000).unwrap();
        assert_eq!((budget.bytes_held(), answer.bytes()), (3000, 3000));
        // It may hold less than its answer takes.
        let other = ReadLimits::new(&budget, None, None);
        other.hold(1000).unwrap();
        let other = other.answer(4000).unwrap();
        assert_eq!((budget.bytes_held(), other.bytes()), (7000, 4000));
        drop(other);
        drop(answer);
        assert_eq!(budget.bytes_held(), 0);
    }

    #[test]
    fn errors_name_the_limit_and_its_flag() {
        let budget = Arc::new(Budget::new(8000));
        let read = ReadLimits::new(&budget, None, None);
        read.hold(2000).unwrap();
        let error = read.hold(5001).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Execution);
        assert_eq!(
            error.to_string(),
            "the answer would use too much memory: 4.9 KiB more, where this request holds 2.0 KiB \
             and others 0 bytes of the 7.8 KiB for all queries together (--query-max-bytes)"
        );
        assert!(read.answer(8000).is_err());
        assert_eq!(budget.bytes_held(), 0);

        let late = ReadLimits::new(&budget, Some(Duration::ZERO), None);
        late.hold(64).unwrap();
        let error = late.check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        let text = error.to_string();
        assert!(text.starts_with("the request timed out: 0.0"), "{text}");
        let end = " s are over (--query-timeout) after 64 bytes of its answer";
        assert!(text.ends_with(end), "{text}");
        assert_eq!(
            late.answer(0).unwrap_err().kind(),
            ErrorKind::Timeout,
            "an answer that comes too late"
        );

        let flag = AtomicBool::new(false);
        let read = ReadLimits::new(&budget, None, Some(&flag));
        read.check().unwrap();
        flag.store(true, Ordering::Relaxed);
        let error = read.check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Canceled);
        assert_eq!(error.to_string(), "the request was canceled");
    }
}
