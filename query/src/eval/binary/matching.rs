//! Which elements of two vectors have the same matching labels.

use crate::eval::keys::{KeyTable, key_bytes};
use crate::eval::rows::{Row, WORK_A_LABEL_SET};
use crate::limits::{Limits, Loan, bytes_of};
use crate::parse::ast::VectorMatching;
use crate::{Error, Labels};

/// Rows of both sides by their matching labels.
pub(super) struct Signatures<'l> {
    /// For each row of the left side the number of its signature.
    pub(super) left: Vec<usize>,
    /// The same for the right side.
    pub(super) right: Vec<usize>,
    /// How many signatures there are; they count from 0.
    pub(super) count: usize,
    _loan: Loan<'l>,
}

/// What a signature takes in a table that has room for as many again.
const SIGNATURE_BYTES: usize = key_bytes::<Labels>();

impl<'l> Signatures<'l> {
    /// # Errors
    /// [`crate::ErrorKind::Execution`] where the query may not hold them.
    pub(super) fn new(
        matching: &VectorMatching,
        lhs: &[Row],
        rhs: &[Row],
        limits: &'l Limits<'l>,
    ) -> Result<Self, Error> {
        let mut loan = Loan::new(limits);
        loan.add(0, bytes_of::<usize>(lhs.len() + rhs.len()))?;
        // The table goes when all have their numbers.
        let mut table_loan = Loan::new(limits);
        let mut work = 0;
        let mut numbers: KeyTable<'_, Labels> = KeyTable::new(limits);
        let mut number = |row: &Row| {
            limits.check_work(&mut work, WORK_A_LABEL_SET)?;
            let next = numbers.len();
            let labels = row.labels.matching(matching.on, &matching.labels);
            let bytes = labels.heap_bytes();
            let number = numbers.get_or_insert(labels, next);
            if number == next {
                table_loan.add(0, bytes + SIGNATURE_BYTES)?;
            }
            Ok(number)
        };
        let left = lhs.iter().map(&mut number).collect::<Result<_, Error>>()?;
        let right = rhs.iter().map(&mut number).collect::<Result<_, Error>>()?;
        Ok(Self {
            left,
            right,
            count: numbers.len(),
            _loan: loan,
        })
    }
}

/// The rows of one side that each signature has, in their order.
pub(in crate::eval) struct BySignature {
    /// Rows, signature by signature.
    rows: Vec<usize>,
    /// Where in `rows` each signature begins; one more at the end.
    starts: Vec<usize>,
}

impl BySignature {
    /// How many bytes it takes, also while it is made.
    pub(in crate::eval) fn bytes(signatures: &[usize], count: usize) -> usize {
        bytes_of::<usize>(signatures.len()) + 2 * bytes_of::<usize>(count + 1)
    }

    pub(in crate::eval) fn new(signatures: &[usize], count: usize) -> Self {
        let mut starts = vec![0; count + 1];
        for &signature in signatures {
            starts[signature + 1] += 1;
        }
        for at in 0..count {
            starts[at + 1] += starts[at];
        }
        let mut next = starts.clone();
        let mut rows = vec![0; signatures.len()];
        for (row, &signature) in signatures.iter().enumerate() {
            rows[next[signature]] = row;
            next[signature] += 1;
        }
        Self { rows, starts }
    }

    /// How many signatures there are.
    pub(in crate::eval) fn count(&self) -> usize {
        self.starts.len() - 1
    }

    pub(in crate::eval) fn of(&self, signature: usize) -> &[usize] {
        &self.rows[self.starts[signature]..self.starts[signature + 1]]
    }
}

/// At which steps one of some rows has a value.
///
/// # Errors
/// The query was ended.
pub(super) fn steps_with_any<'r>(
    steps: usize,
    rows: impl Iterator<Item = &'r Row>,
    limits: &Limits<'_>,
) -> Result<Vec<bool>, Error> {
    let mut any = vec![false; steps];
    let mut work = 0;
    for row in rows {
        limits.check_work(&mut work, row.values.len())?;
        for (step, _) in row.present() {
            any[step] = true;
        }
    }
    Ok(any)
}
