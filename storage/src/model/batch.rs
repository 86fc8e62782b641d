//! One write as the log and the head see it: label strings already turned into ids.

use super::{Exemplar, Histogram, Labels, Metadata, Seq, SeriesId};

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

/// When the counter behind a float sample began. Kept beside the rows, since most have none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FloatStart {
    /// The place of the sample in [`Batch::floats`], from 0.
    pub row: u32,
    /// Milliseconds since the Unix epoch; any i64.
    pub start_timestamp_ms: i64,
}

/// A histogram sample on its way from a request to the log and the head.
#[derive(Clone, Debug)]
pub struct HistogramRow {
    /// The series it belongs to.
    pub series: SeriesId,
    /// Milliseconds since the Unix epoch; any i64.
    pub timestamp_ms: i64,
    /// When the histogram began, in milliseconds, where the sender said so.
    pub start_timestamp_ms: Option<i64>,
    /// How many of [`Batch::floats`] stand before it in the request: its place in the order of
    /// all samples, at no cost for a request of floats alone.
    pub floats_before: u32,
    /// The value, kept to the bit.
    pub histogram: Histogram,
}

/// An exemplar on its way from a request to the log and the head.
#[derive(Clone, Debug)]
pub struct ExemplarRow {
    /// The series it is an example of.
    pub series: SeriesId,
    /// The exemplar.
    pub exemplar: Exemplar,
}

/// What a request says of a metric.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MetadataRow {
    /// Name of the metric family, as the sender has it: `http_requests_total`, and `rpc_seconds`
    /// for the histogram with `rpc_seconds_bucket`.
    pub metric: String,
    /// Its metadata.
    pub metadata: Metadata,
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
    /// Float samples in the order of the request; of two samples at one timestamp, whatever
    /// their kinds, the later one counts.
    pub floats: Vec<FloatRow>,
    /// The start timestamps of those that have one, in strictly rising order of row.
    pub float_starts: Vec<FloatStart>,
    /// Histogram samples in the order of the request.
    pub histograms: Vec<HistogramRow>,
    /// Exemplars in the order of the request.
    pub exemplars: Vec<ExemplarRow>,
    /// Metadata in the order of the request; of two of one metric the later one counts.
    pub metadata: Vec<MetadataRow>,
}

impl Batch {
    /// How many samples there are, floats and histograms.
    pub fn sample_count(&self) -> usize {
        self.floats.len() + self.histograms.len()
    }

    /// Whether there is nothing to write but definitions.
    pub fn is_empty(&self) -> bool {
        self.sample_count() == 0 && self.exemplars.is_empty() && self.metadata.is_empty()
    }
}
