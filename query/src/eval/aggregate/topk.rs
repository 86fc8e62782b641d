//! `topk`, `bottomk`, `limitk`: the rows as they are, but at each step only k of a group.

use super::quantile::grouped;
use crate::eval::Evaluator;
use crate::eval::column::{ABSENT, present_range};
use crate::eval::order::{go_sorted, in_order};
use crate::eval::rows::{Rows, WORK_A_LABEL_SET};
use crate::functions::numeric::{go_float, max, min};
use crate::functions::sort::value_before;
use crate::limits::{Limits, Loan, Swept, bytes_of};
use crate::parse::ast::AggregateOp;
use crate::plan::Aggregate;
use crate::{Error, ErrorKind};

impl<'e> Evaluator<'e> {
    pub(super) fn topk(&self, node: &'e Aggregate) -> Result<Rows<'e>, Error> {
        let parameter = self.number_parameter(node)?;
        let rows = self.vector(&node.child)?;
        let largest = parameter.iter().copied().fold(-f64::MAX, max);
        let smallest = parameter.iter().copied().fold(f64::MAX, min);
        if largest < 1.0 {
            return Ok(Rows::none(self.limits));
        }
        check_range(&parameter, smallest, largest)?;
        let (of_rows, groups) = grouped(node, &rows, self.limits)?;
        let mut loan = Loan::new(self.limits);
        // Heaps have room for as many again as they hold, and then there is a list of rows.
        loan.add(0, 3 * bytes_of::<(f64, usize)>(rows.len()))?;
        let mut work = 0;
        let mut heaps = Vec::new();
        for _group in groups.into_labels() {
            self.limits.check_work(&mut work, WORK_A_LABEL_SET)?;
            heaps.push(Heap::new(match node.op {
                AggregateOp::Bottomk => Keeps::Smallest,
                AggregateOp::Limitk => Keeps::First,
                _ => Keeps::Largest,
            }));
        }
        let mut kept: Swept<'_, Vec<Vec<bool>>> = Swept::new(Vec::new(), self.limits);
        if !self.grid.is_instant() {
            let cells = rows.iter().map(|row| bytes_of::<bool>(row.values.len()));
            loan.add(0, cells.sum::<usize>() + bytes_of::<Vec<bool>>(rows.len()))?;
            for row in rows.iter() {
                self.limits
                    .check_work(&mut work, WORK_A_ROW + row.values.len())?;
                kept.push(vec![false; row.values.len()]);
            }
        }
        let mut order = Vec::new();
        for (step, &k) in parameter.iter().enumerate() {
            let k = (k as i64).min(rows.len() as i64);
            if k < 1 {
                continue;
            }
            for (at, row) in rows.iter().enumerate() {
                self.limits.check_work(&mut work, WORK_A_ROW)?;
                if row.has(step) {
                    heaps[of_rows[at]].offer(k as usize, row.at(step), at);
                }
            }
            for heap in &mut heaps {
                self.limits.check_work(&mut work, WORK_A_ROW)?;
                if self.grid.is_instant() {
                    order.extend(heap.take_sorted(self.limits)?);
                }
                for (_, at) in heap.elements.drain(..) {
                    kept[at][step - rows[at].first] = true;
                }
            }
        }
        if self.grid.is_instant() {
            let (rows, held) = rows.into_parts();
            return Ok(Rows::new(in_order(rows, &order, &mut loan)?, held));
        }
        only(rows, kept)
    }
}

/// The rows with the values of those steps alone that are kept.
fn only<'l>(mut rows: Rows<'l>, kept: Swept<'l, Vec<Vec<bool>>>) -> Result<Rows<'l>, Error> {
    let (limits, mut work) = (rows.limits(), 0);
    let mut kept = kept.into_iter();
    let mut checked = Ok(());
    rows.retain_mut(|row| {
        if checked.is_ok() {
            checked = limits.check_work(&mut work, WORK_A_LABEL_SET + row.values.len());
        }
        if checked.is_err() {
            return true;
        }
        let kept = kept.next().unwrap_or_default();
        for (value, kept) in row.values.iter_mut().zip(kept) {
            if !kept {
                *value = ABSENT;
            }
        }
        !present_range(&row.values).is_empty()
    });
    checked.map(|()| rows)
}

/// How long it takes to offer a row to a heap, in samples looked at.
const WORK_A_ROW: usize = 96;

/// k is counted in an i64.
fn check_range(parameter: &[f64], smallest: f64, largest: f64) -> Result<(), Error> {
    let message = if parameter.iter().any(|k| k.is_nan()) {
        "Parameter value is NaN".to_owned()
    } else if smallest <= i64::MIN as f64 {
        format!("Scalar value {} underflows int64", go_float(smallest))
    } else if largest >= i64::MAX as f64 {
        format!("Scalar value {} overflows int64", go_float(largest))
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::Execution, message))
}

