//! PromQL for Silverback: a parser with spans and an engine that evaluates columns.
#![warn(missing_debug_implementations)]

mod error;
pub mod functions;
mod labels;
pub mod parse;
pub mod source;
mod value;

pub use error::{Error, ErrorKind, Position, position};
pub use labels::Labels;
pub use value::{InstantSample, QueryResult, RangeSeries, Value};
