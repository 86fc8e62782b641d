//! The storage engine of Silverback: a write-ahead log, a head of compressed chunks in memory,
//! an inverted index of labels.
//!
//! Synchronous Rust with a thread of its own, no global state, no runtime: any number of
//! databases live in one process. [`Db`] is where to begin.
#![warn(missing_debug_implementations)]

mod block;
mod chunk;
mod codec;
#[cfg_attr(
    not(any(test, feature = "bench-internals")),
    expect(
        dead_code,
        unused_imports,
        reason = "some of it is used by benches and tests alone"
    )
)]
mod column;
mod config;
mod db;
mod error;
#[cfg(feature = "fuzz-internals")]
#[doc(hidden)]
pub mod fuzz;
mod head;
mod immutable;
mod index;
mod maintenance;
mod manifest;
pub mod model;
mod section;
mod segment;
pub mod sys;
mod wal;

/// What tests of other packages look at from within; no part of the interface.
#[cfg(feature = "simulation")]
#[doc(hidden)]
pub mod inside {
    pub use crate::section::{
        Bytes, FileWriter, PAGE_BYTES, Section, SectionError, SectionRef, guarded,
    };
}

pub use config::{Options, WalSync};
pub use db::{
    BatchSeries, Bounded, Commit, Db, Filler, RejectReason, Rejected, Rejection, Selection, Stats,
    Submitted, View, WriteBatch, WriteReport,
};
pub use error::{Error, ErrorKind};
pub use model::{
    Allowance, Cardinality, Count, LabelError, Labels, LabelsRef, MatchOp, Matcher, MatcherError,
    ReadDamage, Samples, SeriesId, SymbolId, TimeRange,
};

/// What the benches measure though it is private: no part of the interface.
#[cfg(feature = "bench-internals")]
#[doc(hidden)]
pub mod bench {
    pub use crate::column::{
        ColumnError, ColumnStats, Fault, decode_timestamps, decode_timestamps_range, decode_values,
        decode_values_range, encode_timestamps, encode_values,
    };
    pub use crate::head::{Head, Lookup, Registrar};
    pub use crate::model::FloatRuns;
    pub use crate::wal::record::{decode_body, encode_body};
}
