//! Binary operators: arithmetic and comparison of vectors with scalars (here) and with vectors,
//! and the set operators.

pub(super) mod arithmetic;
mod matching;
mod set;
mod vector;

use super::Evaluator;
use super::rows::Row;
use super::stream::{Stream, Transform};
use crate::Error;
use crate::plan::{Match, WithScalar};

impl<'e> Evaluator<'e> {
    pub(super) fn open_with_scalar(&self, node: &'e WithScalar) -> Result<Stream<'e>, Error> {
        let child = self.open(&node.vector)?;
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

    pub(super) fn match_vectors(&self, node: &'e Match) -> Result<Vec<Row>, Error> {
        let lhs = self.vector(&node.lhs)?;
        let rhs = self.vector(&node.rhs)?;
        if node.op.is_set() {
            set::combine(self, node, lhs, &rhs)
        } else {
            vector::combine(self, node, &lhs, &rhs)
        }
    }
}
