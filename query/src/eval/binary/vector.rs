//! Arithmetic and comparison of two vectors.
//!
//! Elements match by their labels, so which row meets which is found once for all steps. What
//! Prometheus refuses, it refuses at a step at which both elements are there, and it refuses at
//! the first such step: rows that take turns over time (a pod that replaces another) are fine.

use super::arithmetic;
use super::matching::{BySignature, Signatures, steps_with_any};
use crate::eval::Evaluator;
use crate::eval::column::{ABSENT, cell, present_range};
use crate::eval::keys::{KeyTable, key_bytes};
use crate::eval::rows::{Row, Rows, merge_same_labels};
use crate::labels::METADATA;
use crate::limits::{Held, Limits, Loan, Swept, bytes_of};
use crate::parse::ast::{BinaryOp, Cardinality};
use crate::plan::Match;
use crate::{Error, ErrorKind, Labels};

/// The rows of an operation on two vectors.
pub(super) fn combine<'l>(
    evaluator: &Evaluator<'l>,
    node: &Match,
    lhs: &[Row],
    rhs: &[Row],
) -> Result<Rows<'l>, Error> {
    let signatures = Signatures::new(&node.matching, lhs, rhs, evaluator.limits)?;
    let mut loan = Loan::new(evaluator.limits);
    for side in [&signatures.left, &signatures.right] {
        loan.add(0, BySignature::bytes(side, signatures.count))?;
    }
    // From here on there is a side of many and a side of one, whatever side they stand on.
    let swapped = node.matching.cardinality == Cardinality::OneToMany;
    let (many, one) = if swapped {
        (
            Side::new(rhs, signatures.right, signatures.count),
            Side::new(lhs, signatures.left, signatures.count),
        )
    } else {
        (
            Side::new(lhs, signatures.left, signatures.count),
            Side::new(rhs, signatures.right, signatures.count),
        )
    };
    let operation = Operation {
        evaluator,
        node,
        many,
        one,
        swapped,
    };
    let mut refusals = FirstRefusal(None);
    operation.check_one_side(&mut refusals)?;
    // Rows that are not unique may make a great many pairs: none is made.
    if let Some(refusal) = refusals.0 {
        return Err(operation.error(&refusal));
    }
    let mut results = Results {
        rows: Rows::none(evaluator.limits),
        taken: Held::new(Taken::new(evaluator.limits), loan),
        refusals,
        values: evaluator.column(ABSENT)?,
    };
    results.values.clear();
    operation.pairs(&mut results)?;
    match results.refusals.0 {
        Some(refusal) => Err(operation.error(&refusal)),
        None => merge_same_labels(results.rows),
    }
}

/// One side of the operation.
struct Side<'r> {
    rows: &'r [Row],
    /// The signature of each row.
    signatures: Vec<usize>,
    by_signature: BySignature,
}

impl<'r> Side<'r> {
    fn new(rows: &'r [Row], signatures: Vec<usize>, count: usize) -> Self {
        Self {
            rows,
            by_signature: BySignature::new(&signatures, count),
            signatures,
        }
    }
}

struct Operation<'o> {
    evaluator: &'o Evaluator<'o>,
    node: &'o Match,
    many: Side<'o>,
    one: Side<'o>,
    /// The side of one is the left one.
    swapped: bool,
}

/// Why the operation is impossible, in the order in which Prometheus comes across it: by step,
/// then this, then row.
#[derive(Clone, Copy)]
enum Why {
    /// Two elements of the side of one match (the row and this one).
    TwoOnOneSide(usize),
    /// Two elements of the left side match in a one-to-one operation.
    NotOneToOne,
    /// Two elements of the side of many have the same labels in the result.
    SameResult,
}

struct Refusal {
    step: usize,
    why: Why,
    row: usize,
}

/// The first thing that makes the operation impossible.
struct FirstRefusal(Option<Refusal>);

impl FirstRefusal {
    fn add(&mut self, refusal: Refusal) {
        let order = |refusal: &Refusal| {
            let about_pairs = !matches!(refusal.why, Why::TwoOnOneSide(_));
            (refusal.step, about_pairs, refusal.row)
        };
        if self
            .0
            .as_ref()
            .is_none_or(|known| order(&refusal) < order(known))
        {
            self.0 = Some(refusal);
        }
    }
}

/// At which steps results that must be unique have been made.
struct Taken<'l> {
    places: KeyTable<'l, (usize, Labels)>,
    steps: Swept<'l, Vec<Vec<bool>>>,
}

