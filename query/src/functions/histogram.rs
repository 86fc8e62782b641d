//! Classic histograms: what cumulative buckets tell of the values they counted.

/// Relative difference of two counts that is taken for noise (Prometheus
/// `smallDeltaTolerance`, `promql/quantile.go`).
const NOISE: f64 = 1e-12;

/// How many observations were not above a bound.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Bucket {
    /// The bound: `le`.
    pub(crate) upper: f64,
    /// Cumulative.
    pub(crate) count: f64,
}

/// What was wrong with the counts of a histogram and was put right.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Corrected {
    /// Lowest bound of a bucket that counted less than the one below it.
    pub(crate) lowest: f64,
    /// Highest one.
    pub(crate) highest: f64,
    /// By how much it counted less at most.
    pub(crate) difference: f64,
}

/// The bound in a bucket label, if it is one.
pub(crate) fn bound(label: &str) -> Option<f64> {
    let bound: f64 = label.parse().ok()?;
    // Go refuses a number out of range, which is not spelled as an infinity.
    let spelled_out = label.bytes().any(|byte| matches!(byte, b'i' | b'I'));
    (bound.is_finite() || bound.is_nan() || spelled_out).then_some(bound)
}

/// The value below which the part `q` of the observations lies, values within a bucket taken
/// to be spread evenly (Prometheus `BucketQuantile`). `buckets` are not empty and sorted; their
/// counts are put right in place.
///
/// NaN where there is no observation, no bucket up to +Inf, or no other bucket.
pub(crate) fn quantile(q: f64, buckets: &mut Vec<Bucket>) -> (f64, Option<Corrected>) {
    if q.is_nan() {
        return (f64::NAN, None);
    }
    if q < 0.0 {
        return (f64::NEG_INFINITY, None);
    }
    if q > 1.0 {
        return (f64::INFINITY, None);
    }
    if buckets
        .last()
        .is_none_or(|last| last.upper != f64::INFINITY)
    {
        return (f64::NAN, None);
    }
    join_equal_bounds(buckets);
    let corrected = make_monotonic(buckets);
    let last = buckets.len() - 1;
    let observations = buckets[last].count;
    if last == 0 || observations == 0.0 {
        return (f64::NAN, corrected);
    }
    let mut rank = q * observations;
    // A count that is NaN holds no rank.
    let holds_rank = |bucket: &Bucket| bucket.count >= rank;
    let at = buckets[..last].partition_point(|bucket| !holds_rank(bucket));
    let bucket = buckets[at];
    let value = if at == last {
        buckets[last - 1].upper
    } else if at == 0 && bucket.upper <= 0.0 {
        bucket.upper
    } else {
        let (mut lower, mut count) = (0.0, bucket.count);
        if at > 0 {
            lower = buckets[at - 1].upper;
            count -= buckets[at - 1].count;
            rank -= buckets[at - 1].count;
        }
        lower + (bucket.upper - lower) * (rank / count)
    };
    (value, corrected)
}

/// The part of the observations between two values (Prometheus `BucketFraction`). `buckets` are
/// not empty and sorted.
pub(crate) fn fraction(lower: f64, upper: f64, buckets: &mut Vec<Bucket>) -> f64 {
    if buckets
        .last()
        .is_none_or(|last| last.upper != f64::INFINITY)
    {
        return f64::NAN;
    }
    join_equal_bounds(buckets);
    let total = buckets[buckets.len() - 1].count;
    if total == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let (lower, upper) = (rank_of(lower, buckets), rank_of(upper, buckets));
    let capped = |rank: Option<f64>| rank.filter(|&rank| rank <= total).unwrap_or(total);
    (capped(upper) - capped(lower)) / total
}

/// How many observations lie below a value; none where it is above all buckets' room.
fn rank_of(value: f64, buckets: &[Bucket]) -> Option<f64> {
    // A first bucket above 0 is taken to begin at 0.
    let mut low = if buckets[0].upper <= 0.0 {
        f64::NEG_INFINITY
    } else {
        0.0
    };
    let mut below = 0.0;
    for bucket in buckets {
        if low >= value {
            return Some(below);
        }
        if low < value && bucket.upper > value {
            if low == f64::NEG_INFINITY {
                // Nothing is known of where in an endless bucket values lie.
                return Some(bucket.count);
            }
            let part = (bucket.count - below) * (value - low) / (bucket.upper - low);
            return Some(below + part);
        }
        below = bucket.count;
        low = bucket.upper;
    }
    None
}

/// Adds up the counts of buckets with the same bound.
fn join_equal_bounds(buckets: &mut Vec<Bucket>) {
    buckets.dedup_by(|later, kept| {
        let equal = later.upper == kept.upper;
        if equal {
            kept.count += later.count;
        }
        equal
    });
}

/// Lifts buckets that count less than one below them; differences that are noise are undone
/// without a word.
fn make_monotonic(buckets: &mut [Bucket]) -> Option<Corrected> {
    let mut corrected: Option<Corrected> = None;
    let mut before = buckets[0].count;
    for bucket in &mut buckets[1..] {
        let count = bucket.count;
        if count == before {
            continue;
        }
        if almost_equal(before, count) {
            bucket.count = before;
        } else if count < before {
            bucket.count = before;
            let known = corrected.get_or_insert(Corrected {
                lowest: f64::INFINITY,
                highest: f64::NEG_INFINITY,
                difference: 0.0,
            });
            known.lowest = known.lowest.min(bucket.upper);
            known.highest = known.highest.max(bucket.upper);
            known.difference = known.difference.max(before - count);
        } else {
            before = count;
        }
    }
    corrected
}

