//! Functions of the samples in a window: two places in a series that move forward.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use super::column::{ABSENT, cell};
use super::crew::{self, Compute};
use super::keys::{KeyTable, key_bytes};
use super::rows::{Cells, MetadataSymbols, Origin, RowLabels, Rows, same_labelset};
use super::selector::{LookTimes, Reader, StoredSeries};
use super::stats::{self, Counts};
use super::stream::{Stream, unique_without_metadata};
use super::{Evaluator, Grid, Sink};
use crate::functions::extended::Edges;
use crate::functions::regression::check_factors;
use crate::functions::{ANY_SAMPLE, Expects, Patience, Window, WindowEntry, WindowFunction};
use crate::labels::{METRIC_NAME, METRIC_TYPE};
use crate::limits::{Held, Limits, Loan, bytes_of};
use crate::parse::ast::{RangeEdges, Span};
use crate::plan::{RangeNode, Samples, WindowCall};
use crate::source::{Matcher, Symbol};
use crate::{Error, ErrorKind, Labels};

/// The series of a range vector and what is computed of their windows.
pub(super) struct Windows<'e> {
    input: Input<'e>,
    times: LookTimes,
    edges: RangeEdges,
    function: &'static WindowEntry,
    /// A column over all steps for each parameter.
    parameters: Vec<Held<'e, Vec<f64>>>,
    /// Where the first argument stands.
    first_argument: Span,
}

/// Where the samples are.
pub(super) enum Input<'e> {
    /// In the source.
    Stored(StoredSeries<'e>, &'e [Matcher]),
    /// In rows that a subquery has made, over a grid of its own.
    Made(Rows<'e>, Grid),
}

impl Input<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Stored(set, _) => set.len(),
            Self::Made(rows, _) => rows.len(),
        }
    }

    /// Reads the samples of a series, stale markers left out.
    pub(super) fn read(&self, series: usize, reader: &mut Reader<'_>) -> Result<(), Error> {
        match self {
            Self::Stored(set, _) => reader.read_without_stale(&***set, series),
            Self::Made(rows, grid) => reader.read_row(&rows[series], grid),
        }
    }

    pub(super) fn row_labels(&self, series: usize) -> RowLabels<'_> {
        let (origin, drop_name) = match self {
            Self::Stored(set, _) => (Origin::Stored(&***set, series), false),
            Self::Made(rows, _) => {
                let row = &rows[series];
                (Origin::Made(&row.labels), row.drop_name)
            }
        };
        RowLabels {
            origin,
            without_metadata: false,
            drop_name,
        }
    }

    /// Whether no two series differ in nothing but metadata labels, as far as is known.
    fn unique_without_metadata(&self) -> bool {
        match self {
            Self::Stored(set, matchers) => unique_without_metadata(&***set, matchers),
            Self::Made(rows, _) => rows.len() < 2,
        }
    }
}

impl<'e> Evaluator<'e> {
    /// Series and windows of a range vector. The rows of a subquery are made here.
    pub(super) fn open_range(&self, range: &'e RangeNode) -> Result<(Input<'e>, LookTimes), Error> {
        let times = LookTimes::new(self.grid, range.when, range.range_ms)
            .with_edges(range.edges, self.lookback_ms);
        let input = match &range.samples {
            Samples::Stored(matchers) => Input::Stored(self.select(matchers, &times)?, matchers),
            Samples::Subquery { child, step_ms } => {
                let (start_ms, end_ms) = times.bounds();
                let start_ms = multiple_from(start_ms, *step_ms);
                let grid = Grid::range(start_ms, end_ms.max(start_ms), *step_ms);
                let rows = if start_ms <= end_ms {
                    let inner = self.over(grid)?;
                    let rows = inner.vector(child)?;
                    self.count_subquery(&inner, |step| times.window(step));
                    rows
                } else {
                    Rows::none(self.limits)
                };
                Input::Made(rows, grid)
            }
        };
        Ok((input, times))
    }

