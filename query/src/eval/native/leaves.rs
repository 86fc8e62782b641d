//! Samples of the source, floats and histograms together.

use std::sync::Arc;

use super::cells::{Cell, MixedRow, merged};
use crate::Error;
use crate::eval::Evaluator;
use crate::eval::column::is_absent;
use crate::eval::selector::{LookTimes, Reader, StoredSeries};
use crate::histogram::{FloatHistogram, ResetHint};
use crate::plan::Selector;
use crate::source::{HistogramSample, Matcher, SeriesSet};

/// The bits of a sum that mark a series as gone.
fn is_stale(sample: &HistogramSample) -> bool {
    is_absent(sample.histogram.sum)
}

/// A sample, whatever it is.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) timestamp_ms: i64,
    pub(super) value: Cell,
}

/// All samples of a series in order of time; stale markers are absent cells.
pub(super) fn points(
    set: &dyn SeriesSet,
    series: usize,
    evaluator: &Evaluator<'_>,
) -> Result<Vec<Point>, Error> {
    let mut reader = Reader::new(evaluator.limits);
    reader.read(set, series)?;
    let mut histograms = Vec::new();
    set.histograms(series, &mut histograms)?;
    let cells = histograms.iter().map(|sample| sample.histogram.cells());
    evaluator.limits.room_for(cells.sum())?;
    let of_histogram = |sample: HistogramSample| Point {
        timestamp_ms: sample.timestamp_ms,
        value: if is_stale(&sample) {
            Cell::Absent
        } else {
            Cell::Histogram(sample.histogram)
        },
    };
    let floats = reader.timestamps_ms.iter().zip(&reader.values);
    let of_float = |(&timestamp_ms, &value): (&i64, &f64)| Point {
        timestamp_ms,
        value: Cell::of_column(value),
    };
    let mut points: Vec<Point> = floats
        .map(of_float)
        .chain(histograms.into_iter().map(of_histogram))
        .collect();
    points.sort_by_key(|point| point.timestamp_ms);
    tell_resets(&mut points, evaluator.tells_resets);
    Ok(points)
}

/// Puts what is known of resets into histograms that follow others, as Prometheus's storage
/// does: that there was none. That there was one it does not tell, unless `all` is asked for.
fn tell_resets(points: &mut [Point], all: bool) {
    let mut previous: Option<Arc<FloatHistogram>> = None;
    for point in points {
        let Cell::Histogram(histogram) = &mut point.value else {
            previous = None;
            continue;
        };
        let stored = Arc::clone(histogram);
        if let (ResetHint::Unknown, Some(before)) = (stored.reset_hint, &previous) {
            let hint = match (stored.is_reset_after(before), all) {
                (false, _) => ResetHint::NoReset,
                (true, true) => ResetHint::Reset,
                (true, false) => ResetHint::Unknown,
            };
            Arc::make_mut(histogram).reset_hint = hint;
        }
        previous = Some(stored);
    }
}

impl<'e> Evaluator<'e> {
    /// The series that match, from a while before the times looked at: the histogram before the
    /// first one tells what is known of resets there.
    pub(super) fn select_from_before(
        &self,
        matchers: &'e [Matcher],
        times: &LookTimes,
    ) -> Result<StoredSeries<'e>, Error> {
        let (start_ms, end_ms) = times.bounds();
        let start_ms = start_ms.saturating_sub(self.lookback_ms);
        self.select_between(matchers, (start_ms, end_ms))
    }

    /// The last sample up to each step, or its time.
    pub(super) fn mixed_selector(
        &self,
        selector: &'e Selector,
        of_times: bool,
    ) -> Result<Vec<MixedRow>, Error> {
        let mut times = LookTimes::new(self.grid, selector.when, self.lookback_ms);
        let smoothed = selector.smoothed && !of_times;
        if smoothed {
            times.around_ms = (0, self.lookback_ms);
        }
        let set = self.select_from_before(&selector.matchers, &times)?;
        let mut rows = Vec::new();
        for series in 0..set.len() {
            self.limits.check()?;
            let mut points = points(&**set, series, self)?;
            let labels = set.labels(series);
            let cells = if smoothed {
                points.retain(|point| !point.value.is_absent());
                self.smoothed_cells(&points, &times, &labels, selector.span)
            } else {
                let at_step = |step| at_step(&points, times.window(step), of_times);
                (0..self.grid.count).map(at_step).collect()
            };
            let row = MixedRow {
                labels,
                drop_name: false,
                cells,
            };
            if !row.is_empty() {
                rows.push(row);
            }
        }
        if of_times {
            return self.renamed(rows);
        }
        Ok(rows)
    }

    /// Rows whose values mean something else now.
    pub(super) fn renamed(&self, mut rows: Vec<MixedRow>) -> Result<Vec<MixedRow>, Error> {
        for row in &mut rows {
            if self.delayed_name_removal {
                row.drop_name = true;
            } else {
                row.labels = row.labels.without_metadata();
            }
        }
        if self.delayed_name_removal {
            return Ok(rows);
        }
        merged(rows)
    }
}

/// The last sample within a window, if it is no stale marker.
fn at_step(points: &[Point], (start_ms, end_ms): (i64, i64), of_times: bool) -> Cell {
    let end = points.partition_point(|point| point.timestamp_ms <= end_ms);
    let last = end.checked_sub(1).and_then(|last| points.get(last));
    match last.filter(|point| point.timestamp_ms > start_ms) {
        None => Cell::Absent,
        Some(point) if of_times && !point.value.is_absent() => {
            Cell::Float(point.timestamp_ms as f64 / 1000.0)
        }
        Some(point) => point.value.clone(),
    }
}
