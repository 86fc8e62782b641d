//! `sort` and its kin: of an instant query's vector.

use super::Evaluator;
use super::order::{go_sorted, in_order, sorted};
use super::rows::{Row, Rows};
use crate::Error;
use crate::functions::sort::{by_labels, value_before};
use crate::limits::{Loan, Swept, bytes_of};
use crate::parse::ast::Span;
use crate::plan::{SortBy, VectorNode};

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

    fn sorted_by_value(
        &self,
        rows: Swept<'e, Vec<Row>>,
        descending: bool,
    ) -> Result<Swept<'e, Vec<Row>>, Error> {
        let mut loan = Loan::new(self.limits);
        loan.add(0, 2 * bytes_of::<(f64, usize)>(rows.len()))?;
        let mut values: Vec<(f64, usize)> = rows.iter().map(|row| row.at(0)).zip(0..).collect();
        // The reverse of an order with NaN first puts it last.
        go_sorted(&mut values, self.limits, |a, b| {
            value_before(b.0, a.0, !descending)
        })?;
        let order: Vec<usize> = values.into_iter().map(|(_, row)| row).collect();
        in_order(rows, &order, &mut loan)
    }
}
