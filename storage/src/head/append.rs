//! Applying commit groups.

use parking_lot::RwLockWriteGuard;

use super::Head;
use super::extras::{Point, points};
use super::series::Placed;
use super::shard::{Group, Scrape, Shard, shard_of};
use super::stats::Totals;
use crate::model::{Batch, ExemplarRow, FloatRow, MetadataRow, Seq, SeriesDefinition, SeriesId};

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
    /// Of the samples stored, histograms.
    pub histograms: u64,
    /// Exemplars stored.
    pub exemplars: u64,
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
            if is_plain(batch) {
                self.apply_floats(&batch.floats, &group, &mut tally);
            } else {
                self.apply_points(batch, &group, &mut tally);
            }
            self.apply_exemplars(&batch.exemplars, &group, &mut tally);
            self.apply_metadata(&batch.metadata, &group, &mut tally);
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

    fn apply_floats(&self, rows: &[FloatRow], group: &Group<'_>, tally: &mut Tally) {
        // Rows of one request mostly are scrapes of some targets, in the order of their ids.
        let is_one_scrape = |a: &FloatRow, b: &FloatRow| {
            a.timestamp_ms == b.timestamp_ms
                && a.series < b.series
                && shard_of(a.series) == shard_of(b.series)
        };
        let mut shards = ShardInUse::new(self, group);
        for rows in rows.chunk_by(is_one_scrape) {
            let shard = rows.first().and_then(|row| shards.get(row.series));
            tally.append(shard, rows, group);
        }
    }

    /// Applies samples of any kind.
    fn apply_points(&self, batch: &Batch, group: &Group<'_>, tally: &mut Tally) {
        let mut shards = ShardInUse::new(self, group);
        for (id, point) in points(batch) {
            tally.append_point(shards.get(id), id, &point, group);
        }
    }

    fn apply_exemplars(&self, rows: &[ExemplarRow], group: &Group<'_>, tally: &mut Tally) {
        let mut shards = ShardInUse::new(self, group);
        for row in rows {
            tally.append_exemplar(shards.get(row.series), row, group);
        }
    }

    /// Applies metadata, of which no later group was applied.
    pub(super) fn apply_metadata(
        &self,
        rows: &[MetadataRow],
        group: &Group<'_>,
        tally: &mut Tally,
    ) {
        if !rows.is_empty() {
            let grown = self.metadata.apply(rows, group, self.visible_seq());
            tally.totals.metadata_bytes += grown as i64;
        }
    }
}

/// Whether all samples of a batch are floats without start timestamps.
pub(super) fn is_plain(batch: &Batch) -> bool {
    batch.histograms.is_empty() && batch.float_starts.is_empty()
}

/// The shard of the rows that are applied, locked once for a run of them.
struct ShardInUse<'a> {
    head: &'a Head,
    group: &'a Group<'a>,
    number: u32,
    shard: Option<RwLockWriteGuard<'a, Shard>>,
}

impl<'a> ShardInUse<'a> {
    fn new(head: &'a Head, group: &'a Group<'a>) -> Self {
        Self {
            head,
            group,
            number: 0,
            shard: None,
        }
    }

    fn get(&mut self, id: SeriesId) -> Option<&mut Shard> {
        let number = shard_of(id);
        if self.shard.is_none() || self.number != number {
            // Let go of one before the other is taken.
            self.shard = None;
            let mut shard = self.head.shards.get(number)?.write();
            shard.forget(self.group);
            self.number = number;
            self.shard = Some(shard);
        }
        self.shard.as_deref_mut()
    }
}

/// Counts of a group while it is applied.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) totals: Totals,
    undefined_max: Option<SeriesId>,
}

impl Tally {
    /// Adds floats of one timestamp to their shard, if there is one.
    pub(super) fn append(
        &mut self,
        shard: Option<&mut Shard>,
        rows: impl Scrape,
        group: &Group<'_>,
    ) {
        let Some(shard) = shard else {
            let rows = (0..rows.len()).filter_map(|at| rows.get(at));
            rows.for_each(|row| self.undefined(row.series));
            return;
        };
        let (in_order, grown) = shard.append_scrape(rows, group, |row, placed| match placed {
            Some(placed) => self.placed(row.timestamp_ms, placed),
            None => self.undefined(row.series),
        });
        if in_order > 0
            && let Some(row) = rows.get(0)
        {
            self.totals.applied.samples += in_order;
            self.totals.chunk_bytes += grown as i64;
            self.totals.include(row.timestamp_ms);
        }
    }

    /// Adds a sample of any kind to its shard, if there is one.
    pub(super) fn append_point(
        &mut self,
        shard: Option<&mut Shard>,
        id: SeriesId,
        point: &Point<'_>,
        group: &Group<'_>,
    ) {
        let appended = shard.and_then(|shard| shard.append_point(id, point, group));
        let Some((placed, grown)) = appended else {
            self.undefined(id);
            return;
        };
        self.placed(point.timestamp_ms, placed);
        self.totals.extras_bytes += grown as i64;
        if point.float().is_none() && placed != Placed::Duplicate {
            self.totals.applied.histograms += 1;
        }
    }

    /// Adds an exemplar to its shard, if there is one.
    pub(super) fn append_exemplar(
        &mut self,
        shard: Option<&mut Shard>,
        row: &ExemplarRow,
        group: &Group<'_>,
    ) {
        let ExemplarRow { series, exemplar } = row;
        match shard.and_then(|shard| shard.append_exemplar(*series, exemplar, group)) {
            Some(Ok(Some(grown))) => {
                self.totals.applied.exemplars += 1;
                self.totals.exemplar_bytes += grown as i64;
            }
            // It is there already, or only a bug made what is there unreadable.
            Some(Ok(None) | Err(_)) => {}
            None => self.undefined(*series),
        }
    }

    /// Adds the counts of another thread.
    pub(super) fn add(&mut self, other: &Self) {
        self.totals.add(&other.totals);
        self.undefined_max = self.undefined_max.max(other.undefined_max);
    }

    pub(super) fn placed(&mut self, timestamp_ms: i64, placed: Placed) {
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
        totals.include(timestamp_ms);
    }

    pub(super) fn undefined(&mut self, series: SeriesId) {
        self.totals.applied.undefined_rows += 1;
        self.undefined_max = self.undefined_max.max(Some(series));
    }
}
