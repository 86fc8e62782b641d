//! When an epoch ends.

use crate::config::Options;
use crate::head::HeadStats;

/// A segment with fewer samples a series than this would be more index than samples.
const SAMPLES_PER_SERIES_MIN: u64 = 32;
/// How often the configured size an epoch may have at most: beyond, it ends whatever it holds, or
/// writes wait until it can.
const CAP_FACTOR: u64 = 2;

/// The sizes at which an epoch ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct FreezeRule {
    wal_bytes_max: u64,
    head_bytes_max: u64,
}

impl FreezeRule {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            wal_bytes_max: options.wal_bytes_max,
            head_bytes_max: options.head_bytes_max,
        }
    }

    /// Whether an epoch is large enough to end: in the log or in memory, with enough samples a
    /// series or beyond the cap. `wal_bytes` are those of its log files.
    pub(super) fn is_due(self, wal_bytes: u64, head: &HeadStats) -> bool {
        let is_large = wal_bytes >= self.wal_bytes_max || head.bytes() >= self.head_bytes_max;
        let is_worth_it = head.rows.samples >= SAMPLES_PER_SERIES_MIN * head.series;
        (is_large && is_worth_it) || self.is_over_cap(wal_bytes)
    }

    /// Whether an epoch takes no more: it waits for the one before it to be written out. Memory
    /// is not counted, as the log bounds it well enough: what takes more memory than log are
    /// many series with few samples.
    pub(super) fn is_over_cap(self, wal_bytes: u64) -> bool {
        wal_bytes >= self.wal_bytes_max.saturating_mul(CAP_FACTOR)
    }
}
