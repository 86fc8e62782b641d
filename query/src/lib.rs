//! PromQL for Silverback: a parser with spans and an engine that evaluates columns.
#![warn(missing_debug_implementations)]

#[cfg(test)]
mod conformance;
mod engine;
mod error;
mod eval;
mod float_text;
pub mod functions;
#[cfg(feature = "fuzz-internals")]
#[doc(hidden)]
pub mod fuzz;
mod histogram;
mod labels;
mod limits;
pub mod parse;
mod plan;
pub mod source;
mod stats;
mod value;

pub use engine::{
    Engine, EngineOptions, Feature, LOOKBACK_DELTA_MS_DEFAULT, QueryOptions,
    SUBQUERY_STEP_MS_DEFAULT,
};
pub use error::{Error, ErrorKind, Position, position};
pub use float_text::{write_plain_float, write_scientific_float};
pub use histogram::{Bucket, CUSTOM_SCHEMA, FloatHistogram, ResetHint};
pub use labels::Labels;
pub use limits::{ReadLimits, Reservation};
pub use stats::{PlanNode, QueryStats};
pub use value::{InstantSample, QueryResult, RangeSeries, Value};
