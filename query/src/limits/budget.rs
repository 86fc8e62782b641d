//! Bytes that all queries of an engine hold together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::sweep::{Rubbish, Sweeper};

/// What queries hold together, and how much that may be.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes_max: u64,
    bytes_held: AtomicU64,
    /// What the largest of the queries held that have ended.
    largest_ended: AtomicU64,
    /// Frees what is not freed before an answer.
    sweeper: Arc<Sweeper>,
}

impl Budget {
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self {
            bytes_max,
            bytes_held: AtomicU64::new(0),
            largest_ended: AtomicU64::new(0),
            sweeper: Arc::default(),
        }
    }

    pub(crate) fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// How many bytes are held.
    pub(crate) fn bytes_held(&self) -> u64 {
        self.bytes_held.load(Ordering::Relaxed)
    }

    /// Takes so many bytes for a query that holds `own`, or none where they are not there; says
    /// how many are held then. An eighth is there for small queries alone, those that hold no
    /// more than a thirty-second of all: they go on beside any number of large ones.
    pub(super) fn take(&self, bytes: u64, own: u64) -> Result<(), u64> {
        let is_small = own.saturating_add(bytes) <= self.bytes_max / 32;
        let most = if is_small {
            self.bytes_max
        } else {
            self.bytes_max - self.bytes_max / 8
        };
        let more = |held: u64| {
            let held = held.checked_add(bytes)?;
            (held <= most).then_some(held)
        };
        let order = Ordering::Relaxed;
        self.bytes_held.fetch_update(order, order, more).map(|_| ())
    }

    /// Notes a query that ends and the most that it held.
    pub(super) fn ended(&self, bytes_peak: u64) {
        self.largest_ended.fetch_max(bytes_peak, Ordering::Relaxed);
    }

    /// The most that a query held of those that ended since this was asked last.
    pub(crate) fn take_largest_ended(&self) -> u64 {
        self.largest_ended.swap(0, Ordering::Relaxed)
    }

    /// Frees what is not freed before an answer.
    pub(crate) fn sweeper(&self) -> &Sweeper {
        &self.sweeper
    }

    /// Frees something on a thread of its own.
    pub(crate) fn free_soon(&self, rubbish: Rubbish) {
        self.sweeper.take(rubbish);
    }

    /// Frees what a query left behind it, which held `bytes` in the end and `bytes_peak` at most.
    pub(super) fn free_behind(self: &Arc<Self>, left: Vec<Rubbish>, bytes: u64, bytes_peak: u64) {
        let budget = Arc::clone(self);
        self.sweeper.take(Box::new(Left {
            left,
            held: Reservation::of_taken(budget, bytes),
            bytes_peak,
        }));
    }

    pub(super) fn give_back(&self, bytes: u64) {
        self.bytes_held.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// What an ended query left, and what it holds.
struct Left {
    // Freed before it is given back.
    left: Vec<Rubbish>,
    held: Reservation,
    bytes_peak: u64,
}

impl Drop for Left {
    fn drop(&mut self) {
        self.left.clear();
        if let Some((budget, _)) = &self.held.0 {
            budget.ended(self.bytes_peak);
        }
    }
}

/// The bytes of an answer, held among those of all queries for as long as this lives. A copy of
/// an answer is not counted.
#[derive(Debug, Default)]
pub struct Reservation(Option<(Arc<Budget>, u64)>);

impl Reservation {
    /// Of bytes that were taken from the budget already.
    pub(super) fn of_taken(budget: Arc<Budget>, bytes: u64) -> Self {
        Self(Some((budget, bytes)))
    }

    /// Frees an answer that nobody wants any more, or what is left of it, on another thread: to
    /// free a million series takes a tenth of a second. Its bytes are held until then.
    pub fn free_behind(self, answer: impl Send + 'static) {
        let Some((budget, _)) = &self.0 else {
            return;
        };
        let sweeper = Arc::clone(&budget.sweeper);
        // In this order.
        sweeper.take(Box::new((answer, self)));
    }

    /// How many bytes it holds.
    pub fn bytes(&self) -> u64 {
        self.0.as_ref().map_or(0, |(_, bytes)| *bytes)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some((budget, bytes)) = self.0.take() {
            budget.give_back(bytes);
        }
    }
}

impl Clone for Reservation {
    fn clone(&self) -> Self {
        Self(None)
    }
}

/// What is held says nothing about an answer.
impl PartialEq for Reservation {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}
