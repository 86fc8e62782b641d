//! Blocks: immutable files into which segments are merged.
//!
//! Layout of the files: `docs/format/block.md`; why: `docs/adr/0007-blocks.md`. The rows of a
//! block are its series in the order of their labels. They stand in *groups* of neighbours. A
//! group has a header, which says of each row what it has, and *lanes*: a lane is all that the
//! rows of the group have of one kind (values, histograms, exemplars), cut by time into pieces of
//! [`SLICE_SAMPLES`], the pieces of one time beside each other, in pages that are compressed each
//! by itself. Timestamps stand in columns of their own, each once, however many rows share it.
//!
//! [`Writer`] takes row after row and publishes the file under its name; [`Block`] opens it,
//! [`Reader`] reads rows.

mod footer;
#[cfg(feature = "fuzz-internals")]
pub(crate) mod fuzz;
mod group;
mod histograms;
mod ints;
mod lists;
mod packed;
mod page;
mod reader;
#[cfg(test)]
mod tests;
mod times;
mod writer;

use std::path::{Path, PathBuf};

use crate::immutable::{FileError, Format, SeqRange};
use crate::model::TimeRange;

pub use reader::{Block, Reader, RowFacts};
pub use writer::{RowInput, Writer};

/// Why a block was not written, or cannot be read.
pub type BlockError = FileError;

/// Samples of a piece, the last one of a row may have fewer: two hours of a scrape every 15 s, and
/// a chunk of a column.
const SLICE_SAMPLES: usize = 480;

/// The files of blocks.
const FORMAT: Format = Format {
    noun: "block",
    magic: *b"SBKBLK\r\n",
    extension: "blk",
    version: 2,
    main_section: footer::Kind::Data.name(),
};

/// Where the block with that number is.
pub fn path(dir: &Path, number: u64) -> PathBuf {
    FORMAT.path(dir, number)
}

/// The number of the block with that name; `None` for a name that is none of ours.
pub fn number_of(name: &str) -> Option<u64> {
    FORMAT.number_of(name)
}

/// Whether a file of that name in the directory of blocks is ours: a block, or one that was being
/// written when the process stopped, which may be removed.
pub fn is_file_name(name: &str) -> bool {
    FORMAT.is_file_name(name)
}

/// What kind of file a block was made from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum InputKind {
    /// A segment.
    Segment = 1,
    /// A block.
    Block = 2,
}

/// A file that a block was made from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Input {
    /// What it was.
    pub kind: InputKind,
    /// Its number among those of its kind.
    pub number: u64,
}

/// Which writes a block holds, and whence: what its writer is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    /// From the first of its inputs to the last.
    pub seqs: SeqRange,
    /// The files that it was made from.
    pub inputs: Vec<Input>,
    /// The numbers of all blocks that the merge made, this one's among them: who finds some of
    /// them and all inputs knows that it was not finished.
    pub outputs: Vec<u64>,
}

/// What a block says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockInfo {
    /// The number in its name.
    pub number: u64,
    /// The writes it holds.
    pub seqs: SeqRange,
    /// Smallest and largest timestamp; none without a sample.
    pub range: Option<TimeRange>,
    /// How many rows there are: series.
    pub rows: u32,
    /// How many samples: floats and histograms.
    pub samples: u64,
    /// Length of the file.
    pub bytes: u64,
    /// The files that it was made from.
    pub inputs: Vec<Input>,
    /// The numbers of all blocks that the merge made, this one's among them: who finds some of
    /// them and all inputs knows that it was not finished.
    pub outputs: Vec<u64>,
}
