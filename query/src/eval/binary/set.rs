//! `and`, `or`, `unless`.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::matching::{BySignature, Signatures, steps_with_any};
use crate::Error;
use crate::eval::Evaluator;
use crate::eval::column::{ABSENT, present_range};
use crate::eval::rows::{Row, Rows, merge_same_labels};
use crate::limits::{Loan, bytes_of};
use crate::parse::ast::BinaryOp;
use crate::plan::Match;

/// What of the left and right rows a set operator keeps, step by step.
pub(super) fn combine<'l>(
    evaluator: &Evaluator<'l>,
    node: &Match,
    mut lhs: Rows<'l>,
    mut rhs: Rows<'l>,
) -> Result<Rows<'l>, Error> {
    let signatures = Signatures::new(&node.matching, &lhs, &rhs, evaluator.limits)?;
    let steps = evaluator.grid.count;
    if node.op == BinaryOp::Or {
        let there = Presence::new(&signatures.left, signatures.count, steps, &lhs, evaluator)?;
        there.mask(evaluator, &mut rhs, &signatures.right, false)?;
        lhs.append(rhs);
    } else {
        let there = Presence::new(&signatures.right, signatures.count, steps, &rhs, evaluator)?;
        let keep_where_there = node.op == BinaryOp::And;
        there.mask(evaluator, &mut lhs, &signatures.left, keep_where_there)?;
    }
    merge_same_labels(lhs)
}

/// What an entry of a table takes that has room for as many again.
const KNOWN_BYTES: usize = 2 * size_of::<(usize, Vec<bool>)>();

/// At which steps a side has an element of a signature.
struct Presence<'r, 'l> {
    rows: &'r [Row],
    by_signature: BySignature,
    steps: usize,
    /// Steps of signatures with several rows, as far as they were asked for.
    known: HashMap<usize, Vec<bool>, foldhash::fast::RandomState>,
    /// What these and the rows by signature hold.
    loan: Loan<'l>,
}

impl<'r, 'l> Presence<'r, 'l> {
    fn new(
        signatures: &[usize],
        count: usize,
        steps: usize,
        rows: &'r [Row],
        evaluator: &Evaluator<'l>,
    ) -> Result<Self, Error> {
        let mut loan = Loan::new(evaluator.limits);
        loan.add(0, BySignature::bytes(signatures, count))?;
        Ok(Self {
            rows,
            by_signature: BySignature::new(signatures, count),
            steps,
            known: HashMap::default(),
            loan,
        })
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
            let Some(&signature) = signatures.next().filter(|_| failed.is_ok()) else {
                return true;
            };
            failed = self.mask_row(row, signature, keep_where_there);
            !present_range(&row.values).is_empty()
        });
        failed
    }

    fn mask_row(
        &mut self,
        row: &mut Row,
        signature: usize,
        keep_where_there: bool,
    ) -> Result<(), Error> {
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
                let there = match self.known.entry(signature) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(free) => {
                        self.loan
                            .add(0, bytes_of::<bool>(self.steps) + KNOWN_BYTES)?;
                        let rows = several.iter().map(|&other| &self.rows[other]);
                        free.insert(steps_with_any(self.steps, rows, self.loan.limits())?)
                    }
                };
                for (there, value) in there[first..].iter().zip(&mut row.values) {
                    if *there != keep_where_there {
                        *value = ABSENT;
                    }
                }
            }
        }
        Ok(())
    }
}
