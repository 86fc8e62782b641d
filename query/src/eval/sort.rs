//! `sort` and its kin: of an instant query's vector.

use super::Evaluator;
use super::rows::Row;
use crate::Error;
use crate::functions::go_sort::go_sort;
use crate::functions::sort::{by_labels, value_before};
use crate::parse::ast::Span;
use crate::plan::{SortBy, VectorNode};

impl<'e> Evaluator<'e> {
    pub(super) fn sort(
        &self,
        child: &'e VectorNode,
        by: &SortBy,
        descending: bool,
        span: Span,
    ) -> Result<Vec<Row>, Error> {
        let mut rows = self.vector(child)?;
        if !self.grid.is_instant() {
            self.notes.sort_in_range_query(span);
            return Ok(rows);
        }
        match by {
            SortBy::Value => go_sort(&mut rows, |a, b| {
                // The reverse of an order with NaN first puts it last.
                value_before(b.at(0), a.at(0), !descending)
            }),
            SortBy::Labels(names) => rows.sort_by(|a, b| {
                let order = by_labels(&a.labels, &b.labels, names);
                if descending { order.reverse() } else { order }
            }),
        }
        Ok(rows)
    }
}
