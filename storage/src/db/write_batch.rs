//! What a caller writes: series by their labels, samples by their series.

use crate::model::{
    Exemplar, FloatStart, Histogram, HistogramError, LabelError, LabelsRef, METRIC_NAME, Metadata,
    MetadataRow,
};

/// One write: all of it takes effect at once, and in one place of the order of writes.
///
/// Of two samples at one timestamp of one series the later one counts, be they floats or
/// histograms. A batch can be cleared
/// and filled again, so that its memory is used again.
///
/// # Examples
/// ```
/// use silverback_storage::WriteBatch;
/// let mut batch = WriteBatch::new();
/// let up = batch.series(&[("__name__", "up"), ("job", "node")])?;
/// batch.float(up, 1_700_000_000_000, 1.0);
/// assert_eq!(batch.sample_count(), 1);
/// # Ok::<(), silverback_storage::LabelError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct WriteBatch {
    /// Label names and values of all series, one after the other.
    text: String,
    /// For each name and each value in turn, where it ends in `text`.
    ends: Vec<u32>,
    series: Vec<SeriesText>,
    floats: Vec<BatchFloat>,
    /// Start timestamps of those floats that have one, by place.
    float_starts: Vec<FloatStart>,
    histograms: Vec<BatchHistogram>,
    exemplars: Vec<BatchExemplar>,
    metadata: Vec<MetadataRow>,
}

/// Where the labels of a series stand in the batch.
#[derive(Clone, Copy, Debug)]
struct SeriesText {
    text_start: u32,
    ends_start: u32,
    ends_end: u32,
}

/// A series of one [`WriteBatch`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchSeries(pub(super) u32);

#[derive(Clone, Copy, Debug)]
pub(super) struct BatchFloat {
    pub(super) series: BatchSeries,
    pub(super) timestamp_ms: i64,
    pub(super) value: f64,
}

#[derive(Clone, Debug)]
pub(super) struct BatchHistogram {
    pub(super) series: BatchSeries,
    pub(super) timestamp_ms: i64,
    pub(super) start_timestamp_ms: Option<i64>,
    /// How many floats were added before: its place in the order of all samples.
    pub(super) floats_before: u32,
    pub(super) histogram: Histogram,
}

#[derive(Clone, Debug)]
pub(super) struct BatchExemplar {
    pub(super) series: BatchSeries,
    pub(super) exemplar: Exemplar,
}

