//! Applying commit groups.

use super::Head;
use super::series::Placed;
use super::shard::{Group, Shard, shard_of};
use super::stats::Totals;
use crate::model::{Batch, FloatRow, Seq, SeriesDefinition, SeriesId};

/// How many definitions are indexed while registry and index are locked once.
const DEFINE_BATCH: usize = 256;

/// What became of a commit group's rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Applied {
    /// Samples stored, late ones included.
    pub samples: u64,
    /// Of those, samples at or before the newest timestamp of their series.
    pub late: u64,
    /// Rows that repeat the newest sample of their series and change nothing.
    pub duplicates: u64,
    /// Rows dropped because no batch defines their series: its definition was lost to damage.
    pub undefined_rows: u64,
}

impl Head {
    /// Applies a commit group: batches that are durable, in the order of their seqs, all above
    /// the seqs of earlier groups. Readers see them once the last one is applied, all at once.
    ///
    /// The series of `definitions` are registered or defined before; one that is not is left
    /// out, and so are rows of it. An id of such rows is never given to another series.
    pub fn apply(&self, batches: &[Batch]) -> Applied {
        let mut pinned = self.applier.lock();
        let Some(last) = batches.last() else {
            return Applied::default();
        };
        self.visibility.pinned(&mut pinned);
        debug_assert!(
            batches.is_sorted_by(|a, b| a.seq < b.seq)
                && Some(self.visible_seq()) < batches.first().map(|batch| batch.seq),
            "seqs rise from group to group"
        );
        let group = Group {
            seq: last.seq,
            pinned: &pinned,
        };
        let mut tally = Tally::default();
        for batch in batches {
            tally.totals.series += self.apply_definitions(&batch.definitions, group.seq, |id| {
                self.shards.get_or_make(shard_of(id)).write().define(id);
            });
            self.apply_rows(&batch.floats, &group, &mut tally);
        }
        self.account(&tally, group.seq)
    }

    /// Ends a group: counts what became of it and makes it visible.
    pub(super) fn account(&self, tally: &Tally, seq: Seq) -> Applied {
        if let Some(id) = tally.undefined_max {
            self.registry.keep_free(id);
        }
        self.totals.lock().add(&tally.totals);
        self.visibility.advance(seq);
        tally.totals.applied
    }

    /// Makes series known to the index, and names those that are new; returns how many.
    pub(super) fn apply_definitions(
        &self,
        definitions: &[SeriesDefinition],
        seq: Seq,
        mut define: impl FnMut(SeriesId),
    ) -> u64 {
        let mut new = 0;
        for definitions in definitions.chunks(DEFINE_BATCH) {
            let labels = self.registry.view();
            let mut index = self.index.write();
            index.defined_seq = seq;
            for definition in definitions {
                let id = definition.id;
                let Some(symbols) = labels.symbols_of(id) else {
                    continue;
                };
                if index.postings.insert(id, symbols) {
                    new += 1;
                    define(id);
                }
            }
        }
        new
    }

    fn apply_rows(&self, rows: &[FloatRow], group: &Group<'_>, tally: &mut Tally) {
        // Rows of one request mostly come in the order of their ids: a shard is locked once for
        // its run of them.
        for rows in rows.chunk_by(|a, b| shard_of(a.series) == shard_of(b.series)) {
            let Some(shard) = rows
                .first()
                .and_then(|row| self.shards.get(shard_of(row.series)))
            else {
                rows.iter().for_each(|row| tally.undefined(row));
                continue;
            };
            let mut shard = shard.write();
            shard.forget(group);
            tally.append(&mut shard, rows, group);
        }
    }
}

/// Counts of a group while it is applied.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) totals: Totals,
    undefined_max: Option<SeriesId>,
}

impl Tally {
    /// Adds rows to their shard.
    pub(super) fn append(&mut self, shard: &mut Shard, rows: &[FloatRow], group: &Group<'_>) {
        for row in rows {
            match shard.append(row, group) {
                Some(placed) => self.placed(row, placed),
                None => self.undefined(row),
            }
        }
    }

    /// Adds the counts of another thread.
    pub(super) fn add(&mut self, other: &Self) {
        self.totals.add(&other.totals);
        self.undefined_max = self.undefined_max.max(other.undefined_max);
    }

    fn placed(&mut self, row: &FloatRow, placed: Placed) {
        let totals = &mut self.totals;
        match placed {
            Placed::InOrder(grown) => {
                totals.applied.samples += 1;
                totals.chunk_bytes += grown as i64;
            }
            Placed::Overflow(grown) => {
                totals.applied.samples += 1;
                totals.applied.late += 1;
                totals.overflow_bytes += grown as i64;
            }
            Placed::Duplicate => {
                totals.applied.duplicates += 1;
                return;
            }
        }
        totals.include(row.timestamp_ms);
    }

    pub(super) fn undefined(&mut self, row: &FloatRow) {
        self.totals.applied.undefined_rows += 1;
        self.undefined_max = self.undefined_max.max(Some(row.series));
    }
}
