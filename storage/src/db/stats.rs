//! The figures a database tells about itself.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::Shared;
use super::courtesy::{Activity, WaitingSince};
use crate::maintenance::stored::Stored;
use crate::wal;

/// Figures of a database at one moment; totals count since it was opened.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Series in the head: those written since it was last frozen, and those that were written
    /// shortly before.
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
    /// Segments that are read.
    pub segments: u64,
    /// Bytes of their files.
    pub segment_bytes: u64,
    /// Blocks that are read.
    pub blocks: u64,
    /// Bytes of their files.
    pub block_bytes: u64,
    /// Segments and blocks that are named and cannot be opened.
    pub segments_damaged: u64,
    /// Heads that are frozen and not yet written to a segment.
    pub heads_frozen: u64,
    /// Heads written to segments.
    pub flushes: u64,
    /// Time spent on that, in seconds.
    pub flush_seconds: f64,
    /// Flushes that failed and were tried again.
    pub flush_failures: u64,
    /// Heads whose memory was freed after their flush; one that a view holds goes with that, and
    /// is not counted.
    pub heads_freed: u64,
    /// Merges of files into blocks.
    pub merges: u64,
    /// Time spent on them, in seconds.
    pub merge_seconds: f64,
    /// Merges that failed and were tried again, or made without one of the files.
    pub merge_failures: u64,
    /// Files that cannot be merged since they are damaged.
    pub merge_left_out: u64,
    /// Damaged places that replay skipped.
    pub replay_damage: u64,
    /// How often the answers of a [`View`](super::View) were without something of a damaged file: once
    /// for each view and file.
    pub read_damage: u64,
    /// Matchers of queries whose result over a file was in the cache: see
    /// [`Options::matcher_cache_bytes_max`](crate::Options::matcher_cache_bytes_max).
    pub matcher_cache_hits: u64,
    /// Of those that are worth to be kept, the ones whose result was not.
    pub matcher_cache_misses: u64,
    /// Results dropped to make room for others.
    pub matcher_cache_evictions: u64,
    /// Results that are kept, one a matcher and file.
    pub matcher_cache_results: u64,
    /// Bytes that they take in memory.
    pub matcher_cache_bytes: u64,
    /// Why writes are refused, if they are.
    pub poisoned: Option<String>,
}

/// What the committer counts.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) groups: AtomicU64,
    pub(super) writes: AtomicU64,
    pub(super) views: AtomicU64,
    pub(super) waiting: WaitingSince,
    syncs: AtomicU64,
    sync_nanoseconds: AtomicU64,
    wal_bytes: AtomicU64,
    wal_files: AtomicU64,
    flushes: AtomicU64,
    flush_nanoseconds: AtomicU64,
    pub(super) flush_failures: AtomicU64,
    pub(super) heads_freed: AtomicU64,
    merges: AtomicU64,
    merge_nanoseconds: AtomicU64,
    pub(super) merge_failures: AtomicU64,
    /// Files that cannot be merged.
    pub(super) left_out: AtomicU64,
    /// Damaged places found by replay.
    pub(super) replay_damage: AtomicU64,
    /// Damaged files met by views.
    pub(super) read_damage: AtomicU64,
    /// Segments that could not be opened.
    pub(super) segments_damaged: AtomicU64,
}

impl Activity for Counters {
    fn count(&self) -> u64 {
        self.groups.load(Relaxed) + self.views.load(Relaxed)
    }

    fn waiting_since(&self) -> Option<Duration> {
        self.waiting.get()
    }
}

/// The figures of now.
pub(super) fn collect(shared: &Shared) -> Stats {
    let sources = shared.sources.get();
    let heads = sources.frozen.iter().map(|frozen| &frozen.head);
    let head = sources.active.stats();
    let range = sources.range();
    let matcher_cache = shared.sources.matcher_cache.figures();
    let mut rows = sources.earlier_rows;
    rows.add(&head.rows);
    let mut stats = Stats {
        series: head.series,
        samples_appended: rows.samples,
        samples_out_of_order: rows.late,
        samples_duplicate: rows.duplicates,
        symbols: head.symbols as u64,
        symbol_bytes: head.symbol_bytes as u64,
        heads_frozen: sources.frozen.len() as u64,
        min_timestamp_ms: range.map(|range| range.start_ms),
        max_timestamp_ms: range.map(|range| range.end_ms),
        matcher_cache_hits: matcher_cache.hits,
        matcher_cache_misses: matcher_cache.misses,
        matcher_cache_evictions: matcher_cache.evictions,
        matcher_cache_results: matcher_cache.results as u64,
        matcher_cache_bytes: matcher_cache.bytes as u64,
        commits_waiting: shared.sequencer.lock().waiting() as u64,
        poisoned: shared.poison().map(|error| error.to_string()),
        ..Stats::default()
    };
    for file in &sources.files {
        let (count, bytes) = match file {
            Stored::Segment(_) => (&mut stats.segments, &mut stats.segment_bytes),
            Stored::Block(_) => (&mut stats.blocks, &mut stats.block_bytes),
        };
        *count += 1;
        *bytes += file.bytes();
    }
    for head in heads.map(|head| head.stats()).chain([head]) {
        stats.chunk_bytes += head.sample_bytes();
        stats.views = stats.views.max(head.pins as u64);
    }
    shared.counters.fill(&mut stats);
    stats
}

impl Counters {
    pub(super) fn note_sync(&self, took: Duration) {
        self.syncs.fetch_add(1, Relaxed);
        self.sync_nanoseconds
            .fetch_add(took.as_nanos() as u64, Relaxed);
    }

    pub(super) fn note_wal(&self, log: &wal::Files) {
        self.wal_bytes.store(log.bytes(), Relaxed);
        self.wal_files.store(log.count() as u64, Relaxed);
    }

    pub(super) fn note_flush(&self, took: Duration) {
        self.flushes.fetch_add(1, Relaxed);
        self.flush_nanoseconds
            .fetch_add(took.as_nanos() as u64, Relaxed);
    }

    pub(super) fn note_merge(&self, took: Duration) {
        self.merges.fetch_add(1, Relaxed);
        self.merge_nanoseconds
            .fetch_add(took.as_nanos() as u64, Relaxed);
    }

    fn fill(&self, stats: &mut Stats) {
        stats.flushes = self.flushes.load(Relaxed);
        stats.flush_seconds = self.flush_nanoseconds.load(Relaxed) as f64 / 1e9;
        stats.flush_failures = self.flush_failures.load(Relaxed);
        stats.heads_freed = self.heads_freed.load(Relaxed);
        stats.merges = self.merges.load(Relaxed);
        stats.merge_seconds = self.merge_nanoseconds.load(Relaxed) as f64 / 1e9;
        stats.merge_failures = self.merge_failures.load(Relaxed);
        stats.merge_left_out = self.left_out.load(Relaxed);
        stats.replay_damage = self.replay_damage.load(Relaxed);
        stats.read_damage = self.read_damage.load(Relaxed);
        stats.segments_damaged = self.segments_damaged.load(Relaxed);
        stats.wal_bytes = self.wal_bytes.load(Relaxed);
        stats.wal_files = self.wal_files.load(Relaxed);
        stats.wal_syncs = self.syncs.load(Relaxed);
        stats.wal_sync_seconds = self.sync_nanoseconds.load(Relaxed) as f64 / 1e9;
        stats.commit_groups = self.groups.load(Relaxed);
        stats.commits = self.writes.load(Relaxed);
    }
}
