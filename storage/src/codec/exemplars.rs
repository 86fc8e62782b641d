//! Exemplars of one series in blocks of bytes, each as its difference to the one before it.
//!
//! ```text
//! varint         seq of the write that brought it, less that of the one before
//! zigzag varint  timestamp, less that of the one before, modulo 2^64
//! float          value, after that of the one before
//! label set      after that of the one before
//! ```
//!
//! The first of a block comes after zeros and the empty set. *Floats* are those of
//! [`super::histogram`], *label sets* those of [`super::labels`].

use super::histogram::{put_xor, take_xor};
use super::labels::{LabelText, put_labels};
use super::varint::{put_i64, put_u64, take_i64, take_u64};
use crate::model::{Exemplar, Labels, Seq};

/// Exemplars a block, fewer in the last one; each block can be read by itself.
pub(crate) const BLOCK_EXEMPLARS: u8 = 16;

const BAD_NUMBER: &str = "a bad number";

/// An exemplar and the commit group that brought it.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    pub(crate) seq: Seq,
    pub(crate) timestamp_ms: i64,
    pub(crate) value: u64,
    pub(crate) labels: Labels,
}

impl Entry {
    pub(crate) fn new(seq: Seq, exemplar: &Exemplar) -> Self {
        Self {
            seq,
            timestamp_ms: exemplar.timestamp_ms,
            value: exemplar.value.to_bits(),
            labels: exemplar.labels.clone(),
        }
    }

    /// Appends it after `before`, whose seq is not above its own.
    pub(crate) fn put(&self, out: &mut Vec<u8>, before: &Self) {
        put_u64(out, self.seq.0 - before.seq.0);
        put_i64(out, self.timestamp_ms.wrapping_sub(before.timestamp_ms));
        put_xor(out, self.value ^ before.value);
        put_labels(out, &self.labels, &before.labels);
    }

    pub(crate) fn is(&self, exemplar: &Exemplar) -> bool {
        self.timestamp_ms == exemplar.timestamp_ms
            && self.value == exemplar.value.to_bits()
            && self.labels == exemplar.labels
    }

    pub(crate) fn to_exemplar(&self) -> Exemplar {
        Exemplar {
            labels: self.labels.clone(),
            timestamp_ms: self.timestamp_ms,
            value: f64::from_bits(self.value),
        }
    }
}

/// Calls `each` with the exemplars of a block.
///
/// # Errors
/// The place of one that cannot be read, and what is wrong with its bytes; `each` was called with
/// those before.
pub(crate) fn for_each(
    mut block: &[u8],
    mut each: impl FnMut(&Entry),
) -> Result<(), (u8, &'static str)> {
    let (mut entry, mut before, mut text) =
        (Entry::default(), LabelText::default(), LabelText::default());
    let mut place = 0;
    while !block.is_empty() {
        let bad = |what| (place, what);
        if place == BLOCK_EXEMPLARS {
            return Err(bad("more exemplars than a block has"));
        }
        let input = &mut block;
        let step = take_u64(input).ok_or(bad(BAD_NUMBER))?;
        let seq = entry.seq.0.checked_add(step);
        entry.seq = Seq(seq.ok_or(bad("a seq above 2^64"))?);
        let step_ms = take_i64(input).ok_or(bad(BAD_NUMBER))?;
        entry.timestamp_ms = entry.timestamp_ms.wrapping_add(step_ms);
        entry.value ^= take_xor(input).ok_or(bad(BAD_NUMBER))?;
        // What a set repeats lies in the block, so that none is larger than that.
        text.take(input, &before, usize::MAX).map_err(bad)?;
        entry.labels = text.labels().map_err(bad)?;
        each(&entry);
        std::mem::swap(&mut before, &mut text);
        place += 1;
    }
    Ok(())
}
