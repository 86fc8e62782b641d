//! What queries may use: bytes together, and each of them samples, time, and its caller's patience.

mod budget;
mod loan;
pub(crate) mod meter;
mod read;
mod sweep;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub(crate) use self::budget::Budget;
pub use self::budget::Reservation;
pub(crate) use self::loan::{Held, Loan, bytes_of, heap_bytes};
pub use self::read::ReadLimits;
use self::sweep::Left;
pub(crate) use self::sweep::Swept;
use crate::{Error, ErrorKind};

/// Samples that the queries of Prometheus may hold unless told otherwise.
pub(crate) const SAMPLES_MAX_DEFAULT: u64 = 50_000_000;

/// Bytes that all queries together may hold unless told otherwise.
pub(crate) const BYTES_MAX_DEFAULT: u64 = 1 << 30;

/// What the tree and the plan of a query take at most for each byte of its text.
pub(crate) const PARSED_BYTES: usize = 256;

/// How many samples are looked at from one check of time to the next within a series: a few
/// milliseconds of work.
pub(crate) const WORK_BETWEEN_CHECKS: usize = 1 << 18;

/// The limits of one query and how far it has got. Shared by the threads that work for it.
///
/// A sample is a value of eight bytes that is held: decoded from the source, or in a column of
/// a result that is not complete yet. What is held is held by a [`Loan`], which gives it back
/// when it goes.
#[derive(Debug)]
pub(crate) struct Limits<'a> {
    budget: &'a Arc<Budget>,
    samples_max: u64,
    samples_held: AtomicU64,
    samples_peak: AtomicU64,
    bytes_held: AtomicU64,
    bytes_peak: AtomicU64,
    started: Instant,
    deadline: Option<Instant>,
    cancel: Option<&'a AtomicBool>,
    series_read: AtomicU64,
    samples_read: AtomicU64,
    /// Of a list rather than of a query: its errors say so.
    is_list: bool,
    /// Whether it was told to end: nothing is given back from then on before it has returned.
    has_ended: AtomicBool,
    /// What is to be freed behind its answer.
    left: Mutex<Left>,
}

impl<'a> Limits<'a> {
    /// Limits that count from now.
    pub(crate) fn new(
        budget: &'a Arc<Budget>,
        samples_max: u64,
        timeout: Option<Duration>,
        cancel: Option<&'a AtomicBool>,
    ) -> Self {
        let started = Instant::now();
        Self {
            budget,
            samples_max,
            samples_held: AtomicU64::new(0),
            samples_peak: AtomicU64::new(0),
            bytes_held: AtomicU64::new(0),
            bytes_peak: AtomicU64::new(0),
            started,
            // A timeout too long for the clock is none.
            deadline: timeout.and_then(|timeout| started.checked_add(timeout)),
            cancel,
            series_read: AtomicU64::new(0),
            samples_read: AtomicU64::new(0),
            is_list: false,
            has_ended: AtomicBool::new(false),
            left: Mutex::default(),
        }
    }

    /// The same of a list.
    pub(crate) fn of_list(mut self) -> Self {
        self.is_list = true;
        self
    }

    /// Whether the query may go on. Asked once a series.
    ///
    /// # Errors
    /// [`ErrorKind::Canceled`] and [`ErrorKind::Timeout`].
    pub(crate) fn check(&self) -> Result<(), Error> {
        let checked = self.checked();
        if checked.is_err() {
            self.has_ended.store(true, Ordering::Relaxed);
        }
        checked
    }

