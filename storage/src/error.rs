//! Errors of the storage engine: a kind to act on, a sentence to read, the cause beneath.

use std::fmt;
use std::sync::Arc;

use crate::model::Ended;

/// The kinds of failure, each asking something else of the caller.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Another process has the data directory open.
    InUse,
    /// The directory belongs to a newer version or to another program.
    Incompatible,
    /// The disk is full. Nothing of the write was kept; it may be tried again.
    Full,
    /// An earlier write or sync failed, and what it wrote may be lost: writes are refused until
    /// the database is opened anew. Reads go on.
    Poisoned,
    /// The operating system refused a read, a write or an open.
    Io,
    /// Bytes on disk fail their checksum or make no sense.
    Corrupt,
    /// The ids or the label strings of a database are used up: 2^32 of each.
    TooManySeries,
    /// A write of more bytes than a WAL record may have.
    TooLarge,
    /// Writes come faster than they can be flushed to files. Nothing of the write was kept; it
    /// may be tried again.
    Overloaded,
    /// The database was closed.
    Closed,
    /// The read was ended by its [`crate::Allowance`].
    Ended,
}

/// A failure of the storage engine. Cheap to clone, since one failed sync answers many writers.
#[derive(Clone, Debug)]
pub struct Error(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error without a cause beneath.
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            kind,
            message: message.into(),
            source: None,
        }))
    }

    /// An error with its cause; the cause's text belongs to the message already.
    pub(crate) fn with_source(
        kind: ErrorKind,
        message: impl Into<String>,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            kind,
            message: message.into(),
            source: Some(Box::new(source)),
        }))
    }

    /// The answer of a database that was closed.
    pub(crate) fn closed() -> Self {
        Self::new(ErrorKind::Closed, "the database is closed")
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }
}

impl From<Ended> for Error {
    fn from(ended: Ended) -> Self {
        Self::with_source(ErrorKind::Ended, ended.to_string(), ended)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|error| error as _)
    }
}
