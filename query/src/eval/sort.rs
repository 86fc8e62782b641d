//! `sort` and its kin: of an instant query's vector.

use std::cell::Cell;

use super::Evaluator;
use super::order::{in_order, sorted};
use super::rows::{Row, Rows};
use crate::Error;
use crate::functions::go_sort::go_sort;
use crate::functions::sort::{by_labels, value_before};
use crate::limits::{Loan, bytes_of};
use crate::parse::ast::Span;
use crate::plan::{SortBy, VectorNode};

/// How long a comparison of values takes, in samples looked at.
const WORK_A_COMPARISON: usize = 4;

impl<'e> Evaluator<'e> {
    pub(super) fn sort(
        &self,
        child: &'e VectorNode,
        by: &SortBy,
        descending: bool,
        span: Span,
    ) -> Result<Rows<'e>, Error> {
        let rows = self.vector(child)?;
        if !self.grid.is_instant() {
            self.notes.sort_in_range_query(span);
            return Ok(rows);
        }
        let (rows, loan) = rows.into_parts();
        let rows = match by {
            SortBy::Value => self.sorted_by_value(rows, descending)?,
            SortBy::Labels(names) => sorted(rows, self.limits, |a, b| {
                let order = by_labels(&a.labels, &b.labels, names);
                if descending { order.reverse() } else { order }
            })?,
        };
        Ok(Rows::new(rows, loan))
    }

    fn sorted_by_value(&self, rows: Vec<Row>, descending: bool) -> Result<Vec<Row>, Error> {
        let mut loan = Loan::new(self.limits);
        loan.add(0, 2 * bytes_of::<(f64, usize)>(rows.len()))?;
        let mut values: Vec<(f64, usize)> = rows.iter().map(|row| row.at(0)).zip(0..).collect();
        let (ended, work) = (Cell::new(None), Cell::new(0));
        let going_on = || {
            let mut looked_at = work.get();
            let checked = self.limits.check_work(&mut looked_at, WORK_A_COMPARISON);
            work.set(looked_at);
            let error = ended.take().or(checked.err());
            let going_on = error.is_none();
            ended.set(error);
            going_on
        };
        go_sort(&mut values, |a, b| {
            // In an order in which nothing goes before anything, sorting soon ends. The reverse
            // of an order with NaN first puts it last.
            going_on() && value_before(b.0, a.0, !descending)
        });
        if let Some(error) = ended.into_inner() {
            return Err(error);
        }
        let order: Vec<usize> = values.into_iter().map(|(_, row)| row).collect();
        in_order(rows, &order, &mut loan)
    }
}
