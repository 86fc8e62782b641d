//! Quantiles, fractions and the spread of the observations in a histogram.

use super::{Bucket, FloatHistogram};
use crate::functions::go_math::{exp2, log2};
use crate::functions::numeric::KahanSum;

/// A quantile, and what observations of NaN do to it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Quantile {
    Exact(f64),
    /// The quantile lies among NaNs.
    Nan,
    /// There are NaNs above it.
    Skewed(f64),
}

/// A fraction, and whether observations of NaN were left out.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Fraction {
    pub(crate) value: f64,
    pub(crate) without_nan: bool,
}

impl FloatHistogram {
    /// The value below which a part of the observations lies.
    pub(crate) fn quantile(&self, q: f64) -> Quantile {
        if q < 0.0 {
            return Quantile::Exact(f64::NEG_INFINITY);
        }
        if q > 1.0 {
            return Quantile::Exact(f64::INFINITY);
        }
        if self.count == 0.0 || q.is_nan() {
            return Quantile::Exact(f64::NAN);
        }
        let forward = self.sum.is_nan() || q < 0.5;
        let mut buckets = self.buckets();
        if !forward {
            buckets.reverse();
        }
        let rank = if forward { q } else { 1.0 - q } * self.count;
        let mut found = None;
        let (mut count, mut next) = (0.0, 0);
        for bucket in &buckets {
            next += 1;
            if bucket.count == 0.0 {
                // Even an empty one is the last that was looked at.
                found = Some(*bucket);
                continue;
            }
            found = Some(*bucket);
            count += bucket.count;
            if count >= rank {
                break;
            }
        }
        let mut bucket = found.unwrap_or(Bucket {
            lower: 0.0,
            upper: 0.0,
            lower_inclusive: false,
            upper_inclusive: false,
            count: 0.0,
        });
        if let Some(value) = self.cut_at_zero(&mut bucket) {
            return Quantile::Exact(value);
        }
        count = count.min(self.count);
        if count < rank {
            return if self.sum.is_nan() {
                Quantile::Nan
            } else {
                Quantile::Exact(bucket.upper)
            };
        }
        let inside = if forward {
            rank - (count - bucket.count)
        } else {
            count - rank
        };
        let value = interpolate(&bucket, inside / bucket.count, self.is_custom());
        let rest: f64 = buckets.iter().skip(next).map(|bucket| bucket.count).sum();
        if self.sum.is_nan() && count + rest < self.count {
            Quantile::Skewed(value)
        } else {
            Quantile::Exact(value)
        }
    }

    /// Cuts a bucket around zero at zero where all observations lie on one side of it. A
    /// quantile in the first or last custom bucket is its finite bound: that is given.
    fn cut_at_zero(&self, bucket: &mut Bucket) -> Option<f64> {
        if self.is_custom() {
            if bucket.lower == f64::NEG_INFINITY {
                if bucket.upper <= 0.0 {
                    return Some(bucket.upper);
                }
                bucket.lower = 0.0;
            } else if bucket.upper == f64::INFINITY {
                return Some(bucket.lower);
            }
        } else if bucket.lower < 0.0 && bucket.upper > 0.0 {
            self.narrow(bucket);
        }
        None
    }

    fn narrow(&self, bucket: &mut Bucket) {
        match (self.negative.is_empty(), self.positive.is_empty()) {
            (true, false) => bucket.lower = 0.0,
            (false, true) => bucket.upper = 0.0,
            _ => {}
        }
    }

