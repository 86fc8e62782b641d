//! What a read may use, and whether it may go on.

use std::fmt;

use thiserror::Error;

/// Asked by a read as it goes, so that the read ends soon after it is told to.
///
/// A read asks [`Allowance::may_go_on`] once in so much work as takes a millisecond or less, and
/// [`Allowance::may_hold`] before it takes memory that grows with its answer. The first no ends it
/// with [`crate::ErrorKind::Ended`].
pub trait Allowance: Sync {
    /// Whether the read may go on. Should be quick, and once it says no, say no for good.
    fn may_go_on(&self) -> bool;

    /// Whether the read may hold `bytes` more than it does.
    fn may_hold(&self, bytes: usize) -> bool;

    /// Takes back bytes that the read was allowed to hold. Once it has answered or failed it holds
    /// none: what the answer takes is then for whoever has it to count.
    fn give_back(&self, bytes: usize);
}

/// As long as it takes and as much as it takes.
#[derive(Clone, Copy, Debug)]
pub struct Unbounded;

impl Allowance for Unbounded {
    fn may_go_on(&self) -> bool {
        true
    }

    fn may_hold(&self, _bytes: usize) -> bool {
        true
    }

    fn give_back(&self, _bytes: usize) {}
}

/// A read that was ended by its [`Allowance`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the read was ended before it had an answer")]
pub struct Ended;

/// The bounds of a read, as it hands them on.
#[derive(Clone, Copy)]
pub struct ReadBounds<'a> {
    allowance: &'a dyn Allowance,
    /// How many elements of the answer are asked for; which of them, the read says.
    pub limit: usize,
}

impl fmt::Debug for ReadBounds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadBounds")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl ReadBounds<'_> {
    /// No bounds.
    pub const NONE: ReadBounds<'static> = ReadBounds::new(&Unbounded);
}

impl<'a> ReadBounds<'a> {
    /// Those of an allowance.
    pub const fn new(allowance: &'a dyn Allowance) -> Self {
        Self {
            allowance,
            limit: usize::MAX,
        }
    }

    /// The same, and no more than `limit` elements.
    pub fn limited(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// The same of all elements.
    pub fn of_all(self) -> Self {
        self.limited(usize::MAX)
    }

    /// Whether the read may go on.
    ///
    /// # Errors
    /// It may not.
    #[inline]
    pub fn check(&self) -> Result<(), Ended> {
        match self.allowance.may_go_on() {
            true => Ok(()),
            false => Err(Ended),
        }
    }

    /// Holds `count` elements of `T` in one piece of memory, as long as the tally lives.
    ///
    /// # Errors
    /// They may not be held.
    pub fn hold_all<T>(self, count: usize) -> Result<Tally<'a>, Ended> {
        let mut tally = Tally::new(self);
        tally.grow(count.saturating_mul(size_of::<T>()))?;
        Ok(tally)
    }

    /// Counts work, and checks once in so much of it.
    pub fn pace(self, every: usize) -> Pace<'a> {
        Pace {
            bounds: self,
            every,
            left: every,
            has_ended: false,
        }
    }

    /// The pace at which the samples of a series are read.
    pub fn sample_pace(self) -> Pace<'a> {
        self.pace(SAMPLES_PACE)
    }
}

/// How many samples are decoded, or put over others, from one check to the next: a few tenths of
/// a millisecond.
pub(crate) const SAMPLES_PACE: usize = 1 << 16;

/// Checks once in so much work.
#[derive(Clone, Debug)]
pub struct Pace<'a> {
    bounds: ReadBounds<'a>,
    every: usize,
    left: usize,
    has_ended: bool,
}

impl Pace<'_> {
    /// No pace: for who reads as long as it takes.
    pub fn none() -> Pace<'static> {
        ReadBounds::NONE.pace(usize::MAX)
    }

    /// After so much more work.
    ///
    /// # Errors
    /// The read may not go on.
    #[inline]
    pub fn step(&mut self, work: usize) -> Result<(), Ended> {
        match self.left.checked_sub(work) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = self.every;
                let checked = self.finish().and_then(|()| self.bounds.check());
                self.has_ended = checked.is_err();
                checked
            }
        }
    }

    /// The same where there is no error to give: whether the read may go on. Whoever stops then
    /// leaves half an answer behind, and [`Pace::finish`] says so.
    #[inline]
    pub fn goes_on(&mut self, work: usize) -> bool {
        !self.has_ended && self.step(work).is_ok()
    }

    /// Whether the read went on to its end.
    ///
    /// # Errors
    /// It did not.
    pub fn finish(&self) -> Result<(), Ended> {
        match self.has_ended {
            false => Ok(()),
            true => Err(Ended),
        }
    }
}

