//! Which elements of two vectors have the same matching labels.

use hashbrown::HashMap;

use crate::Labels;
use crate::eval::rows::Row;
use crate::parse::ast::VectorMatching;

/// Rows of both sides by their matching labels.
pub(super) struct Signatures {
    /// For each row of the left side the number of its signature.
    pub(super) left: Vec<usize>,
    /// The same for the right side.
    pub(super) right: Vec<usize>,
    /// How many signatures there are; they count from 0.
    pub(super) count: usize,
}

impl Signatures {
    pub(super) fn new(matching: &VectorMatching, lhs: &[Row], rhs: &[Row]) -> Self {
        let mut numbers: HashMap<Labels, usize, foldhash::fast::RandomState> = HashMap::default();
        let mut number = |row: &Row| {
            let next = numbers.len();
            let labels = row.labels.matching(matching.on, &matching.labels);
            *numbers.entry(labels).or_insert(next)
        };
        let left = lhs.iter().map(&mut number).collect();
        let right = rhs.iter().map(&mut number).collect();
        Self {
            left,
            right,
            count: numbers.len(),
        }
    }
}

/// The rows of one side that each signature has, in their order.
pub(super) struct BySignature {
    /// Rows, signature by signature.
    rows: Vec<usize>,
    /// Where in `rows` each signature begins; one more at the end.
    starts: Vec<usize>,
}

impl BySignature {
    pub(super) fn new(signatures: &[usize], count: usize) -> Self {
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
    pub(super) fn count(&self) -> usize {
        self.starts.len() - 1
    }

    pub(super) fn of(&self, signature: usize) -> &[usize] {
        &self.rows[self.starts[signature]..self.starts[signature + 1]]
    }
}

/// At which steps one of some rows has a value.
pub(super) fn steps_with_any<'r>(steps: usize, rows: impl Iterator<Item = &'r Row>) -> Vec<bool> {
    let mut any = vec![false; steps];
    for row in rows {
        for (step, _) in row.present() {
            any[step] = true;
        }
    }
    any
}
