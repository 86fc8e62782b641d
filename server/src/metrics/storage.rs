//! The figures of the database.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use silverback_storage::{Db, Stats};

use super::family::Spec;

/// A metric and where its value stands; none where there is no value yet.
type Figure = (Spec, fn(&Stats) -> Option<f64>);

const FIGURES: &[Figure] = &[
    (
        Spec::gauge(
            "silverback_head_series",
            "Series in the head: those written since it was last frozen.",
        ),
        |stats| Some(stats.series as f64),
    ),
    (
        Spec::gauge(
            "silverback_head_chunks_bytes",
            "Bytes of sample data in the head.",
        ),
        |stats| Some(stats.chunk_bytes as f64),
    ),
    (
        Spec::gauge(
            "silverback_head_min_time_seconds",
            "Timestamp of the oldest sample, in seconds since the Unix epoch.",
        ),
        |stats| stats.min_timestamp_ms.map(|ms| ms as f64 / 1e3),
    ),
    (
        Spec::gauge(
            "silverback_head_max_time_seconds",
            "Timestamp of the newest sample, in seconds since the Unix epoch.",
        ),
        |stats| stats.max_timestamp_ms.map(|ms| ms as f64 / 1e3),
    ),
    (
        Spec::counter(
            "silverback_head_samples_appended_total",
            "Samples appended, those replayed from the WAL included.",
        ),
        |stats| Some(stats.samples_appended as f64),
    ),
    (
        Spec::counter(
            "silverback_head_out_of_order_samples_total",
            "Of the appended samples those that were older than their series' newest one.",
        ),
        |stats| Some(stats.samples_out_of_order as f64),
    ),
    (
        Spec::counter(
            "silverback_head_duplicate_samples_total",
            "Samples that repeated their series' newest one and were not stored again.",
        ),
        |stats| Some(stats.samples_duplicate as f64),
    ),
    (
        Spec::gauge("silverback_wal_size_bytes", "Bytes of records in the WAL."),
        |stats| Some(stats.wal_bytes as f64),
    ),
    (
        Spec::gauge("silverback_wal_files", "Files of the WAL."),
        |stats| Some(stats.wal_files as f64),
    ),
    (
        Spec::counter(
            "silverback_wal_syncs_total",
            "Syncs of the WAL since the start.",
        ),
        |stats| Some(stats.wal_syncs as f64),
    ),
    (
        Spec::counter(
            "silverback_wal_sync_duration_seconds_total",
            "Seconds spent in syncs of the WAL since the start.",
        ),
        |stats| Some(stats.wal_sync_seconds),
    ),
    (
        Spec::counter(
            "silverback_wal_commits_total",
            "Writes committed since the start.",
        ),
        |stats| Some(stats.commits as f64),
    ),
    (
        Spec::counter(
            "silverback_wal_commit_groups_total",
            "Groups of writes that were made durable together, since the start.",
        ),
        |stats| Some(stats.commit_groups as f64),
    ),
    (
        Spec::gauge(
            "silverback_wal_commits_waiting",
            "Writes that wait for the group before them to be synced.",
        ),
        |stats| Some(stats.commits_waiting as f64),
    ),
    (
        Spec::gauge(
            "silverback_wal_replay_damaged_records",
            "Damaged places found in the WAL when the database was opened.",
        ),
        |stats| Some(stats.replay_damage as f64),
    ),
    (
        Spec::gauge("silverback_segments", "Segments that are read."),
        |stats| Some(stats.segments as f64),
    ),
    (
        Spec::gauge("silverback_segments_size_bytes", "Bytes of the segments."),
        |stats| Some(stats.segment_bytes as f64),
    ),
    (
        Spec::gauge(
            "silverback_segments_damaged",
            "Segments and blocks that could not be opened and are left out.",
        ),
        |stats| Some(stats.segments_damaged as f64),
    ),
    (
        Spec::counter(
            "silverback_read_damage_total",
            "Answers without something of a damaged file, counted once for each file: they say so in \
             their warnings.",
        ),
        |stats| Some(stats.read_damage as f64),
    ),
    (
        Spec::gauge(
            "silverback_heads_frozen",
            "Heads that take no more writes and are not yet written to a segment.",
        ),
        |stats| Some(stats.heads_frozen as f64),
    ),
    (
        Spec::counter(
            "silverback_flushes_total",
            "Heads written to segments since the start.",
        ),
        |stats| Some(stats.flushes as f64),
    ),
    (
        Spec::counter(
            "silverback_flush_duration_seconds_total",
            "Seconds spent on writing heads to segments since the start.",
        ),
        |stats| Some(stats.flush_seconds),
    ),
    (
        Spec::counter(
            "silverback_flush_failures_total",
            "Flushes that failed and were tried again.",
        ),
        |stats| Some(stats.flush_failures as f64),
    ),
    (
        Spec::gauge("silverback_blocks", "Blocks that are read."),
        |stats| Some(stats.blocks as f64),
    ),
    (
        Spec::gauge("silverback_blocks_size_bytes", "Bytes of the blocks."),
        |stats| Some(stats.block_bytes as f64),
    ),
    (
        Spec::counter(
            "silverback_merges_total",
            "Merges of segments and blocks into blocks since the start.",
        ),
        |stats| Some(stats.merges as f64),
    ),
    (
        Spec::counter(
            "silverback_merge_duration_seconds_total",
            "Seconds spent on merges since the start.",
        ),
        |stats| Some(stats.merge_seconds),
    ),
    (
        Spec::counter(
            "silverback_merge_failures_total",
            "Merges that failed and were tried again, or made without a damaged file.",
        ),
        |stats| Some(stats.merge_failures as f64),
    ),
    (
        Spec::gauge(
            "silverback_merge_left_out",
            "Segments and blocks that are damaged and are not merged.",
        ),
        |stats| Some(stats.merge_left_out as f64),
    ),
    (
        Spec::counter(
            "silverback_matcher_cache_hits_total",
            "Matchers of queries whose result over a file was in the cache.",
        ),
        |stats| Some(stats.matcher_cache_hits as f64),
    ),
    (
        Spec::counter(
            "silverback_matcher_cache_misses_total",
            "Matchers that cost more than a lookup and whose result over a file was not in the cache.",
        ),
        |stats| Some(stats.matcher_cache_misses as f64),
    ),
    (
        Spec::counter(
            "silverback_matcher_cache_evictions_total",
            "Results of matchers dropped from the cache to make room for others.",
        ),
        |stats| Some(stats.matcher_cache_evictions as f64),
    ),
    (
        Spec::gauge(
            "silverback_matcher_cache_results",
            "Results of matchers in the cache, one a matcher and file.",
        ),
        |stats| Some(stats.matcher_cache_results as f64),
    ),
    (
        Spec::gauge(
            "silverback_matcher_cache_size_bytes",
            "Bytes of memory that the results of matchers in the cache take.",
        ),
        |stats| Some(stats.matcher_cache_bytes as f64),
    ),
    (
        Spec::gauge(
            "silverback_poisoned",
            "1 where a failed write or sync made the database refuse writes until a restart.",
        ),
        |stats| Some(f64::from(u8::from(stats.poisoned.is_some()))),
    ),
];

