//! Rates of histograms (Prometheus `extrapolatedRate`, `histogramRate`, `instantValue`).

use std::sync::Arc;

use super::cells::Cell;
use super::notes::Purpose;
use super::window::{HistogramPoint, Part};
use crate::eval::Evaluator;
use crate::functions::numeric::seconds;
use crate::histogram::{FloatHistogram, ResetHint};
use crate::parse::ast::Span;

/// What rate is asked for.
pub(super) struct Rate {
    pub(super) is_counter: bool,
    /// The range, where it is a rate per second.
    pub(super) range_ms: Option<i64>,
    pub(super) span: Span,
}

/// The interval between two times, in seconds.
fn between_s(from_ms: i64, to_ms: i64) -> f64 {
    to_ms.saturating_sub(from_ms) as f64 / 1000.0
}

impl Evaluator<'_> {
    /// `rate`, `increase` and `delta` of a window that has histograms.
    pub(super) fn extrapolated(&self, part: &Part<'_>, rate: &Rate) -> Cell {
        if part.has_floats() {
            self.notes.mixed_types(part.metric_name(), rate.span);
            return Cell::Absent;
        }
        let points = part.histograms;
        let (Some((first_ms, first)), Some((last_ms, _))) = (points.first(), points.last()) else {
            return Cell::Absent;
        };
        if points.len() < 2 {
            return Cell::Absent;
        }
        let Some(mut result) = self.difference(points, part.metric_name(), rate) else {
            return Cell::Absent;
        };
        let sampled_s = between_s(*first_ms, *last_ms);
        let average_s = sampled_s / (points.len() - 1) as f64;
        let threshold_s = average_s * 1.1;
        let mut to_start_s = between_s(part.start_ms, *first_ms);
        let mut to_end_s = between_s(*last_ms, part.end_ms);
        if to_start_s >= threshold_s {
            to_start_s = average_s / 2.0;
        }
        if rate.is_counter && result.count > 0.0 && first.count >= 0.0 {
            // A counter cannot have been below zero.
            let to_zero_s = sampled_s * (first.count / result.count);
            if to_zero_s < to_start_s {
                to_start_s = to_zero_s;
            }
        }
        if to_end_s >= threshold_s {
            to_end_s = average_s / 2.0;
        }
        let mut factor = 1.0;
        if sampled_s != 0.0 {
            factor = (sampled_s + to_start_s + to_end_s) / sampled_s;
        }
        if let Some(range_ms) = rate.range_ms {
            factor /= seconds(range_ms);
        }
        result.scale(factor);
        Cell::Histogram(Arc::new(result))
    }

    /// How much was counted from the first histogram to the last, or how much they differ.
    fn difference(
        &self,
        points: &[HistogramPoint],
        name: &str,
        rate: &Rate,
    ) -> Option<FloatHistogram> {
        let (first, rest) = points.split_first()?;
        let (last, between) = rest.split_last()?;
        let second = &rest.first()?.1;
        let (first, last) = (&*first.1, &*last.1);
        let is_gauge = |histogram: &FloatHistogram| histogram.reset_hint == ResetHint::Gauge;
        if rate.is_counter && (is_gauge(first) || is_gauge(last)) {
            self.notes.not_a_counter(name, rate.span);
        }
        // A reset behind the first one: its buckets do not count, nor their layout.
        let emptied;
        let mut previous = first;
        if rate.is_counter && second.is_reset_after(first) {
            emptied = FloatHistogram {
                schema: second.schema,
                custom_bounds: second.custom_bounds.clone(),
                ..FloatHistogram::default()
            };
            previous = &emptied;
        }
        let is_custom = previous.is_custom();
        let mut schema = last.schema.min(previous.schema);
        let mut compatible = last.is_custom() == is_custom;
        for (_, histogram) in between.iter().filter(|_| rate.is_counter) {
            if is_gauge(histogram) {
                self.notes.not_a_counter(name, rate.span);
            }
            schema = schema.min(histogram.schema);
            compatible &= histogram.is_custom() == is_custom;
        }
        if !compatible {
            self.notes.mixed_schemas(name, rate.span);
            return None;
        }
        let mut result = last.at_schema(schema);
        let reconciled = result.subtract(previous).ok()?;
        self.notes
            .reconciled(reconciled, Purpose::Subtraction, rate.span);
        if rate.is_counter {
            for (_, histogram) in rest {
                if histogram.is_reset_after(previous) {
                    let reconciled = result.add(previous).ok()?;
                    self.notes
                        .reconciled(reconciled, Purpose::Addition, rate.span);
                }
                previous = histogram;
            }
        } else if !is_gauge(first) || !is_gauge(last) {
            self.notes.not_a_gauge(name, rate.span);
        }
        result.reset_hint = ResetHint::Gauge;
        result.compact();
        Some(result)
    }

    /// `irate` and `idelta` of a window that has histograms: of its last two samples.
    pub(super) fn last_two(
        &self,
        part: &Part<'_>,
        float: Option<f64>,
        is_rate: bool,
        span: Span,
    ) -> Cell {
        let (times, points) = (part.float_times(), part.histograms);
        let Some((last_ms, last)) = points.last() else {
            return float.map_or(Cell::Absent, Cell::Float);
        };
        let float_ms = |back: usize| times.len().checked_sub(back).map(|at| times[at]);
        let before = points.len().checked_sub(2).map(|at| &points[at]);
        let name = part.metric_name();
        // The two newest are floats, or histograms, or one of each.
        if float_ms(2).is_some_and(|at| at > *last_ms) {
            return float.map_or(Cell::Absent, Cell::Float);
        }
        let newest_is_float = float_ms(1).is_some_and(|at| at > *last_ms);
        let before_ms = before.map(|point| point.0);
        let mixed = newest_is_float || float_ms(1) > before_ms;
        if mixed && float_ms(1).is_some() {
            self.notes.mixed_types(name, span);
            return Cell::Absent;
        }
        let Some((before_ms, before)) = before else {
            return Cell::Absent;
        };
        let both_gauges = [last, before].map(|it| it.reset_hint == ResetHint::Gauge);
        if is_rate && both_gauges.contains(&true) {
            self.notes.not_a_counter(name, span);
        }
        if !is_rate && both_gauges.contains(&false) {
            self.notes.not_a_gauge(name, span);
        }
        let mut result = FloatHistogram::clone(last);
        if !is_rate || !last.is_reset_after(before) {
            match result.subtract(before) {
                Ok(reconciled) => self
                    .notes
                    .reconciled(reconciled, Purpose::Subtraction, span),
                Err(_) => {
                    self.notes.mixed_schemas(name, span);
                    return Cell::Absent;
                }
            }
        }
        result.reset_hint = ResetHint::Gauge;
        result.compact();
        if is_rate {
            result.divide(between_s(*before_ms, *last_ms));
        }
        Cell::Histogram(Arc::new(result))
    }
}