    /// Whether a check has failed.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Relaxed)
    }

    fn checked(&self) -> Result<(), Error> {
        let is_cancelled = self.cancel.is_some_and(|flag| flag.load(Ordering::Relaxed));
        #[cfg(test)]
        let is_cancelled = is_cancelled || !meter::counted::looked();
        if is_cancelled {
            let message = match self.is_list {
                false => "query was canceled in expression evaluation",
                true => "the request was canceled",
            };
            return Err(Error::new(ErrorKind::Canceled, message));
        }
        let now = Instant::now();
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            return Err(self.timed_out(now));
        }
        Ok(())
    }

    fn timed_out(&self, now: Instant) -> Error {
        let seconds = now.duration_since(self.started).as_secs_f64();
        let message = match self.is_list {
            false => format!(
                "query timed out in expression evaluation: {seconds:.3} s are over \
                 (--query-timeout or the timeout of the request) after {}",
                self.progress(),
            ),
            true => format!(
                "the request timed out: {seconds:.3} s are over (--query-timeout) after {} of its \
                 answer",
                Bytes(self.bytes_held()),
            ),
        };
        Error::new(ErrorKind::Timeout, message)
    }

    /// The same in the middle of a loop, asked once in so much `work` (in samples looked at) as
    /// takes a few milliseconds. Begin with a `work` of 0 and leave it alone.
    ///
    /// # Errors
    /// As [`Self::check`].
    #[inline]
    pub(crate) fn check_work(&self, work: &mut usize, samples: usize) -> Result<(), Error> {
        *work = work.saturating_add(samples);
        if *work < WORK_BETWEEN_CHECKS {
            return Ok(());
        }
        *work = 0;
        self.check()
    }

    /// Counts a series as read.
    pub(crate) fn has_read(&self, samples: usize) {
        self.series_read.fetch_add(1, Ordering::Relaxed);
        self.samples_read
            .fetch_add(samples as u64, Ordering::Relaxed);
    }

    /// How many samples were read until now.
    pub(crate) fn samples_read(&self) -> u64 {
        self.samples_read.load(Ordering::Relaxed)
    }

    /// How far the query has got, for people.
    pub(crate) fn progress(&self) -> Progress {
        Progress {
            series: self.series_read.load(Ordering::Relaxed),
            samples: self.samples_read.load(Ordering::Relaxed),
        }
    }

    /// Whether `samples` more could be held for a moment.
    ///
    /// # Errors
    /// [`ErrorKind::Execution`] where that is more than the query may hold.
    pub(crate) fn room_for(&self, samples: usize) -> Result<(), Error> {
        let held = self.samples_held.load(Ordering::Relaxed);
        self.samples_within(held.saturating_add(samples as u64))
    }

    /// Takes bytes out of the query that its answer holds on.
    fn hand_over(&self, bytes: u64) {
        self.bytes_held.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn samples_within(&self, samples: u64) -> Result<(), Error> {
        if samples <= self.samples_max {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Execution,
            format!(
                "query processing would load too many samples into memory in query execution: \
                 more than {} (--query-max-samples) after {}",
                self.samples_max,
                self.progress(),
            ),
        ))
    }

    /// Holds so much more, until it is released or the query ends. [`Loan`]s do both.
    ///
    /// # Errors
    /// [`ErrorKind::Execution`] where that is more than there may be.
    pub(crate) fn hold(&self, samples: u64, bytes: u64) -> Result<(), Error> {
        let held = self.samples_held.fetch_add(samples, Ordering::Relaxed);
        let held = held.saturating_add(samples);
        if let Err(error) = self.samples_within(held) {
            self.samples_held.fetch_sub(samples, Ordering::Relaxed);
            return Err(error);
        }
        if let Err(others_too) = self
            .budget
            .take(bytes, self.bytes_held.load(Ordering::Relaxed))
        {
            self.samples_held.fetch_sub(samples, Ordering::Relaxed);
            return Err(self.too_many_bytes(bytes, others_too));
        }
        self.samples_peak.fetch_max(held, Ordering::Relaxed);
        let held = self.bytes_held.fetch_add(bytes, Ordering::Relaxed);
        self.bytes_peak
            .fetch_max(held.saturating_add(bytes), Ordering::Relaxed);
        Ok(())
    }

    /// Gives back what is held.
    pub(crate) fn release(&self, samples: u64, bytes: u64) {
        if self.has_ended() {
            // It may be among what is freed later.
            return;
        }
        self.samples_held.fetch_sub(samples, Ordering::Relaxed);
        self.bytes_held.fetch_sub(bytes, Ordering::Relaxed);
        self.budget.give_back(bytes);
    }

    fn too_many_bytes(&self, more: u64, of_all: u64) -> Error {
        let own = self.bytes_held();
        let (what, who) = match self.is_list {
            false => ("query processing", "query"),
            true => ("the answer", "request"),
        };
        let mut message = format!(
            "{what} would use too much memory: {} more, where this {who} holds {} and others {} \
             of the {} for all queries together (--query-max-bytes)",
            Bytes(more),
            Bytes(own),
            Bytes(of_all.saturating_sub(own)),
            Bytes(self.budget.bytes_max()),
        );
        if !self.is_list {
            message.push_str(&format!(", after {}", self.progress()));
        }
        Error::new(ErrorKind::Execution, message)
    }

    /// How long ago the query began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// How many samples are held.
    #[cfg(test)]
    pub(crate) fn samples_held(&self) -> u64 {
        self.samples_held.load(Ordering::Relaxed)
    }

    /// How many samples were held at most.
    pub(crate) fn samples_peak(&self) -> u64 {
        self.samples_peak.load(Ordering::Relaxed)
    }

    /// How many bytes are held.
    pub(crate) fn bytes_held(&self) -> u64 {
        self.bytes_held.load(Ordering::Relaxed)
    }

    /// How many bytes were held at most.
    pub(crate) fn bytes_peak(&self) -> u64 {
        self.bytes_peak.load(Ordering::Relaxed)
    }
}

impl Drop for Limits<'_> {
    fn drop(&mut self) {
        let (bytes, bytes_peak) = (*self.bytes_held.get_mut(), *self.bytes_peak.get_mut());
        let left = self.left.get_mut().unwrap_or_else(PoisonError::into_inner);
        if !left.0.is_empty() {
            let left = std::mem::take(&mut left.0);
            return self.budget.free_behind(left, bytes, bytes_peak);
        }
        self.budget.give_back(bytes);
        self.budget.ended(bytes_peak);
    }
}

/// How far a query has got.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    series: u64,
    samples: u64,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} series with {} samples were read",
            self.series, self.samples
        )
    }
}

/// A number of bytes, for people.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
        match UNITS.iter().find(|(_, unit)| self.0 >= *unit) {
            Some((name, unit)) => write!(f, "{:.1} {name}", self.0 as f64 / *unit as f64),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

#[cfg(test)]
mod tests;
