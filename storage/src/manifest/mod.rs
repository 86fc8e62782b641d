//! The manifest: which files of the data directory count, and what of the log they cover.
//!
//! One small file that is replaced as a whole ([`store`]). Whatever a flush, a compaction or
//! retention does to files becomes true in that step, and only then are files removed that the
//! new manifest does not name. Byte layout: `docs/format/manifest.md`.

mod codec;
mod error;
mod file;
#[cfg(feature = "fuzz-internals")]
pub(crate) mod fuzz;
#[cfg(test)]
mod tests;

use crate::model::{Seq, TimeRange};

pub use error::ManifestError;
pub use file::{FILE_NAME, FILE_NAME_NEW, load, store};

/// What a manifest says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Manifest {
    /// How many manifests there were before this one: whoever replaces one counts up.
    pub generation: u64,
    /// The live segments in the order of their seqs, which do not overlap.
    pub segments: Vec<SegmentEntry>,
    /// The number of the next segment: above those of all segments there ever were.
    pub next_segment: u64,
    /// The live blocks in the order of their first seqs, then of time. Of two sources, blocks or
    /// segments, that overlap in time, the seqs do not overlap.
    pub blocks: Vec<BlockEntry>,
    /// The number of the next block: above those of all blocks there ever were.
    pub next_block: u64,
    /// Records of the log up to this one are in files, or need not be kept.
    pub covered_seq: Seq,
    /// The highest epoch that was written to a file; the next one to begin is above it, and above
    /// those of the log.
    pub last_epoch: u64,
}

/// A live segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentEntry {
    /// The number in the name of its file.
    pub number: u64,
    /// The epoch whose writes it holds; 1 or higher.
    pub epoch: u64,
    /// The lowest seq of a write in it.
    pub first_seq: Seq,
    /// The highest.
    pub last_seq: Seq,
    /// Length of its file in bytes.
    pub bytes: u64,
    /// From its oldest to its newest sample; a range that holds nothing if there is none.
    pub range: TimeRange,
}

/// A live block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlockEntry {
    /// The number in the name of its file.
    pub number: u64,
    /// The lowest seq that a write in it may have.
    pub first_seq: Seq,
    /// The highest.
    pub last_seq: Seq,
    /// Length of its file in bytes.
    pub bytes: u64,
    /// From its oldest to its newest sample; a range that holds nothing if there is none.
    pub range: TimeRange,
}

impl Manifest {
    /// Puts the blocks in their order.
    pub fn sort_blocks(&mut self) {
        self.blocks.sort_by_key(BlockEntry::place);
    }

    /// What contradicts itself, if anything does. Such a manifest is neither written nor believed.
    fn contradiction(&self) -> Option<&'static str> {
        self.wrong_segments()
            .or_else(|| self.wrong_blocks())
            .or_else(|| self.wrong_overlap())
    }

    fn wrong_segments(&self) -> Option<&'static str> {
        let mut before = None;
        for segment in &self.segments {
            if segment.first_seq > segment.last_seq || before >= Some(segment.first_seq) {
                return Some("segments are not in the order of their seqs");
            }
            before = Some(segment.last_seq);
            if segment.last_seq > self.covered_seq {
                return Some("a segment has records that are not covered");
            }
            if segment.epoch == 0 || segment.epoch > self.last_epoch {
                return Some("a segment is of an epoch that there was not yet");
            }
            if segment.number >= self.next_segment {
                return Some("a segment has a number that was not given yet");
            }
        }
        let numbers = self.segments.iter().map(|segment| segment.number);
        is_any_twice(numbers).then_some("two segments have one number")
    }

    fn wrong_blocks(&self) -> Option<&'static str> {
        if !self.blocks.is_sorted_by_key(BlockEntry::place) {
            return Some("blocks are not in the order of their seqs and times");
        }
        for block in &self.blocks {
            if block.first_seq > block.last_seq {
                return Some("a block has a wrong range of seqs");
            }
            if block.last_seq > self.covered_seq {
                return Some("a block has records that are not covered");
            }
            if block.number >= self.next_block {
                return Some("a block has a number that was not given yet");
            }
        }
        let numbers = self.blocks.iter().map(|block| block.number);
        is_any_twice(numbers).then_some("two blocks have one number")
    }

    /// Two sources that both have what was written of a time, and none of them after the other:
    /// which of them counts is not known.
    fn wrong_overlap(&self) -> Option<&'static str> {
        let segments = self.segments.iter();
        let segments = segments.map(|own| (own.first_seq, own.last_seq, own.range));
        let blocks = self.blocks.iter();
        let blocks = blocks.map(|own| (own.first_seq, own.last_seq, own.range));
        let mut sources: Vec<_> = segments.chain(blocks).collect();
        sources.sort_by_key(|&(first, ..)| first);
        for (at, &(_, last, range)) in sources.iter().enumerate() {
            let later = sources.iter().skip(at + 1);
            let mut later = later.take_while(|&&(first, ..)| first <= last);
            if later.any(|&(.., other)| range.overlaps(other)) {
                return Some("two sources of one time have the same seqs");
            }
        }
        None
    }
}

impl BlockEntry {
    fn place(&self) -> (Seq, i64, u64) {
        (self.first_seq, self.range.start_ms, self.number)
    }
}

fn is_any_twice(numbers: impl Iterator<Item = u64>) -> bool {
    let mut numbers: Vec<u64> = numbers.collect();
    numbers.sort_unstable();
    numbers.windows(2).any(|pair| pair[0] == pair[1])
}
