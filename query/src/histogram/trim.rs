//! Histograms of the observations below or above a value (`</` and `>/`).

use super::{Bucket, FloatHistogram};

/// Which observations are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Keep {
    /// Those below the value: `</`.
    Below,
    /// Those above it: `>/`.
    Above,
}

/// How a bucket spreads its observations.
#[derive(Clone, Copy)]
struct Shape {
    /// Evenly over its width: custom bounds.
    linear: bool,
    negative: bool,
}

impl FloatHistogram {
    /// Leaves out the observations on one side of a value. What a bucket around the value keeps
    /// is estimated, as are the sums of what buckets keep.
    pub(crate) fn trim(&mut self, value: f64, keep: Keep) {
        let (mut count, mut sum, mut trimmed) = (0.0, 0.0, false);
        let linear = self.is_custom();
        for negative in [false, true] {
            let side = if negative {
                &self.negative
            } else {
                &self.positive
            };
            let mut kept = side.clone();
            for bucket in kept.iter_mut().filter(|bucket| bucket.1 != 0.0) {
                let bounds = if negative {
                    self.negative_bucket(*bucket)
                } else {
                    self.positive_bucket(*bucket)
                };
                let (part, middle) = part_of(&bounds, value, keep, Shape { linear, negative });
                count += part;
                if part != 0.0 {
                    sum += middle * part;
                }
                trimmed |= bucket.1 != part;
                bucket.1 = part;
            }
            if negative {
                self.negative = kept;
            } else {
                let had_positive = self.positive.iter().any(|bucket| bucket.1 != 0.0);
                let had_negative = self.negative.iter().any(|bucket| bucket.1 != 0.0);
                self.positive = kept;
                if self.zero_count > 0.0 {
                    let zero = self.narrowed_zero(had_positive, had_negative);
                    let (part, middle) = part_of_zero(&zero, value, keep);
                    trimmed |= self.zero_count != part;
                    self.zero_count = part;
                    sum += middle * part;
                    count += part;
                }
            }
        }
        if trimmed {
            self.count = count;
            self.sum = sum;
            self.compact();
        }
    }

    /// The zero bucket, cut at zero where all other observations lie on one side of it.
    fn narrowed_zero(&self, has_positive: bool, has_negative: bool) -> Bucket {
        let mut zero = self.zero_bucket();
        match (has_positive, has_negative) {
            (true, false) => zero.lower = 0.0,
            (false, true) => zero.upper = 0.0,
            _ => {}
        }
        zero
    }
}

/// How many observations a bucket keeps, and where their middle lies.
fn part_of(bucket: &Bucket, value: f64, keep: Keep, shape: Shape) -> (f64, f64) {
    let (is_kept, is_cut) = match keep {
        Keep::Below => (bucket.upper <= value, bucket.lower < value),
        Keep::Above => (bucket.lower >= value, bucket.upper > value),
    };
    if is_kept {
        return (bucket.count, middle(bucket.lower, bucket.upper, shape));
    }
    if !is_cut {
        return (0.0, 0.0);
    }
    if bucket.lower == f64::NEG_INFINITY {
        return part_of_lowest(bucket, value, keep);
    }
    if bucket.upper == f64::INFINITY {
        // Where its observations lie is not known.
        return match keep {
            Keep::Above if value >= bucket.lower => (bucket.count, value),
            _ => (0.0, 0.0),
        };
    }
    let below = bucket.count * bucket.fraction_below(value, shape.linear);
    match keep {
        Keep::Below => (below, middle(bucket.lower, value, shape)),
        Keep::Above => (bucket.count - below, middle(value, bucket.upper, shape)),
    }
}

/// The same of a bucket without a lower bound: 0 is taken for one where it lies below the upper.
fn part_of_lowest(bucket: &Bucket, value: f64, keep: Keep) -> (f64, f64) {
    let upper = bucket.upper;
    let has_width = upper > 0.0 && upper.is_finite();
    match keep {
        Keep::Below if value >= upper => (bucket.count, 0.0),
        Keep::Below if value > 0.0 && has_width => (bucket.count * value / upper, value / 2.0),
        Keep::Below if upper <= 0.0 => (bucket.count, value),
        Keep::Above if value <= bucket.lower => (bucket.count, 0.0),
        Keep::Above if value >= 0.0 && upper > value && upper.is_finite() => {
            (bucket.count * (1.0 - value / upper), (value + upper) / 2.0)
        }
        _ => (0.0, 0.0),
    }
}

fn part_of_zero(zero: &Bucket, value: f64, keep: Keep) -> (f64, f64) {
    let (lower, upper) = (zero.lower, zero.upper);
    let whole = (zero.count, (lower + upper) / 2.0);
    match keep {
        Keep::Below if value <= lower => (0.0, 0.0),
        Keep::Below if value >= upper => whole,
        Keep::Below => {
            let part = (value - lower) / (upper - lower);
            (zero.count * part, (lower + value) / 2.0)
        }
        Keep::Above if value <= lower => whole,
        Keep::Above if value >= upper => (0.0, 0.0),
        Keep::Above => {
            let part = (upper - value) / (upper - lower);
            (zero.count * part, (value + upper) / 2.0)
        }
    }
}

/// The middle between two bounds: by width, or by the logarithm.
fn middle(lower: f64, upper: f64, shape: Shape) -> f64 {
    match (lower.is_infinite(), upper.is_infinite()) {
        (true, true) => 0.0,
        (true, false) if upper > 0.0 => upper / 2.0,
        (true, false) => upper,
        (false, true) => lower,
        (false, false) if shape.linear => (lower + upper) / 2.0,
        (false, false) => {
            let size = (lower * upper).abs().sqrt();
            if shape.negative { -size } else { size }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_of_a_value_make_the_whole() {
        let histogram = FloatHistogram {
            zero_threshold: 0.5,
            zero_count: 2.0,
            count: 14.0,
            sum: 9.0,
            positive: vec![(0, 1.0), (2, 4.0)],
            negative: vec![(1, 3.0), (3, 4.0)],
            ..FloatHistogram::default()
        };
        for value in [
            -100.0, -5.0, -1.5, -0.25, 0.0, 0.3, 0.75, 1.0, 3.0, 4.0, 50.0,
        ] {
            let [mut below, mut above] = [histogram.clone(), histogram.clone()];
            below.trim(value, Keep::Below);
            above.trim(value, Keep::Above);
            let whole = below.count + above.count;
            assert!((whole - 14.0).abs() < 1e-9, "{whole} at {value}");
        }
        let mut all = histogram.clone();
        all.trim(f64::INFINITY, Keep::Below);
        assert_eq!(all, histogram);
    }
}
