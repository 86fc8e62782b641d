//! What can go wrong with a merge.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::immutable::FileError;

/// Why sources were not merged. Nothing is left of what was written.
#[derive(Debug, Error)]
pub enum MergeError {
    /// A source cannot be read.
    #[error("{source}")]
    Source {
        /// Which of the sources.
        input: usize,
        /// What is wrong; it names the file.
        source: FileError,
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
    /// A block cannot be written; the error names it.
    #[error(transparent)]
    Output(FileError),
    /// The sources hold a sample or an exemplar that none of the ranges does.
    #[error("{timestamp_ms} lies in none of the ranges that are to be written")]
    Outside {
        /// When it was taken.
        timestamp_ms: i64,
    },
    /// The ranges overlap, or do not rise.
    #[error("the ranges that are to be written overlap or do not rise")]
    Ranges,
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
            Self::Source { input, .. } | Self::Disorder { input, .. } => Some(*input),
            _ => None,
        }
    }

    /// Whether the disk or the quota is full: the merge may be tried again.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Output(error) if error.is_full())
    }

    /// What went wrong when a block was written: a writer knows errors of the system alone, and
    /// that of a source comes through it as one of those.
    pub(super) fn of_output(error: FileError) -> Self {
        let FileError::Io {
            noun,
            action,
            path,
            source,
        } = error
        else {
            return Self::Output(error);
        };
        match source.downcast::<Self>() {
            Ok(own) => own,
            Err(source) => Self::Output(FileError::Io {
                noun,
                action,
                path,
                source,
            }),
        }
    }
}

impl From<MergeError> for io::Error {
    /// On its way through a writer: [`MergeError::of_output`].
    fn from(error: MergeError) -> Self {
        Self::other(error)
    }
}
