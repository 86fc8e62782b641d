//! Rows of parts that stand in a query several times, kept from their first use to the last.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::Evaluator;
use super::Grid;
use super::rows::{Row, Rows};
use super::stats::Counts;
use super::stream::Stream;
use crate::Error;
use crate::limits::{Limits, Loan};
use crate::plan::Shared;

/// The rows by part and steps.
#[derive(Debug, Default)]
pub(crate) struct SharedRows(RefCell<HashMap<(usize, Grid), Kept>>);

/// Rows that are kept. What they hold is given back when they go, or with the query.
#[derive(Clone, Debug)]
struct Kept {
    rows: Arc<Vec<Row>>,
    samples: u64,
    bytes: u64,
    /// What the part looked at.
    counts: Counts,
    /// How many uses there are still to come.
    uses: usize,
}

impl SharedRows {
    /// Frees what is still kept at the end.
    pub(crate) fn free(&self, limits: &Limits<'_>) {
        for (_, kept) in self.0.take() {
            if let Ok(rows) = Arc::try_unwrap(kept.rows) {
                limits.free(rows);
            }
        }
    }
}

impl<'e> Evaluator<'e> {
    /// The rows of a part, made at its first use.
    pub(super) fn open_shared(&self, node: &'e Shared) -> Result<Stream<'e>, Error> {
        let key = (node.part.id, self.grid);
        let known = {
            let mut all = self.shared.0.borrow_mut();
            match all.get_mut(&key) {
                Some(kept) if kept.uses > 1 => {
                    kept.uses -= 1;
                    Some(kept.clone())
                }
                Some(_) => all.remove(&key),
                None => None,
            }
        };
        if let Some(kept) = known {
            self.count(&kept.counts);
            self.notes.repeat(node.part.first, node.span);
            return Ok(match Arc::try_unwrap(kept.rows) {
                Ok(rows) => {
                    let loan = Loan::of_held(self.limits, kept.samples, kept.bytes);
                    Stream::Made(Rows::of(rows, loan))
                }
                Err(rows) => Stream::Kept(rows),
            });
        }
        let before = self.counts_so_far();
        let rows = self.vector(&node.child)?;
        let mut counts = self.counts_so_far();
        counts.subtract(&before);
        let (rows, loan) = rows.into_parts();
        let rows = rows.into_inner();
        let (samples, bytes) = loan.keep();
        let rows = Arc::new(rows);
        let kept = Kept {
            rows: Arc::clone(&rows),
            samples,
            bytes,
            counts,
            uses: node.part.uses - 1,
        };
        self.shared.0.borrow_mut().insert(key, kept);
        Ok(Stream::Kept(rows))
    }
}
