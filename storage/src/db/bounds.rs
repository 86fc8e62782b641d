//! How old and how new a sample may be.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::report::{RejectReason, Rejected, Rejection, WriteReport};
use super::write_batch::{BatchExemplar, BatchFloat, BatchHistogram, BatchSeries, WriteBatch};
use crate::model::{Batch, ExemplarRow, FloatRow, FloatStart, HistogramRow, SeriesId, TimeRange};
use crate::sys::Clock;

/// The limits on timestamps, as configured.
#[derive(Debug)]
pub(super) struct Bounds {
    clock: Arc<dyn Clock>,
    retention_ms: Option<i64>,
    max_future_ms: Option<i64>,
}

impl Bounds {
    pub(super) fn new(
        clock: Arc<dyn Clock>,
        retention: Option<Duration>,
        max_future: Option<Duration>,
    ) -> Self {
        Self {
            clock,
            retention_ms: retention.map(whole_ms),
            max_future_ms: max_future.map(whole_ms),
        }
    }

    /// The timestamps taken and shown at this moment.
    ///
    /// Retention counts from the wall clock or from the newest stored sample, whichever is
    /// older: a clock that jumps ahead must not make data look expired.
    pub(super) fn window(&self, newest_stored_ms: Option<i64>) -> TimeRange {
        let now_ms = self.clock.now_ms();
        let anchor_ms = newest_stored_ms.map_or(now_ms, |newest_ms| newest_ms.min(now_ms));
        TimeRange {
            start_ms: self
                .retention_ms
                .map_or(i64::MIN, |ms| anchor_ms.saturating_sub(ms)),
            end_ms: self
                .max_future_ms
                .map_or(i64::MAX, |ms| now_ms.saturating_add(ms)),
        }
    }
}

fn whole_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// What of a batch lies within the window.
#[derive(Debug)]
pub(super) struct Accepted<'a> {
    batch: &'a WriteBatch,
    floats: Cow<'a, [BatchFloat]>,
    float_starts: Vec<FloatStart>,
    /// With how many of `floats` stand before each in the request.
    histograms: Vec<(u32, &'a BatchHistogram)>,
    exemplars: Vec<&'a BatchExemplar>,
}

/// The rows of a batch that lie within the window, and a report of those that do not.
pub(super) fn sift(batch: &WriteBatch, window: TimeRange) -> (Accepted<'_>, WriteReport) {
    let mut sieve = Sieve {
        batch,
        window,
        report: WriteReport::default(),
    };
    let (floats, float_starts, histograms) = sieve.samples();
    let exemplars = sieve.exemplars();
    let accepted = Accepted {
        batch,
        floats,
        float_starts,
        histograms,
        exemplars,
    };
    let mut report = sieve.report;
    report.accepted = accepted.sample_count() as u64;
    report.histograms_accepted = accepted.histogram_count() as u64;
    report.exemplars_accepted = accepted.exemplars.len() as u64;
    (accepted, report)
}

struct Sieve<'a> {
    batch: &'a WriteBatch,
    window: TimeRange,
    report: WriteReport,
}

type AcceptedSamples<'a> = (
    Cow<'a, [BatchFloat]>,
    Vec<FloatStart>,
    Vec<(u32, &'a BatchHistogram)>,
);

impl<'a> Sieve<'a> {
    /// The floats that pass, their start timestamps and the histograms that pass, with the
    /// places that they have among those floats.
    fn samples(&mut self) -> AcceptedSamples<'a> {
        let batch = self.batch;
        if batch.float_starts().is_empty() && batch.histograms().is_empty() {
            let window = self.window;
            let mut all = batch.floats().iter();
            if all.all(|row| window.contains(row.timestamp_ms)) {
                return (Cow::Borrowed(batch.floats()), Vec::new(), Vec::new());
            }
            let passes =
                |row: &&BatchFloat| self.passes(Rejected::Sample, row.series, row.timestamp_ms);
            let floats = batch.floats().iter().filter(passes).copied().collect();
            return (floats, Vec::new(), Vec::new());
        }
        let mut floats = Vec::with_capacity(batch.floats().len());
        let mut float_starts = Vec::with_capacity(batch.float_starts().len());
        let mut histograms = Vec::with_capacity(batch.histograms().len());
        let mut starts = batch.float_starts().iter().peekable();
        let mut rest = batch.histograms().iter().peekable();
        for (row, &sample) in (0u32..).zip(batch.floats()) {
            while let Some(histogram) = rest.next_if(|histogram| histogram.floats_before <= row) {
                self.histogram(histogram, floats.len(), &mut histograms);
            }
            let start = starts.next_if(|start| start.row == row);
            if self.passes(Rejected::Sample, sample.series, sample.timestamp_ms) {
                float_starts.extend(start.map(|start| FloatStart {
                    row: floats.len() as u32,
                    ..*start
                }));
                floats.push(sample);
            }
        }
        for histogram in rest {
            self.histogram(histogram, floats.len(), &mut histograms);
        }
        (Cow::Owned(floats), float_starts, histograms)
    }

    fn histogram(
        &mut self,
        histogram: &'a BatchHistogram,
        floats_before: usize,
        out: &mut Vec<(u32, &'a BatchHistogram)>,
    ) {
        let (series, timestamp_ms) = (histogram.series, histogram.timestamp_ms);
        if self.passes(Rejected::Histogram, series, timestamp_ms) {
            out.push((floats_before as u32, histogram));
        }
    }

    fn exemplars(&mut self) -> Vec<&'a BatchExemplar> {
        let batch = self.batch;
        let passes = |row: &&BatchExemplar| {
            self.passes(Rejected::Exemplar, row.series, row.exemplar.timestamp_ms)
        };
        batch.exemplars().iter().filter(passes).collect()
    }

    /// Whether a row lies within the window; reports one that does not.
    #[inline]
    fn passes(&mut self, what: Rejected, series: BatchSeries, timestamp_ms: i64) -> bool {
        let passes = self.window.contains(timestamp_ms);
        if !passes {
            self.reject(what, series, timestamp_ms);
        }
        passes
    }

    #[cold]
    fn reject(&mut self, what: Rejected, series: BatchSeries, timestamp_ms: i64) {
        let TimeRange { start_ms, end_ms } = self.window;
        let is_old = timestamp_ms < start_ms;
        let reason = match is_old {
            true => RejectReason::BeforeRetention {
                earliest_ms: start_ms,
            },
            false => RejectReason::TooFarInFuture { latest_ms: end_ms },
        };
        let report = &mut self.report;
        match (what, is_old) {
            (Rejected::Exemplar, _) => report.exemplars_rejected += 1,
            (_, true) => report.before_retention += 1,
            (_, false) => report.too_far_in_future += 1,
        }
        report.first_rejected.get_or_insert_with(|| Rejection {
            what,
            labels: self.batch.labels(series),
            timestamp_ms,
            reason,
        });
    }
}