/// Reads the database's figures when metrics are gathered.
pub(super) struct StorageCollector {
    db: Db,
    descs: Vec<Desc>,
}

impl StorageCollector {
    pub(super) fn new(db: Db) -> Result<Self, prometheus::Error> {
        let descs = FIGURES
            .iter()
            .map(|(spec, _)| spec.desc())
            .collect::<Result<_, _>>()?;
        Ok(Self { db, descs })
    }
}

impl Collector for StorageCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        families(&self.db.stats())
    }
}

fn families(stats: &Stats) -> Vec<MetricFamily> {
    FIGURES
        .iter()
        .filter_map(|(spec, value)| Some(spec.family(value(stats)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_without_a_value_are_left_out() {
        let mut stats = Stats::default();
        let names = |stats: &Stats| -> Vec<String> {
            families(stats)
                .iter()
                .map(|family| family.name().to_owned())
                .collect()
        };
        let empty = names(&stats);
        assert!(empty.contains(&"silverback_head_series".to_owned()));
        assert!(!empty.contains(&"silverback_head_min_time_seconds".to_owned()));
        stats.min_timestamp_ms = Some(-1500);
        assert!(names(&stats).contains(&"silverback_head_min_time_seconds".to_owned()));
        let text = prometheus::TextEncoder::new()
            .encode_to_string(&families(&stats))
            .unwrap();
        assert!(
            text.contains("silverback_head_min_time_seconds -1.5\n"),
            "{text}"
        );
        assert!(
            text.contains("# TYPE silverback_wal_syncs_total counter\n"),
            "{text}"
        );
    }
}
