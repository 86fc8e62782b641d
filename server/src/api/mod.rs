//! The Prometheus HTTP API under `/api/v1`: parameters in, JSON out.
//!
//! Texts, escapes and number forms are Prometheus's to the byte; expected values in the tests
//! were taken from the running program.

mod admin;
mod ast;
mod cardinality;
mod exemplars;
mod expression;
mod form;
#[cfg(feature = "fuzz-internals")]
pub(crate) mod fuzz;
mod go_text;
mod histogram;
mod json;
mod labels;
mod matchers;
mod metadata;
mod number;
mod params;
mod query;
mod query_body;
mod response;
mod run;
mod series;
mod stats;
mod status;
mod time;

pub(crate) use admin::{compact, flush};
pub(crate) use cardinality::tsdb_status;
pub(crate) use exemplars::query_exemplars;
pub(crate) use expression::{format_query, parse_query};
pub(crate) use labels::{label_names, label_values};
pub(crate) use metadata::metadata;
pub(crate) use query::{instant, range};
pub(crate) use response::{ApiError, ErrorType};
pub(crate) use series::series;
pub(crate) use status::build_info;
