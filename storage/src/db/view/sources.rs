//! Where the samples of a database are at one moment.

use std::sync::Arc;

use super::part::Part;
use crate::head::Head;

/// The sources of a database. Replaced as a whole when one of them changes its form, so that
/// whoever takes it sees each sample once.
#[derive(Debug)]
pub(in crate::db) struct Sources {
    /// The head that takes the writes.
    pub(in crate::db) active: Arc<Head>,
    /// The head before it, complete, while it is written as a segment.
    pub(in crate::db) frozen: Option<Arc<Head>>,
}

impl Sources {
    /// One head and nothing else.
    pub(in crate::db) fn new(active: Arc<Head>) -> Self {
        Self {
            active,
            frozen: None,
        }
    }

    /// The timestamp of the newest sample, in milliseconds.
    pub(in crate::db) fn newest_ms(&self) -> Option<i64> {
        let heads = self.frozen.iter().chain([&self.active]);
        let ranges = heads.filter_map(|head| head.time_range());
        ranges.map(|range| range.end_ms).max()
    }

    /// Pins what readers see now, in the order of seqs.
    pub(super) fn pin(&self) -> Vec<Part> {
        // The newest is pinned first. A write that it shows came after all writes of the older
        // ones, which are then shown too: a view never shows a write and misses one before it.
        let newest_first = [&self.active].into_iter().chain(&self.frozen);
        let mut parts: Vec<Part> = newest_first.map(Part::pinned).collect();
        parts.reverse();
        parts
    }
}