    pub(super) fn open_window(&self, call: &'e WindowCall) -> Result<Stream<'e>, Error> {
        let parameters = call
            .parameters
            .iter()
            .map(|parameter| self.scalar(parameter))
            .collect::<Result<_, _>>()?;
        let (input, times) = self.open_range(&call.range)?;
        Ok(Stream::Windows(Windows {
            input,
            times,
            edges: call.range.edges,
            function: call.function,
            parameters,
            first_argument: call.first_argument,
        }))
    }

    /// A value for each window with a sample. Series may have the same labels here: they are
    /// not told apart.
    pub(super) fn open_windows(&self, range: &'e RangeNode) -> Result<Stream<'e>, Error> {
        let (input, times) = self.open_range(range)?;
        Ok(Stream::Windows(Windows {
            input,
            times,
            edges: RangeEdges::Plain,
            function: &ANY_SAMPLE,
            parameters: Vec::new(),
            first_argument: range.span,
        }))
    }
}

/// The first multiple of `step_ms` that is not before a moment.
pub(super) fn multiple_from(time_ms: i64, step_ms: i64) -> i64 {
    let past = time_ms.rem_euclid(step_ms);
    if past == 0 {
        time_ms
    } else {
        time_ms.saturating_add(step_ms - past)
    }
}

impl<'e> Windows<'e> {
    /// Whether rows differ without their metadata labels.
    pub(super) fn unique_without_metadata(&self) -> bool {
        !self.function.keeps_metadata || self.input.unique_without_metadata()
    }

    pub(super) fn run(self, evaluator: &Evaluator<'e>, sink: &mut Sink<'_>) -> Result<(), Error> {
        let drops_metadata = !self.function.keeps_metadata;
        let delayed = evaluator.delayed_name_removal;
        let may_collide = drops_metadata && !delayed && !self.input.unique_without_metadata();
        let mut unique = may_collide.then(|| UniqueLabels::new(evaluator));
        let mut counters = CounterNames::new(&self);
        let sliding = Sliding {
            windows: &self,
            grid: evaluator.grid,
            limits: evaluator.limits,
            counts_wanted: evaluator.counts_wanted(),
            odd_steps: self.odd_steps(evaluator)?,
        };
        crew::in_order(
            evaluator,
            self.input.len(),
            &sliding,
            &mut |series, values| {
                let mut labels = self.input.row_labels(series);
                if let Some(unique) = &mut unique {
                    unique.add(labels)?;
                }
                counters.add(labels, &self, evaluator);
                labels.without_metadata = drops_metadata && !delayed;
                labels.drop_name |= drops_metadata && delayed;
                sink(labels, Cells { first: 0, values })
            },
        )?;
        for (step, met) in sliding.odd_steps.iter().enumerate() {
            if met.load(Ordering::Relaxed) {
                let [quantile, _] = self.parameters_at(step);
                evaluator.notes.quantile(quantile, self.first_argument);
            }
        }
        Ok(())
    }

    /// The function's parameters at a step, 0 where it has fewer.
    fn parameters_at(&self, step: usize) -> [f64; 2] {
        let parameter = |which: usize| {
            let column = self.parameters.get(which);
            column.map_or(0.0, |column| column[step])
        };
        [parameter(0), parameter(1)]
    }

    /// Where parameters are not what they should be, a place for each step to say that there is
    /// a window; else none.
    fn odd_steps(&self, evaluator: &Evaluator<'e>) -> Result<Held<'e, Vec<AtomicBool>>, Error> {
        let steps = evaluator.grid.count;
        let mut loan = Loan::new(evaluator.limits);
        let mut marks = Vec::new();
        if self.parameters.iter().any(|column| !self.are_fine(column)) {
            loan.add(0, bytes_of::<AtomicBool>(steps))?;
            marks.resize_with(steps, AtomicBool::default);
        }
        Ok(Held::new(marks, loan))
    }

    /// Whether the function takes these as a parameter without a word.
    fn are_fine(&self, parameters: &[f64]) -> bool {
        let fine = |value: &f64| match self.function.expects {
            Expects::Nothing | Expects::CounterName => true,
            Expects::Quantile => (0.0..=1.0).contains(value),
            Expects::Factors => check_factors([*value, 0.5]).is_ok(),
        };
        parameters.iter().all(fine)
    }

    /// Which of the samples within reach of a step count, if any does.
    fn counting(
        &self,
        timestamps_ms: &[i64],
        (first, end): (usize, usize),
        range: (i64, i64),
    ) -> Option<Edges> {
        match self.edges {
            RangeEdges::Plain => (first < end).then_some(Edges { first, end }),
            edges => {
                let smoothed = edges == RangeEdges::Smoothed;
                Edges::find(timestamps_ms, (first, end), range, smoothed)
            }
        }
    }
}

/// Moves windows over the samples of series, on any thread.
struct Sliding<'s> {
    windows: &'s Windows<'s>,
    grid: Grid,
    limits: &'s Limits<'s>,
    counts_wanted: bool,
    /// Where parameters are not what they should be: at which steps there is a window.
    odd_steps: Held<'s, Vec<AtomicBool>>,
}

impl Sliding<'_> {
    /// Looks at the parameters of a step at which there is a window.
    fn check(&self, step: usize) -> Result<(), Error> {
        let Some(met) = self.odd_steps.get(step) else {
            return Ok(());
        };
        met.store(true, Ordering::Relaxed);
        if self.windows.function.expects == Expects::Factors {
            return check_factors(self.windows.parameters_at(step))
                .map_err(|message| Error::new(ErrorKind::Execution, message));
        }
        Ok(())
    }
}

/// What a thread keeps from one series to the next.
struct Slider<'s> {
    reader: Reader<'s>,
    function: Box<dyn WindowFunction>,
    /// What the function keeps of a series: a number or two for each sample at most.
    kept: Loan<'s>,
    counts: Held<'s, Counts>,
}