/// The best k values of a group at a step: a binary heap with the worst one first. Which of
/// equal values stays depends on the heap's moves, so they are those of Go's `container/heap`.
pub(super) struct Heap {
    keeps: Keeps,
    /// Values and rows.
    elements: Vec<(f64, usize)>,
}

/// Which values a heap keeps.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Keeps {
    Largest,
    Smallest,
    /// The first that come.
    First,
}

impl Heap {
    pub(super) fn new(keeps: Keeps) -> Self {
        Self {
            keeps,
            elements: Vec::new(),
        }
    }

    fn smallest_first(&self) -> bool {
        self.keeps != Keeps::Smallest
    }

    /// Whether `a` is to go before `b`, NaN first of all.
    fn worse(&self, a: usize, b: usize) -> bool {
        value_before(
            self.elements[a].0,
            self.elements[b].0,
            !self.smallest_first(),
        )
    }

    pub(super) fn offer(&mut self, k: usize, value: f64, row: usize) {
        if self.elements.len() < k {
            self.elements.push((value, row));
            self.up(self.elements.len() - 1);
            return;
        }
        let worst = self.elements[0].0;
        let better = match self.keeps {
            Keeps::Largest => worst < value || worst.is_nan() && !value.is_nan(),
            Keeps::Smallest => worst > value || worst.is_nan() && !value.is_nan(),
            Keeps::First => false,
        };
        if better {
            self.elements[0] = (value, row);
            self.down();
        }
    }

    fn up(&mut self, mut at: usize) {
        while at > 0 {
            let parent = (at - 1) / 2;
            if !self.worse(at, parent) {
                break;
            }
            self.elements.swap(at, parent);
            at = parent;
        }
    }

    fn down(&mut self) {
        let mut at = 0;
        loop {
            let (left, right) = (2 * at + 1, 2 * at + 2);
            if left >= self.elements.len() {
                break;
            }
            let child = if right < self.elements.len() && self.worse(right, left) {
                right
            } else {
                left
            };
            if !self.worse(child, at) {
                break;
            }
            self.elements.swap(child, at);
            at = child;
        }
    }

    /// The rows, the best first, or as they lie where none is better; leaves nothing.
    ///
    /// # Errors
    /// The query was ended.
    pub(super) fn take_sorted(&mut self, limits: &Limits<'_>) -> Result<Vec<usize>, Error> {
        let descending = !self.smallest_first();
        let mut elements = std::mem::take(&mut self.elements);
        if self.keeps != Keeps::First {
            let before = |a: &(f64, usize), b: &(f64, usize)| value_before(b.0, a.0, descending);
            go_sorted(&mut elements, limits, before)?;
        }
        Ok(elements.into_iter().map(|(_, row)| row).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(keeps: Keeps, k: usize, values: &[f64]) -> Vec<usize> {
        let mut heap = Heap::new(keeps);
        for (row, &value) in values.iter().enumerate() {
            heap.offer(k, value, row);
        }
        let budget = std::sync::Arc::new(crate::limits::Budget::new(0));
        let limits = Limits::new(&budget, 0, None, None);
        heap.take_sorted(&limits).unwrap()
    }

    #[test]
    fn the_best_are_kept_best_first() {
        let values = [3.0, f64::NAN, 9.0, 1.0, 7.0];
        assert_eq!(best(Keeps::Largest, 2, &values), [2, 4]);
        assert_eq!(best(Keeps::Smallest, 2, &values), [3, 0]);
        assert_eq!(best(Keeps::Largest, 9, &values), [2, 4, 0, 3, 1]);
        assert_eq!(best(Keeps::Smallest, 9, &values), [3, 0, 4, 2, 1]);
    }
}
