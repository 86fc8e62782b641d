//! Native histograms as PromQL computes with them: counts are floats, buckets have their index.

mod arithmetic;
mod bounds;
mod question;
mod reset;
mod text;
mod trim;

use crate::limits::{bytes_of, heap_bytes};

pub(crate) use arithmetic::{HistogramSum, Incompatible, Reconciled};
pub use bounds::Bucket;
pub(crate) use question::Quantile;
pub(crate) use trim::Keep;

/// The schema of histograms with custom bounds.
pub const CUSTOM_SCHEMA: i32 = -53;

/// A native histogram with float counts.
///
/// ```
/// use silverback_query::FloatHistogram;
///
/// let histogram = FloatHistogram {
///     count: 3.0,
///     sum: 5.0,
///     positive: vec![(1, 3.0)],
///     ..FloatHistogram::default()
/// };
/// assert_eq!(histogram.to_string(), "{count:3, sum:5, (1,2]:3}");
/// ```
#[derive(Clone, PartialEq, Debug, Default)]
pub struct FloatHistogram {
    /// -4..=8: each power of two is divided in `2^schema` buckets; -53: custom bounds.
    pub schema: i32,
    /// Width of the zero bucket: it holds observations in `[-zero_threshold, zero_threshold]`.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: f64,
    /// All observations.
    pub count: f64,
    /// Sum of all observations.
    pub sum: f64,
    /// What is known of a counter reset before it.
    pub reset_hint: ResetHint,
    /// Index and count of positive buckets, by rising index; those of custom bounds. Some counts
    /// may be 0.
    pub positive: Vec<(i32, f64)>,
    /// The same of negative buckets.
    pub negative: Vec<(i32, f64)>,
    /// Upper bounds of custom buckets, strictly rising, without +Inf.
    pub custom_bounds: Vec<f64>,
}

/// What is known of a counter reset between the previous sample and this one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ResetHint {
    /// Not known: compare the two.
    #[default]
    Unknown,
    /// There was a reset.
    Reset,
    /// There was none.
    NoReset,
    /// A gauge histogram: resets mean nothing.
    Gauge,
}

impl FloatHistogram {
    /// Whether its buckets have custom bounds.
    pub fn is_custom(&self) -> bool {
        self.schema == CUSTOM_SCHEMA
    }

    /// Removes buckets that hold nothing.
    pub(crate) fn compact(&mut self) {
        self.positive.retain(|bucket| bucket.1 != 0.0);
        self.negative.retain(|bucket| bucket.1 != 0.0);
    }

    /// Everything that is counted times a factor. What goes below zero is no counter.
    pub(crate) fn scale(&mut self, factor: f64) {
        self.each_count(|count| *count *= factor);
        if factor < 0.0 {
            self.reset_hint = ResetHint::Gauge;
        }
    }

    /// Everything that is counted divided. Division by zero leaves no buckets.
    pub(crate) fn divide(&mut self, divisor: f64) {
        if divisor == 0.0 {
            self.positive.clear();
            self.negative.clear();
        }
        self.each_count(|count| *count /= divisor);
        if divisor < 0.0 {
            self.reset_hint = ResetHint::Gauge;
        }
    }

    fn each_count(&mut self, mut change: impl FnMut(&mut f64)) {
        let buckets = self.positive.iter_mut().chain(&mut self.negative);
        let counts = buckets.map(|bucket| &mut bucket.1);
        let own = [&mut self.zero_count, &mut self.count, &mut self.sum];
        counts.chain(own).for_each(&mut change);
    }

    /// Whether a number in it is infinite.
    pub(crate) fn has_overflow(&self) -> bool {
        let mut buckets = self.positive.iter().chain(&self.negative);
        [self.zero_count, self.count, self.sum]
            .into_iter()
            .any(f64::is_infinite)
            || buckets.any(|bucket| bucket.1.is_infinite())
    }

    /// Whether both are the same to the bit, whatever is known of resets.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        let same = |a: f64, b: f64| a.to_bits() == b.to_bits();
        let buckets = |a: &[(i32, f64)], b: &[(i32, f64)]| {
            let pair = |(a, b): (&(i32, f64), &(i32, f64))| a.0 == b.0 && same(a.1, b.1);
            a.len() == b.len() && a.iter().zip(b).all(pair)
        };
        self.schema == other.schema
            && same(self.count, other.count)
            && same(self.sum, other.sum)
            && self.zero_threshold == other.zero_threshold
            && same(self.zero_count, other.zero_count)
            && self.custom_bounds == other.custom_bounds
            && buckets(&self.positive, &other.positive)
            && buckets(&self.negative, &other.negative)
    }

    /// What it takes where it stands alone, with room for more buckets than it has.
    pub(crate) fn heap_bytes(&self) -> usize {
        // Two counts of references stand before it.
        let own = heap_bytes(2 * size_of::<usize>() + size_of::<Self>());
        let buckets = |buckets: &Vec<(i32, f64)>| bytes_of::<(i32, f64)>(buckets.capacity());
        let bounds = bytes_of::<f64>(self.custom_bounds.capacity());
        own + buckets(&self.positive) + buckets(&self.negative) + bounds
    }

    /// How many samples of eight bytes it is counted as.
    pub(crate) fn cells(&self) -> usize {
        const OWN: usize = 10;
        OWN + 2 * (self.positive.len() + self.negative.len()) + self.custom_bounds.len()
    }
}
