//! The figures a database tells about itself.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::wal;

/// Figures of a database at one moment; totals count since it was opened.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Series that queries can see.
    pub series: u64,
    /// Samples appended, replayed ones included, exact repeats left out.
    pub samples_appended: u64,
    /// Of these, samples that came after a newer one of their series.
    pub samples_out_of_order: u64,
    /// Samples that repeated the newest one of their series, and were not stored again.
    pub samples_duplicate: u64,
    /// Bytes of samples in memory.
    pub chunk_bytes: u64,
    /// Different label names and values in memory.
    pub symbols: u64,
    /// Bytes of their strings.
    pub symbol_bytes: u64,
    /// Views held.
    pub views: u64,
    /// Timestamp of the oldest sample, in milliseconds.
    pub min_timestamp_ms: Option<i64>,
    /// Timestamp of the newest sample, in milliseconds.
    pub max_timestamp_ms: Option<i64>,
    /// Bytes of records in the WAL.
    pub wal_bytes: u64,
    /// Files of the WAL.
    pub wal_files: u64,
    /// Syncs of the WAL.
    pub wal_syncs: u64,
    /// Time spent in them, in seconds.
    pub wal_sync_seconds: f64,
    /// Groups of writes that shared one write to the WAL.
    pub commit_groups: u64,
    /// Writes made durable (or taken, where the WAL is not synced each time).
    pub commits: u64,
    /// Writes that have their place and wait for the group before them to be synced.
    pub commits_waiting: u64,
    /// Damaged places that replay skipped.
    pub replay_damage: u64,
    /// Why writes are refused, if they are.
    pub poisoned: Option<String>,
}

/// What the committer counts.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) groups: AtomicU64,
    pub(super) writes: AtomicU64,
    syncs: AtomicU64,
    sync_nanoseconds: AtomicU64,
    wal_bytes: AtomicU64,
    wal_files: AtomicU64,
}

impl Counters {
    pub(super) fn note_sync(&self, took: Duration) {
        self.syncs.fetch_add(1, Relaxed);
        self.sync_nanoseconds
            .fetch_add(took.as_nanos() as u64, Relaxed);
    }

    pub(super) fn note_wal(&self, writer: &wal::Writer) {
        self.wal_bytes.store(writer.files().bytes(), Relaxed);
        self.wal_files.store(writer.files().count() as u64, Relaxed);
    }

    pub(super) fn fill(&self, stats: &mut Stats) {
        stats.wal_bytes += self.wal_bytes.load(Relaxed);
        stats.wal_files += self.wal_files.load(Relaxed);
        stats.wal_syncs = self.syncs.load(Relaxed);
        stats.wal_sync_seconds = self.sync_nanoseconds.load(Relaxed) as f64 / 1e9;
        stats.commit_groups = self.groups.load(Relaxed);
        stats.commits = self.writes.load(Relaxed);
    }
}
