//! What a caller writes: series by their labels, samples by their series.

use std::sync::Arc;

use super::epoch::Epoch;
use crate::head::LabelHashes;
use crate::model::{
    Exemplar, FloatStart, Histogram, HistogramError, LabelError, Labels, LabelsRef, METRIC_NAME,
    Metadata, MetadataRow, SeriesId,
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
    /// Whose ids and hashes the series have, if they have any.
    epoch: Option<Arc<Epoch>>,
    series: Vec<SeriesRef>,
    named: Vec<Named>,
    /// Label names and values of the series that have them, one after the other.
    text: String,
    /// For each name and each value in turn, where it ends in `text`.
    ends: Vec<u32>,
    floats: Vec<BatchFloat>,
    /// Start timestamps of those floats that have one, by place.
    float_starts: Vec<FloatStart>,
    histograms: Vec<BatchHistogram>,
    exemplars: Vec<BatchExemplar>,
    metadata: Vec<MetadataRow>,
}

/// What tells a series.
#[derive(Clone, Copy, Debug)]
enum SeriesRef {
    /// Its id in the batch's epoch.
    Known(SeriesId),
    /// Its place in the list of those with labels.
    Named(u32),
}

/// A series that came with its labels: where they stand in the batch.
#[derive(Clone, Copy, Debug)]
struct Named {
    text_start: u32,
    ends_start: u32,
    ends_end: u32,
    /// In the batch's epoch.
    hashes: Option<LabelHashes>,
}

/// What tells a series to an epoch.
#[derive(Debug)]
pub(super) enum Naming<'a> {
    /// Its id there.
    Id(SeriesId),
    /// Its labels, and their hashes there if they are known.
    Labels(LabelsRef<'a>, Option<LabelHashes>),
    /// The labels that it has in an epoch that ended.
    Ended(Labels),
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
        self.epoch = None;
        self.series.clear();
        self.named.clear();
        self.text.clear();
        self.ends.clear();
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
        self.text.reserve(added);
        let (text_start, ends_start) = (self.text.len() as u32, self.ends.len() as u32);
        for (name, value) in labels.iter().filter(|(_, value)| !value.is_empty()) {
            self.text.push_str(name);
            self.ends.push(self.text.len() as u32);
            self.text.push_str(value);
            self.ends.push(self.text.len() as u32);
        }
        let named = self.named.len() as u32;
        self.named.push(Named {
            text_start,
            ends_start,
            ends_end: self.ends.len() as u32,
            hashes: None,
        });
        Ok(self.push_series(SeriesRef::Named(named)))
    }

    /// Adds a series by its id in an epoch: the same for all that is added until the batch is
    /// cleared.
    #[inline]
    pub(super) fn known_series(&mut self, id: SeriesId, epoch: &Arc<Epoch>) -> BatchSeries {
        self.adopt(epoch);
        self.push_series(SeriesRef::Known(id))
    }

    #[inline]
    fn adopt(&mut self, epoch: &Arc<Epoch>) {
        if self.epoch.is_none() {
            self.epoch = Some(Arc::clone(epoch));
        }
        debug_assert!(self.is_of(epoch), "ids of two epochs");
    }

    #[inline]
    fn push_series(&mut self, series: SeriesRef) -> BatchSeries {
        self.series.push(series);
        BatchSeries(self.series.len() as u32 - 1)
    }

    /// Says which hashes the labels of a series have in an epoch, as above.
    pub(super) fn set_hashes(
        &mut self,
        series: BatchSeries,
        hashes: LabelHashes,
        epoch: &Arc<Epoch>,
    ) {
        self.adopt(epoch);
        if let SeriesRef::Named(named) = self.series[series.0 as usize] {
            self.named[named as usize].hashes = Some(hashes);
        }
    }

    /// The labels of a series that came with them.
    pub(super) fn named(&self, series: BatchSeries) -> Option<LabelsRef<'_>> {
        match self.series[series.0 as usize] {
            SeriesRef::Known(_) => None,
            SeriesRef::Named(named) => Some(self.text_of(&self.named[named as usize])),
        }
    }

    fn text_of(&self, named: &Named) -> LabelsRef<'_> {
        let ends = &self.ends[named.ends_start as usize..named.ends_end as usize];
        LabelsRef::new(&self.text, ends, named.text_start)
    }

    /// The labels of a series of this batch.
    pub(super) fn labels(&self, series: BatchSeries) -> Labels {
        match self.series[series.0 as usize] {
            SeriesRef::Known(id) => self.known_labels(id).unwrap_or_default(),
            SeriesRef::Named(named) => self.text_of(&self.named[named as usize]).to_owned(),
        }
    }

    fn known_labels(&self, id: SeriesId) -> Option<Labels> {
        self.epoch.as_ref()?.head.labels_of(id)
    }

    /// Whether the ids and hashes are those of `epoch`.
    fn is_of(&self, epoch: &Epoch) -> bool {
        // Not by number: another database has the same ones.
        let own = self.epoch.as_ref();
        own.is_some_and(|own| Arc::ptr_eq(&own.head, &epoch.head))
    }

    /// Whether all series have their ids of `epoch`.
    pub(super) fn is_known_in(&self, epoch: &Epoch) -> bool {
        self.named.is_empty() && self.is_of(epoch)
    }

    /// The id of a series in the batch's epoch, if it has one.
    #[inline]
    pub(super) fn known_id(&self, series: BatchSeries) -> Option<SeriesId> {
        match self.series.get(series.0 as usize) {
            Some(&SeriesRef::Known(id)) => Some(id),
            _ => None,
        }
    }

    /// What tells a series to `epoch`; none for an id that nobody gave out.
    pub(super) fn naming(&self, series: BatchSeries, epoch: &Epoch) -> Option<Naming<'_>> {
        let is_own = self.is_of(epoch);
        Some(match self.series[series.0 as usize] {
            SeriesRef::Known(id) if is_own => Naming::Id(id),
            SeriesRef::Known(id) => Naming::Ended(self.known_labels(id)?),
            SeriesRef::Named(named) => {
                let named = &self.named[named as usize];
                Naming::Labels(self.text_of(named), named.hashes.filter(|_| is_own))
            }
        })
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
        assert_eq!(batch.labels(sorted), expected);
        assert_eq!(batch.labels(mixed), expected);
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
