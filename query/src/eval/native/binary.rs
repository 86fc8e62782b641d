//! Operators between floats and histograms.

use std::sync::Arc;

use super::cells::{Cell, Charge, Mixed, decoded, encoded, numbered};
use super::notes::Purpose;
use super::{Given, unsupported};
use crate::Error;
use crate::eval::Evaluator;
use crate::eval::binary::arithmetic;
use crate::histogram::{FloatHistogram, Keep, ResetHint};
use crate::limits::Held;
use crate::parse::ast::{BinaryOp, Span};
use crate::plan::{Chain, Match, Operation, WithScalar};

/// Numbers that stand for the rows of the left side are multiples of this.
const LEFT_UNIT: usize = 1 << 26;

impl<'e> Evaluator<'e> {
    pub(super) fn mixed_chain(&self, chain: &'e Chain) -> Result<Mixed<'e>, Error> {
        let trims = chain.rest.iter().any(|operation| match operation {
            Operation::WithScalar(node) => arithmetic::is_trim(node.op),
            Operation::Match(node) => arithmetic::is_trim(node.op),
        });
        if trims && self.tells_resets {
            // Buckets count.
            let whole = Self {
                tells_resets: false,
                ..*self
            };
            return whole.mixed_chain(chain);
        }
        let mut rows = self.mixed(&chain.first)?;
        for operation in &chain.rest {
            self.limits.check()?;
            rows = match operation {
                Operation::WithScalar(node) => self.mixed_with_scalar(rows, node)?,
                Operation::Match(node) if node.op.is_set() => self.mixed_set(rows, node)?,
                Operation::Match(node) => self.mixed_match(rows, node)?,
            };
        }
        Ok(rows)
    }

    fn mixed_with_scalar(&self, rows: Mixed<'e>, node: &'e WithScalar) -> Result<Mixed<'e>, Error> {
        let scalar = self.scalar_with_histograms(&node.scalar)?;
        // What they were is held until they all are something else.
        let (mut rows, _before) = rows.into_parts();
        let mut charge = Charge::new(self.limits);
        for row in &mut rows {
            charge.row(&row.labels, row.cells.len())?;
            let mut floats: Vec<f64> = row.cells.iter().map(Cell::float).collect();
            arithmetic::with_scalar(
                node.op,
                &mut floats,
                &scalar,
                node.scalar_left,
                node.return_bool,
            );
            for ((cell, float), &scalar) in row.cells.iter_mut().zip(floats).zip(scalar.iter()) {
                *cell = match cell {
                    Cell::Histogram(_) if node.scalar_left => {
                        self.operate(node.op, &Cell::Float(scalar), cell, node.span)
                    }
                    Cell::Histogram(_) => {
                        self.operate(node.op, cell, &Cell::Float(scalar), node.span)
                    }
                    Cell::Float(_) if arithmetic::is_trim(node.op) => {
                        let sides = ("float", node.op, "float");
                        self.notes.incompatible_types(sides, node.span);
                        Cell::Absent
                    }
                    _ => Cell::of_column(float),
                };
                charge.cell(cell)?;
            }
        }
        rows.retain(|row| !row.is_empty());
        let rows = Held::new(rows, charge.into_loan());
        if arithmetic::changes_meaning(node.op) || node.return_bool {
            self.renamed(rows)
        } else {
            Ok(rows)
        }
    }

