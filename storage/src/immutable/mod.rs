//! What immutable files have in common: segments and blocks.
//!
//! A file has a header, sections, a footer that says where they are, and a trailer by which the
//! footer is found. [`NewFile`] writes one and publishes it under its name; [`Opened`] opens it as
//! far as its footer. Beside these stand the parts that are the same in both kinds, and
//! [`FileError`], what can go wrong with either.

mod error;
mod exemplars;
pub(crate) mod footer;
mod format;
#[cfg(feature = "fuzz-internals")]
pub(crate) mod fuzz;
mod metadata;
mod new_file;
mod opened;
mod starts;

use crate::model::Seq;

pub use error::{Fault, FileError};
pub use exemplars::{put_exemplars, take_exemplars};
pub use footer::{Listed, REQUIRED, SECTION_BYTES, Trailer, check_kinds, seal, take};
pub use format::{Format, Unusable};
pub use metadata::{Families, MetadataEncoder};
pub use new_file::NewFile;
pub use opened::Opened;
pub use starts::{put_starts, take_starts};

/// The seqs of the writes that a file holds: every one from the first to the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SeqRange {
    /// The first.
    pub first: Seq,
    /// The last.
    pub last: Seq,
}
