//! What the head holds, in numbers.

use super::{Applied, Head};
use crate::model::{Seq, TimeRange};

/// Counts since the head was made.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) applied: Applied,
    pub(super) series: u64,
    /// Signed, as a group may shrink what it seals.
    pub(super) chunk_bytes: i64,
    pub(super) overflow_bytes: i64,
    pub(super) extras_bytes: i64,
    pub(super) exemplar_bytes: i64,
    pub(super) metadata_bytes: i64,
    pub(super) range: Option<TimeRange>,
}

impl Applied {
    /// Adds the counts of others.
    pub fn add(&mut self, other: &Self) {
        self.samples += other.samples;
        self.late += other.late;
        self.duplicates += other.duplicates;
        self.undefined_rows += other.undefined_rows;
        self.histograms += other.histograms;
        self.exemplars += other.exemplars;
    }
}

impl Totals {
    pub(super) fn include(&mut self, timestamp_ms: i64) {
        let range = self
            .range
            .get_or_insert(TimeRange::new(timestamp_ms, timestamp_ms));
        range.start_ms = range.start_ms.min(timestamp_ms);
        range.end_ms = range.end_ms.max(timestamp_ms);
    }

    pub(super) fn add(&mut self, group: &Self) {
        self.applied.add(&group.applied);
        self.series += group.series;
        self.chunk_bytes += group.chunk_bytes;
        self.overflow_bytes += group.overflow_bytes;
        self.extras_bytes += group.extras_bytes;
        self.exemplar_bytes += group.exemplar_bytes;
        self.metadata_bytes += group.metadata_bytes;
        if let Some(range) = group.range {
            self.include(range.start_ms);
            self.include(range.end_ms);
        }
    }
}

/// What the head holds.
#[derive(Clone, Copy, Debug)]
pub struct HeadStats {
    /// Series that queries find.
    pub series: u64,
    /// Rows applied so far, by what became of them.
    pub rows: Applied,
    /// Bytes of chunks with samples in order: room of open ones, sealed ones with their entries
    /// in the lists, and the columns of timestamps that they share.
    pub chunk_bytes: u64,
    /// Bytes of chunks with late samples.
    pub overflow_bytes: u64,
    /// Bytes of histograms and start timestamps.
    pub extras_bytes: u64,
    /// Bytes of exemplars.
    pub exemplar_bytes: u64,
    /// Bytes of metadata.
    pub metadata_bytes: u64,
    /// Different label names and values, those of series not yet applied included.
    pub symbols: usize,
    /// Bytes of their strings.
    pub symbol_bytes: usize,
    /// Pins held.
    pub pins: usize,
}

/// Bytes of a series apart from its chunks, its label strings, and their symbols: registry,
/// index and state (measured on the fleet).
const SERIES_BYTES: u64 = 96;
/// Bytes of a symbol apart from its string.
const SYMBOL_BYTES: u64 = 13;

impl HeadStats {
    /// Bytes of all that was written, but for labels.
    pub fn sample_bytes(&self) -> u64 {
        self.chunk_bytes
            + self.overflow_bytes
            + self.extras_bytes
            + self.exemplar_bytes
            + self.metadata_bytes
    }

    /// About how much memory the head takes, in bytes.
    pub fn bytes(&self) -> u64 {
        self.sample_bytes()
            + self.series * SERIES_BYTES
            + self.symbols as u64 * SYMBOL_BYTES
            + self.symbol_bytes as u64
    }
}

impl Head {
    /// What the head holds. Cheap.
    pub fn stats(&self) -> HeadStats {
        let totals = *self.totals.lock();
        let (symbols, symbol_bytes) = {
            let labels = self.registry.view();
            (labels.symbols().len(), labels.symbols().text_bytes())
        };
        HeadStats {
            series: totals.series,
            rows: totals.applied,
            chunk_bytes: totals.chunk_bytes.unsigned_abs(),
            overflow_bytes: totals.overflow_bytes.unsigned_abs(),
            extras_bytes: totals.extras_bytes.unsigned_abs(),
            exemplar_bytes: totals.exemplar_bytes.unsigned_abs(),
            metadata_bytes: totals.metadata_bytes.unsigned_abs(),
            symbols,
            symbol_bytes,
            pins: self.visibility.pins(),
        }
    }

    /// How many series were appended to after a seq. A look at each series.
    pub fn series_since(&self, seq: Seq) -> u64 {
        let shards = self.shards.iter();
        shards
            .map(|(_, shard)| shard.read().series_since(seq))
            .sum()
    }

    /// Smallest and largest timestamp of all samples, visible or not; none without a sample.
    pub fn time_range(&self) -> Option<TimeRange> {
        self.totals.lock().range
    }
}
