//! Samples of the source, floats and histograms together.

use std::sync::Arc;

use super::cells::{Cell, Charge, Mixed, MixedRow, keep, merged};
use crate::Error;
use crate::eval::Evaluator;
use crate::eval::column::is_absent;
use crate::eval::selector::{LookTimes, Reader, StoredSeries};
use crate::histogram::{FloatHistogram, ResetHint};
use crate::limits::{Held, Loan, bytes_of};
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
pub(super) fn points<'e>(
    set: &dyn SeriesSet,
    series: usize,
    evaluator: &Evaluator<'e>,
) -> Result<Held<'e, Vec<Point>>, Error> {
    let mut reader = Reader::new(evaluator.limits);
    reader.read(set, series)?;
    let mut loan = Loan::new(evaluator.limits);
    // A list that may have grown to twice its length, and what sorting it takes.
    loan.add(0, 3 * bytes_of::<Point>(reader.values.len()))?;
    let floats = reader.timestamps_ms.iter().zip(&reader.values);
    let of_float = |(&timestamp_ms, &value): (&i64, &f64)| Point {
        timestamp_ms,
        value: Cell::of_column(value),
    };
    let mut points: Vec<Point> = floats.map(of_float).collect();
    let mut work = 0;
    set.histograms(series, &mut |sample: HistogramSample| {
        let cells = sample.histogram.cells();
        evaluator
            .limits
            .check_work(&mut work, WORK_A_CELL * cells)?;
        let bytes = 3 * size_of::<Point>() + sample.histogram.heap_bytes();
        loan.add(cells, bytes)?;
        points.push(Point {
            timestamp_ms: sample.timestamp_ms,
            value: match is_stale(&sample) {
                true => Cell::Absent,
                false => Cell::Histogram(sample.histogram),
            },
        });
        Ok(())
    })?;
    points.sort_by_key(|point| point.timestamp_ms);
    tell_resets(&mut points, evaluator.tells_resets);
    Ok(Held::new(points, loan))
}

/// What reading a cell of a histogram costs, in samples looked at.
const WORK_A_CELL: usize = 4;

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
    ) -> Result<Mixed<'e>, Error> {
        let mut times = LookTimes::new(self.grid, selector.when, self.lookback_ms);
        let smoothed = selector.smoothed && !of_times;
        if smoothed {
            times.around_ms = (0, self.lookback_ms);
        }
        let set = self.select_from_before(&selector.matchers, &times)?;
        let mut rows = Vec::new();
        let mut all = Charge::new(self.limits);
        for series in 0..set.len() {
            let mut points = points(&**set, series, self)?;
            let labels = set.labels(series);
            let mut charge = Charge::new(self.limits);
            charge.row(&labels, self.grid.count)?;
            let cells = if smoothed {
                points.retain(|point| !point.value.is_absent());
                self.smoothed_cells(&points, &times, &labels, selector.span, &mut charge)?
            } else {
                let mut cells = Vec::with_capacity(self.grid.count);
                for step in 0..self.grid.count {
                    let cell = at_step(&points, times.window(step), of_times);
                    charge.cell(&cell)?;
                    cells.push(cell);
                }
                cells
            };
            let row = MixedRow {
                labels,
                drop_name: false,
                cells,
            };
            keep(row, charge, &mut rows, &mut all);
        }
        let rows = Held::new(rows, all.into_loan());
        match of_times {
            true => self.renamed(rows),
            false => Ok(rows),
        }
    }

    /// Rows whose values mean something else now.
    pub(super) fn renamed(&self, mut rows: Mixed<'e>) -> Result<Mixed<'e>, Error> {
        for row in rows.iter_mut() {
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
