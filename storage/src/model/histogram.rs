//! Native histograms: exponential or custom buckets, integer or float counts.
//!
//! The shape is that of Prometheus's wire format (`prompb/types.proto`,
//! `io.prometheus.write.v2.Histogram`), so that nothing is lost between the wire and the disk.

#[cfg(test)]
mod tests;
mod validate;

pub use validate::{HistogramError, Side};

use super::is_stale;

/// The schema of histograms with custom bounds.
pub const CUSTOM_SCHEMA: i8 = -53;

/// A native histogram at one moment.
#[derive(Clone, PartialEq, Debug)]
pub struct Histogram {
    /// -4..=8: each power of two is divided in `2^schema` buckets; -53: custom bounds.
    pub schema: i8,
    /// Width of the zero bucket: it holds observations in `[-zero_threshold, zero_threshold]`.
    pub zero_threshold: f64,
    /// Sum of all observations.
    pub sum: f64,
    /// What the sender knows of resets before this sample.
    pub reset_hint: ResetHint,
    /// Where the positive buckets lie.
    pub positive_spans: Vec<BucketSpan>,
    /// Where the negative buckets lie.
    pub negative_spans: Vec<BucketSpan>,
    /// Upper bounds of custom buckets (schema -53), strictly rising, without +Inf.
    pub custom_bounds: Vec<f64>,
    /// The counts.
    pub counts: HistogramCounts,
}

impl Histogram {
    /// Whether it marks its series as gone: its sum is the stale marker.
    pub fn is_stale(&self) -> bool {
        is_stale(self.sum)
    }

    /// Whether both are the same to the bit, NaN payloads included. `==` compares floats as
    /// floats.
    pub fn is_identical(&self, other: &Self) -> bool {
        self.sum.to_bits() == other.sum.to_bits()
            && self.reset_hint == other.reset_hint
            && self.has_scale_of(other)
            && self.has_spans_of(other)
            && self.counts.is_identical(&other.counts)
    }

    /// Whether both cut the line of values at the same places.
    pub(crate) fn has_scale_of(&self, other: &Self) -> bool {
        self.schema == other.schema
            && self.zero_threshold.to_bits() == other.zero_threshold.to_bits()
            && same_bits(&self.custom_bounds, &other.custom_bounds)
    }

    /// Whether both have the same spans of buckets.
    pub(crate) fn has_spans_of(&self, other: &Self) -> bool {
        self.positive_spans == other.positive_spans && self.negative_spans == other.negative_spans
    }
}

impl HistogramCounts {
    /// How many positive and negative buckets there are.
    pub(crate) fn buckets(&self) -> (usize, usize) {
        match self {
            Self::Integer {
                positive_deltas,
                negative_deltas,
                ..
            } => (positive_deltas.len(), negative_deltas.len()),
            Self::Float {
                positive, negative, ..
            } => (positive.len(), negative.len()),
        }
    }

    fn is_identical(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Integer { .. }, Self::Integer { .. }) => self == other,
            (
                Self::Float {
                    count,
                    zero_count,
                    positive,
                    negative,
                },
                Self::Float {
                    count: other_count,
                    zero_count: other_zero_count,
                    positive: other_positive,
                    negative: other_negative,
                },
            ) => {
                same_bits(&[*count, *zero_count], &[*other_count, *other_zero_count])
                    && same_bits(positive, other_positive)
                    && same_bits(negative, other_negative)
            }
            _ => false,
        }
    }
}

fn same_bits(one: &[f64], other: &[f64]) -> bool {
    let bits = |value: &f64| value.to_bits();
    one.iter().map(bits).eq(other.iter().map(bits))
}

/// A run of consecutive buckets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BucketSpan {
    /// Gap to the previous span's end; for the first span the index of its first bucket.
    pub offset: i32,
    /// How many buckets.
    pub length: u32,
}

/// Counts of a histogram: integers or floats, never a mixture.
#[derive(Clone, PartialEq, Debug)]
pub enum HistogramCounts {
    /// Integer counts; buckets are deltas to the bucket before, as on the wire.
    Integer {
        /// All observations.
        count: u64,
        /// Observations in the zero bucket.
        zero_count: u64,
        /// Positive buckets, each as its difference to the one before.
        positive_deltas: Vec<i64>,
        /// Negative buckets, each as its difference to the one before.
        negative_deltas: Vec<i64>,
    },
    /// Float counts, absolute.
    Float {
        /// All observations.
        count: f64,
        /// Observations in the zero bucket.
        zero_count: f64,
        /// Positive buckets.
        positive: Vec<f64>,
        /// Negative buckets.
        negative: Vec<f64>,
    },
}

/// What is known of a counter reset between the previous sample and this one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum ResetHint {
    /// Not known: compare the two.
    #[default]
    Unknown = 0,
    /// There was a reset.
    Reset = 1,
    /// There was none.
    NoReset = 2,
    /// A gauge histogram: resets mean nothing.
    Gauge = 3,
}

impl ResetHint {
    /// The hint with the number that the lowest two bits are.
    pub(crate) fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::Unknown,
            1 => Self::Reset,
            2 => Self::NoReset,
            _ => Self::Gauge,
        }
    }
}
