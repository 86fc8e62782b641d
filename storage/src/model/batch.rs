//! One write as the log and the head see it: label strings already turned into ids.

use super::{Labels, Seq, SeriesId};

/// A float sample on its way from a request to the log and the head.
#[derive(Clone, Copy, Debug)]
pub struct FloatRow {
    /// The series it belongs to.
    pub series: SeriesId,
    /// Milliseconds since the Unix epoch; any i64.
    pub timestamp_ms: i64,
    /// The value, kept to the bit.
    pub value: f64,
}

/// A series used for the first time since the log last named it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SeriesDefinition {
    /// The id given to it.
    pub id: SeriesId,
    /// Its labels.
    pub labels: Labels,
}

/// One request: becomes one WAL record, takes effect as a whole, at its place in the order.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Its place in the order of all writes.
    pub seq: Seq,
    /// Series the rows use and no earlier record defines, in rising order of id.
    pub definitions: Vec<SeriesDefinition>,
    /// Samples in the order of the request; of two at one timestamp the later one counts.
    pub floats: Vec<FloatRow>,
}
