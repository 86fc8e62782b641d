//! The storage engine of Silverback.
#![warn(missing_debug_implementations)]

pub mod chunk;
mod codec;
pub mod head;
pub mod index;
pub mod model;
pub mod sys;
pub mod wal;

pub use model::{
    LabelError, Labels, LabelsRef, MatchOp, Matcher, MatcherError, Samples, SeriesId, TimeRange,
};
