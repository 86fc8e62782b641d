//! What can go wrong with a file.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::Format;
use crate::index::stored::IndexError;
use crate::section::SectionError;

/// Why a file was not written, or cannot be read.
#[derive(Debug, Error)]
pub enum FileError {
    /// The system refused. Of a file that was being written nothing is left.
    #[error("cannot {action} the {noun} {}: {source}", path.display())]
    Io {
        /// What kind of file it is.
        noun: &'static str,
        /// What failed.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// More than the format holds. Nothing is left of the file.
    #[error("the {noun} {} would have {what}, more than its format holds", path.display())]
    TooLarge {
        /// What kind of file it is.
        noun: &'static str,
        /// The file.
        path: PathBuf,
        /// What there is too much of.
        what: &'static str,
    },
    /// The file is cut short, or what says how it is laid out is not what was written.
    #[error("the {noun} {} is damaged: {reason}", path.display())]
    Damaged {
        /// What kind of file it is.
        noun: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// A file of a later format: reading it with this version could leave out data.
    #[error("the {noun} {} was written by a newer version of Silverback: {what}", path.display())]
    Newer {
        /// What kind of file it is.
        noun: &'static str,
        /// The file.
        path: PathBuf,
        /// What is not known.
        what: String,
    },
    /// A part of a section cannot be read or fails its checksum.
    #[error("section {section} of the {noun} {}: {source}", path.display())]
    Section {
        /// What kind of file it is.
        noun: &'static str,
        /// The file.
        path: PathBuf,
        /// The section.
        section: &'static str,
        /// What is wrong.
        source: SectionError,
    },
    /// The index cannot be read.
    #[error("the {noun} {}: {source}", path.display())]
    Index {
        /// What kind of file it is.
        noun: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: IndexError,
    },
    /// Bytes that pass their checksum and make no sense.
    #[error("section {section} of the {noun} {}, row {row}: {reason}", path.display())]
    Corrupt {
        /// What kind of file it is.
        noun: &'static str,
        /// The file.
        path: PathBuf,
        /// The section.
        section: &'static str,
        /// The row that was read.
        row: u32,
        /// What is wrong.
        reason: String,
    },
    /// As [`FileError::Corrupt`], of a section that has no rows.
    #[error("section {section} of the {noun} {}: {reason}", path.display())]
    CorruptSection {
        /// What kind of file it is.
        noun: &'static str,
        /// The file.
        path: PathBuf,
        /// The section.
        section: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl FileError {
    /// Whether the disk or the quota is full: the write may be tried again.
    pub fn is_full(&self) -> bool {
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        matches!(self, Self::Io { source, .. } if full.contains(&source.kind()))
    }

    /// Makes the error of an operation of the system.
    pub fn io(
        format: &Format,
        action: &'static str,
        path: &Path,
    ) -> impl FnOnce(io::Error) -> Self {
        let noun = format.noun;
        move |source| Self::Io {
            noun,
            action,
            path: path.to_owned(),
            source,
        }
    }
}

/// What is wrong with a row; who reads the file adds which one.
#[derive(Debug)]
pub enum Fault {
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
    /// A part makes no sense.
    pub fn corrupt(section: &'static str, reason: impl Into<String>) -> Self {
        Self::Corrupt(section, reason.into())
    }

    /// Of a section that has no rows.
    pub fn of_section(self, format: &Format, path: &Path) -> FileError {
        match self.of(format, path, 0) {
            FileError::Corrupt {
                noun,
                path,
                section,
                reason,
                ..
            } => FileError::CorruptSection {
                noun,
                path,
                section,
                reason,
            },
            error => error,
        }
    }

    /// Of a row of the file at `path`.
    pub fn of(self, format: &Format, path: &Path, row: u32) -> FileError {
        let noun = format.noun;
        let path = path.to_owned();
        match self {
            Self::Section(section, source) => FileError::Section {
                noun,
                path,
                section,
                source,
            },
            Self::Lost(source) => FileError::Section {
                noun,
                path,
                section: format.main_section,
                source,
            },
            Self::Corrupt(section, reason) => FileError::Corrupt {
                noun,
                path,
                section,
                row,
                reason,
            },
        }
    }
}
