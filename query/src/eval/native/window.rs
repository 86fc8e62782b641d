//! Functions of windows in which histograms are.

use std::sync::Arc;

use super::cells::{Cell, Charge, Mixed, MixedRow, keep, of_rows};
use super::leaves::{Point, points};
use super::rate::Rate;
use super::{Given, unsupported};
use crate::eval::Evaluator;
use crate::eval::grid::Grid;
use crate::eval::raw::SERIES_BYTES;
use crate::eval::rows::Rows;
use crate::eval::selector::{LookTimes, StoredSeries};
use crate::eval::window::multiple_from;
use crate::functions::extended::Edges;
use crate::functions::regression::check_factors;
use crate::functions::{Expects, Patience, Window, WindowFunction};
use crate::histogram::ResetHint;
use crate::labels::{METRIC_NAME, METRIC_TYPE};
use crate::limits::{Held, Loan, bytes_of};
use crate::parse::ast::RangeEdges;
use crate::plan::{RangeNode, Samples, VectorNode, WindowCall};
use crate::value::RangeSeries;
use crate::{Error, ErrorKind, FloatHistogram, Labels};

/// Where the samples of windows are.
enum Input<'e> {
    Stored(StoredSeries<'e>),
    Made(Mixed<'e>, Grid),
}

/// A sample that is a histogram.
pub(super) type HistogramPoint = (i64, Arc<FloatHistogram>);

/// The samples of a series, stale markers left out.
#[derive(Default)]
pub(super) struct Series {
    pub(super) labels: Labels,
    drop_name: bool,
    pub(super) timestamps_ms: Vec<i64>,
    pub(super) values: Vec<f64>,
    pub(super) histograms: Vec<HistogramPoint>,
}

/// The part of a series that a window holds.
pub(super) struct Part<'s> {
    pub(super) series: &'s Series,
    /// First and end of the floats inside.
    pub(super) floats: (usize, usize),
    pub(super) histograms: &'s [HistogramPoint],
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
}

impl Series {
    fn new(labels: Labels, drop_name: bool, points: Vec<Point>) -> Self {
        let mut series = Self {
            labels,
            drop_name,
            ..Self::default()
        };
        for point in points {
            match point.value {
                Cell::Absent => {}
                Cell::Float(value) => {
                    series.timestamps_ms.push(point.timestamp_ms);
                    series.values.push(value);
                }
                Cell::Histogram(histogram) => {
                    series.histograms.push((point.timestamp_ms, histogram));
                }
            }
        }
        series
    }

    /// What lies within reach of a window, which is the range from `start_ms` to `end_ms`.
    fn part(&self, reach: (i64, i64), (start_ms, end_ms): (i64, i64)) -> Part<'_> {
        let times = &self.timestamps_ms;
        let first = times.partition_point(|&at| at <= reach.0);
        let end = times.partition_point(|&at| at <= reach.1);
        let from = self.histograms.partition_point(|point| point.0 <= reach.0);
        let to = self.histograms.partition_point(|point| point.0 <= reach.1);
        Part {
            series: self,
            floats: (first, end.max(first)),
            histograms: &self.histograms[from..to.max(from)],
            start_ms,
            end_ms,
        }
    }
}

impl Part<'_> {
    pub(super) fn has_floats(&self) -> bool {
        self.floats.0 < self.floats.1
    }

    pub(super) fn float_times(&self) -> &[i64] {
        &self.series.timestamps_ms[self.floats.0..self.floats.1]
    }

    pub(super) fn float_values(&self) -> &[f64] {
        &self.series.values[self.floats.0..self.floats.1]
    }

    /// The part from the last sample at or before the range's start on, if there is one behind
    /// that.
    fn since_anchor(&self) -> Option<Part<'_>> {
        let floats = self
            .float_times()
            .partition_point(|&at| at <= self.start_ms);
        let histograms = self.histograms;
        let before = histograms.partition_point(|point| point.0 <= self.start_ms);
        if floats == self.float_times().len() && before == histograms.len() {
            return None;
        }
        let float_ms = floats.checked_sub(1).map(|at| self.float_times()[at]);
        let histogram_ms = before.checked_sub(1).map(|at| histograms[at].0);
        let (floats, before) = match (float_ms, histogram_ms) {
            (None, None) => (floats, before),
            (Some(float), histogram) if histogram.is_none_or(|it| float >= it) => {
                (floats - 1, before)
            }
            _ => (floats, before.saturating_sub(1)),
        };
        Some(Part {
            series: self.series,
            floats: (self.floats.0 + floats, self.floats.1),
            histograms: &histograms[before..],
            start_ms: self.start_ms,
            end_ms: self.end_ms,
        })
    }

    pub(super) fn metric_name(&self) -> &str {
        self.series.labels.get(METRIC_NAME)
    }
}

