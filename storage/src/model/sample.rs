//! Samples, alone and as columns.

use super::Histogram;

/// The bits of the float that marks a series as gone (Prometheus `model/value/value.go`).
pub const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// Whether `value` is the stale marker; other NaNs are ordinary values.
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_NAN_BITS
}

/// One point of a series. Floats compare by value, as floats do; use the bits for exactness.
#[derive(Clone, PartialEq, Debug)]
pub struct Sample {
    /// When it was taken, in milliseconds since the Unix epoch; any i64.
    pub timestamp_ms: i64,
    /// When the counter or histogram began, in milliseconds, where the sender said so.
    pub start_timestamp_ms: Option<i64>,
    /// What was measured.
    pub value: Value,
}

/// The value of a sample.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// A float, kept to the bit: stale markers and NaN payloads included.
    Float(f64),
    /// A native histogram.
    Histogram(Box<Histogram>),
}

/// A histogram sample.
#[derive(Clone, PartialEq, Debug)]
pub struct HistogramPoint {
    /// When it was taken, in milliseconds since the Unix epoch; any i64.
    pub timestamp_ms: i64,
    /// When the histogram began, in milliseconds, where the sender said so.
    pub start_timestamp_ms: Option<i64>,
    /// What was measured.
    pub histogram: Histogram,
}

/// Float samples as two columns of the same length, in rising order of time.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Samples {
    /// Milliseconds since the Unix epoch, strictly rising.
    pub timestamps_ms: Vec<i64>,
    /// The value at the same place.
    pub values: Vec<f64>,
}

impl Samples {
    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.timestamps_ms.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.timestamps_ms.is_empty()
    }

    /// Empties both columns and keeps their memory.
    pub fn clear(&mut self) {
        self.timestamps_ms.clear();
        self.values.clear();
    }

    /// Adds a sample at the end; `timestamp_ms` lies after the last one.
    pub fn push(&mut self, timestamp_ms: i64, value: f64) {
        debug_assert!(
            self.timestamps_ms
                .last()
                .is_none_or(|&last| last < timestamp_ms)
        );
        self.timestamps_ms.push(timestamp_ms);
        self.values.push(value);
    }

    /// The samples as pairs of timestamp and value.
    pub fn iter(&self) -> impl Iterator<Item = (i64, f64)> + '_ {
        self.timestamps_ms
            .iter()
            .copied()
            .zip(self.values.iter().copied())
    }
}