    /// `and`, `or`, `unless`: whether elements are there is all that counts.
    fn mixed_set(&self, lhs: Mixed<'e>, node: &'e Match) -> Result<Mixed<'e>, Error> {
        let rhs = self.mixed(&node.rhs)?;
        let mut given = Given::default();
        given.insert(&node.rhs, encoded(&rhs, lhs.len(), self.limits)?);
        let evaluator = Evaluator {
            given: Some(&given),
            ..*self
        };
        let left = encoded(&lhs, 0, self.limits)?;
        let rows = evaluator.match_vectors(node, left)?;
        let (lhs, mut loan) = lhs.into_parts();
        let (rhs, other) = rhs.into_parts();
        loan.absorb(other);
        let cell = |number: f64, step| {
            let right = number - lhs.len() as f64;
            if right < 0.0 {
                numbered(&lhs, number, step)
            } else {
                numbered(&rhs, right, step)
            }
        };
        decoded(rows, self.grid.count, self.limits, Some(loan), cell)
    }

    fn mixed_match(&self, lhs: Mixed<'e>, node: &'e Match) -> Result<Mixed<'e>, Error> {
        let rhs = self.mixed(&node.rhs)?;
        let matching = &node.matching;
        if matching.fill_left.is_some() || matching.fill_right.is_some() {
            return Err(unsupported("fill modifiers"));
        }
        if lhs.len() >= LEFT_UNIT || rhs.len() >= LEFT_UNIT {
            return Err(unsupported("operators on so many series"));
        }
        let mut given = Given {
            pairs: true,
            ..Given::default()
        };
        given.insert(&node.rhs, encoded(&rhs, 0, self.limits)?);
        let evaluator = Evaluator {
            given: Some(&given),
            ..*self
        };
        let mut left = encoded(&lhs, 0, self.limits)?;
        for value in left.iter_mut().flat_map(|row| &mut row.values) {
            *value *= LEFT_UNIT as f64;
        }
        let rows = evaluator.match_vectors(node, left)?;
        let cell = |number: f64, step| {
            let (left, right) = (number as usize / LEFT_UNIT, number as usize % LEFT_UNIT);
            let left = numbered(&lhs, left as f64, step);
            let right = numbered(&rhs, right as f64, step);
            self.pair(node, &left, &right)
        };
        decoded(rows, self.grid.count, self.limits, None, cell)
    }

    /// The result of two elements that meet.
    fn pair(&self, node: &Match, left: &Cell, right: &Cell) -> Cell {
        if let (Cell::Float(left), Cell::Float(right)) = (left, right)
            && !arithmetic::is_trim(node.op)
        {
            let mut out = Vec::with_capacity(1);
            arithmetic::vectors(node.op, node.return_bool, &[*left], &[*right], &mut out);
            return out.first().map_or(Cell::Absent, |&it| Cell::of_column(it));
        }
        if node.op.is_comparison() && node.return_bool {
            return match (left.histogram(), right.histogram()) {
                (Some(left), Some(right)) if node.op == BinaryOp::Eq => {
                    Cell::Float(f64::from(left.equals(right)))
                }
                (Some(left), Some(right)) if node.op == BinaryOp::Ne => {
                    Cell::Float(f64::from(!left.equals(right)))
                }
                _ => self.operate(node.op, left, right, node.span),
            };
        }
        self.operate(node.op, left, right, node.span)
    }

    /// An operator one of whose sides is a histogram.
    fn operate(&self, op: BinaryOp, lhs: &Cell, rhs: &Cell, span: Span) -> Cell {
        let done = |mut histogram: FloatHistogram| {
            histogram.compact();
            Cell::Histogram(Arc::new(histogram))
        };
        match (lhs, op, rhs) {
            (Cell::Float(factor), BinaryOp::Mul, Cell::Histogram(histogram))
            | (Cell::Histogram(histogram), BinaryOp::Mul, Cell::Float(factor)) => {
                let mut scaled = FloatHistogram::clone(histogram);
                scaled.scale(*factor);
                done(scaled)
            }
            (Cell::Histogram(histogram), BinaryOp::Div, Cell::Float(divisor)) => {
                let mut divided = FloatHistogram::clone(histogram);
                divided.divide(*divisor);
                done(divided)
            }
            (
                Cell::Histogram(histogram),
                BinaryOp::TrimLower | BinaryOp::TrimUpper,
                Cell::Float(value),
            ) => {
                let mut trimmed = FloatHistogram::clone(histogram);
                let keep = match op {
                    BinaryOp::TrimUpper => Keep::Below,
                    _ => Keep::Above,
                };
                trimmed.trim(*value, keep);
                Cell::Histogram(Arc::new(trimmed))
            }
            (Cell::Histogram(lhs), BinaryOp::Add | BinaryOp::Sub, Cell::Histogram(rhs)) => self
                .sum_of_two(op, lhs, rhs, span)
                .map_or(Cell::Absent, done),
            (Cell::Histogram(left), BinaryOp::Eq, Cell::Histogram(right)) => {
                kept(lhs, left.equals(right))
            }
            (Cell::Histogram(left), BinaryOp::Ne, Cell::Histogram(right)) => {
                kept(lhs, !left.equals(right))
            }
            (Cell::Absent, ..) | (.., Cell::Absent) => Cell::Absent,
            _ => {
                let name = |cell: &Cell| match cell {
                    Cell::Histogram(_) => "histogram",
                    _ => "float",
                };
                let sides = (name(lhs), op, name(rhs));
                self.notes.incompatible_types(sides, span);
                Cell::Absent
            }
        }
    }

    fn sum_of_two(
        &self,
        op: BinaryOp,
        lhs: &FloatHistogram,
        rhs: &FloatHistogram,
        span: Span,
    ) -> Option<FloatHistogram> {
        let mut result = lhs.clone();
        let (reconciled, purpose) = if op == BinaryOp::Add {
            (result.add(rhs), Purpose::Addition)
        } else {
            (result.subtract(rhs), Purpose::Subtraction)
        };
        let Ok(reconciled) = reconciled else {
            self.notes.incompatible_buckets(op, span);
            return None;
        };
        if op == BinaryOp::Sub {
            result.reset_hint = ResetHint::Gauge;
        }
        if reconciled.hints_collide {
            self.notes.colliding_resets(purpose, span);
            return None;
        }
        self.notes.reconciled(reconciled, purpose, span);
        Some(result)
    }
}

fn kept(cell: &Cell, keep: bool) -> Cell {
    if keep { cell.clone() } else { Cell::Absent }
}
