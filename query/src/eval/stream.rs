//! Rows on their way: nodes whose value for a series depends on that series alone.

use super::binary::arithmetic;
use std::sync::Arc;

use super::column::{ABSENT, is_present};
use super::crew::{self, Compute};
use super::rows::{Cells, MetadataSymbols, Origin, Row, RowLabels, Rows, merge_same_labels};
use super::selector::{LookTimes, Reader, StoredSeries};
use super::stats::{self, Counts};
use super::trace::Traced;
use super::window::Windows;
use super::{Evaluator, Sink};
use crate::Error;
use crate::functions::ColumnFunction;
use crate::labels::METRIC_NAME;
use crate::limits::{Held, Limits};
use crate::parse::ast::BinaryOp;
use crate::source::{MatchOp, Matcher, SeriesSet};

/// Rows that can be asked for once, one after the other.
pub(super) enum Stream<'e> {
    /// Of an instant vector selector.
    Select(Selected<'e>),
    /// Of a function of windows.
    Windows(Windows<'e>),
    /// Of another stream, their values changed.
    Map(Box<Mapped<'e>>),
    /// Of an operation that has made them already.
    Made(Rows<'e>),
    /// The same, kept for others that ask for them too.
    Kept(Arc<Vec<Row>>),
    /// Another one, its rows counted.
    Traced(Box<Traced<'e>>),
}

/// The series of a selector.
pub(super) struct Selected<'e> {
    pub(super) set: StoredSeries<'e>,
    pub(super) times: LookTimes,
    pub(super) matchers: &'e [Matcher],
    pub(super) yields: Yields,
}

/// What the value of a selector is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Yields {
    /// That of the sample.
    Values,
    /// The time of the sample.
    Times,
    /// That on the line between samples.
    Smoothed,
}

pub(super) struct Mapped<'e> {
    child: Stream<'e>,
    transform: Transform<'e>,
    /// The values mean something else now.
    drops_metadata: bool,
}

/// What becomes of the values of a row.
pub(super) enum Transform<'e> {
    None,
    Function {
        function: ColumnFunction,
        /// A column over all steps for each parameter.
        parameters: Vec<Held<'e, Vec<f64>>>,
    },
    Operator {
        op: BinaryOp,
        scalar: Held<'e, Vec<f64>>,
        scalar_left: bool,
        return_bool: bool,
    },
}

impl Transform<'_> {
    fn apply(&self, first: usize, values: &mut [f64]) {
        let end = first + values.len();
        match self {
            Self::None => {}
            Self::Function {
                function,
                parameters,
            } => match parameters.as_slice() {
                [] => function(values, &[]),
                [one] => function(values, &[&one[first..end]]),
                [one, two, ..] => function(values, &[&one[first..end], &two[first..end]]),
            },
            Self::Operator {
                op,
                scalar,
                scalar_left,
                return_bool,
            } => {
                let scalar = &scalar[first..end];
                arithmetic::with_scalar(*op, values, scalar, *scalar_left, *return_bool);
            }
        }
    }
}

/// Whether no two series that matchers select differ in nothing but metadata labels.
pub(super) fn unique_without_metadata(set: &dyn SeriesSet, matchers: &[Matcher]) -> bool {
    let one_name = |matcher: &Matcher| matcher.name == METRIC_NAME && matcher.op == MatchOp::Equal;
    matchers.iter().any(one_name) && !MetadataSymbols::of(set).beyond_name()
}

impl<'e> Stream<'e> {
    /// Whether rows differ without their metadata labels.
    fn unique_without_metadata(&self) -> bool {
        match self {
            Self::Select(selected) => unique_without_metadata(&**selected.set, selected.matchers),
            Self::Windows(windows) => windows.unique_without_metadata(),
            Self::Map(mapped) => mapped.drops_metadata || mapped.child.unique_without_metadata(),
            Self::Made(_) | Self::Kept(_) => false,
            Self::Traced(traced) => traced.stream.unique_without_metadata(),
        }
    }

