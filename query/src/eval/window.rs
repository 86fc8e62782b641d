//! Functions of the samples in a window: two places in a series that move forward.

use std::collections::HashSet;

use super::column::{ABSENT, cell};
use super::rows::{Cells, MetadataSymbols, Origin, RowLabels, same_labelset};
use super::selector::{LookTimes, Reader};
use super::stream::{Stream, unique_without_metadata};
use super::{Evaluator, Sink};
use crate::functions::{
    Expects, Implementation, Window, WindowEntry, WindowFunction, implementation,
};
use crate::labels::METRIC_NAME;
use crate::parse::ast::Span;
use crate::plan::{RangeSelector, WindowCall};
use crate::source::{Matcher, SeriesSet, Symbol};
use crate::{Error, ErrorKind};

/// The series of a range selector and what is computed of their windows.
pub(super) struct Windows<'e> {
    set: Box<dyn SeriesSet + 'e>,
    times: LookTimes,
    matchers: &'e [Matcher],
    function: &'static WindowEntry,
    /// A column over all steps for each parameter.
    parameters: Vec<Vec<f64>>,
    /// Where the first argument stands.
    first_argument: Span,
}

impl<'e> Evaluator<'e> {
    /// Series and windows of a range selector.
    pub(super) fn select_windows(
        &self,
        range: &'e RangeSelector,
    ) -> Result<(Box<dyn SeriesSet + 'e>, LookTimes), Error> {
        self.select(&range.selector, range.range_ms)
    }

    pub(super) fn open_window(&self, call: &'e WindowCall) -> Result<Stream<'e>, Error> {
        let parameters = call
            .parameters
            .iter()
            .map(|parameter| self.scalar(parameter))
            .collect::<Result<_, _>>()?;
        let (set, times) = self.select_windows(&call.range)?;
        Ok(Stream::Windows(Windows {
            set,
            times,
            matchers: &call.range.selector.matchers,
            function: call.function,
            parameters,
            first_argument: call.first_argument,
        }))
    }

    /// 1 for each window with a sample. Series may have the same labels here: they are not
    /// told apart.
    pub(super) fn open_windows(&self, range: &'e RangeSelector) -> Result<Stream<'e>, Error> {
        let Some(Implementation::Window(function)) = implementation("last_over_time") else {
            return Err(Error::new(ErrorKind::Execution, "no function of windows"));
        };
        let (set, times) = self.select_windows(range)?;
        Ok(Stream::Windows(Windows {
            set,
            times,
            matchers: &range.selector.matchers,
            function,
            parameters: Vec::new(),
            first_argument: range.span,
        }))
    }
}

impl Windows<'_> {
    /// Whether rows differ without their metadata labels.
    pub(super) fn unique_without_metadata(&self) -> bool {
        !self.function.keeps_metadata || unique_without_metadata(&*self.set, self.matchers)
    }

    pub(super) fn run(self, evaluator: &Evaluator<'_>, sink: &mut Sink<'_>) -> Result<(), Error> {
        let count = evaluator.grid.count;
        evaluator.limits.room_for(count)?;
        let drops_metadata = !self.function.keeps_metadata;
        let delayed = evaluator.delayed_name_removal;
        let mut unique =
            (drops_metadata && !delayed && !unique_without_metadata(&*self.set, self.matchers))
                .then(|| UniqueLabels::new(&*self.set));
        let mut counters = CounterNames::new(&self);
        let mut function = (self.function.make)();
        let mut reader = Reader::default();
        let mut values = vec![ABSENT; count];
        for series in 0..self.set.len() {
            evaluator.limits.check()?;
            reader.read_without_stale(&*self.set, series, evaluator.limits)?;
            if !self.compute(evaluator, &reader, &mut *function, &mut values) {
                continue;
            }
            if let Some(unique) = &mut unique {
                unique.add(&*self.set, series)?;
            }
            counters.add(&self, series, evaluator);
            let labels = RowLabels {
                origin: Origin::Stored(&*self.set, series),
                without_metadata: drops_metadata && !delayed,
                drop_name: drops_metadata && delayed,
            };
            let cells = Cells {
                first: 0,
                values: &mut values,
            };
            sink(labels, cells)?;
        }
        Ok(())
    }

    /// Fills `values` for one series; whether there is any.
    fn compute(
        &self,
        evaluator: &Evaluator<'_>,
        reader: &Reader,
        function: &mut dyn WindowFunction,
        values: &mut [f64],
    ) -> bool {
        let (timestamps_ms, samples) = (&reader.timestamps_ms, &reader.values);
        function.begin(samples);
        let (mut first, mut end, mut any) = (0, 0, false);
        // The parameter that was looked at last; a function without a quantile has 0 there.
        let mut noted = (self.function.expects != Expects::Quantile).then_some(0);
        for (step, value) in values.iter_mut().enumerate() {
            let (start_ms, end_ms) = self.times.window(step);
            while timestamps_ms.get(end).is_some_and(|&at| at <= end_ms) {
                end += 1;
            }
            while first < end && timestamps_ms[first] <= start_ms {
                first += 1;
            }
            *value = ABSENT;
            if first == end {
                continue;
            }
            let parameter = |which: usize| {
                let column = self.parameters.get(which);
                column.map_or(0.0, |column| column[step])
            };
            let computed = function.value(&Window {
                all_timestamps_ms: timestamps_ms,
                all_values: samples,
                first,
                end,
                start_ms,
                end_ms,
                time_ms: evaluator.grid.time_ms(step),
                parameters: [parameter(0), parameter(1)],
            });
            if noted != Some(parameter(0).to_bits()) {
                noted = Some(parameter(0).to_bits());
                evaluator.notes.quantile(parameter(0), self.first_argument);
            }
            if let Some(computed) = computed {
                *value = cell(computed);
                any = true;
            }
        }
        any
    }
}

/// Finds two series that differ in nothing but metadata labels.
struct UniqueLabels {
    metadata: MetadataSymbols,
    seen: HashSet<Box<[(Symbol, Symbol)]>>,
    labels: Vec<(Symbol, Symbol)>,
}

impl UniqueLabels {
    fn new(set: &dyn SeriesSet) -> Self {
        Self {
            metadata: MetadataSymbols::of(set),
            seen: HashSet::new(),
            labels: Vec::new(),
        }
    }

