//! Native histograms: exponential or custom buckets, integer or float counts.
//!
//! The shape is that of Prometheus's wire format (`prompb/types.proto`,
//! `io.prometheus.write.v2.Histogram`), so that nothing is lost between the wire and the disk.

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
