//! Segments: immutable files, each what one memtable was when it was frozen.
//!
//! Layout of the files: `docs/format/segment.md`. A segment holds the chunks of a head as they
//! are, by row: the row of a series is its id in that head. Everything in it is under a checksum
//! and can be read in parts; a [`Segment`] keeps some kilobytes in memory.
//!
//! [`Writer`] takes the parts in the order of the file and publishes it under its name;
//! [`Segment`] opens it, [`Reader`] reads rows.

mod footer;
#[cfg(feature = "fuzz-internals")]
pub(crate) mod fuzz;
mod histograms;
mod reader;
mod record;
mod rows;
mod sparse;
mod starts;
#[cfg(test)]
mod tests;
mod writer;

use std::path::{Path, PathBuf};

use crate::immutable::{FileError, Format};
use crate::model::TimeRange;

pub use crate::immutable::SeqRange;
pub use reader::{Floats, Located, Reader, Segment, TimesAt};
pub use writer::Writer;

/// Why a segment was not written, or cannot be read.
pub type SegmentError = FileError;

/// The files of segments.
const FORMAT: Format = Format {
    noun: "segment",
    magic: *b"SBKSEG\r\n",
    extension: "seg",
    version: 1,
    main_section: "chunks",
};

/// Where the segment with that number is.
pub fn path(dir: &Path, number: u64) -> PathBuf {
    FORMAT.path(dir, number)
}

/// The number of the segment with that name; `None` for a name that is none of ours.
pub fn number_of(name: &str) -> Option<u64> {
    FORMAT.number_of(name)
}

/// Whether a file of that name in the directory of segments is ours: a segment, or one that was
/// being written when the process stopped, which may be removed.
pub fn is_file_name(name: &str) -> bool {
    FORMAT.is_file_name(name)
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
