//! `limit_ratio`: a part of the rows that the hash of their labels picks.

use super::quantile::grouped;
use super::topk::{Heap, Keeps};
use crate::eval::Evaluator;
use crate::eval::column::{ABSENT, present_range};
use crate::eval::order::in_order;
use crate::eval::rows::{Rows, WORK_A_LABEL_SET};
use crate::functions::numeric::{max, min};
use crate::labels::hash::label_hash;
use crate::limits::{Loan, bytes_of};
use crate::plan::{Aggregate, Parameter};
use crate::{Error, ErrorKind, Labels};

impl<'e> Evaluator<'e> {
    pub(super) fn limit_ratio(&self, node: &'e Aggregate) -> Result<Rows<'e>, Error> {
        let ratios = self.number_parameter(node)?;
        let mut rows = self.vector(&node.child)?;
        let largest = ratios.iter().copied().fold(-f64::MAX, max);
        let smallest = ratios.iter().copied().fold(f64::MAX, min);
        if largest == 0.0 && smallest == 0.0 {
            return Ok(Rows::none(self.limits));
        }
        if ratios.iter().any(|ratio| ratio.is_nan()) {
            return Err(Error::new(ErrorKind::Execution, "Ratio value is NaN"));
        }
        if let Parameter::Scalar(_, span) = &node.parameter {
            if largest > 1.0 {
                self.notes.ratio(largest, 1.0, *span);
            }
            if smallest < -1.0 {
                self.notes.ratio(smallest, -1.0, *span);
            }
        }
        if self.grid.is_instant() {
            let ratio = ratios.first().copied().unwrap_or(0.0);
            return picked_in_groups(node, rows, ratio);
        }
        let (limits, mut work) = (self.limits, 0);
        let mut checked = Ok(());
        rows.retain_mut(|row| {
            if checked.is_ok() {
                checked = limits.check_work(&mut work, WORK_A_LABEL_SET + row.values.len());
            }
            if checked.is_err() {
                return true;
            }
            let offset = offset(&row.labels);
            let ratios = ratios.iter().skip(row.first);
            for (value, &ratio) in row.values.iter_mut().zip(ratios) {
                if !picks(ratio, offset) {
                    *value = ABSENT;
                }
            }
            !present_range(&row.values).is_empty()
        });
        checked.map(|()| rows)
    }
}

/// The rows of an instant query group by group, each in the order of the heap that Prometheus
/// collects them in.
fn picked_in_groups<'l>(
    node: &'l Aggregate,
    rows: Rows<'l>,
    ratio: f64,
) -> Result<Rows<'l>, Error> {
    let (of_rows, groups) = grouped(node, &rows, rows.limits())?;
    let mut loan = Loan::new(rows.limits());
    // As in `topk`.
    loan.add(0, 3 * bytes_of::<(f64, usize)>(rows.len()))?;
    let mut work = 0;
    let mut heaps = Vec::new();
    for _group in groups.into_labels() {
        loan.limits().check_work(&mut work, WORK_A_LABEL_SET)?;
        heaps.push(Heap::new(Keeps::First));
    }
    for (at, (row, &group)) in rows.iter().zip(of_rows.iter()).enumerate() {
        loan.limits().check_work(&mut work, WORK_A_LABEL_SET)?;
        if row.has(0) && picks(ratio, offset(&row.labels)) {
            heaps[group].offer(usize::MAX, row.at(0), at);
        }
    }
    let mut order = Vec::with_capacity(rows.len());
    for heap in &mut heaps {
        loan.limits().check_work(&mut work, WORK_A_LABEL_SET)?;
        order.extend(heap.take_sorted(loan.limits())?);
    }
    let (rows, held) = rows.into_parts();
    Ok(Rows::new(in_order(rows, &order, &mut loan)?, held))
}

/// Where the labels of a row lie between 0 and 1.
fn offset(labels: &Labels) -> f64 {
    label_hash(labels) as f64 / u64::MAX as f64
}

/// Whether a ratio picks what lies at an offset: from 0 up to the ratio, or, if that is below
/// 0, from 1 down.
fn picks(ratio: f64, offset: f64) -> bool {
    if ratio >= 0.0 {
        offset < ratio.min(1.0)
    } else {
        offset >= 1.0 + ratio.max(-1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_and_what_is_left_of_one_pick_everything_once() {
        for ratio in [0.1, 0.5, 0.9, 1.0] {
            for offset in [0.0, 0.1, 0.3, 0.5, 0.7, 0.999] {
                assert_ne!(
                    picks(ratio, offset),
                    picks(ratio - 1.0, offset) && ratio < 1.0
                );
            }
        }
        assert!(picks(7.0, 0.99) && picks(-7.0, 0.0));
        assert!(!picks(0.0, 0.0));
    }
}
