//! `and`, `or`, `unless`.

use hashbrown::HashMap;

use super::matching::{BySignature, Signatures, steps_with_any};
use crate::Error;
use crate::eval::Evaluator;
use crate::eval::column::{ABSENT, present_range};
use crate::eval::rows::{Row, merge_same_labels};
use crate::parse::ast::BinaryOp;
use crate::plan::Match;

/// What of the left and right rows a set operator keeps, step by step.
pub(super) fn combine(
    evaluator: &Evaluator<'_>,
    node: &Match,
    mut lhs: Vec<Row>,
    rhs: &[Row],
) -> Result<Vec<Row>, Error> {
    let signatures = Signatures::new(&node.matching, &lhs, rhs);
    let steps = evaluator.grid.count;
    if node.op == BinaryOp::Or {
        let there = Presence::new(&signatures.left, signatures.count, steps, &lhs);
        let mut added = rhs.to_vec();
        evaluator
            .limits
            .hold(added.iter().map(|row| row.values.len()).sum())?;
        there.mask(evaluator, &mut added, &signatures.right, false)?;
        lhs.append(&mut added);
    } else {
        let there = Presence::new(&signatures.right, signatures.count, steps, rhs);
        let keep_where_there = node.op == BinaryOp::And;
        there.mask(evaluator, &mut lhs, &signatures.left, keep_where_there)?;
    }
    merge_same_labels(lhs)
}

/// At which steps a side has an element of a signature.
struct Presence<'r> {
    rows: &'r [Row],
    by_signature: BySignature,
    steps: usize,
    /// Steps of signatures with several rows, as far as they were asked for.
    known: HashMap<usize, Vec<bool>, foldhash::fast::RandomState>,
}

impl<'r> Presence<'r> {
    fn new(signatures: &[usize], count: usize, steps: usize, rows: &'r [Row]) -> Self {
        Self {
            rows,
            by_signature: BySignature::new(signatures, count),
            steps,
            known: HashMap::default(),
        }
    }

    /// Keeps of each row the values at steps at which its signature is there, or is not there,
    /// and the rows that have some left.
    fn mask(
        mut self,
        evaluator: &Evaluator<'_>,
        rows: &mut Vec<Row>,
        signatures: &[usize],
        keep_where_there: bool,
    ) -> Result<(), Error> {
        let mut failed = Ok(());
        let mut signatures = signatures.iter();
        rows.retain_mut(|row| {
            if failed.is_ok() {
                failed = evaluator.limits.check();
            }
            let Some(&signature) = signatures.next() else {
                return true;
            };
            self.mask_row(row, signature, keep_where_there);
            !present_range(&row.values).is_empty()
        });
        failed
    }

    fn mask_row(&mut self, row: &mut Row, signature: usize, keep_where_there: bool) {
        let first = row.first;
        match self.by_signature.of(signature) {
            &[other] => {
                let other = &self.rows[other];
                for (step, value) in (first..).zip(&mut row.values) {
                    if other.has(step) != keep_where_there {
                        *value = ABSENT;
                    }
                }
            }
            several => {
                let there = self.known.entry(signature).or_insert_with(|| {
                    let rows = several.iter().map(|&other| &self.rows[other]);
                    steps_with_any(self.steps, rows)
                });
                for (there, value) in there[first..].iter().zip(&mut row.values) {
                    if *there != keep_where_there {
                        *value = ABSENT;
                    }
                }
            }
        }
    }
}
