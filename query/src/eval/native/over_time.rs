//! What windows with histograms hold.

use std::sync::Arc;

use super::aggregate::Total;
use super::cells::Cell;
use super::notes::Purpose;
use super::window::Part;
use crate::eval::Evaluator;
use crate::histogram::{FloatHistogram, Reconciled};
use crate::parse::ast::Span;

impl Evaluator<'_> {
    /// `sum_over_time` and `avg_over_time` of histograms.
    pub(super) fn total_over_time(&self, part: &Part<'_>, is_average: bool, span: Span) -> Cell {
        let name = part.metric_name();
        if part.has_floats() {
            self.notes.mixed_types(name, span);
            return Cell::Absent;
        }
        let mut total = Total::default();
        for (_, histogram) in part.histograms {
            let Ok(bounds) = total.add(histogram, is_average) else {
                self.notes.mixed_schemas(name, span);
                return Cell::Absent;
            };
            let reconciled = Reconciled {
                bounds,
                ..Reconciled::default()
            };
            self.notes
                .reconciled(reconciled, Purpose::Aggregation, span);
        }
        if total.hints_collide() {
            self.notes.colliding_resets(Purpose::Aggregation, span);
        }
        match total.value(is_average) {
            Some(total) => Cell::Histogram(Arc::new(total)),
            None => Cell::Absent,
        }
    }
}

/// A float or a histogram of a window.
#[derive(Clone, Copy)]
enum Sample<'s> {
    Float(f64),
    Histogram(&'s FloatHistogram),
}

impl Part<'_> {
    /// The latest sample.
    pub(super) fn last(&self) -> Cell {
        let float_ms = self.float_times().last();
        match (self.histograms.last(), self.float_values().last()) {
            (Some((at_ms, _)), Some(&value)) if float_ms > Some(at_ms) => Cell::Float(value),
            (Some((_, histogram)), _) => Cell::Histogram(Arc::clone(histogram)),
            (None, Some(&value)) => Cell::Float(value),
            (None, None) => Cell::Absent,
        }
    }

    /// The earliest sample.
    pub(super) fn first(&self) -> Cell {
        let float_ms = self.float_times().first();
        match (
            self.histograms.first(),
            float_ms,
            self.float_values().first(),
        ) {
            (Some((at_ms, _)), Some(float_ms), Some(&value)) if float_ms < at_ms => {
                Cell::Float(value)
            }
            (Some((_, histogram)), ..) => Cell::Histogram(Arc::clone(histogram)),
            (None, _, Some(&value)) => Cell::Float(value),
            (None, ..) => Cell::Absent,
        }
    }

    /// The time of the latest or the earliest sample, in seconds.
    pub(super) fn time(&self, latest: bool) -> Cell {
        let floats = self.float_times().iter().copied();
        let times = floats.chain(self.histograms.iter().map(|point| point.0));
        let time_ms = if latest { times.max() } else { times.min() };
        time_ms.map_or(Cell::Absent, |at| Cell::Float(at as f64 / 1000.0))
    }

    /// All samples in order of time.
    fn samples(&self) -> Vec<Sample<'_>> {
        let floats = self.float_times().iter().zip(self.float_values());
        let mut samples: Vec<(i64, Sample<'_>)> = floats
            .map(|(&at, &value)| (at, Sample::Float(value)))
            .chain(
                self.histograms
                    .iter()
                    .map(|(at, it)| (*at, Sample::Histogram(it))),
            )
            .collect();
        samples.sort_by_key(|sample| sample.0);
        samples.into_iter().map(|sample| sample.1).collect()
    }

    fn count_pairs(&self, counts: impl Fn(Sample<'_>, Sample<'_>) -> bool) -> Cell {
        let samples = self.samples();
        let pairs = samples.windows(2);
        let count = pairs.filter(|pair| counts(pair[0], pair[1])).count();
        Cell::Float(count as f64)
    }

    /// How often a sample differs from the one before.
    pub(super) fn changes(&self) -> Cell {
        self.count_pairs(|before, now| match (before, now) {
            (Sample::Float(a), Sample::Float(b)) => a != b && !(a.is_nan() && b.is_nan()),
            (Sample::Histogram(a), Sample::Histogram(b)) => !b.equals(a),
            _ => true,
        })
    }

    /// How often a counter began anew.
    pub(super) fn resets(&self) -> Cell {
        self.count_pairs(|before, now| match (before, now) {
            (Sample::Float(a), Sample::Float(b)) => b < a,
            (Sample::Histogram(a), Sample::Histogram(b)) => b.is_reset_after(a),
            _ => true,
        })
    }
}