/// What an entry of that takes in tables that have room for as many again.
const TAKEN_BYTES: usize = key_bytes::<(usize, Labels)>() + 2 * size_of::<Vec<bool>>();

impl<'l> Taken<'l> {
    fn new(limits: &'l Limits<'l>) -> Self {
        Self {
            places: KeyTable::new(limits),
            steps: Swept::new(Vec::new(), limits),
        }
    }
}

/// The rows of the result as far as they are made.
struct Results<'l> {
    rows: Rows<'l>,
    taken: Held<'l, Taken<'l>>,
    refusals: FirstRefusal,
    /// The values of a pair.
    values: Held<'l, Vec<f64>>,
}

impl Operation<'_> {
    fn error(&self, refusal: &Refusal) -> Error {
        let message = match refusal.why {
            Why::TwoOnOneSide(other) => {
                let matching = &self.node.matching;
                let (row, other) = (&self.one.rows[refusal.row], &self.one.rows[other]);
                let group = row.labels.matching(matching.on, &matching.labels);
                let mut both = [row.labels.to_string(), other.labels.to_string()];
                both.sort();
                format!(
                    "found duplicate series for the match group {group} on the {} hand-side of \
                     the operation: [{}, {}];many-to-many matching not allowed: matching labels \
                     must be unique on one side",
                    if self.swapped { "left" } else { "right" },
                    both[0],
                    both[1],
                )
            }
            Why::NotOneToOne => "multiple matches for labels: many-to-one matching must be \
                                 explicit (group_left/group_right)"
                .to_owned(),
            Why::SameResult => "multiple matches for labels: grouping labels must ensure unique \
                                matches"
                .to_owned(),
        };
        Error::new(ErrorKind::Execution, message)
    }

    /// Refuses two elements of a signature on the side of one, at steps at which neither side
    /// is empty, or an empty one is filled.
    fn check_one_side(&self, refusals: &mut FirstRefusal) -> Result<(), Error> {
        let steps = self.evaluator.grid.count;
        let matching = &self.node.matching;
        let fills = matching.fill_left.is_some() || matching.fill_right.is_some();
        let mut many_there = fills.then(|| vec![true; steps]);
        let limits = self.evaluator.limits;
        let mut loan = Loan::new(limits);
        loan.add(
            0,
            bytes_of::<bool>(steps) + bytes_of::<Option<usize>>(steps),
        )?;
        let mut work = 0;
        for signature in 0..self.one.by_signature.count() {
            let rows = self.one.by_signature.of(signature);
            if rows.len() < 2 {
                continue;
            }
            let many_there = match &mut many_there {
                Some(many_there) => many_there,
                none => none.insert(steps_with_any(steps, self.many.rows.iter(), limits)?),
            };
            // The row that was there first at each step.
            let mut there: Vec<Option<usize>> = vec![None; steps];
            for &row in rows {
                limits.check_work(&mut work, steps)?;
                for (step, _) in self.one.rows[row].present() {
                    if !many_there[step] {
                        continue;
                    }
                    match there[step] {
                        None => there[step] = Some(row),
                        Some(other) => refusals.add(Refusal {
                            step,
                            why: Why::TwoOnOneSide(other),
                            row,
                        }),
                    }
                }
            }
        }
        Ok(())
    }

    /// The rows of all pairs that meet, and of those that meet a fill value.
    fn pairs(&self, results: &mut Results<'_>) -> Result<(), Error> {
        for (at, many) in self.many.rows.iter().enumerate() {
            self.evaluator.limits.check()?;
            let signature = self.many.signatures[at];
            for &one in self.one.by_signature.of(signature) {
                self.evaluator.limits.check()?;
                self.pair((many, Some(at)), &self.one.rows[one], signature, results)?;
            }
            // Which fill is whose does not change with the sides of many and one.
            if let Some(fill) = self.node.matching.fill_right
                && let Some(one) = self.filled(many, &self.one, signature, fill)
            {
                self.pair((many, Some(at)), &one, signature, results)?;
            }
        }
        let Some(fill) = self.node.matching.fill_left else {
            return Ok(());
        };
        for (one, &signature) in self.one.rows.iter().zip(&self.one.signatures) {
            self.evaluator.limits.check()?;
            if let Some(many) = self.filled(one, &self.many, signature, fill) {
                self.pair((&many, None), one, signature, results)?;
            }
        }
        Ok(())
    }

    /// What stands for the elements that a side lacks where a row of the other side is there.
    fn filled(&self, row: &Row, side: &Side<'_>, signature: usize, fill: f64) -> Option<Row> {
        let others = side.by_signature.of(signature);
        let lacks = |step| !others.iter().any(|&other| side.rows[other].has(step));
        let mut values = vec![ABSENT; row.values.len()];
        for (step, _) in row.present().filter(|&(step, _)| lacks(step)) {
            values[step - row.first] = cell(fill);
        }
        let matching = &self.node.matching;
        let labels = row.labels.matching(matching.on, &matching.labels);
        let range = present_range(&values);
        (!range.is_empty()).then_some(Row {
            labels,
            drop_name: false,
            first: row.first,
            values,
        })
    }

    /// Makes the row of a pair, if it meets. The row of the side of many has its place there,
    /// if it is not filled in.
    fn pair(
        &self,
        (many, place): (&Row, Option<usize>),
        one: &Row,
        signature: usize,
        results: &mut Results<'_>,
    ) -> Result<(), Error> {
        let Some(first) = self.compute(many, one, &mut results.values) else {
            return Ok(());
        };
        let labels = self.result_labels(many, one);
        if let Some(place) = place
            && self.many.by_signature.of(signature).len() > 1
        {
            let one_to_one = self.node.matching.cardinality == Cardinality::OneToOne;
            let of = if one_to_one {
                Labels::default()
            } else {
                labels.clone()
            };
            let (taken, loan) = results.taken.parts_mut();
            let bytes = of.heap_bytes();
            let next = taken.steps.len();
            let at = taken.places.get_or_insert((signature, of), next);
            if at == next {
                let steps = self.evaluator.grid.count;
                loan.add(0, bytes + TAKEN_BYTES + bytes_of::<bool>(steps))?;
                taken.steps.push(vec![false; steps]);
            }
            let taken = &mut taken.steps[at];
            self.check_unique((many, place), one, taken, &mut results.refusals);
        }
        let drop_name = self.node.return_bool && self.evaluator.delayed_name_removal;
        let Results { rows, values, .. } = results;
        rows.add(|| labels, drop_name, first, values)
    }

    /// Puts the results of two rows into `values`; gives the step of the first, or none where
    /// the rows do not overlap.
    fn compute(&self, many: &Row, one: &Row, values: &mut Vec<f64>) -> Option<usize> {
        let first = many.first.max(one.first);
        let end = many.end().min(one.end());
        if first >= end {
            return None;
        }
        let many = &many.values[first - many.first..end - many.first];
        let one = &one.values[first - one.first..end - one.first];
        let (lhs, rhs) = if self.swapped {
            (one, many)
        } else {
            (many, one)
        };
        values.clear();
        // Numbers that stand for rows are added up.
        let (op, return_bool) = if self.evaluator.pairs() {
            (BinaryOp::Add, false)
        } else {
            (self.node.op, self.node.return_bool)
        };
        arithmetic::vectors(op, return_bool, lhs, rhs, values);
        Some(first)
    }

    /// Refuses a pair that meets at a step at which its result has been made, kept or not.
    fn check_unique(
        &self,
        (many, place): (&Row, usize),
        one: &Row,
        taken: &mut [bool],
        refusals: &mut FirstRefusal,
    ) {
        let why = if self.node.matching.cardinality == Cardinality::OneToOne {
            Why::NotOneToOne
        } else {
            Why::SameResult
        };
        for (step, _) in many.present().filter(|&(step, _)| one.has(step)) {
            if taken[step] {
                refusals.add(Refusal {
                    step,
                    why,
                    row: place,
                });
            }
            taken[step] = true;
        }
    }

    /// The labels of the result of two rows (Prometheus `resultMetric`).
    fn result_labels(&self, many: &Row, one: &Row) -> Labels {
        let matching = &self.node.matching;
        let drops_metadata = arithmetic::changes_meaning(self.node.op)
            || self.node.return_bool && !self.evaluator.delayed_name_removal;
        let one_to_one = matching.cardinality == Cardinality::OneToOne;
        let mut labels = many.labels.filtered(|name| {
            let listed = matching.labels.iter().any(|listed| listed == name);
            !(drops_metadata && METADATA.contains(&name)) && (!one_to_one || listed == matching.on)
        });
        for name in &matching.include {
            labels = labels.with(name, one.labels.get(name));
        }
        labels
    }
}