impl WriteBatch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Empties the batch and keeps its memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.series.clear();
        self.floats.clear();
        self.float_starts.clear();
        self.histograms.clear();
        self.exemplars.clear();
        self.metadata.clear();
    }

    /// Names a series by labels in any order; labels with an empty value are dropped.
    ///
    /// # Errors
    /// No metric name, an empty label name, a label name that appears twice, more than 4 GiB of
    /// labels in one batch. The batch is as it was before.
    pub fn series(&mut self, labels: &[(&str, &str)]) -> Result<BatchSeries, LabelError> {
        let sorted;
        let labels = if labels.is_sorted_by(|a, b| a.0 < b.0) {
            labels
        } else {
            sorted = sort(labels)?;
            &sorted
        };
        if let Some(&(_, value)) = labels.first().filter(|(name, _)| name.is_empty()) {
            return Err(LabelError::EmptyName {
                value: value.to_owned(),
            });
        }
        if !labels
            .iter()
            .any(|&(name, value)| name == METRIC_NAME && !value.is_empty())
        {
            return Err(LabelError::MissingMetricName);
        }
        let added: usize = labels
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        let bytes = self.text.len() + added;
        if u32::try_from(bytes).is_err() {
            return Err(LabelError::TooLarge { bytes });
        }
        let (text_start, ends_start) = (self.text.len() as u32, self.ends.len() as u32);
        for (name, value) in labels.iter().filter(|(_, value)| !value.is_empty()) {
            self.text.push_str(name);
            self.ends.push(self.text.len() as u32);
            self.text.push_str(value);
            self.ends.push(self.text.len() as u32);
        }
        self.series.push(SeriesText {
            text_start,
            ends_start,
            ends_end: self.ends.len() as u32,
        });
        Ok(BatchSeries(self.series.len() as u32 - 1))
    }

    /// The labels of a series of this batch.
    pub(super) fn labels(&self, series: BatchSeries) -> LabelsRef<'_> {
        let SeriesText {
            text_start,
            ends_start,
            ends_end,
        } = self.series[series.0 as usize];
        LabelsRef::new(
            &self.text,
            &self.ends[ends_start as usize..ends_end as usize],
            text_start,
        )
    }

    /// The float samples, in the order they were added.
    pub(super) fn floats(&self) -> &[BatchFloat] {
        &self.floats
    }

    /// The start timestamps of those floats that have one, by rising place.
    pub(super) fn float_starts(&self) -> &[FloatStart] {
        &self.float_starts
    }

    /// The histogram samples, in the order they were added.
    pub(super) fn histograms(&self) -> &[BatchHistogram] {
        &self.histograms
    }

    /// The exemplars, in the order they were added.
    pub(super) fn exemplars(&self) -> &[BatchExemplar] {
        &self.exemplars
    }

    /// The metadata, in the order they were added.
    pub(super) fn metadata_rows(&self) -> &[MetadataRow] {
        &self.metadata
    }

    /// How many series were named, with samples or without.
    pub(super) fn series_count(&self) -> usize {
        self.series.len()
    }

    /// Adds a float sample: milliseconds since the Unix epoch, and any bits.
    pub fn float(&mut self, series: BatchSeries, timestamp_ms: i64, value: f64) {
        self.check(series);
        self.floats.push(BatchFloat {
            series,
            timestamp_ms,
            value,
        });
    }

    /// Adds a float sample of which is known when what it counts began, in milliseconds since
    /// the Unix epoch (OpenMetrics: created).
    pub fn float_with_start(
        &mut self,
        series: BatchSeries,
        timestamp_ms: i64,
        start_timestamp_ms: i64,
        value: f64,
    ) {
        self.float_starts.push(FloatStart {
            row: self.floats.len() as u32,
            start_timestamp_ms,
        });
        self.float(series, timestamp_ms, value);
    }

    /// Adds a histogram sample, with the time when it began if that is known: both in
    /// milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// A histogram that is not valid ([`Histogram::validate`]); the batch is as it was before.
    ///
    /// # Examples
    /// ```
    /// use silverback_storage::WriteBatch;
    /// use silverback_storage::model::{BucketSpan, Histogram, HistogramCounts, ResetHint};
    /// let mut batch = WriteBatch::new();
    /// let series = batch.series(&[("__name__", "rpc_seconds")])?;
    /// let histogram = Histogram {
    ///     schema: 0,
    ///     zero_threshold: 0.0,
    ///     sum: 5.0,
    ///     reset_hint: ResetHint::Unknown,
    ///     positive_spans: vec![BucketSpan { offset: 1, length: 2 }],
    ///     negative_spans: vec![],
    ///     custom_bounds: vec![],
    ///     counts: HistogramCounts::Integer {
    ///         count: 3,
    ///         zero_count: 0,
    ///         positive_deltas: vec![2, -1],
    ///         negative_deltas: vec![],
    ///     },
    /// };
    /// batch.histogram(series, 1_700_000_000_000, None, histogram)?;
    /// assert_eq!(batch.sample_count(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn histogram(
        &mut self,
        series: BatchSeries,
        timestamp_ms: i64,
        start_timestamp_ms: Option<i64>,
        histogram: Histogram,
    ) -> Result<(), HistogramError> {
        self.check(series);
        histogram.validate()?;
        self.histograms.push(BatchHistogram {
            series,
            timestamp_ms,
            start_timestamp_ms,
            floats_before: self.floats.len() as u32,
            histogram,
        });
        Ok(())
    }

    /// Adds an exemplar of a series. One that the series has already is dropped.
    pub fn exemplar(&mut self, series: BatchSeries, exemplar: Exemplar) {
        self.check(series);
        self.exemplars.push(BatchExemplar { series, exemplar });
    }

    /// Says what a metric means. Of two metadata of one metric the later one counts.
    ///
    /// `metric` is the name of a metric family, as remote write 1.0 sends it. Remote write 2.0
    /// sends metadata with each series: [`crate::model::family_name`] gives the family of one.
    pub fn metadata(&mut self, metric: &str, metadata: Metadata) {
        self.metadata.push(MetadataRow {
            metric: metric.to_owned(),
            metadata,
        });
    }

    fn check(&self, series: BatchSeries) {
        debug_assert!(
            (series.0 as usize) < self.series.len(),
            "a series of another batch"
        );
    }

    /// How many samples the batch holds, floats and histograms.
    pub fn sample_count(&self) -> usize {
        self.floats.len() + self.histograms.len()
    }

    /// Whether it holds nothing to write. Series without samples leave no trace.
    pub fn is_empty(&self) -> bool {
        self.sample_count() == 0 && self.exemplars.is_empty() && self.metadata.is_empty()
    }
}

