//! Why a stored index cannot be read.

use thiserror::Error;

use crate::model::Ended;
use crate::section::SectionError;

/// Why a question to a stored index has no answer.
#[derive(Debug, Error)]
pub enum IndexError {
    /// The bytes cannot be read, or are not what was written.
    #[error("index, {part}: {source}")]
    Section {
        /// Which part of the index.
        part: &'static str,
        /// What is wrong.
        source: SectionError,
    },
    /// The bytes are what was written and make no sense.
    #[error("index, {part} at {offset}: {what}")]
    Malformed {
        /// Which part of the index.
        part: &'static str,
        /// Where in the part, or where the group of entries begins that is wrong.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// Nothing is wrong: whoever asked wants no answer any more.
    #[error(transparent)]
    Ended(#[from] Ended),
}