impl<'s> Compute for Sliding<'s> {
    type Worker = Slider<'s>;

    fn worker(&self) -> Result<Slider<'s>, Error> {
        Ok(Slider {
            reader: Reader::new(self.limits),
            function: (self.windows.function.make)(),
            kept: Loan::new(self.limits),
            counts: stats::counts(self.counts_wanted, self.grid.count, self.limits)?,
        })
    }

    fn compute(
        &self,
        slider: &mut Slider<'s>,
        series: usize,
        values: &mut [f64],
    ) -> Result<bool, Error> {
        self.limits.check()?;
        self.windows.input.read(series, &mut slider.reader)?;
        let Slider {
            reader,
            function,
            kept,
            counts,
        } = slider;
        let (timestamps_ms, samples) = (&reader.timestamps_ms, &reader.values);
        kept.grow_to(2 * bytes_of::<f64>(samples.len()))?;
        let patience = Patience::of(self.limits);
        function.begin(samples, patience);
        let (mut first, mut end, mut any, mut work) = (0, 0, false, 0);
        let times = &self.windows.times;
        for (step, value) in values.iter_mut().enumerate() {
            let before = end;
            let range = times.window(step);
            let (from_ms, to_ms) = times.widened(range);
            while timestamps_ms.get(end).is_some_and(|&at| at <= to_ms) {
                end += 1;
            }
            while first < end && timestamps_ms[first] <= from_ms {
                first += 1;
            }
            *value = ABSENT;
            if counts.wanted() {
                let new = match self.windows.input {
                    Input::Stored(..) => end - before.max(first),
                    // Counted where they were read.
                    Input::Made(..) => 0,
                };
                counts.add(step, end - first, new);
            }
            let Some(edges) = self.windows.counting(timestamps_ms, (first, end), range) else {
                continue;
            };
            self.limits
                .check_work(&mut work, edges.end - edges.first + 1)?;
            self.check(step)?;
            let computed = function.value(&Window {
                all_timestamps_ms: timestamps_ms,
                all_values: samples,
                first: edges.first,
                end: edges.end,
                start_ms: range.0,
                end_ms: range.1,
                time_ms: self.grid.time_ms(step),
                parameters: self.windows.parameters_at(step),
                patience,
            });
            if let Some(computed) = computed {
                *value = cell(computed);
                any = true;
            }
        }
        Ok(any)
    }

    fn done(&self, slider: Slider<'s>) -> Counts {
        slider.counts.into_parts().0
    }
}

