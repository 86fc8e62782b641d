//! What can go wrong with a merge.

use std::path::PathBuf;

use thiserror::Error;

use crate::segment::SegmentError;

/// Why sources were not merged. Nothing is left of what was written.
#[derive(Debug, Error)]
pub enum MergeError {
    /// A segment cannot be read.
    #[error("{source}")]
    Segment {
        /// Which of the sources.
        input: usize,
        /// What is wrong; it names the file.
        source: SegmentError,
    },
    /// What a source holds is not in the order that its format asks for.
    #[error("{} is damaged: {what}", path.display())]
    Disorder {
        /// Which of the sources.
        input: usize,
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// The sources hold a sample or an exemplar that none of the ranges does.
    #[error("{timestamp_ms} lies in none of the ranges that are to be written")]
    Outside {
        /// When it was taken.
        timestamp_ms: i64,
    },
    /// More than the format of a block holds.
    #[error("a block would have {what}, more than its format holds")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
    },
    /// It was called off.
    #[error("the merge was called off")]
    Cancelled,
}

impl MergeError {
    /// The source that cannot be merged, by its place among them: the others may be without it.
    pub fn input(&self) -> Option<usize> {
        match self {
            Self::Segment { input, .. } | Self::Disorder { input, .. } => Some(*input),
            _ => None,
        }
    }
}
