//! When an epoch ends.

use crate::config::Options;
use crate::head::{Head, HeadStats};
use crate::model::Seq;

/// How many samples there must be for each series that goes on in the next epoch: it is defined
/// again there, in the log and in memory.
const SAMPLES_PER_LIVE_SERIES_MIN: u64 = 32;
/// How often the configured size an epoch may have at most: beyond, it ends whatever it holds, or
/// writes wait until it can.
const CAP_FACTOR: u64 = 2;

/// How many series of an epoch are live, counted once that matters.
///
/// A series is live if it has one of the last samples, where as many are looked back upon as
/// there are series. Neither clocks nor timestamps play a part, so that a sender whose clock is
/// wrong or which is late does not make the series of all others look gone.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LiveSeries {
    count: Option<u64>,
    /// Since when samples are looked at, and how many there were before.
    since: Option<(Seq, u64)>,
}

impl LiveSeries {
    /// Counts if it is time; called after each group, of a head where it matters.
    pub(super) fn note(&mut self, head: &Head, stats: &HeadStats) {
        let now = (head.visible_seq(), stats.rows.samples);
        let (seq, before) = *self.since.get_or_insert(now);
        if stats.rows.samples - before >= stats.series {
            self.count = Some(head.series_since(seq));
            self.since = Some(now);
        }
    }
}

/// A share of what an epoch holds when it ends, in thousandths.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Fill(u64);

impl Fill {
    pub(super) const fn of(part: u64, whole: u64) -> Self {
        // A limit of nothing is reached at once.
        match part.saturating_mul(1000).checked_div(whole) {
            Some(fill) => Self(fill),
            None => Self(u64::MAX),
        }
    }
}

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

    /// Whether an epoch is large enough to end, in the log or in memory, with enough samples a
    /// live series, or is beyond the cap. Half the memory is enough where most of its series are
    /// gone. `wal_bytes` are those of its log files; until `live` tells how many of its series go
    /// on, all of them do.
    pub(super) fn is_due(self, wal_bytes: u64, head: &HeadStats, live: LiveSeries) -> bool {
        let live = live.count.unwrap_or(head.series);
        let is_worth_it = head.rows.samples >= SAMPLES_PER_LIVE_SERIES_MIN * live;
        let is_large =
            self.is_large(wal_bytes, head) || (self.is_half_large(head) && head.series >= 2 * live);
        (is_large && is_worth_it) || self.is_over_cap(wal_bytes)
    }

    /// How far an epoch is from where [`FreezeRule::is_due`] ends it for its size.
    pub(super) fn fill(self, wal_bytes: u64, head: &HeadStats, live: LiveSeries) -> Fill {
        let live = live.count.unwrap_or(head.series);
        let wal = Fill::of(wal_bytes, self.wal_bytes_max);
        let size = wal.max(Fill::of(head.bytes(), self.head_bytes_max));
        let worth = Fill::of(head.rows.samples, SAMPLES_PER_LIVE_SERIES_MIN * live);
        size.min(worth).max(Fill(wal.0 / CAP_FACTOR))
    }

    /// Whether it matters how many series of an epoch are live.
    pub(super) fn asks_for_live_series(self, head: &HeadStats) -> bool {
        self.is_half_large(head) && head.rows.samples < SAMPLES_PER_LIVE_SERIES_MIN * head.series
    }

    fn is_half_large(self, head: &HeadStats) -> bool {
        head.bytes() >= self.head_bytes_max / 2
    }

    fn is_large(self, wal_bytes: u64, head: &HeadStats) -> bool {
        wal_bytes >= self.wal_bytes_max || head.bytes() >= self.head_bytes_max
    }

    /// Whether an epoch takes no more: it waits for the one before it to be written out. Memory
    /// is not counted, as the log bounds it well enough: what takes more memory than log are
    /// many live series with few samples.
    pub(super) fn is_over_cap(self, wal_bytes: u64) -> bool {
        wal_bytes >= self.wal_bytes_max.saturating_mul(CAP_FACTOR)
    }
}
