//! Binary operators: arithmetic and comparison of vectors with scalars (here) and with vectors,
//! and the set operators.

pub(super) mod arithmetic;
pub(super) mod matching;
mod set;
mod vector;

use super::Evaluator;
use super::rows::Rows;
use super::stream::{Stream, Transform};
use crate::Error;
use crate::parse::ast::{BinaryOp, Span};
use crate::plan::{Chain, Match, Operation, WithScalar};

/// How many operators of a row a stream passes through before its rows are gathered: each holds
/// a column for its scalar, and calls the one before it.
const STREAMED_MAX: usize = 32;

impl<'e> Evaluator<'e> {
    /// The rows of operators in a row, each applied to what those before it have made.
    pub(super) fn open_chain(&self, chain: &'e Chain) -> Result<Stream<'e>, Error> {
        let mut stream = self.open(&chain.first)?;
        let mut streamed = 0;
        for operation in &chain.rest {
            self.limits.check()?;
            streamed += 1;
            let rows = match operation {
                Operation::WithScalar(node) if arithmetic::is_trim(node.op) => {
                    let lhs = self.gather(stream)?;
                    self.note_no_histogram(node.op, !lhs.is_empty(), node.span);
                    Rows::none(self.limits)
                }
                Operation::Match(node) if arithmetic::is_trim(node.op) && !self.pairs() => {
                    let lhs = self.gather(stream)?;
                    let both = !lhs.is_empty() && !self.vector(&node.rhs)?.is_empty();
                    self.note_no_histogram(node.op, both, node.span);
                    Rows::none(self.limits)
                }
                Operation::WithScalar(node) => {
                    stream = self.with_scalar(stream, node)?;
                    if streamed < STREAMED_MAX {
                        continue;
                    }
                    self.gather(stream)?
                }
                Operation::Match(node) => {
                    let lhs = self.gather(stream)?;
                    self.match_vectors(node, lhs)?
                }
            };
            stream = Stream::Made(rows);
            streamed = 0;
        }
        Ok(stream)
    }

    /// Operators of histograms that meet floats give nothing.
    fn note_no_histogram(&self, op: BinaryOp, met: bool, span: Span) {
        if met {
            self.notes.incompatible_types(("float", op, "float"), span);
        }
    }

    /// Whether numbers that stand for rows are to be added up.
    pub(super) fn pairs(&self) -> bool {
        self.given.is_some_and(|given| given.pairs)
    }

    fn with_scalar(&self, child: Stream<'e>, node: &'e WithScalar) -> Result<Stream<'e>, Error> {
        let transform = Transform::Operator {
            op: node.op,
            scalar: self.scalar(&node.scalar)?,
            scalar_left: node.scalar_left,
            return_bool: node.return_bool,
        };
        if arithmetic::changes_meaning(node.op) || node.return_bool {
            self.without_metadata(child, transform)
        } else {
            Ok(self.with_metadata(child, transform))
        }
    }

    pub(in crate::eval) fn match_vectors(
        &self,
        node: &'e Match,
        lhs: Rows<'e>,
    ) -> Result<Rows<'e>, Error> {
        let rhs = self.vector(&node.rhs)?;
        if node.op.is_set() {
            set::combine(self, node, lhs, rhs)
        } else {
            vector::combine(self, node, &lhs, &rhs)
        }
    }
}