/// The labels in order of name.
fn sort<'a>(labels: &[(&'a str, &'a str)]) -> Result<Vec<(&'a str, &'a str)>, LabelError> {
    let mut sorted = labels.to_vec();
    sorted.sort_by_key(|&(name, _)| name);
    match sorted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(LabelError::DuplicateName {
            name: pair[0].0.to_owned(),
        }),
        None => Ok(sorted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{HistogramCounts, Labels, ResetHint};

    #[test]
    fn a_series_is_the_same_set_however_its_labels_come() {
        let mut batch = WriteBatch::new();
        let sorted = batch
            .series(&[("__name__", "m"), ("a", "1"), ("b", "2")])
            .unwrap();
        let mixed = batch
            .series(&[("b", "2"), ("z", ""), ("a", "1"), ("__name__", "m")])
            .unwrap();
        let expected = Labels::from_pairs([("__name__", "m"), ("a", "1"), ("b", "2")]).unwrap();
        assert_eq!(batch.labels(sorted), expected.as_ref());
        assert_eq!(batch.labels(mixed), expected.as_ref());
    }

    #[test]
    fn a_refused_histogram_leaves_the_batch_as_it_was() {
        let mut batch = WriteBatch::new();
        let series = batch.series(&[("__name__", "m")]).unwrap();
        let histogram = Histogram {
            schema: 9,
            zero_threshold: 0.0,
            sum: 0.0,
            reset_hint: ResetHint::Unknown,
            positive_spans: vec![],
            negative_spans: vec![],
            custom_bounds: vec![],
            counts: HistogramCounts::Float {
                count: 0.0,
                zero_count: 0.0,
                positive: vec![],
                negative: vec![],
            },
        };
        let error = batch.histogram(series, 0, None, histogram).unwrap_err();
        assert_eq!(error, HistogramError::Schema { schema: 9 });
        assert!(batch.is_empty());
    }

    #[test]
    fn a_refused_series_leaves_the_batch_as_it_was() {
        let mut batch = WriteBatch::new();
        let kept = batch.series(&[("__name__", "m")]).unwrap();
        let refused: [&[(&str, &str)]; 5] = [
            &[("a", "1")],
            &[("__name__", "")],
            &[],
            &[("__name__", "m"), ("a", "1"), ("a", "2")],
            &[("", "x"), ("__name__", "m")],
        ];
        for labels in refused {
            batch.series(labels).unwrap_err();
        }
        assert_eq!(batch.series_count(), 1);
        assert_eq!(
            batch.labels(kept).iter().collect::<Vec<_>>(),
            [("__name__", "m")]
        );
    }
}
