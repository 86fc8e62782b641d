//! What can go wrong with a manifest.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a manifest was not read or not replaced.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// The system failed. When replacing, the manifest before is still in force; nothing tells
    /// of the new one.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What failed.
        action: &'static str,
        /// The file it failed on.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The new manifest may have its name, and whether a crash takes that back is not known.
    /// Files that either of the two names must stay until a third is in force.
    #[error(
        "cannot replace {} durably, whether the new manifest or the one before counts after a \
         crash is not known: {source}",
        path.display()
    )]
    InDoubt {
        /// The manifest.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The bytes are not those that were written.
    #[error(
        "the manifest {} is damaged: {reason}",
        path.display()
    )]
    Damaged {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A later version wrote it.
    #[error(
        "the manifest {} was written by a newer version of Silverback: {reason}",
        path.display()
    )]
    Newer {
        /// The manifest.
        path: PathBuf,
        /// What is not known.
        reason: String,
    },
    /// It was to be written and contradicts itself. The one before is in force.
    #[error("a manifest that is wrong was not written: {reason}")]
    Wrong {
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// Why bytes are no manifest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum DecodeError {
    /// Not what was written.
    Damaged(&'static str),
    /// Of a later version.
    Newer(String),
}
