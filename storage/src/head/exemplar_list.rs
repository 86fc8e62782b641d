//! The exemplars of one series, in the order in which they came.

use crate::chunk::ChunkError;
use crate::codec::exemplars::{self, BLOCK_EXEMPLARS, Entry};
use crate::model::{Exemplar, Seq, TimeRange};

/// Exemplars in blocks of bytes: each as its seq, timestamp, value and labels, after those of
/// the one before.
#[derive(Debug, Default)]
pub(super) struct ExemplarList {
    /// Full blocks.
    blocks: Vec<Box<[u8]>>,
    /// The block that is added to.
    open: Vec<u8>,
    open_count: u8,
    /// What the next one is written after.
    last: Entry,
    /// Bytes of full blocks.
    block_bytes: usize,
}

impl ExemplarList {
    /// Adds an exemplar of the group `seq`, unless it is one of the last ones again: exporters
    /// send an exemplar until there is a newer one, and a retry sends all of a request. Says
    /// whether it was added.
    ///
    /// # Errors
    /// Bytes that cannot be read: only a bug makes them.
    pub(super) fn push(&mut self, seq: Seq, exemplar: &Exemplar) -> Result<bool, ChunkError> {
        let mut is_repeat = false;
        let recent = self.blocks.last().map(|block| &block[..]);
        for block in recent.into_iter().chain([&self.open[..]]) {
            for_each(block, |entry| is_repeat |= entry.is(exemplar))?;
        }
        if is_repeat {
            return Ok(false);
        }
        if self.open_count == BLOCK_EXEMPLARS {
            let block = std::mem::take(&mut self.open).into_boxed_slice();
            self.block_bytes += block.len() + size_of::<Box<[u8]>>();
            self.blocks.push(block);
            self.open_count = 0;
        }
        if self.open_count == 0 {
            self.last = Entry::default();
        }
        let entry = Entry::new(seq, exemplar);
        entry.put(&mut self.open, &self.last);
        self.last = entry;
        self.open_count += 1;
        Ok(true)
    }

    /// Adds those in `range` that a reader at `seq` sees to `out`, as they came.
    ///
    /// # Errors
    /// Bytes that cannot be read: only a bug makes them.
    pub(super) fn read(
        &self,
        seq: Seq,
        range: TimeRange,
        out: &mut Vec<Exemplar>,
    ) -> Result<(), ChunkError> {
        for block in self.blocks() {
            for_each(block, |entry| {
                if entry.seq <= seq && range.contains(entry.timestamp_ms) {
                    out.push(entry.to_exemplar());
                }
            })?;
        }
        Ok(())
    }

    /// All of it, as it is.
    pub(super) fn blocks(&self) -> impl Iterator<Item = &[u8]> {
        let full = self.blocks.iter().map(|block| &block[..]);
        full.chain((!self.open.is_empty()).then_some(&self.open[..]))
    }

    /// Bytes of everything beside the list itself.
    pub(super) fn bytes(&self) -> usize {
        let labels = self.last.labels.iter();
        let last: usize = labels.map(|(n, v)| n.len() + v.len() + 8).sum();
        self.block_bytes + self.open.capacity() + last
    }
}

/// Calls `each` with the exemplars of a block.
fn for_each(block: &[u8], each: impl FnMut(&Entry)) -> Result<(), ChunkError> {
    exemplars::for_each(block, each).map_err(|(place, _)| ChunkError::Corrupt {
        sample: place.into(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Labels;

    fn exemplar(id: u32, timestamp_ms: i64, bits: u64) -> Exemplar {
        Exemplar {
            labels: Labels::from_pairs([("trace_id", format!("{id:032x}").as_str())]).unwrap(),
            timestamp_ms,
            value: f64::from_bits(bits),
        }
    }

    #[test]
    fn what_is_sent_again_is_kept_once() {
        let mut list = ExemplarList::default();
        let sent: Vec<_> = (0..10)
            .map(|i| exemplar(i, 100 + i64::from(i), 7))
            .collect();
        for seq in 1..5 {
            for one in &sent {
                assert_eq!(list.push(Seq(seq), one), Ok(seq == 1));
            }
        }
        // Another value, time or label is another one.
        for other in [exemplar(0, 100, 8), exemplar(0, 99, 7), exemplar(1, 100, 7)] {
            assert_eq!(list.push(Seq(5), &other), Ok(true));
        }
    }

    proptest! {
        #[test]
        fn exemplars_come_back_as_of_any_seq(
            rows in prop::collection::vec((any::<u32>(), any::<i64>(), any::<u64>()), 0..70),
            seq in 0..30u64,
        ) {
            let mut list = ExemplarList::default();
            let mut model = Vec::new();
            for (place, &(id, timestamp_ms, bits)) in (0u64..).zip(&rows) {
                let at = Seq(1 + place / 3);
                // A place in it makes each another one.
                let one = exemplar(id, timestamp_ms, bits.wrapping_add(place));
                prop_assert_eq!(list.push(at, &one), Ok(true));
                if at <= Seq(seq) && timestamp_ms >= 0 {
                    model.push((one.labels, timestamp_ms, one.value.to_bits()));
                }
            }
            let mut read = Vec::new();
            list.read(Seq(seq), TimeRange::new(0, i64::MAX), &mut read).unwrap();
            let read: Vec<_> = read
                .into_iter()
                .map(|one| (one.labels, one.timestamp_ms, one.value.to_bits()))
                .collect();
            prop_assert_eq!(read, model);
        }
    }
}
