//! Segments: immutable files, each what one memtable was when it was frozen.
//!
//! Layout of the files: `docs/format/segment.md`. A segment holds the chunks of a head as they
//! are, by row: the row of a series is its id in that head. Everything in it is under a checksum
//! and can be read in parts; a [`Segment`] keeps some kilobytes in memory.
//!
//! [`Writer`] takes the parts in the order of the file and publishes it under its name;
//! [`Segment`] opens it, [`Reader`] reads rows.

mod error;
mod exemplars;
mod file;
mod footer;
mod histograms;
mod metadata;
mod reader;
mod record;
mod rows;
mod sparse;
mod starts;
mod stretch;
#[cfg(test)]
mod tests;
mod writer;

use crate::model::{Seq, TimeRange};

pub use error::SegmentError;
pub use file::{is_file_name, number_of, path};
pub use reader::{Reader, Segment};
pub use writer::Writer;

/// The seqs of the writes that a segment holds: every one from the first to the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SeqRange {
    /// The first.
    pub first: Seq,
    /// The last.
    pub last: Seq,
}

/// Whose samples a segment holds: what its writer is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    /// The number of the memtable.
    pub epoch: u64,
    /// Its writes.
    pub seqs: SeqRange,
    /// How many series have labels.
    pub series: u32,
    /// The numbers of the segments that this one replaces; none where a memtable was written.
    pub inputs: Vec<u64>,
}

/// What a segment says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentInfo {
    /// The number in its name.
    pub number: u64,
    /// Whose samples it holds.
    pub origin: Origin,
    /// How many rows there are, those without samples included.
    pub rows: u32,
    /// How many samples, several at one timestamp counted each.
    pub samples: u64,
    /// Smallest and largest timestamp; none without a sample.
    pub range: Option<TimeRange>,
    /// Length of the file.
    pub bytes: u64,
}
