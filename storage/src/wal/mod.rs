//! The write-ahead log: a request is acknowledged once its record is durable here.
//!
//! Layout of the files, and why replay can tell a torn tail from damage:
//! `docs/format/wal.md`.
//!
//! [`record::encode_body`] turns a batch into bytes (request threads do that), a [`Writer`]
//! frames bodies and appends a group of them with one write, and [`replay`] reads a log back
//! when the database opens.

mod error;
mod file;
mod files;
mod frame;
#[cfg(feature = "fuzz-internals")]
pub(crate) mod fuzz;
mod ledger;
pub mod record;
mod recovery;
mod replay;
mod source;
#[cfg(test)]
mod tests;
mod writer;

pub use error::{ReplayError, WalError};
pub use file::is_file_name;
pub use files::Files;
pub use recovery::Recovery;
pub use replay::{ReplayOptions, replay};
pub use writer::{Writer, WriterOptions};
