//! A span of time.

/// A closed range of timestamps, milliseconds since the Unix epoch; both ends belong to it.
///
/// A range whose start lies after its end holds nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeRange {
    /// First timestamp inside, in milliseconds.
    pub start_ms: i64,
    /// Last timestamp inside, in milliseconds.
    pub end_ms: i64,
}

impl TimeRange {
    /// Every timestamp there is.
    pub const ALL: Self = Self {
        start_ms: i64::MIN,
        end_ms: i64::MAX,
    };

    /// From `start_ms` to `end_ms`, both inside.
    pub fn new(start_ms: i64, end_ms: i64) -> Self {
        Self { start_ms, end_ms }
    }

    /// Whether `timestamp_ms` lies inside.
    pub fn contains(self, timestamp_ms: i64) -> bool {
        self.start_ms <= timestamp_ms && timestamp_ms <= self.end_ms
    }

    /// What lies in both; it may hold nothing.
    pub fn within(self, other: Self) -> Self {
        Self {
            start_ms: self.start_ms.max(other.start_ms),
            end_ms: self.end_ms.min(other.end_ms),
        }
    }

    /// Whether the two share a timestamp.
    pub fn overlaps(self, other: Self) -> bool {
        self.start_ms.max(other.start_ms) <= self.end_ms.min(other.end_ms)
    }
}
