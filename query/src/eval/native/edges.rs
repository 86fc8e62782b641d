//! `anchored` and `smoothed`: histograms at the edges of windows, and between samples
//! (Prometheus `extendedHistogramRate`, `smoothSeries`).

use std::sync::Arc;

use super::cells::{Cell, Charge};
use super::leaves::Point;
use super::notes::Purpose;
use super::rate::Rate;
use super::window::{HistogramPoint, Part};
use crate::eval::Evaluator;
use crate::eval::selector::LookTimes;
use crate::functions::extended::interpolate;
use crate::functions::numeric::seconds;
use crate::histogram::{FloatHistogram, Incompatible, ResetHint};
use crate::labels::METRIC_NAME;
use crate::parse::ast::Span;
use crate::{Error, Labels};

fn is_gauge(histogram: &FloatHistogram) -> bool {
    histogram.reset_hint == ResetHint::Gauge
}

impl Evaluator<'_> {
    /// `rate`, `increase` and `delta` from one edge of a window to the other. The part reaches
    /// beyond the range from `start_ms` to `end_ms`.
    pub(super) fn rate_to_edges(&self, part: &Part<'_>, rate: &Rate, smoothed: bool) -> Cell {
        let name = part.metric_name();
        if part.has_floats() {
            self.notes.mixed_types(name, rate.span);
            return Cell::Absent;
        }
        let points = part.histograms;
        let Some(mut last) = points.len().checked_sub(1) else {
            return Cell::Absent;
        };
        let before_last = &points[..last];
        let first = before_last
            .partition_point(|point| point.0 <= part.start_ms)
            .saturating_sub(1);
        if smoothed {
            last = before_last.partition_point(|point| point.0 < part.end_ms);
        }
        let points = &points[..=last];
        let starts_late = smoothed && points[first].0 > part.end_ms;
        if points[last].0 <= part.start_ms || starts_late {
            return Cell::Absent;
        }
        if !self.is_valid_range(&points[first..], name, rate) {
            return Cell::Absent;
        }
        match self.between_edges(part, points, first, rate, smoothed) {
            Ok(result) => Cell::Histogram(Arc::new(result)),
            Err(Incompatible) => {
                self.notes.mixed_schemas(name, rate.span);
                Cell::Absent
            }
        }
    }

    /// Whether all have buckets of one kind; tells of gauges among counters.
    fn is_valid_range(&self, points: &[HistogramPoint], name: &str, rate: &Rate) -> bool {
        let is_custom = points.first().is_some_and(|point| point.1.is_custom());
        for (_, histogram) in points {
            if histogram.is_custom() != is_custom {
                self.notes.mixed_schemas(name, rate.span);
                return false;
            }
            if rate.is_counter && is_gauge(histogram) {
                self.notes.not_a_counter(name, rate.span);
            }
        }
        true
    }

    fn between_edges(
        &self,
        part: &Part<'_>,
        points: &[HistogramPoint],
        first: usize,
        rate: &Rate,
        smoothed: bool,
    ) -> Result<FloatHistogram, Incompatible> {
        let last = points.len() - 1;
        let on_line = |at: usize, time_ms| {
            let [before, after] = [&points[at], &points[at + 1]];
            self.on_line(before, after, time_ms, rate.is_counter, rate.span)
        };
        let left = if smoothed && points[first].0 < part.start_ms && first < last {
            on_line(first, part.start_ms)?
        } else {
            FloatHistogram::clone(&points[first].1)
        };
        let right = if smoothed && last > 0 && points[last].0 > part.end_ms {
            on_line(last - 1, part.end_ms)?
        } else {
            FloatHistogram::clone(&points[last].1)
        };
        if !(rate.is_counter || is_gauge(&left) && is_gauge(&right)) {
            self.notes.not_a_gauge(part.metric_name(), rate.span);
        }
        let mut result = right.clone();
        let reconciled = result.subtract(&left)?;
        self.notes
            .reconciled(reconciled, Purpose::Subtraction, rate.span);
        if rate.is_counter {
            // What was lost in resets, but in one that the left edge lies in.
            let in_reset = smoothed
                && first < last
                && points[first].0 < part.start_ms
                && points[first + 1].1.is_reset_after(&points[first].1);
            let (mut previous, next) = if in_reset {
                (&*points[first + 1].1, first + 2)
            } else {
                (&left, first + 1)
            };
            // Both edges may lie in one reset.
            let between = if next <= last {
                points[next..last].iter()
            } else {
                [].iter()
            };
            let end = (next <= last).then_some(&right);
            for histogram in between.map(|point| &*point.1).chain(end) {
                if histogram.is_reset_after(previous) {
                    let reconciled = result.add(previous)?;
                    self.notes
                        .reconciled(reconciled, Purpose::Addition, rate.span);
                }
                previous = histogram;
            }
        }
        if let Some(range_ms) = rate.range_ms {
            result.divide(seconds(range_ms));
        }
        result.reset_hint = ResetHint::Gauge;
        result.compact();
        Ok(result)
    }

    /// The histogram on the line between two.
    fn on_line(
        &self,
        (before_ms, before): &HistogramPoint,
        (after_ms, after): &HistogramPoint,
        time_ms: i64,
        is_counter: bool,
        span: Span,
    ) -> Result<FloatHistogram, Incompatible> {
        if time_ms == *before_ms {
            return Ok(FloatHistogram::clone(before));
        }
        let mut result = FloatHistogram::clone(after);
        if time_ms == *after_ms {
            return Ok(result);
        }
        let passed = time_ms.saturating_sub(*before_ms) as f64;
        let fraction = passed / after_ms.saturating_sub(*before_ms) as f64;
        if is_counter && after.is_reset_after(before) {
            result.scale(fraction);
            return Ok(result);
        }
        let reconciled = result.subtract(before)?;
        self.notes
            .reconciled(reconciled, Purpose::Subtraction, span);
        result.scale(fraction);
        let reconciled = result.add(before)?;
        self.notes.reconciled(reconciled, Purpose::Addition, span);
        Ok(result)
    }

    /// The values on the lines between the samples around each step; stale markers are not
    /// among the samples.
    pub(super) fn smoothed_cells(
        &self,
        points: &[Point],
        times: &LookTimes,
        labels: &Labels,
        span: Span,
        charge: &mut Charge<'_>,
    ) -> Result<Vec<Cell>, Error> {
        let at_step = |step| {
            let (start_ms, end_ms) = times.wide_window(step);
            let from = points.partition_point(|point| point.timestamp_ms <= start_ms);
            let to = points.partition_point(|point| point.timestamp_ms <= end_ms);
            let within = points.get(from..to).unwrap_or_default();
            let name = labels.get(METRIC_NAME);
            let is_histogram = |point: &Point| point.value.histogram().is_some();
            if within.iter().any(is_histogram) && !within.iter().all(is_histogram) {
                self.notes.mixed_types(name, span);
                return Cell::Absent;
            }
            self.smoothed_cell(within, times.moment(step), name, span)
        };
        let mut cells = Vec::with_capacity(self.grid.count);
        for step in 0..self.grid.count {
            let cell = at_step(step);
            charge.cell(&cell)?;
            cells.push(cell);
        }
        Ok(cells)
    }

    fn smoothed_cell(&self, within: &[Point], time_ms: i64, name: &str, span: Span) -> Cell {
        let next = within.partition_point(|point| point.timestamp_ms < time_ms);
        let before = next.checked_sub(1).and_then(|at| within.get(at));
        let after = within.get(next);
        match (before, after) {
            (_, Some(after)) if after.timestamp_ms == time_ms => after.value.clone(),
            (None, _) => Cell::Absent,
            (Some(before), None) => match &before.value {
                Cell::Histogram(histogram) => {
                    let mut kept = FloatHistogram::clone(histogram);
                    kept.reset_hint = ResetHint::Unknown;
                    Cell::Histogram(Arc::new(kept))
                }
                value => value.clone(),
            },
            (Some(before), Some(after)) => match (&before.value, &after.value) {
                (Cell::Histogram(old), Cell::Histogram(new))
                    if old.is_custom() != new.is_custom() =>
                {
                    self.notes.mixed_schemas(name, span);
                    Cell::Absent
                }
                (Cell::Histogram(old), Cell::Histogram(new)) => {
                    let is_counter = !(is_gauge(old) && is_gauge(new));
                    let old = (before.timestamp_ms, Arc::clone(old));
                    let new = (after.timestamp_ms, Arc::clone(new));
                    match self.on_line(&old, &new, time_ms, is_counter, span) {
                        Ok(histogram) => Cell::Histogram(Arc::new(histogram)),
                        Err(Incompatible) => {
                            self.notes.mixed_schemas(name, span);
                            Cell::Absent
                        }
                    }
                }
                (old, new) => {
                    let old = (before.timestamp_ms, old.float());
                    let new = (after.timestamp_ms, new.float());
                    Cell::Float(interpolate(old, new, time_ms, false))
                }
            },
        }
    }
}