/// Memory that shrinks and grows: holds as much as there was at most, and gives it back when it is
/// dropped.
#[derive(Debug)]
pub struct Tally<'a> {
    bounds: ReadBounds<'a>,
    used: usize,
    allowed: usize,
}

impl<'a> Tally<'a> {
    /// Of nothing yet.
    pub fn new(bounds: ReadBounds<'a>) -> Self {
        Self {
            bounds,
            used: 0,
            allowed: 0,
        }
    }

    /// So many bytes more are in use.
    ///
    /// # Errors
    /// They may not be held.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Ended> {
        self.used = self.used.saturating_add(bytes);
        if self.used > self.allowed {
            // Some ahead, so that many small things are asked for at once.
            let ahead = (self.used / 8).min(AHEAD_BYTES_MAX);
            let more = self.used - self.allowed + ahead;
            if !self.bounds.allowance.may_hold(more) {
                return Err(Ended);
            }
            self.allowed += more;
        }
        Ok(())
    }

    /// So many bytes are in use no more.
    pub fn shrink(&mut self, bytes: usize) {
        self.used = self.used.saturating_sub(bytes);
    }
}

impl Drop for Tally<'_> {
    fn drop(&mut self) {
        if self.allowed > 0 {
            self.bounds.allowance.give_back(self.allowed);
        }
    }
}

/// How many bytes are asked for at most before they are used.
const AHEAD_BYTES_MAX: usize = 64 << 10;

#[cfg(test)]
pub mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;

    /// Lets a read ask so often, and hold so much.
    #[derive(Debug)]
    pub struct Counted {
        asks_max: usize,
        bytes_max: usize,
        /// How often it was asked whether to go on.
        pub asked: AtomicUsize,
        /// How many bytes are held.
        pub held: AtomicUsize,
        /// How many bytes were held at most.
        pub peak: AtomicUsize,
    }

    impl Counted {
        pub fn new(asks_max: usize, bytes_max: usize) -> Self {
            Self {
                asks_max,
                bytes_max,
                asked: AtomicUsize::new(0),
                held: AtomicUsize::new(0),
                peak: AtomicUsize::new(0),
            }
        }
    }

    impl Allowance for Counted {
        fn may_go_on(&self) -> bool {
            self.asked.fetch_add(1, Relaxed) < self.asks_max
        }

        fn may_hold(&self, bytes: usize) -> bool {
            let held = self.held.load(Relaxed) + bytes;
            let may = held <= self.bytes_max;
            if may {
                self.held.store(held, Relaxed);
                self.peak.fetch_max(held, Relaxed);
            }
            may
        }

        fn give_back(&self, bytes: usize) {
            let before = self.held.fetch_sub(bytes, Relaxed);
            assert!(before >= bytes, "{bytes} of {before} given back");
        }
    }

    #[test]
    fn work_is_checked_once_in_so_much() {
        let allowance = Counted::new(2, 0);
        let mut pace = ReadBounds::new(&allowance).pace(10);
        let steps = (0..100).take_while(|_| pace.step(1).is_ok()).count();
        assert_eq!((steps, allowance.asked.into_inner()), (32, 3));
    }

    #[test]
    fn what_shrinks_is_not_asked_for_again() {
        let allowance = Counted::new(0, 1000);
        let mut tally = Tally::new(ReadBounds::new(&allowance));
        tally.grow(800).unwrap();
        assert_eq!(allowance.held.load(Relaxed), 900);
        tally.shrink(500);
        tally.grow(600).unwrap();
        assert_eq!(allowance.held.load(Relaxed), 900);
        assert_eq!(tally.grow(101), Err(Ended));
        drop(tally);
        assert_eq!(allowance.held.into_inner(), 0);
        assert_eq!(allowance.peak.into_inner(), 900);
    }
}
