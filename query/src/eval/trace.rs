//! What each node of a plan took, for those who ask.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use super::rows::{Cells, RowLabels, Rows};
use super::stream::Stream;
use super::{Evaluator, Sink};
use crate::plan::VectorNode;
use crate::stats::PlanNode;
use crate::{Error, eval::column::is_present};

/// The nodes that were opened, each behind the one it is part of.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    nodes: RefCell<Vec<(Option<usize>, PlanNode)>>,
    /// The one that is being opened.
    current: Cell<Option<usize>>,
}

impl Trace {
    /// The whole: what the query asked for, and what that asked for.
    pub(crate) fn take(&self) -> Vec<PlanNode> {
        let mut roots = Vec::new();
        // From behind, every node has all of its children before it is given to its parent.
        let mut nodes = std::mem::take(&mut *self.nodes.borrow_mut());
        while let Some((parent, mut node)) = nodes.pop() {
            node.children.reverse();
            match parent.and_then(|parent| nodes.get_mut(parent)) {
                Some((_, parent)) => parent.children.push(node),
                None => roots.push(node),
            }
        }
        roots.reverse();
        roots
    }

    fn begin(&self, operation: String) -> usize {
        let mut nodes = self.nodes.borrow_mut();
        let node = PlanNode {
            operation,
            ..PlanNode::default()
        };
        nodes.push((self.current.get(), node));
        self.current.set(Some(nodes.len() - 1));
        nodes.len() - 1
    }

    fn change(&self, id: usize, change: impl FnOnce(&mut PlanNode)) {
        if let Some((_, node)) = self.nodes.borrow_mut().get_mut(id) {
            change(node);
        }
    }

    fn made(&self, id: usize, rows: &Rows<'_>) {
        let present = rows.iter().map(|row| row.present().count() as u64);
        let samples = present.sum::<u64>();
        self.change(id, |node| {
            node.series += rows.len() as u64;
            node.samples += samples;
            node.bytes += rows.bytes();
        });
    }
}

impl<'e> Evaluator<'e> {
    /// Opens a node and tells of it.
    pub(super) fn open_traced(
        &self,
        trace: &'e Trace,
        node: &'e VectorNode,
    ) -> Result<Stream<'e>, Error> {
        let around = trace.current.get();
        let id = trace.begin(node.describe());
        let (began, read) = (Instant::now(), self.limits.samples_read());
        let stream = self.open_node(node);
        trace.current.set(around);
        trace.change(id, |node| {
            node.time += began.elapsed();
            node.samples_read += self.limits.samples_read() - read;
        });
        match stream? {
            Stream::Made(rows) => {
                trace.made(id, &rows);
                Ok(Stream::Made(rows))
            }
            stream => Ok(Stream::Traced(Box::new(Traced { stream, trace, id }))),
        }
    }
}

/// A stream whose rows are counted.
pub(super) struct Traced<'e> {
    pub(super) stream: Stream<'e>,
    trace: &'e Trace,
    id: usize,
}

impl<'e> Traced<'e> {
    pub(super) fn run(self, evaluator: &Evaluator<'e>, sink: &mut Sink<'_>) -> Result<(), Error> {
        let Self { stream, trace, id } = self;
        let (began, read) = (Instant::now(), evaluator.limits.samples_read());
        let mut elsewhere = Duration::ZERO;
        let (mut series, mut samples) = (0, 0);
        let result = stream.run(evaluator, &mut |labels: RowLabels<'_>, cells: Cells<'_>| {
            let left = Instant::now();
            let present = cells.values.iter().filter(|value| is_present(**value));
            let present = present.count() as u64;
            series += u64::from(present > 0);
            samples += present;
            let given = sink(labels, cells);
            elsewhere += left.elapsed();
            given
        });
        trace.change(id, |node| {
            node.series += series;
            node.samples += samples;
            node.samples_read += evaluator.limits.samples_read() - read;
            node.time += began.elapsed().saturating_sub(elsewhere);
        });
        result
    }
}
