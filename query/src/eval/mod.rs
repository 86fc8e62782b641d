//! Evaluation of a plan, a series over all steps at once.
//!
//! A node whose value for a series depends on that series alone is a [`stream::Stream`]: rows
//! pass through it one by one, from the source to whoever gathers them, so that an aggregation
//! of a million series holds its groups and no more. Every other node gathers its children's
//! rows, and yields rows of its own.

mod aggregate;
mod binary;
pub(crate) mod column;
mod crew;
pub(crate) mod grid;
mod histogram;
mod info;
mod keys;
mod label;
pub(crate) mod native;
mod note;
pub(crate) mod order;
pub(crate) mod raw;
pub(crate) mod rows;
mod scalar;
mod selector;
mod shared;
mod sort;
mod stats;
mod stream;
mod trace;
mod window;

pub(crate) use crew::Crew;
pub(crate) use grid::Grid;
pub(crate) use note::Notes;
pub(crate) use shared::SharedRows;
pub(crate) use stats::Stats;
pub(crate) use trace::Trace;

use self::column::{ABSENT, is_absent};
use self::native::Given;
use self::rows::{Cells, RowLabels, Rows};
use self::stream::Stream;
use crate::limits::{Held, Limits, Loan, bytes_of};
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
    pub(crate) crew: &'e Crew,
    pub(crate) stats: &'e Stats,
    pub(crate) shared: &'e SharedRows,
    /// Told what each node took, if anybody asked.
    pub(crate) trace: Option<&'e Trace>,
    /// Which counts of `stats` are those of this grid.
    pub(crate) counting: usize,
    /// How old a sample may be and still count, in milliseconds.
    pub(crate) lookback_ms: i64,
    /// Drop metadata labels at the end of the query rather than where a value changes its
    /// meaning.
    pub(crate) delayed_name_removal: bool,
    /// Tell by the label `__type__` whether a metric is a counter.
    pub(crate) type_and_unit_labels: bool,
    /// Rows that stand for nodes, where histograms are about.
    pub(crate) given: Option<&'e Given<'e>>,
    /// Histograms are told apart from resets as they are read: no more than their count and sum
    /// is asked for.
    pub(crate) tells_resets: bool,
}

/// Who gets the rows of a stream.
pub(crate) type Sink<'s> = dyn for<'r> FnMut(RowLabels<'r>, Cells<'r>) -> Result<(), Error> + 's;

impl<'e> Evaluator<'e> {
    /// The rows of a vector.
    pub(crate) fn vector(&self, node: &'e VectorNode) -> Result<Rows<'e>, Error> {
        let stream = self.open(node)?;
        self.gather(stream)
    }

    /// The rows of a stream that have a value.
    fn gather(&self, stream: Stream<'e>) -> Result<Rows<'e>, Error> {
        let stream = match stream {
            Stream::Made(rows) => return Ok(rows),
            stream => stream,
        };
        let mut rows = Rows::none(self.limits);
        stream.run(self, &mut |labels, cells| {
            let drop_name = labels.drop_name;
            rows.add(|| labels.to_labels(), drop_name, cells.first, cells.values)
        })?;
        Ok(rows)
    }

    /// Makes ready to stream the rows of a vector; what cannot be streamed is evaluated here.
    fn open(&self, node: &'e VectorNode) -> Result<Stream<'e>, Error> {
        self.limits.check()?;
        if let Some(rows) = self.given.and_then(|given| given.rows(node)) {
            return native::copied(rows, self.limits).map(Stream::Made);
        }
        match self.trace {
            None => self.open_node(node),
            Some(trace) => self.open_traced(trace, node),
        }
    }

    fn open_node(&self, node: &'e VectorNode) -> Result<Stream<'e>, Error> {
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
            VectorNode::Once(child) => self.once(child).map(Stream::Made),
            VectorNode::Aggregate(node) => self.aggregate(node).map(Stream::Made),
            VectorNode::Absent { child, labels } => self.absent(child, labels).map(Stream::Made),
            VectorNode::AbsentOverTime { range, labels } => {
                self.absent_over_time(range, labels).map(Stream::Made)
            }
            VectorNode::FromScalar(scalar) => {
                let values = self.scalar(scalar)?;
                let mut rows = Rows::none(self.limits);
                rows.add(Labels::default, false, 0, &values)?;
                Ok(Stream::Made(rows))
            }
            VectorNode::LabelReplace(node) => self.label_replace(node).map(Stream::Made),
            VectorNode::LabelJoin(node) => self.label_join(node).map(Stream::Made),
            VectorNode::Sort {
                child,
                by,
                descending,
                span,
            } => self.sort(child, by, *descending, *span).map(Stream::Made),
            VectorNode::OfHistogram { child, .. } => {
                // Floats are no histograms; whether there are others is found by looking.
                self.open(child)?.run(self, &mut |_, _| Ok(()))?;
                Ok(Stream::Made(Rows::none(self.limits)))
            }
            VectorNode::Histogram(node) => self.histogram(node).map(Stream::Made),
            VectorNode::Info(node) => self.info(node).map(Stream::Made),
            VectorNode::Shared(node) => self.open_shared(node),
        }
    }

    /// A column over all steps with the same value at each.
    fn column(&self, value: f64) -> Result<Held<'e, Vec<f64>>, Error> {
        let count = self.grid.count;
        self.limits.room_for(count)?;
        let mut loan = Loan::new(self.limits);
        loan.add(0, bytes_of::<f64>(count))?;
        Ok(Held::new(vec![value; count], loan))
    }

    /// The same evaluator for the first step alone.
    fn at_first_step(&self) -> Result<Self, Error> {
        self.over(self.grid.first_step())
    }

    /// Evaluates a vector at the first step and repeats it at the others.
    fn once(&self, child: &'e VectorNode) -> Result<Rows<'e>, Error> {
        let first = self.at_first_step()?;
        let mut all = first.vector(child)?;
        self.count_once(&first);
        let count = self.grid.count;
        let (rows, loan) = all.parts_mut();
        for row in rows.iter_mut() {
            self.limits.check()?;
            loan.add(count - 1, bytes_of::<f64>(count))?;
            let value = row.values.first().copied().unwrap_or(ABSENT);
            row.values.reserve_exact(count - 1);
            row.values.resize(count, value);
        }
        Ok(all)
    }

    /// 1 at each step at which a vector is empty.
    fn absent(&self, child: &'e VectorNode, labels: &Labels) -> Result<Rows<'e>, Error> {
        let stream = self.open(child)?;
        self.steps_without(labels, |sink| stream.run(self, sink))
    }

    /// 1 at each step at which no window holds a sample.
    fn absent_over_time(&self, range: &'e RangeNode, labels: &Labels) -> Result<Rows<'e>, Error> {
        let stream = self.open_windows(range)?;
        self.steps_without(labels, |sink| stream.run(self, sink))
    }

    fn steps_without(
        &self,
        labels: &Labels,
        run: impl FnOnce(&mut Sink<'_>) -> Result<(), Error>,
    ) -> Result<Rows<'e>, Error> {
        let mut values = self.column(1.0)?;
        run(&mut |_, cells| {
            for (step, &value) in (cells.first..).zip(&*cells.values) {
                if !is_absent(value) {
                    values[step] = ABSENT;
                }
            }
            Ok(())
        })?;
        let mut rows = Rows::none(self.limits);
        rows.add(|| labels.clone(), false, 0, &values)?;
        Ok(rows)
    }
}
