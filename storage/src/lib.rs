//! The storage engine of Silverback: a write-ahead log, a head of compressed chunks in memory,
//! an inverted index of labels.
//!
//! Synchronous Rust with a thread of its own, no global state, no runtime: any number of
//! databases live in one process. [`Db`] is where to begin.
#![warn(missing_debug_implementations)]

mod chunk;
mod codec;
mod config;
mod db;
mod error;
mod head;
mod index;
#[cfg_attr(
    not(test),
    expect(unused_imports, reason = "there are no segments to name yet")
)]
mod manifest;
pub mod model;
#[cfg_attr(
    not(any(test, feature = "simulation")),
    expect(
        dead_code,
        unused_imports,
        reason = "the parts that write files come with the segments"
    )
)]
mod section;
pub mod sys;
mod wal;

/// What tests of other packages look at from within; no part of the interface.
#[cfg(feature = "simulation")]
#[doc(hidden)]
pub mod inside {
    pub use crate::section::{Bytes, FileWriter, Section, SectionError, SectionRef, guarded};
}

pub use config::{Options, WalSync};
pub use db::{
    BatchSeries, Commit, Db, RejectReason, Rejection, Selection, Stats, Submitted, View,
    WriteBatch, WriteReport,
};
pub use error::{Error, ErrorKind};
pub use model::{
    LabelError, Labels, LabelsRef, MatchOp, Matcher, MatcherError, Samples, SeriesId, SymbolId,
    TimeRange,
};
