//! Samples and bytes that something holds, given back when it goes.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::{Budget, Limits, Reservation};
use crate::Error;

/// What the allocator takes for so many bytes: its own eight before them, in steps of sixteen.
pub(crate) fn heap_bytes(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        bytes => (bytes.saturating_add(8 + 15) & !15).max(32),
    }
}

/// What a vector of so many `T` takes.
pub(crate) fn bytes_of<T>(count: usize) -> usize {
    heap_bytes(count.saturating_mul(size_of::<T>()))
}

/// A part of what a query holds.
#[derive(Debug)]
pub(crate) struct Loan<'l> {
    limits: &'l Limits<'l>,
    samples: u64,
    bytes: u64,
}

impl<'l> Loan<'l> {
    /// Nothing yet.
    pub(crate) fn new(limits: &'l Limits<'l>) -> Self {
        Self {
            limits,
            samples: 0,
            bytes: 0,
        }
    }

    /// Of what is held already.
    pub(crate) fn of_held(limits: &'l Limits<'l>, samples: u64, bytes: u64) -> Self {
        Self {
            limits,
            samples,
            bytes,
        }
    }

    /// Leaves the samples and bytes held, until [`Self::of_held`] takes them or the query ends.
    pub(crate) fn keep(mut self) -> (u64, u64) {
        (
            std::mem::take(&mut self.samples),
            std::mem::take(&mut self.bytes),
        )
    }

    /// Holds so much more. Asked before the memory is.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Execution`] where that is more than there may be; nothing is added
    /// then.
    pub(crate) fn add(&mut self, samples: usize, bytes: usize) -> Result<(), Error> {
        self.limits.hold(samples as u64, bytes as u64)?;
        self.samples += samples as u64;
        self.bytes += bytes as u64;
        Ok(())
    }

    /// Holds as many bytes as a buffer takes that may have grown.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub(crate) fn grow_to(&mut self, bytes: usize) -> Result<(), Error> {
        match (bytes as u64).checked_sub(self.bytes) {
            Some(more @ 1..) => self.add(0, more as usize),
            _ => Ok(()),
        }
    }

    /// Holds exactly so many samples.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub(crate) fn set_samples(&mut self, samples: usize) -> Result<(), Error> {
        let samples = samples as u64;
        if samples > self.samples {
            return self.add((samples - self.samples) as usize, 0);
        }
        self.limits.release(self.samples - samples, 0);
        self.samples = samples;
        Ok(())
    }

    /// Gives a part back, as far as it is held.
    pub(crate) fn give_back(&mut self, samples: usize, bytes: usize) {
        let (samples, bytes) = (
            self.samples.min(samples as u64),
            self.bytes.min(bytes as u64),
        );
        self.limits.release(samples, bytes);
        self.samples -= samples;
        self.bytes -= bytes;
    }

    /// Takes what another one holds.
    pub(crate) fn absorb(&mut self, mut other: Self) {
        self.samples += std::mem::take(&mut other.samples);
        self.bytes += std::mem::take(&mut other.bytes);
    }

    /// Whose part it is.
    pub(crate) fn limits(&self) -> &'l Limits<'l> {
        self.limits
    }

    /// How many bytes it holds.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The same bytes, held beyond the end of the query.
    pub(crate) fn into_reservation(mut self, budget: &Arc<Budget>) -> Reservation {
        let bytes = std::mem::take(&mut self.bytes);
        self.limits.hand_over(bytes);
        Reservation::of_taken(Arc::clone(budget), bytes)
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        if self.samples > 0 || self.bytes > 0 {
            self.limits.release(self.samples, self.bytes);
        }
    }
}

/// Something in memory and what it holds of the query's share.
#[derive(Debug)]
pub(crate) struct Held<'l, T> {
    value: T,
    loan: Loan<'l>,
}

impl<'l, T> Held<'l, T> {
    pub(crate) fn new(value: T, loan: Loan<'l>) -> Self {
        Self { value, loan }
    }

    pub(crate) fn into_parts(self) -> (T, Loan<'l>) {
        (self.value, self.loan)
    }

    /// The value, and the loan to add to as it grows.
    pub(crate) fn parts_mut(&mut self) -> (&mut T, &mut Loan<'l>) {
        (&mut self.value, &mut self.loan)
    }

    /// How many bytes it holds.
    pub(crate) fn bytes(&self) -> u64 {
        self.loan.bytes
    }

    /// Whose part it is.
    pub(crate) fn limits(&self) -> &'l Limits<'l> {
        self.loan.limits
    }
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Held<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}
