//! Exemplars.

use super::Labels;

/// An example of what a series counted: one observation with the labels (a trace id, mostly)
/// that lead to it.
#[derive(Clone, PartialEq, Debug)]
pub struct Exemplar {
    /// Labels of the exemplar, not of its series. They need no metric name.
    pub labels: Labels,
    /// When it was observed, in milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// The observed value.
    pub value: f64,
}
