//! `limit_ratio`: a part of the rows that the hash of their labels picks.

use super::quantile::grouped;
use super::topk::{Heap, Keeps};
use crate::eval::Evaluator;
use crate::eval::column::{ABSENT, present_range};
use crate::eval::order::in_order;
use crate::eval::rows::Rows;
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
        rows.retain_mut(|row| {
            let offset = offset(&row.labels);
            let ratios = ratios.iter().skip(row.first);
            for (value, &ratio) in row.values.iter_mut().zip(ratios) {
                if !picks(ratio, offset) {
                    *value = ABSENT;
                }
            }
            !present_range(&row.values).is_empty()
        });
        Ok(rows)
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
    let mut heaps: Vec<Heap> = groups
        .into_labels()
        .map(|_| Heap::new(Keeps::First))
        .collect();
    for (at, (row, &group)) in rows.iter().zip(of_rows.iter()).enumerate() {
        if row.has(0) && picks(ratio, offset(&row.labels)) {
            heaps[group].offer(usize::MAX, row.at(0), at);
        }
    }
    let order: Vec<usize> = heaps.iter_mut().flat_map(Heap::take_sorted).collect();
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
