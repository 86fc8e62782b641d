//! What can go wrong with a log.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use crate::model::Seq;

/// Why records were not appended, or not made durable.
#[derive(Clone, Debug, Error)]
pub enum WalError {
    /// The disk or the quota is full. Nothing of the group is in the log; the records before it
    /// are as durable as they were or more so. A later append tries again.
    #[error("no room for the WAL file {}: {source}", path.display())]
    Full {
        /// The file that could not be made or grown.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The next file could not be created, for another reason than a full disk (too many open
    /// files, say). Nothing of the group is in the log; a later append tries again.
    #[error("cannot create the WAL file {}: {source}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// A write or a sync failed, now or earlier. What is durable of the records not yet synced
    /// is unknown until the log is replayed, so this writer takes no more.
    #[error("cannot {action} {}, the WAL takes no more writes: {source}", path.display())]
    Poisoned {
        /// What failed first.
        action: &'static str,
        /// The file or directory it failed on.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The records of a group do not rise in seq. Nothing of the group is in the log.
    #[error("record {seq} was given to the WAL after record {last}")]
    Order {
        /// The record out of place.
        seq: Seq,
        /// The one before it.
        last: Seq,
    },
    /// An epoch before the current one was to begin. The log is as it was.
    #[error("epoch {epoch} was to begin in the WAL after epoch {current}")]
    Epoch {
        /// The epoch out of place.
        epoch: u64,
        /// The one that is written.
        current: u64,
    },
    /// A body above the limit of [`super::record::BODY_BYTES_MAX`]. Nothing of the group is in
    /// the log.
    #[error("record {seq} has {bytes} bytes, more than a WAL record may have ({max})")]
    TooLarge {
        /// The record.
        seq: Seq,
        /// Size of its body.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// All file numbers are used up.
    #[error("there is no WAL file number after {}", u64::MAX)]
    Numbers,
}

/// What a sink may fail with: replay hands it on.
pub type SinkError = Box<dyn Error + Send + Sync>;

/// Why a log could not be replayed. Damage is no reason: it is reported and passed over.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// The system failed to read, cut or sync.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What failed.
        action: &'static str,
        /// The file or directory it failed on.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of a later format version: opening it with this version could lose data.
    #[error(
        "{} was written by a newer version of Silverback (WAL format {version}, this version \
         knows up to {known})",
        path.display()
    )]
    NewerFile {
        /// The file.
        path: PathBuf,
        /// Its format version.
        version: u16,
        /// The latest version known here.
        known: u16,
    },
    /// A record of a later format version.
    #[error(
        "record {seq} at byte {offset} of {} was written by a newer version of Silverback: {reason}",
        path.display()
    )]
    NewerRecord {
        /// The file.
        path: PathBuf,
        /// Where its frame begins.
        offset: u64,
        /// The record.
        seq: Seq,
        /// What is not known.
        reason: String,
    },
    /// The sink did not take a record.
    #[error("cannot apply WAL record {seq}: {source}")]
    Sink {
        /// The record.
        seq: Seq,
        /// What the sink said.
        source: SinkError,
    },
}

/// Whether the disk or the quota is full.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