    fn add(&mut self, set: &dyn SeriesSet, series: usize) -> Result<(), Error> {
        set.label_symbols(series, &mut self.labels);
        self.labels
            .retain(|(name, _)| !self.metadata.contains(*name));
        if self.seen.insert(self.labels.as_slice().into()) {
            Ok(())
        } else {
            Err(same_labelset())
        }
    }
}

/// Notes metrics that `rate` and `increase` are used on and that are not named as counters.
struct CounterNames {
    /// The symbol of the metric name label, where names are of interest.
    name: Option<Symbol>,
    seen: HashSet<Symbol>,
    labels: Vec<(Symbol, Symbol)>,
}

impl CounterNames {
    fn new(windows: &Windows<'_>) -> Self {
        let wanted = windows.function.expects == Expects::CounterName;
        Self {
            name: wanted.then(|| windows.set.symbol(METRIC_NAME)).flatten(),
            seen: HashSet::new(),
            labels: Vec::new(),
        }
    }

    fn add(&mut self, windows: &Windows<'_>, series: usize, evaluator: &Evaluator<'_>) {
        let Some(name) = self.name else { return };
        windows.set.label_symbols(series, &mut self.labels);
        let value = self.labels.iter().find(|label| label.0 == name);
        if let Some(&(_, value)) = value
            && self.seen.insert(value)
        {
            let labels = windows.set.labels(series);
            evaluator
                .notes
                .counter(labels.get(METRIC_NAME), windows.first_argument);
        }
    }
}