    /// Gives each row to `sink`, in order; some may have no value present.
    pub(super) fn run(self, evaluator: &Evaluator<'e>, sink: &mut Sink<'_>) -> Result<(), Error> {
        match self {
            Self::Select(selected) => selected.run(evaluator, sink),
            Self::Windows(windows) => windows.run(evaluator, sink),
            Self::Map(mapped) => mapped.run(evaluator, sink),
            Self::Traced(traced) => traced.run(evaluator, sink),
            Self::Made(rows) => {
                let (rows, _loan) = rows.into_parts();
                for mut row in rows {
                    evaluator.limits.check()?;
                    let labels = RowLabels {
                        origin: Origin::Made(&row.labels),
                        without_metadata: false,
                        drop_name: row.drop_name,
                    };
                    let cells = Cells {
                        first: row.first,
                        values: &mut row.values,
                    };
                    sink(labels, cells)?;
                }
                Ok(())
            }
            Self::Kept(rows) => {
                let mut copied = evaluator.column(ABSENT)?;
                for row in rows.iter() {
                    evaluator.limits.check()?;
                    let labels = RowLabels {
                        origin: Origin::Made(&row.labels),
                        without_metadata: false,
                        drop_name: row.drop_name,
                    };
                    let values = &mut copied[..row.values.len()];
                    values.copy_from_slice(&row.values);
                    let first = row.first;
                    sink(labels, Cells { first, values })?;
                }
                Ok(())
            }
        }
    }
}

impl Selected<'_> {
    fn run(self, evaluator: &Evaluator<'_>, sink: &mut Sink<'_>) -> Result<(), Error> {
        let reading = Reading {
            selected: &self,
            limits: evaluator.limits,
            counts_wanted: evaluator.counts_wanted(),
            steps: evaluator.grid.count,
        };
        crew::in_order(
            evaluator,
            self.set.len(),
            &reading,
            &mut |series, values| {
                let labels = RowLabels {
                    origin: Origin::Stored(&**self.set, series),
                    without_metadata: false,
                    drop_name: false,
                };
                sink(labels, Cells { first: 0, values })
            },
        )
    }
}

/// Reads the series of a selector, on any thread.
struct Reading<'r> {
    selected: &'r Selected<'r>,
    limits: &'r Limits<'r>,
    counts_wanted: bool,
    steps: usize,
}

impl<'r> Compute for Reading<'r> {
    type Worker = (Reader<'r>, Held<'r, Counts>);

    fn worker(&self) -> Result<Self::Worker, Error> {
        let counts = stats::counts(self.counts_wanted, self.steps, self.limits)?;
        Ok((Reader::new(self.limits), counts))
    }

    fn compute(
        &self,
        (reader, counts): &mut Self::Worker,
        series: usize,
        values: &mut [f64],
    ) -> Result<bool, Error> {
        self.limits.check()?;
        let Selected {
            set, times, yields, ..
        } = self.selected;
        if *yields == Yields::Smoothed {
            reader.read_without_stale(&***set, series)?;
            reader.smoothed(times, values);
        } else {
            reader.read(&***set, series)?;
            reader.instants(times, *yields == Yields::Times, values)?;
        }
        if counts.wanted() {
            for (step, value) in values.iter().enumerate() {
                let present = usize::from(is_present(*value));
                counts.add(step, present, present);
            }
        }
        Ok(true)
    }

    fn done(&self, (_, counts): Self::Worker) -> Counts {
        counts.into_parts().0
    }
}

impl<'e> Mapped<'e> {
    fn run(self, evaluator: &Evaluator<'e>, sink: &mut Sink<'_>) -> Result<(), Error> {
        let Self {
            child,
            transform,
            drops_metadata,
        } = self;
        let delayed = evaluator.delayed_name_removal;
        child.run(evaluator, &mut |mut labels, cells| {
            transform.apply(cells.first, cells.values);
            labels.without_metadata |= drops_metadata && !delayed;
            labels.drop_name |= drops_metadata && delayed;
            sink(labels, cells)
        })
    }
}

impl<'e> Evaluator<'e> {
    /// A stream whose values keep their meaning.
    pub(super) fn with_metadata(&self, child: Stream<'e>, transform: Transform<'e>) -> Stream<'e> {
        Stream::Map(Box::new(Mapped {
            child,
            transform,
            drops_metadata: false,
        }))
    }

    /// A stream whose values mean something else, so that rows lose their metadata labels.
    /// Where two rows may then have the same labels, they are brought together here.
    pub(super) fn without_metadata(
        &self,
        child: Stream<'e>,
        transform: Transform<'e>,
    ) -> Result<Stream<'e>, Error> {
        let merge = !self.delayed_name_removal && !child.unique_without_metadata();
        let mapped = Stream::Map(Box::new(Mapped {
            child,
            transform,
            drops_metadata: true,
        }));
        if !merge {
            return Ok(mapped);
        }
        merge_same_labels(self.gather(mapped)?).map(Stream::Made)
    }
}