impl Accepted<'_> {
    /// How many samples there are, floats and histograms.
    pub(super) fn sample_count(&self) -> usize {
        self.floats.len() + self.histograms.len()
    }

    pub(super) fn histogram_count(&self) -> usize {
        self.histograms.len()
    }

    pub(super) fn exemplar_count(&self) -> usize {
        self.exemplars.len()
    }

    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.sample_count() == 0
            && self.exemplars.is_empty()
            && self.batch.metadata_rows().is_empty()
    }

    /// Calls `each` with the series of every row.
    pub(super) fn for_each_series(&self, mut each: impl FnMut(BatchSeries)) {
        self.floats.iter().for_each(|row| each(row.series));
        self.histograms.iter().for_each(|row| each(row.1.series));
        self.exemplars.iter().for_each(|row| each(row.series));
    }

    /// How many samples are of one of these series.
    pub(super) fn count_of(&self, series: &[BatchSeries]) -> u64 {
        let mut is_one = vec![false; self.batch.series_count()];
        series.iter().for_each(|one| is_one[one.0 as usize] = true);
        let floats = self.floats.iter().map(|row| row.series);
        let histograms = self.histograms.iter().map(|row| row.1.series);
        let rows = floats.chain(histograms);
        rows.filter(|row| is_one[row.0 as usize]).count() as u64
    }

    /// The first sample, or else the first exemplar, of one of these series.
    pub(super) fn first_of(&self, series: &[BatchSeries]) -> Option<(Rejected, BatchSeries, i64)> {
        let floats = self.floats.iter();
        let mut floats = floats.map(|row| (Rejected::Sample, row.series, row.timestamp_ms));
        let histograms = self.histograms.iter();
        let mut histograms =
            histograms.map(|(_, row)| (Rejected::Histogram, row.series, row.timestamp_ms));
        let exemplars = self.exemplars.iter();
        let mut exemplars =
            exemplars.map(|row| (Rejected::Exemplar, row.series, row.exemplar.timestamp_ms));
        let is_one = |row: &(Rejected, BatchSeries, i64)| series.contains(&row.1);
        floats
            .find(is_one)
            .or_else(|| histograms.find(is_one))
            .or_else(|| exemplars.find(is_one))
    }

    /// The rows as the log and the head take them. `id_of` has the ids of the series; rows of a
    /// series without one are left out.
    pub(super) fn rows(&self, id_of: impl Fn(BatchSeries) -> Option<SeriesId>) -> Batch {
        let exemplar = |row: &&BatchExemplar| {
            Some(ExemplarRow {
                series: id_of(row.series)?,
                exemplar: row.exemplar.clone(),
            })
        };
        let mut batch = Batch {
            exemplars: self.exemplars.iter().filter_map(exemplar).collect(),
            metadata: self.batch.metadata_rows().to_vec(),
            ..Batch::default()
        };
        let float = |row: &BatchFloat| {
            Some(FloatRow {
                series: id_of(row.series)?,
                timestamp_ms: row.timestamp_ms,
                value: row.value,
            })
        };
        if self.float_starts.is_empty() && self.histograms.is_empty() {
            batch.floats.reserve_exact(self.floats.len());
            batch.floats.extend(self.floats.iter().filter_map(float));
            return batch;
        }
        let mut starts = self.float_starts.iter().peekable();
        let mut rest = self.histograms.iter().peekable();
        for (place, row) in (0u32..).zip(&*self.floats) {
            while let Some((_, histogram)) = rest.next_if(|row| row.0 <= place) {
                push_histogram(&mut batch, histogram, id_of(histogram.series));
            }
            let start = starts.next_if(|start| start.row == place);
            if let Some(float) = float(row) {
                batch.float_starts.extend(start.map(|start| FloatStart {
                    row: batch.floats.len() as u32,
                    ..*start
                }));
                batch.floats.push(float);
            }
        }
        for (_, histogram) in rest {
            push_histogram(&mut batch, histogram, id_of(histogram.series));
        }
        batch
    }
}

/// Adds a histogram behind the floats that are there, if its series has an id.
fn push_histogram(batch: &mut Batch, row: &BatchHistogram, id: Option<SeriesId>) {
    batch.histograms.extend(id.map(|series| HistogramRow {
        series,
        timestamp_ms: row.timestamp_ms,
        start_timestamp_ms: row.start_timestamp_ms,
        floats_before: batch.floats.len() as u32,
        histogram: row.histogram.clone(),
    }));
}

#[cfg(test)]
mod tests;
