//! Evaluation of a plan, a series over all steps at once.
//!
//! A node whose value for a series depends on that series alone is a [`stream::Stream`]: rows
//! pass through it one by one, from the source to whoever gathers them, so that an aggregation
//! of a million series holds its groups and no more. Every other node gathers its children's
//! rows, and yields rows of its own.

mod aggregate;
mod binary;
pub(crate) mod column;
pub(crate) mod grid;
mod histogram;
mod info;
mod label;
mod note;
mod raw;
pub(crate) mod rows;
mod scalar;
mod selector;
mod sort;
mod stream;
mod window;

pub(crate) use grid::Grid;
pub(crate) use note::Notes;

use self::column::{ABSENT, is_absent, present_range};
use self::rows::{Cells, Row, RowLabels, cells};
use self::stream::Stream;
use crate::limits::Limits;
use crate::plan::{RangeNode, VectorNode};
use crate::source::View;
use crate::{Error, Labels};

/// What evaluates the nodes of one query over one grid.
#[derive(Clone, Copy)]
pub(crate) struct Evaluator<'e> {
    pub(crate) view: &'e dyn View,
    pub(crate) grid: Grid,
    pub(crate) limits: &'e Limits<'e>,
    pub(crate) notes: &'e Notes<'e>,
    /// How old a sample may be and still count, in milliseconds.
    pub(crate) lookback_ms: i64,
    /// Drop metadata labels at the end of the query rather than where a value changes its
    /// meaning.
    pub(crate) delayed_name_removal: bool,
    /// Tell by the label `__type__` whether a metric is a counter.
    pub(crate) type_and_unit_labels: bool,
}

/// Who gets the rows of a stream.
pub(crate) type Sink<'s> = dyn for<'r> FnMut(RowLabels<'r>, Cells<'r>) -> Result<(), Error> + 's;

impl<'e> Evaluator<'e> {
    /// The rows of a vector. They count as held until what asks for them is done.
    pub(crate) fn vector(&self, node: &'e VectorNode) -> Result<Vec<Row>, Error> {
        let held = self.limits.held();
        let stream = self.open(node)?;
        let rows = self.gather(stream)?;
        self.limits.release_to(held, cells(&rows));
        Ok(rows)
    }

    /// The rows of a stream that have a value.
    fn gather(&self, stream: Stream<'e>) -> Result<Vec<Row>, Error> {
        let stream = match stream {
            Stream::Made(rows) => return Ok(rows),
            stream => stream,
        };
        let mut rows = Vec::new();
        stream.run(self, &mut |labels, cells| {
            let range = present_range(cells.values);
            if !range.is_empty() {
                self.limits.hold(range.len())?;
                rows.push(Row {
                    labels: labels.to_labels(),
                    drop_name: labels.drop_name,
                    first: cells.first + range.start,
                    values: cells.values[range].to_vec(),
                });
            }
            Ok(())
        })?;
        Ok(rows)
    }

    /// Makes ready to stream the rows of a vector; what cannot be streamed is evaluated here.
    fn open(&self, node: &'e VectorNode) -> Result<Stream<'e>, Error> {
        self.limits.check()?;
        match node {
            VectorNode::Select(selector) => self.open_selector(selector, false),
            VectorNode::TimestampOf(selector) => {
                let times = self.open_selector(selector, true)?;
                self.without_metadata(times, stream::Transform::None)
            }
            VectorNode::Window(call) => self.open_window(call),
            VectorNode::Map {
                child,
                function,
                parameters,
            } => {
                let parameters = parameters
                    .iter()
                    .map(|parameter| self.scalar(parameter))
                    .collect::<Result<_, _>>()?;
                let child = self.open(child)?;
                let transform = stream::Transform::Function {
                    function: *function,
                    parameters,
                };
                self.without_metadata(child, transform)
            }
            VectorNode::Chain(chain) => self.open_chain(chain),
            VectorNode::Once(child) => self.made(|| self.once(child)),
            VectorNode::Aggregate(node) => self.made(|| self.aggregate(node)),
            VectorNode::Absent { child, labels } => self.made(|| self.absent(child, labels)),
            VectorNode::AbsentOverTime { range, labels } => {
                self.made(|| self.absent_over_time(range, labels))
            }
            VectorNode::FromScalar(scalar) => self.made(|| {
                let values = self.scalar(scalar)?;
                let row = Row::trimmed(Labels::default(), 0, &values);
                Ok(row.into_iter().collect())
            }),
            VectorNode::LabelReplace(node) => self.made(|| self.label_replace(node)),
            VectorNode::LabelJoin(node) => self.made(|| self.label_join(node)),
            VectorNode::Sort {
                child,
                by,
                descending,
                span,
            } => self.made(|| self.sort(child, by, *descending, *span)),
            VectorNode::Histogram(node) => self.made(|| self.histogram(node)),
            VectorNode::Info(node) => self.made(|| self.info(node)),
        }
    }

    /// A stream of rows made here: they are what is held when that is done.
    fn made(&self, make: impl FnOnce() -> Result<Vec<Row>, Error>) -> Result<Stream<'e>, Error> {
        let held = self.limits.held();
        let rows = make()?;
        self.limits.release_to(held, cells(&rows));
        Ok(Stream::Made(rows))
    }

    /// The same evaluator for the first step alone.
    fn at_first_step(&self) -> Self {
        Self {
            grid: self.grid.first_step(),
            ..*self
        }
    }

    /// Evaluates a vector at the first step and repeats it at the others.
    fn once(&self, child: &'e VectorNode) -> Result<Vec<Row>, Error> {
        let mut rows = self.at_first_step().vector(child)?;
        for row in &mut rows {
            self.limits.hold(self.grid.count - 1)?;
            let value = row.values.first().copied().unwrap_or(ABSENT);
            row.values.resize(self.grid.count, value);
        }
        Ok(rows)
    }

    /// 1 at each step at which a vector is empty.
    fn absent(&self, child: &'e VectorNode, labels: &Labels) -> Result<Vec<Row>, Error> {
        let stream = self.open(child)?;
        self.steps_without(labels, |sink| stream.run(self, sink))
    }

    /// 1 at each step at which no window holds a sample.
    fn absent_over_time(&self, range: &'e RangeNode, labels: &Labels) -> Result<Vec<Row>, Error> {
        let stream = self.open_windows(range)?;
        self.steps_without(labels, |sink| stream.run(self, sink))
    }

    fn steps_without(
        &self,
        labels: &Labels,
        run: impl FnOnce(&mut Sink<'_>) -> Result<(), Error>,
    ) -> Result<Vec<Row>, Error> {
        self.limits.room_for(self.grid.count)?;
        let mut values = vec![1.0; self.grid.count];
        run(&mut |_, cells| {
            for (step, &value) in (cells.first..).zip(&*cells.values) {
                if !is_absent(value) {
                    values[step] = ABSENT;
                }
            }
            Ok(())
        })?;
        Ok(Row::trimmed(labels.clone(), 0, &values)
            .into_iter()
            .collect())
    }
}
