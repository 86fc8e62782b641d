//! What can go wrong with a segment.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::index::stored::IndexError;
use crate::section::SectionError;

/// Why a segment was not written, or cannot be read.
#[derive(Debug, Error)]
pub enum SegmentError {
    /// The system refused. Of a segment that was being written nothing is left.
    #[error("cannot {action} the segment {}: {source}", path.display())]
    Io {
        /// What failed.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// More than the format holds. Nothing is left of the file.
    #[error("the segment {} would have {what}, more than its format holds", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What there is too much of.
        what: &'static str,
    },
    /// The file is cut short, or what says how it is laid out is not what was written.
    #[error("the segment {} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// A file of a later format: reading it with this version could leave out data.
    #[error("the segment {} was written by a newer version of Silverback: {what}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// What is not known.
        what: String,
    },
    /// A part of a section cannot be read or fails its checksum.
    #[error("section {section} of the segment {}: {source}", path.display())]
    Section {
        /// The file.
        path: PathBuf,
        /// The section.
        section: &'static str,
        /// What is wrong.
        source: SectionError,
    },
    /// The index cannot be read.
    #[error("the segment {}: {source}", path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: IndexError,
    },
    /// Bytes that pass their checksum and make no sense.
    #[error("section {section} of the segment {}, row {row}: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The section.
        section: &'static str,
        /// The row that was read.
        row: u32,
        /// What is wrong.
        reason: String,
    },
    /// As [`SegmentError::Corrupt`], of a section that has no rows.
    #[error("section {section} of the segment {}: {reason}", path.display())]
    CorruptSection {
        /// The file.
        path: PathBuf,
        /// The section.
        section: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl SegmentError {
    /// Whether the disk or the quota is full: the write may be tried again.
    pub fn is_full(&self) -> bool {
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        matches!(self, Self::Io { source, .. } if full.contains(&source.kind()))
    }

    /// Makes the error of an operation of the system.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

/// What is wrong with a row; the segment adds which one.
#[derive(Debug)]
pub(super) enum Fault {
    /// Parts of the file went missing meanwhile.
    Lost(SectionError),
    /// A part cannot be read.
    Section(&'static str, SectionError),
    /// A part makes no sense.
    Corrupt(&'static str, String),
}

/// What [`crate::section::guarded`] says.
impl From<SectionError> for Fault {
    fn from(lost: SectionError) -> Self {
        Self::Lost(lost)
    }
}

impl Fault {
    pub(super) fn corrupt(section: &'static str, reason: impl Into<String>) -> Self {
        Self::Corrupt(section, reason.into())
    }

    /// Of a section that has no rows.
    pub(super) fn of_section(self, path: &Path) -> SegmentError {
        match self.of(path, 0) {
            SegmentError::Corrupt {
                path,
                section,
                reason,
                ..
            } => SegmentError::CorruptSection {
                path,
                section,
                reason,
            },
            error => error,
        }
    }

    pub(super) fn of(self, path: &Path, row: u32) -> SegmentError {
        let path = path.to_owned();
        match self {
            Self::Section(section, source) => SegmentError::Section {
                path,
                section,
                source,
            },
            Self::Lost(source) => SegmentError::Section {
                path,
                section: "chunks",
                source,
            },
            Self::Corrupt(section, reason) => SegmentError::Corrupt {
                path,
                section,
                row,
                reason,
            },
        }
    }
}