    /// The part of the observations between two values.
    pub(crate) fn fraction(&self, lower: f64, upper: f64) -> Fraction {
        let exact = |value| Fraction {
            value,
            without_nan: false,
        };
        if self.count == 0.0 || lower.is_nan() || upper.is_nan() {
            return exact(f64::NAN);
        }
        if lower >= upper {
            return exact(0.0);
        }
        let buckets = self.buckets();
        let mut rank = 0.0;
        let mut ranks = [None; 2];
        for bucket in &buckets {
            let mut bucket = *bucket;
            let around_zero = bucket.lower <= 0.0 && bucket.upper >= 0.0;
            if around_zero {
                self.narrow(&mut bucket);
            }
            for (found, value) in ranks.iter_mut().zip([lower, upper]) {
                if found.is_some() {
                    continue;
                }
                if bucket.lower >= value {
                    *found = Some(rank);
                } else if bucket.upper > value {
                    *found = Some(self.rank_within(&bucket, value, rank, around_zero));
                }
            }
            if ranks.iter().all(Option::is_some) {
                break;
            }
            rank += bucket.count;
        }
        let counted: f64 = buckets.iter().map(|bucket| bucket.count).sum();
        let is_short = self.sum.is_nan() && counted < self.count;
        let count = if self.sum.is_nan() {
            counted
        } else {
            self.count
        };
        let [lower, upper] = ranks.map(|rank| match rank {
            Some(rank) if rank <= count || rank.is_nan() => rank,
            _ => count,
        });
        Fraction {
            value: (upper - lower) / self.count,
            without_nan: is_short,
        }
    }

    /// How many observations lie below a value within a bucket; `rank` lie below the bucket.
    fn rank_within(&self, bucket: &Bucket, value: f64, rank: f64, around_zero: bool) -> f64 {
        let linear = self.is_custom() || around_zero;
        if linear && bucket.lower == f64::NEG_INFINITY {
            return bucket.count;
        }
        rank + bucket.count * bucket.fraction_below(value, linear)
    }

    /// The variance of the observations, each taken to lie in the middle of its bucket.
    pub(crate) fn variance(&self) -> f64 {
        let mean = self.sum / self.count;
        let mut variance = KahanSum::default();
        for bucket in self.buckets() {
            if bucket.count == 0.0 {
                continue;
            }
            let value = if self.is_custom() {
                (bucket.upper + bucket.lower) / 2.0
            } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
                0.0
            } else {
                let middle = (bucket.upper * bucket.lower).sqrt();
                if bucket.upper < 0.0 { -middle } else { middle }
            };
            let delta = value - mean;
            variance = variance.plus(bucket.count * delta * delta);
        }
        variance.total() / self.count
    }
}

/// The value at a part of the way through a bucket: by its width where it has custom bounds or
/// lies around zero, else by the logarithm of that.
fn interpolate(bucket: &Bucket, fraction: f64, custom: bool) -> f64 {
    if custom || bucket.lower <= 0.0 && bucket.upper >= 0.0 {
        return bucket.lower + (bucket.upper - bucket.lower) * fraction;
    }
    let [lower, upper] = [bucket.lower, bucket.upper].map(|bound| log2(bound.abs()));
    if bucket.lower > 0.0 {
        exp2(lower + (upper - lower) * fraction)
    } else {
        -exp2(upper + (lower - upper) * (1.0 - fraction))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_and_fractions_of_nan() {
        let histogram = FloatHistogram {
            count: 4.0,
            sum: f64::NAN,
            positive: vec![(1, 3.0)],
            ..FloatHistogram::default()
        };
        // Of four observations one is NaN, above all others.
        assert_eq!(histogram.quantile(0.9), Quantile::Nan);
        assert!(matches!(histogram.quantile(0.5), Quantile::Skewed(it) if it > 1.0 && it < 2.0));
        let fraction = histogram.fraction(0.0, f64::INFINITY);
        assert_eq!((fraction.value, fraction.without_nan), (0.75, true));
        assert_eq!(histogram.quantile(-1.0), Quantile::Exact(f64::NEG_INFINITY));
    }

    #[test]
    fn fractions_turn_quantiles_around() {
        let histogram = FloatHistogram {
            schema: 2,
            zero_threshold: 0.125,
            zero_count: 2.0,
            count: 12.0,
            sum: 9.0,
            positive: vec![(-3, 1.0), (2, 4.0), (5, 2.0)],
            negative: vec![(1, 3.0)],
            ..FloatHistogram::default()
        };
        for at in 1..12 {
            let q = f64::from(at) / 12.5;
            let Quantile::Exact(value) = histogram.quantile(q) else {
                panic!("no quantile {q}");
            };
            let below = histogram.fraction(f64::NEG_INFINITY, value).value;
            assert!((below - q).abs() < 1e-9, "{below} of {q}");
        }
    }
}
