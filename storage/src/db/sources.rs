//! Where samples are at a moment: what a view pins.

use std::sync::Arc;

use parking_lot::RwLock;

use super::epoch::Frozen;
use super::matcher_cache::MatcherCache;
use crate::head::{Applied, Head};
use crate::maintenance::plan::SourceId;
use crate::maintenance::stored::Stored;
use crate::model::TimeRange;

/// The sources of a database, from the oldest writes to the newest: the files, the frozen epochs,
/// the head that takes writes. The seqs of two that overlap in time do not overlap.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    /// Segments and blocks, in the order in which they count.
    pub(super) files: Vec<Stored>,
    /// Epochs that ended and are not in segments yet: one, but for two after some restarts.
    pub(super) frozen: Vec<Arc<Frozen>>,
    pub(super) active: Arc<Head>,
    /// What became of the rows of the heads before this one, since the database was opened.
    pub(super) earlier_rows: Applied,
}

impl Sources {
    /// Smallest and largest timestamp of all samples; none without a sample.
    pub(super) fn range(&self) -> Option<TimeRange> {
        let files = self.files.iter().map(Stored::range);
        let frozen = self.frozen.iter().map(|frozen| frozen.head.time_range());
        let all = files
            .chain(frozen)
            .chain([self.active.time_range()])
            .flatten();
        all.reduce(|a, b| TimeRange {
            start_ms: a.start_ms.min(b.start_ms),
            end_ms: a.end_ms.max(b.end_ms),
        })
    }
}

/// The sources of now. They are changed by replacing the whole list.
#[derive(Debug)]
pub(super) struct CurrentSources {
    now: RwLock<Arc<Sources>>,
    /// What matchers were found to do over their files.
    pub(super) matcher_cache: MatcherCache,
}

impl CurrentSources {
    /// These, and a cache of their matchers' results.
    pub(super) fn new(sources: Sources, matcher_cache: MatcherCache) -> Self {
        for file in &sources.files {
            matcher_cache.admit(file.id());
        }
        Self {
            now: RwLock::new(Arc::new(sources)),
            matcher_cache,
        }
    }

    /// The sources of now.
    pub(super) fn get(&self) -> Arc<Sources> {
        Arc::clone(&self.now.read())
    }

    /// The epoch of the active head ended, and this is the head of the next.
    pub(super) fn freeze(&self, frozen: Frozen, active: Arc<Head>) {
        self.change(|sources| {
            sources.earlier_rows.add(&frozen.head.stats().rows);
            sources.frozen.push(Arc::new(frozen));
            sources.active = active;
        });
    }

    /// The oldest frozen epoch is a segment now.
    pub(super) fn publish(&self, segment: Stored) {
        self.matcher_cache.admit(segment.id());
        self.change(|sources| {
            sources.frozen.remove(0);
            // The newest of all.
            sources.files.push(segment);
        });
    }

    /// The blocks `outputs` stand in the place of the files `inputs`.
    pub(super) fn replace(&self, inputs: &[SourceId], outputs: &[Stored]) {
        for file in outputs {
            self.matcher_cache.admit(file.id());
        }
        self.change(|sources| {
            sources.files.retain(|file| !inputs.contains(&file.id()));
            sources.files.extend_from_slice(outputs);
            sources.files.sort_by_key(Stored::place);
        });
        self.matcher_cache.forget(inputs);
    }

    fn change(&self, change: impl FnOnce(&mut Sources)) {
        let old = {
            let mut current = self.now.write();
            let mut sources = Sources::clone(&current);
            change(&mut sources);
            std::mem::replace(&mut *current, Arc::new(sources))
        };
        // Not under the lock: it may be the last to hold a head of many megabytes.
        drop(old);
    }
}
