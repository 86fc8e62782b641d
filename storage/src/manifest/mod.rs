//! The manifest: which files of the data directory count, and what of the log they cover.
//!
//! One small file that is replaced as a whole ([`store`]). Whatever a flush, a compaction or
//! retention does to files becomes true in that step, and only then are files removed that the
//! new manifest does not name. Byte layout: `docs/format/manifest.md`.

mod codec;
mod error;
mod file;
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

impl Manifest {
    /// What contradicts itself, if anything does. Such a manifest is neither written nor believed.
    fn contradiction(&self) -> Option<&'static str> {
        let mut before = None;
        let mut numbers = Vec::with_capacity(self.segments.len());
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
            numbers.push(segment.number);
        }
        numbers.sort_unstable();
        let is_twice = numbers.windows(2).any(|pair| pair[0] == pair[1]);
        is_twice.then_some("two segments have one number")
    }
}
