//! Where the buckets of a native histogram lie.

use std::sync::LazyLock;

use super::{CUSTOM_SCHEMA, FloatHistogram};
use crate::functions::go_math::join;

/// A bucket with its bounds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Bucket {
    /// Lower bound.
    pub lower: f64,
    /// Upper bound.
    pub upper: f64,
    /// Whether observations at the lower bound count.
    pub lower_inclusive: bool,
    /// Whether observations at the upper bound count.
    pub upper_inclusive: bool,
    /// Observations.
    pub count: f64,
}

impl Bucket {
    /// What part of its observations lies below a value within, by even distribution over its
    /// width, or over the logarithm of that.
    pub(crate) fn fraction_below(&self, value: f64, linear: bool) -> f64 {
        if linear {
            return (value - self.lower) / (self.upper - self.lower);
        }
        use crate::functions::go_math::log2;
        let [lower, upper, value_log] = [self.lower, self.upper, value].map(|it| log2(it.abs()));
        if value > 0.0 {
            (value_log - lower) / (upper - lower)
        } else {
            1.0 - (value_log - upper) / (lower - upper)
        }
    }
}

/// Largest schema of exponential buckets.
const SCHEMA_MAX: usize = 8;

/// For each schema the bounds in [0.5, 1): every other one is that of the schema before, and
/// those between follow it by the factor of the schema, as those of Prometheus do, whose last
/// digits this gives.
static FRACTIONS: LazyLock<[Vec<f64>; SCHEMA_MAX + 1]> = LazyLock::new(|| {
    let mut factor: f64 = 2.0;
    let mut before = vec![0.5];
    std::array::from_fn(|schema| {
        if schema == 0 {
            return before.clone();
        }
        factor = factor.sqrt();
        before = match schema {
            1 => vec![0.5, 1.0 / factor],
            _ => before
                .iter()
                .flat_map(|&bound| [bound, bound * factor])
                .collect(),
        };
        before.clone()
    })
});

/// The upper bound of a bucket, of positive values.
pub(super) fn upper_bound(index: i32, schema: i32, custom: &[f64]) -> f64 {
    if schema == CUSTOM_SCHEMA {
        return match usize::try_from(index) {
            Ok(at) => custom.get(at).copied().unwrap_or(f64::INFINITY),
            Err(_) => f64::NEG_INFINITY,
        };
    }
    // The bucket before that of infinity ends at the largest number.
    const EXPONENT_END: i64 = 1024;
    let index = i64::from(index);
    if schema < 0 {
        let exponent = index << schema.unsigned_abs().min(31);
        return if exponent == EXPONENT_END {
            f64::MAX
        } else {
            join(1.0, exponent)
        };
    }
    let schema = schema.min(SCHEMA_MAX as i32);
    let fraction = FRACTIONS[schema as usize][(index & ((1 << schema) - 1)) as usize];
    let exponent = (index >> schema) + 1;
    if fraction == 0.5 && exponent == EXPONENT_END + 1 {
        f64::MAX
    } else {
        join(fraction, exponent)
    }
}

impl FloatHistogram {
    /// A positive bucket, or one of custom bounds.
    pub(super) fn positive_bucket(&self, (index, count): (i32, f64)) -> Bucket {
        let bound = |index| upper_bound(index, self.schema, &self.custom_bounds);
        let lower = bound(index.saturating_sub(1));
        Bucket {
            lower,
            upper: bound(index),
            lower_inclusive: if self.is_custom() {
                index == 0
            } else {
                lower < 0.0
            },
            upper_inclusive: true,
            count,
        }
    }

    /// A negative bucket.
    pub(super) fn negative_bucket(&self, (index, count): (i32, f64)) -> Bucket {
        let bound = |index| -upper_bound(index, self.schema, &self.custom_bounds);
        Bucket {
            lower: bound(index),
            upper: bound(index.saturating_sub(1)),
            lower_inclusive: true,
            upper_inclusive: false,
            count,
        }
    }

    /// The zero bucket.
    pub(super) fn zero_bucket(&self) -> Bucket {
        Bucket {
            lower: -self.zero_threshold,
            upper: self.zero_threshold,
            lower_inclusive: true,
            upper_inclusive: true,
            count: self.zero_count,
        }
    }

    /// All buckets from the lowest to the highest, cut where the zero bucket ends.
    pub fn buckets(&self) -> Vec<Bucket> {
        let mut buckets = Vec::with_capacity(self.positive.len() + self.negative.len() + 1);
        for &bucket in self.negative.iter().rev() {
            let mut bucket = self.negative_bucket(bucket);
            if bucket.upper < 0.0 && bucket.upper > -self.zero_threshold {
                bucket.upper = -self.zero_threshold;
            }
            buckets.push(bucket);
        }
        if self.zero_count > 0.0 {
            buckets.push(self.zero_bucket());
        }
        for &bucket in &self.positive {
            let mut bucket = self.positive_bucket(bucket);
            if bucket.lower > 0.0 && bucket.lower < self.zero_threshold {
                bucket.lower = self.zero_threshold;
            }
            buckets.push(bucket);
        }
        buckets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_powers_of_two_and_what_lies_between() {
        assert_eq!(upper_bound(0, 0, &[]), 1.0);
        assert_eq!(upper_bound(3, 0, &[]), 8.0);
        assert_eq!(upper_bound(-1, -1, &[]), 0.25);
        assert_eq!(upper_bound(1024, 0, &[]), f64::MAX);
        assert_eq!(upper_bound(1025, 0, &[]), f64::INFINITY);
        assert_eq!(upper_bound(64, -4, &[]), f64::MAX);
        assert_eq!(upper_bound(i32::MAX, -4, &[]), f64::INFINITY);
        assert_eq!(upper_bound(i32::MIN, 8, &[]), 0.0);
        // The last digits are Prometheus's.
        assert_eq!(upper_bound(-1, 1, &[]), 0.707_106_781_186_547_5);
        assert_eq!(upper_bound(-1, 3, &[]), 0.917_004_043_204_671_1);
        assert_eq!(upper_bound(4, CUSTOM_SCHEMA, &[1.0, 5.0]), f64::INFINITY);
        assert_eq!(upper_bound(-1, CUSTOM_SCHEMA, &[1.0]), f64::NEG_INFINITY);
    }

    #[test]
    fn buckets_come_in_order_and_end_at_the_zero_bucket() {
        let histogram = FloatHistogram {
            zero_threshold: 0.3,
            zero_count: 2.0,
            positive: vec![(-1, 1.0), (3, 4.0)],
            negative: vec![(0, 5.0), (2, 6.0)],
            ..FloatHistogram::default()
        };
        let bounds: Vec<(f64, f64)> = histogram
            .buckets()
            .iter()
            .map(|bucket| (bucket.lower, bucket.upper))
            .collect();
        let expected = [
            (-4.0, -2.0),
            (-1.0, -0.5),
            (-0.3, 0.3),
            (0.3, 0.5),
            (4.0, 8.0),
        ];
        assert_eq!(bounds, expected);
    }
}