/// Whether two numbers differ by noise (Prometheus `util/almost`).
fn almost_equal(a: f64, b: f64) -> bool {
    if a.is_nan() && b.is_nan() || a == b {
        return true;
    }
    let sum = a.abs() + b.abs();
    let difference = (a - b).abs();
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < NOISE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < NOISE
}

#[cfg(test)]
mod tests {
    use super::super::go_sort::go_sort;
    use super::*;

    fn buckets(of: &[(f64, f64)]) -> Vec<Bucket> {
        of.iter()
            .map(|&(upper, count)| Bucket { upper, count })
            .collect()
    }

    const INF: f64 = f64::INFINITY;

    #[test]
    fn bounds_that_are_not_numbers_are_sorted_as_go_sorts_them() {
        let sorted = |mut bounds: Vec<f64>| {
            go_sort(&mut bounds, |a, b| a < b);
            bounds
        };
        // Nothing is inserted across a NaN.
        let bounds = sorted(vec![3.0, 2.0, f64::NAN, 5.0, 1.0]);
        assert_eq!(bounds[..2], [2.0, 3.0]);
        assert!(bounds[2].is_nan());
        assert_eq!(bounds[3..], [1.0, 5.0]);
        let many = (0..100_u32).map(|i| match i % 3 {
            0 => f64::NAN,
            _ => f64::from(i * 37 % 100),
        });
        let many = sorted(many.collect());
        assert_eq!(many.iter().filter(|bound| bound.is_nan()).count(), 34);
    }

    #[test]
    fn quantiles_are_interpolated_within_a_bucket() {
        let of = [(1.0, 10.0), (2.0, 20.0), (4.0, 40.0), (INF, 40.0)];
        let at = |q| quantile(q, &mut buckets(&of)).0;
        assert_eq!(at(0.0), 0.0);
        assert_eq!(at(0.125), 0.5);
        assert_eq!(at(0.5), 2.0);
        assert_eq!(at(0.75), 3.0);
        assert_eq!(at(1.0), 4.0);
        assert_eq!(at(-0.1), f64::NEG_INFINITY);
        assert_eq!(at(1.1), INF);
        assert!(at(f64::NAN).is_nan());
    }

    #[test]
    fn the_ends_have_rules_of_their_own() {
        // In the last bucket: the bound below it.
        let (value, _) = quantile(0.9, &mut buckets(&[(1.0, 1.0), (INF, 10.0)]));
        assert_eq!(value, 1.0);
        // In a first bucket that ends at or below 0: its bound.
        let (value, _) = quantile(0.1, &mut buckets(&[(-1.0, 5.0), (INF, 10.0)]));
        assert_eq!(value, -1.0);
        for none in [
            &[(INF, 5.0)][..],
            &[(1.0, 0.0), (INF, 0.0)],
            &[(1.0, 5.0), (2.0, 6.0)],
        ] {
            assert!(quantile(0.5, &mut buckets(none)).0.is_nan());
        }
    }

    #[test]
    fn counts_that_fall_are_put_right_and_reported() {
        let of = [(1.0, 10.0), (2.0, 8.0), (4.0, 20.0), (INF, 20.0)];
        let (value, corrected) = quantile(0.75, &mut buckets(&of));
        assert_eq!(value, 3.0);
        let expected = Corrected {
            lowest: 2.0,
            highest: 2.0,
            difference: 2.0,
        };
        assert_eq!(corrected, Some(expected));
        // Noise is not reported.
        let of = [(1.0, 10.0), (2.0, 10.0 - 1e-13), (INF, 20.0)];
        assert_eq!(quantile(0.5, &mut buckets(&of)), (1.0, None));
    }

    #[test]
    fn buckets_with_the_same_bound_are_one() {
        let of = [(1.0, 5.0), (1.0, 5.0), (INF, 20.0), (INF, 20.0)];
        assert_eq!(quantile(0.25, &mut buckets(&of)).0, 1.0);
    }

    #[test]
    fn fractions_are_interpolated_too() {
        let of = [(1.0, 10.0), (2.0, 20.0), (4.0, 40.0), (INF, 50.0)];
        let between = |lower, upper| fraction(lower, upper, &mut buckets(&of));
        assert_eq!(between(0.0, 1.0), 0.2);
        assert_eq!(between(0.5, 3.0), 0.5);
        assert_eq!(between(f64::NEG_INFINITY, INF), 1.0);
        assert_eq!(between(3.0, 1.0), 0.0);
        assert!(between(f64::NAN, 1.0).is_nan());
        // Values above the last finite bound are nowhere in particular.
        assert_eq!(between(4.0, 100.0), 0.0);
    }

    #[test]
    fn bounds_are_numbers_as_go_reads_them() {
        assert_eq!(bound("+Inf"), Some(INF));
        assert_eq!(bound("inf"), Some(INF));
        assert_eq!(bound("0.25"), Some(0.25));
        assert_eq!(bound("1e400"), None);
        assert_eq!(bound(""), None);
        assert_eq!(bound("Hello World"), None);
    }
}