/// What an entry of a set takes: tables have room for as many again.
const ENTRY_BYTES: usize = key_bytes::<Labels>();

/// Finds two series that differ in nothing but metadata labels.
struct UniqueLabels<'l> {
    metadata: Option<MetadataSymbols>,
    stored: KeyTable<'l, Box<[(Symbol, Symbol)]>>,
    made: KeyTable<'l, Labels>,
    row: Vec<(Symbol, Symbol)>,
    loan: Loan<'l>,
}

impl<'l> UniqueLabels<'l> {
    fn new(evaluator: &Evaluator<'l>) -> Self {
        Self {
            metadata: None,
            stored: KeyTable::new(evaluator.limits),
            made: KeyTable::new(evaluator.limits),
            row: Vec::new(),
            loan: Loan::new(evaluator.limits),
        }
    }

    fn add(&mut self, labels: RowLabels<'_>) -> Result<(), Error> {
        // A key is known by the number of those before it.
        let is_new = match labels.origin {
            Origin::Stored(set, series) => {
                let metadata = self
                    .metadata
                    .get_or_insert_with(|| MetadataSymbols::of(set));
                set.label_symbols(series, &mut self.row);
                self.row.retain(|(name, _)| !metadata.contains(*name));
                let bytes = ENTRY_BYTES + bytes_of::<[Symbol; 2]>(self.row.len());
                self.loan.add(0, bytes)?;
                let next = self.stored.len();
                self.stored.get_or_insert(self.row.as_slice().into(), next) == next
            }
            Origin::Made(labels) => {
                let labels = labels.without_metadata();
                self.loan.add(0, ENTRY_BYTES + labels.heap_bytes())?;
                let next = self.made.len();
                self.made.get_or_insert(labels, next) == next
            }
        };
        if is_new { Ok(()) } else { Err(same_labelset()) }
    }
}

/// Notes metrics that `rate` and `increase` are used on and that are not named as counters.
struct CounterNames {
    wanted: bool,
    /// The symbols of the labels for the metric's name and type.
    labels: [Option<Symbol>; 2],
    seen: HashSet<[Option<Symbol>; 2]>,
    row: Vec<(Symbol, Symbol)>,
}

impl CounterNames {
    fn new(windows: &Windows<'_>) -> Self {
        Self {
            wanted: windows.function.expects == Expects::CounterName,
            labels: match &windows.input {
                Input::Stored(set, _) => [METRIC_NAME, METRIC_TYPE].map(|name| set.symbol(name)),
                Input::Made(..) => [None; 2],
            },
            seen: HashSet::new(),
            row: Vec::new(),
        }
    }

    fn add(&mut self, labels: RowLabels<'_>, windows: &Windows<'_>, evaluator: &Evaluator<'_>) {
        if !self.wanted {
            return;
        }
        let note = |labels: &Labels| {
            let (name, at) = (labels.get(METRIC_NAME), windows.first_argument);
            if evaluator.type_and_unit_labels {
                let metric_type = labels.get(METRIC_TYPE);
                evaluator.notes.counter_label(name, metric_type, at);
            } else {
                evaluator.notes.counter(name, at);
            }
        };
        match labels.origin {
            Origin::Made(labels) => note(labels),
            // A name and type is looked at as strings but once.
            Origin::Stored(set, series) => {
                set.label_symbols(series, &mut self.row);
                let value = |wanted: Option<Symbol>| {
                    let label = self.row.iter().find(|label| Some(label.0) == wanted);
                    label.map(|label| label.1)
                };
                let key = self.labels.map(value);
                if self.seen.insert(key) {
                    note(&set.labels(series));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subqueries_begin_at_a_multiple_of_their_step() {
        assert_eq!(multiple_from(61, 60), 120);
        assert_eq!(multiple_from(120, 60), 120);
        assert_eq!(multiple_from(-61, 60), -60);
        assert_eq!(multiple_from(-60, 60), -60);
    }
}