impl<'e> Evaluator<'e> {
    pub(super) fn mixed_window(
        &self,
        node: &'e VectorNode,
        call: &'e WindowCall,
    ) -> Result<Mixed<'e>, Error> {
        let mut given = Given::default();
        for parameter in &call.parameters {
            self.give_scalar(parameter, &mut given)?;
        }
        let (input, times) = self.open_mixed_range(&call.range)?;
        if let Input::Stored(set) = &input {
            let mut any = false;
            for series in 0..set.len() {
                self.limits.check()?;
                any = any || set.has_histograms(series)?;
            }
            if !any {
                let rows = self.with_given(node, &given)?;
                return of_rows(rows, self.grid.count, self.limits);
            }
        }
        let with_given = Evaluator {
            given: Some(&given),
            ..*self
        };
        let parameters = call
            .parameters
            .iter()
            .map(|parameter| with_given.scalar(parameter))
            .collect::<Result<Vec<_>, _>>()?;
        let mut rows = Vec::new();
        let mut all = Charge::new(self.limits);
        for series in 0..input.len() {
            let series = self.read_mixed(&input, series)?;
            let mut charge = Charge::new(self.limits);
            charge.row(&series.labels, self.grid.count)?;
            let cells = self.over_windows(call, &series, &times, &parameters, &mut charge)?;
            let row = MixedRow {
                labels: series.labels.clone(),
                drop_name: series.drop_name,
                cells,
            };
            keep(row, charge, &mut rows, &mut all);
        }
        let rows = Held::new(rows, all.into_loan());
        match call.function.keeps_metadata {
            true => Ok(rows),
            false => self.renamed(rows),
        }
    }

    fn open_mixed_range(&self, range: &'e RangeNode) -> Result<(Input<'e>, LookTimes), Error> {
        let times = LookTimes::new(self.grid, range.when, range.range_ms)
            .with_edges(range.edges, self.lookback_ms);
        let input = match &range.samples {
            Samples::Stored(matchers) => Input::Stored(self.select_from_before(matchers, &times)?),
            Samples::Subquery { child, step_ms } => {
                let (start_ms, end_ms) = times.bounds();
                let start_ms = multiple_from(start_ms, *step_ms);
                let grid = Grid::range(start_ms, end_ms.max(start_ms), *step_ms);
                let rows = if start_ms <= end_ms {
                    let evaluator = Self {
                        grid,
                        tells_resets: false,
                        ..*self
                    };
                    evaluator.mixed(child)?
                } else {
                    Mixed::new(Vec::new(), Loan::new(self.limits))
                };
                Input::Made(rows, grid)
            }
        };
        Ok((input, times))
    }

    fn read_mixed(&self, input: &Input<'e>, series: usize) -> Result<Held<'e, Series>, Error> {
        match input {
            Input::Stored(set) => {
                let (points, mut loan) = points(&***set, series, self)?.into_parts();
                loan.add(0, 2 * bytes_of::<Point>(points.len()))?;
                let series = Series::new(set.labels(series), false, points);
                Ok(Held::new(series, loan))
            }
            Input::Made(rows, grid) => {
                let row = &rows[series];
                let mut charge = Charge::new(self.limits);
                charge.row(&row.labels, 0)?;
                charge.bytes(4 * bytes_of::<Point>(row.cells.len()))?;
                let mut points = Vec::with_capacity(row.cells.len());
                for (step, cell) in row.cells.iter().enumerate() {
                    let (value, is_copy) = without_hint(cell);
                    if is_copy {
                        charge.changed(&value)?;
                    }
                    let timestamp_ms = grid.time_ms(step);
                    points.push(Point {
                        timestamp_ms,
                        value,
                    });
                }
                let series = Series::new(row.labels.clone(), row.drop_name, points);
                Ok(Held::new(series, charge.into_loan()))
            }
        }
    }

    fn over_windows(
        &self,
        call: &WindowCall,
        series: &Series,
        times: &LookTimes,
        parameters: &[Held<'_, Vec<f64>>],
        charge: &mut Charge<'_>,
    ) -> Result<Vec<Cell>, Error> {
        let mut function = (call.function.make)();
        function.begin(&series.values, Patience::of(self.limits));
        let mut cells = Vec::with_capacity(self.grid.count);
        let (mut any_float, mut work) = (false, 0);
        for step in 0..self.grid.count {
            let part = series.part(times.wide_window(step), times.window(step));
            let parameter = |which: usize| parameters.get(which).map_or(0.0, |column| column[step]);
            let parameters = [parameter(0), parameter(1)];
            if !part.has_floats() && part.histograms.is_empty() {
                cells.push(Cell::Absent);
                continue;
            }
            let samples = part.histograms.iter().map(|point| point.1.cells());
            self.limits.check_work(&mut work, samples.sum())?;
            self.check_parameters(call, parameters)?;
            let float = self.float_value(call, &mut *function, &part, step, parameters);
            let cell = if part.histograms.is_empty() {
                float.map_or(Cell::Absent, Cell::Float)
            } else {
                self.over_histograms(call, &part, float)
            };
            any_float |= part.has_floats() && !cell.is_absent();
            charge.cell(&cell)?;
            cells.push(cell);
        }
        if any_float && call.function.expects == Expects::CounterName {
            let (name, at) = (series.labels.get(METRIC_NAME), call.first_argument);
            if self.type_and_unit_labels {
                let metric_type = series.labels.get(METRIC_TYPE);
                self.notes.counter_label(name, metric_type, at);
            } else {
                self.notes.counter(name, at);
            }
        }
        Ok(cells)
    }

    /// What the function gives for the floats in a window, if there are any.
    fn float_value(
        &self,
        call: &WindowCall,
        function: &mut dyn WindowFunction,
        part: &Part<'_>,
        step: usize,
        parameters: [f64; 2],
    ) -> Option<f64> {
        if !part.has_floats() {
            return None;
        }
        let (times, range) = (&part.series.timestamps_ms, (part.start_ms, part.end_ms));
        let Edges { first, end } = match call.range.edges {
            RangeEdges::Plain => Edges {
                first: part.floats.0,
                end: part.floats.1,
            },
            edges => Edges::find(times, part.floats, range, edges == RangeEdges::Smoothed)?,
        };
        function.value(&Window {
            all_timestamps_ms: times,
            all_values: &part.series.values,
            first,
            end,
            start_ms: part.start_ms,
            end_ms: part.end_ms,
            time_ms: self.grid.time_ms(step),
            parameters,
            patience: Patience::of(self.limits),
        })
    }

    fn check_parameters(&self, call: &WindowCall, parameters: [f64; 2]) -> Result<(), Error> {
        match call.function.expects {
            Expects::Nothing | Expects::CounterName => Ok(()),
            Expects::Quantile => {
                self.notes.quantile(parameters[0], call.first_argument);
                Ok(())
            }
            Expects::Factors => check_factors(parameters)
                .map_err(|message| Error::new(ErrorKind::Execution, message)),
        }
    }

    /// The value of a window that has histograms; `float` is that of its floats alone.
    fn over_histograms(&self, call: &WindowCall, part: &Part<'_>, float: Option<f64>) -> Cell {
        let span = call.first_argument;
        let rate = |is_counter, per_second: bool| Rate {
            is_counter,
            range_ms: per_second.then_some(call.range.range_ms),
            span,
        };
        let edges = call.range.edges;
        if edges != RangeEdges::Plain {
            let smoothed = edges == RangeEdges::Smoothed;
            let to_edges = |rate| self.rate_to_edges(part, &rate, smoothed);
            return match call.function.name {
                "rate" => to_edges(rate(true, true)),
                "increase" => to_edges(rate(true, false)),
                "delta" => to_edges(rate(false, false)),
                name => part.since_anchor().map_or(Cell::Absent, |part| match name {
                    "changes" => part.changes(),
                    _ => part.resets(),
                }),
            };
        }
        match call.function.name {
            "rate" => self.extrapolated(part, &rate(true, true)),
            "increase" => self.extrapolated(part, &rate(true, false)),
            "delta" => self.extrapolated(part, &rate(false, false)),
            "irate" | "idelta" => {
                let is_rate = call.function.name == "irate";
                self.last_two(part, float, is_rate, span)
            }
            "sum_over_time" => self.total_over_time(part, false, span),
            "avg_over_time" => self.total_over_time(part, true, span),
            "count_over_time" => {
                let count = part.float_times().len() + part.histograms.len();
                Cell::Float(count as f64)
            }
            "present_over_time" => Cell::Float(1.0),
            "last_over_time" => part.last(),
            "first_over_time" => part.first(),
            "ts_of_last_over_time" => part.time(true),
            "ts_of_first_over_time" => part.time(false),
            "changes" => part.changes(),
            "resets" => part.resets(),
            _ => {
                if part.has_floats() {
                    self.notes.ignored_in_range(part.metric_name(), span);
                }
                float.map_or(Cell::Absent, Cell::Float)
            }
        }
    }

    /// 1 at each step at which no window holds a sample.
    pub(super) fn absent_over_time_mixed(
        &self,
        range: &'e RangeNode,
        labels: &Labels,
    ) -> Result<Mixed<'e>, Error> {
        let (input, times) = self.open_mixed_range(range)?;
        let mut column = Loan::new(self.limits);
        column.add(self.grid.count, bytes_of::<f64>(self.grid.count))?;
        let mut values = vec![1.0; self.grid.count];
        for series in 0..input.len() {
            self.limits.check()?;
            let series = self.read_mixed(&input, series)?;
            for (step, value) in values.iter_mut().enumerate() {
                let part = series.part(times.window(step), times.window(step));
                if part.has_floats() || !part.histograms.is_empty() {
                    *value = crate::eval::column::ABSENT;
                }
            }
        }
        let mut rows = Rows::none(self.limits);
        rows.add(|| labels.clone(), false, 0, &values)?;
        of_rows(rows, self.grid.count, self.limits)
    }

    /// The samples of a range vector at the one moment of an instant query.
    pub(super) fn raw_with_histograms(
        &self,
        range: &'e RangeNode,
    ) -> Result<Held<'e, Vec<RangeSeries>>, Error> {
        let (input, times) = self.open_mixed_range(range)?;
        let mut all = Vec::new();
        let mut all_loan = Loan::new(self.limits);
        for series in 0..input.len() {
            self.limits.check()?;
            let (series, mut loan) = self.read_mixed(&input, series)?.into_parts();
            if range.edges != RangeEdges::Plain {
                return Err(unsupported("anchored and smoothed ranges"));
            }
            let part = series.part(times.window(0), times.window(0));
            if !part.has_floats() && part.histograms.is_empty() {
                continue;
            }
            let samples = 2 * part.float_times().len();
            let histograms = bytes_of::<HistogramPoint>(part.histograms.len());
            loan.add(
                samples,
                SERIES_BYTES + bytes_of::<f64>(samples) + histograms,
            )?;
            loan.add(0, series.labels.heap_bytes())?;
            all.push(RangeSeries {
                labels: if series.drop_name {
                    series.labels.without_metadata()
                } else {
                    series.labels.clone()
                },
                timestamps_ms: part.float_times().to_vec(),
                values: part.float_values().to_vec(),
                histograms: part.histograms.to_vec(),
            });
            // The histograms are those that were read.
            all_loan.absorb(loan);
        }
        Ok(Held::new(all, all_loan))
    }
}

/// A cell of a subquery: some samples between its steps may be missing, and others stand there
/// twice, so that nothing is known of resets. Whether it is another histogram for that.
fn without_hint(cell: &Cell) -> (Cell, bool) {
    let mut cell = cell.clone();
    if let Cell::Histogram(histogram) = &mut cell
        && matches!(histogram.reset_hint, ResetHint::Reset | ResetHint::NoReset)
    {
        Arc::make_mut(histogram).reset_hint = ResetHint::Unknown;
        return (cell, true);
    }
    (cell, false)
}

impl Input<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Stored(set) => set.len(),
            Self::Made(rows, _) => rows.len(),
        }
    }
}
