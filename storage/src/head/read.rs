//! Selecting series and reading their samples.

use thiserror::Error;

use super::points::find_points;
use super::shard::{Shard, shard_of};
use super::{Head, Pin};
use crate::chunk::{ChunkError, overlay};
use crate::index::{IndexAccess, PostingsIndex, SymbolTable, evaluate};
use crate::model::{Ended, Matcher, Pace, ReadBounds, Samples, SeriesId, TimeRange};

/// How many chunks are decoded while a shard is locked once, some microseconds each.
pub(super) const READ_CHUNKS: usize = 16;
/// How many series are looked at while a shard is locked once.
const SELECT_BATCH: usize = 128;

impl IndexAccess for Head {
    fn with_postings<R>(&self, read: impl FnOnce(&PostingsIndex) -> R) -> R {
        read(&self.index.read().postings)
    }

    fn with_symbols<R>(&self, read: impl FnOnce(&SymbolTable) -> R) -> R {
        read(self.registry.view().symbols())
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ReadError {
    /// A chunk cannot be read: only a bug makes one.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
    /// Whoever asked wants none any more.
    #[error(transparent)]
    Ended(#[from] Ended),
}

impl Head {
    /// The series that pass all `matchers` and have a sample in `range` that the pin sees, in
    /// rising order of id, as many of the first as the bounds say. A stale marker is a sample.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn select_within(
        &self,
        pin: &Pin,
        matchers: &[Matcher],
        range: TimeRange,
        bounds: ReadBounds<'_>,
    ) -> Result<Vec<SeriesId>, ReadError> {
        if !self.time_range().is_some_and(|all| all.overlaps(range)) {
            return Ok(Vec::new());
        }
        let candidates = evaluate(self, matchers, bounds)?;
        let count = usize::try_from(candidates.len()).unwrap_or(usize::MAX);
        let _series = bounds.hold_all::<[SeriesId; 2]>(count)?;
        let candidates: Vec<SeriesId> = candidates.into_iter().map(SeriesId).collect();
        let mut selected = Vec::with_capacity(candidates.len().min(bounds.limit));
        for ids in candidates.chunk_by(|&a, &b| shard_of(a) == shard_of(b)) {
            let Some(shard) = ids.first().and_then(|&id| self.shards.get(shard_of(id))) else {
                continue;
            };
            for ids in ids.chunks(SELECT_BATCH) {
                bounds.check()?;
                let shard = shard.read();
                for &id in ids {
                    if selected.len() == bounds.limit {
                        return Ok(selected);
                    }
                    if shard.has_sample(id, pin.seq(), range)? {
                        selected.push(id);
                    }
                }
            }
        }
        Ok(selected)
    }

    /// [`Self::read_within`] without bounds.
    #[cfg(test)]
    pub fn read(
        &self,
        pin: &Pin,
        id: SeriesId,
        range: TimeRange,
        out: &mut Samples,
    ) -> Result<(), ChunkError> {
        self.read_within(pin, id, range, out, &mut Pace::none())
    }

    /// Reads the floats of a series in `range` that the pin sees into `out`, which is emptied
    /// first; those that a histogram came over are not among them. Of several at one timestamp
    /// the one that came last counts. Part of them where the pace ends it.
    ///
    /// # Errors
    /// A chunk that cannot be read: only a bug makes one.
    pub fn read_within(
        &self,
        pin: &Pin,
        id: SeriesId,
        range: TimeRange,
        out: &mut Samples,
        pace: &mut Pace<'_>,
    ) -> Result<(), ChunkError> {
        out.clear();
        let Some(lock) = self.shards.get(shard_of(id)) else {
            return Ok(());
        };
        let mut shard = lock.read();
        let Some(mut reader) = shard.reader(id, pin.seq()) else {
            return Ok(());
        };
        if shard.has_histograms(id) {
            drop(shard);
            let points = find_points(lock, reader, range)?;
            for point in points.iter().filter(|point| !point.is_histogram) {
                out.push(point.timestamp_ms, point.value);
            }
            return Ok(());
        }
        loop {
            let before = out.len();
            reader.read_in_order(&shard, range, READ_CHUNKS, |timestamp_ms, value| {
                out.push(timestamp_ms, value);
            })?;
            if reader.in_order_done() {
                break;
            }
            if !pace.goes_on(out.len() - before + READ_CHUNKS) {
                return Ok(());
            }
            shard = between(shard, || lock.read());
        }
        let mut late = Vec::new();
        while !reader.overflow_done() {
            let before = late.len();
            reader.read_overflow(&shard, range, READ_CHUNKS, |timestamp_ms, value| {
                late.push((timestamp_ms, value));
            })?;
            if !pace.goes_on(late.len() - before + READ_CHUNKS) {
                return Ok(());
            }
            shard = between(shard, || lock.read());
        }
        drop(shard);
        if !late.is_empty() {
            overlay(out, late);
        }
        Ok(())
    }
}

type ReadGuard<'a> = parking_lot::RwLockReadGuard<'a, Shard>;

/// Lets a writer in: unlocks and locks again.
pub(super) fn between<'a>(
    guard: ReadGuard<'a>,
    lock: impl FnOnce() -> ReadGuard<'a>,
) -> ReadGuard<'a> {
    drop(guard);
    lock()
}
