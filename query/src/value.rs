//! What a query answers.

use std::sync::Arc;

use crate::{FloatHistogram, Labels, PlanNode, QueryStats, Reservation};

/// The answer to a query.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryResult {
    /// The value.
    pub value: Value,
    /// Warnings: the answer may be wrong. What the source says is missing, then Prometheus's texts.
    pub warnings: Vec<String>,
    /// Infos: the query may not mean what its author thinks. Prometheus's texts.
    pub infos: Vec<String>,
    /// What the query took, if that was asked for.
    pub stats: Option<QueryStats>,
    /// What was done for it and what that took, if that was asked for.
    pub plan: Vec<PlanNode>,
    /// What the answer takes of the memory for all queries, until this goes.
    pub memory: Reservation,
}

/// A value of one of PromQL's four types. Times are milliseconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number at the evaluation time.
    Scalar {
        /// The evaluation time, in milliseconds.
        timestamp_ms: i64,
        /// The number.
        value: f64,
    },
    /// A string at the evaluation time.
    String {
        /// The evaluation time, in milliseconds.
        timestamp_ms: i64,
        /// The text.
        value: String,
    },
    /// One sample a series, all at the evaluation time; the order means something after
    /// `sort` and `topk`.
    Vector(Vec<InstantSample>),
    /// Samples of series over time, sorted by labels.
    Matrix(Vec<RangeSeries>),
}

/// One element of an instant vector.
#[derive(Clone, Debug, PartialEq)]
pub struct InstantSample {
    /// Its labels.
    pub labels: Labels,
    /// The evaluation time, in milliseconds.
    pub timestamp_ms: i64,
    /// Its value, NaN where it is a histogram.
    pub value: f64,
    /// The histogram that it is, if it is one.
    pub histogram: Option<Arc<FloatHistogram>>,
}

/// One series of a matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeSeries {
    /// Its labels.
    pub labels: Labels,
    /// When each float was taken or evaluated, in milliseconds, strictly rising.
    pub timestamps_ms: Vec<i64>,
    /// The value at the same place.
    pub values: Vec<f64>,
    /// Its histograms, each with its time in milliseconds, strictly rising.
    pub histograms: Vec<(i64, Arc<FloatHistogram>)>,
}
