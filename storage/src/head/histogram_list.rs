//! The histograms among the points of one list of a series, beside the list.
//!
//! The list holds a placeholder for each, so that counts of points say what a reader sees; here
//! stand the histograms by the ordinals of their points. Like the points they are only ever
//! added at the end.

use std::borrow::Cow;

use crate::chunk::{BLOCK_HISTOGRAMS, ChunkError, HistogramCursor, HistogramParts, HistogramRun};
use crate::codec::histogram::{elements, put_histogram};
use crate::model::Histogram;

/// Histograms in blocks of bytes.
#[derive(Debug, Default)]
pub(super) struct HistogramList {
    /// Stretches of points that are histograms, one after the other.
    runs: Vec<HistogramRun>,
    /// Full blocks.
    blocks: Vec<Box<[u8]>>,
    /// The block that is added to.
    open: Vec<u8>,
    count: u64,
    /// What the next one is compared with, and written after.
    last: Option<Box<Histogram>>,
    /// Bytes of full blocks.
    block_bytes: usize,
}

impl HistogramList {
    /// Adds the histogram of the point with that ordinal, above those before.
    pub(super) fn push(&mut self, ordinal: u64, histogram: &Histogram) {
        if self.end() != Some(ordinal) {
            if self.runs.len() == self.runs.capacity() {
                self.runs.reserve_exact(1 + self.runs.len() / 4);
            }
            let index = self.count;
            self.runs.push(HistogramRun { ordinal, index });
        }
        if self.count > 0 && self.count.is_multiple_of(BLOCK_HISTOGRAMS) {
            let block = std::mem::take(&mut self.open).into_boxed_slice();
            self.block_bytes += block.len() + size_of::<Box<[u8]>>();
            if self.blocks.len() == self.blocks.capacity() {
                self.blocks.reserve_exact(1 + self.blocks.len() / 4);
            }
            self.blocks.push(block);
        }
        let before = match self.open.is_empty() {
            true => None,
            false => self.last.as_deref(),
        };
        let mut bytes = Vec::new();
        put_histogram(&mut bytes, histogram, before);
        if self.open.capacity() - self.open.len() < bytes.len() {
            self.open.reserve_exact(bytes.len() + self.open.len() / 4);
        }
        self.open.extend_from_slice(&bytes);
        self.count += 1;
        self.last = Some(Box::new(histogram.clone()));
    }

    /// The ordinal after that of the last histogram.
    fn end(&self) -> Option<u64> {
        let run = self.runs.last()?;
        Some(run.ordinal + (self.count - run.index))
    }

    /// The histogram of the point with that ordinal, if that is the last histogram.
    pub(super) fn last_at(&self, ordinal: u64) -> Option<&Histogram> {
        self.last
            .as_deref()
            .filter(|_| self.end() == Some(ordinal + 1))
    }

    /// Whether the point with that ordinal is a histogram.
    pub(super) fn contains(&self, ordinal: u64) -> bool {
        self.index_of(ordinal).is_some()
    }

    fn index_of(&self, ordinal: u64) -> Option<u64> {
        HistogramRun::find(&self.runs, self.count, ordinal)
    }

    /// The histogram of the point with that ordinal; none if that is no histogram.
    ///
    /// # Errors
    /// Bytes that cannot be read: only a bug makes them.
    pub(super) fn read(
        &self,
        ordinal: u64,
        cursor: &mut HistogramCursor,
    ) -> Result<Option<Histogram>, ChunkError> {
        let Some(index) = self.index_of(ordinal) else {
            return Ok(None);
        };
        let block = index / BLOCK_HISTOGRAMS;
        let bytes = match usize::try_from(block).map(|block| self.blocks.get(block)) {
            Ok(Some(bytes)) => bytes,
            _ => &self.open[..],
        };
        let corrupt = ChunkError::Corrupt {
            sample: (index % BLOCK_HISTOGRAMS) as u16,
        };
        cursor.read(bytes, index).map(Some).map_err(|_| corrupt)
    }

    /// All of it, as it is.
    pub(super) fn parts(&self) -> HistogramParts<'_> {
        let blocks = self.blocks.iter().map(|block| &block[..]);
        let open = (!self.open.is_empty()).then_some(&self.open[..]);
        HistogramParts {
            runs: Cow::Borrowed(&self.runs),
            count: self.count,
            blocks: blocks.chain(open).collect(),
        }
    }

    /// Bytes of everything beside the list itself.
    pub(super) fn bytes(&self) -> usize {
        let last = self.last.as_deref().map_or(0, |last| {
            size_of::<Histogram>() + elements(last) * size_of::<u64>()
        });
        self.runs.capacity() * size_of::<HistogramRun>()
            + self.block_bytes
            + self.open.capacity()
            + last
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::histogram::tests::histograms;

    proptest! {
        /// Any of the points, in any order and with a cursor that has read any others, while
        /// more are added.
        #[test]
        fn each_histogram_is_read_at_its_point(
            list in histograms(1..80),
            gaps in prop::collection::vec(prop_oneof![9 => Just(0u64), 1 => 1..4u64], 80),
            reads in prop::collection::vec(any::<prop::sample::Index>(), 1..20),
        ) {
            let mut histograms = HistogramList::default();
            let mut cursor = HistogramCursor::default();
            let mut model: Vec<Option<&Histogram>> = Vec::new();
            for (histogram, gap) in list.iter().zip(&gaps) {
                model.resize(model.len() + *gap as usize, None);
                histograms.push(model.len() as u64, histogram);
                model.push(Some(histogram));
                let place = reads[model.len() % reads.len()].index(model.len());
                for place in [place, model.len() - 1] {
                    let read = histograms.read(place as u64, &mut cursor).unwrap();
                    let same = match (&read, model[place]) {
                        (Some(read), Some(wrote)) => read.is_identical(wrote),
                        (read, wrote) => read.is_none() && wrote.is_none(),
                    };
                    prop_assert!(same, "point {} is {:?}", place, read);
                }
            }
            let mut cursor = HistogramCursor::default();
            for (ordinal, wrote) in (0..).zip(&model) {
                prop_assert_eq!(histograms.contains(ordinal), wrote.is_some());
                let read = histograms.read(ordinal, &mut cursor).unwrap();
                prop_assert!(read.is_some() == wrote.is_some());
                prop_assert!(read.is_none_or(|read| wrote.is_some_and(|w| w.is_identical(&read))));
            }
            let end = model.len() as u64;
            prop_assert!(!histograms.contains(end));
            prop_assert!(histograms.last_at(end - 1).is_some() && histograms.last_at(end).is_none());
        }
    }
}
