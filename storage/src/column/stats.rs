//! What a column's values come to, taken while it is encoded.

use crate::model::is_stale;

/// A column in a few numbers. Stale markers do not count.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ColumnStats {
    /// How many values there are.
    pub count: u32,
    /// How often a value was below the one before: resets, if it is a counter.
    pub resets: u32,
    /// Their sum, with Neumaier's compensation; 0 without values.
    pub sum: f64,
    /// The smallest that is a number; NaN without one.
    pub min: f64,
    /// The largest that is a number; NaN without one.
    pub max: f64,
    /// The first; NaN without values.
    pub first: f64,
    /// The last; NaN without values.
    pub last: f64,
}

impl Default for ColumnStats {
    /// Those of no values.
    fn default() -> Self {
        Self {
            count: 0,
            resets: 0,
            sum: 0.0,
            min: f64::NAN,
            max: f64::NAN,
            first: f64::NAN,
            last: f64::NAN,
        }
    }
}

impl ColumnStats {
    /// Those of some values.
    pub(super) fn of(values: &[f64]) -> Self {
        let mut kept = values.iter().copied().filter(|&value| !is_stale(value));
        let Some(first) = kept.next() else {
            return Self::default();
        };
        let mut stats = Self {
            count: 1,
            first,
            last: first,
            min: first,
            max: first,
            ..Self::default()
        };
        let mut sum = Sum::of(first);
        for value in kept {
            stats.count += 1;
            stats.resets += u32::from(value < stats.last);
            // A NaN stays only while there is nothing else.
            if value < stats.min || stats.min.is_nan() {
                stats.min = value;
            }
            if value > stats.max || stats.max.is_nan() {
                stats.max = value;
            }
            sum.add(value);
            stats.last = value;
        }
        stats.sum = sum.total();
        stats
    }

    /// Those of `count` (not 0) times the same value.
    pub(super) fn of_constant(value: f64, count: usize) -> Self {
        if is_stale(value) || count == 0 {
            return Self::default();
        }
        Self {
            count: count as u32,
            resets: 0,
            // What the compensation is for: the exact sum, rounded once.
            sum: value * count as f64,
            min: value,
            max: value,
            first: value,
            last: value,
        }
    }
}

/// A sum and what it lost to rounding.
struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    fn of(first: f64) -> Self {
        Self {
            sum: first,
            lost: 0.0,
        }
    }

    /// Without the branch of Neumaier's form; the same result (Knuth's two-sum).
    #[inline]
    fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        let added = sum - self.sum;
        self.lost += (self.sum - (sum - added)) + (value - added);
        self.sum = sum;
    }

    fn total(&self) -> f64 {
        let total = self.sum + self.lost;
        // Of an infinite sum what it lost is no number.
        if self.sum.is_finite() && total.is_finite() {
            total
        } else {
            self.sum
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::STALE_NAN_BITS;

    fn bits(stats: ColumnStats) -> [u64; 7] {
        let ColumnStats {
            count,
            resets,
            sum,
            min,
            max,
            first,
            last,
        } = stats;
        let floats = [sum, min, max, first, last].map(f64::to_bits);
        let [sum, min, max, first, last] = floats;
        [
            u64::from(count),
            u64::from(resets),
            sum,
            min,
            max,
            first,
            last,
        ]
    }

    #[test]
    fn stale_markers_do_not_count_and_other_nans_do() {
        let stale = f64::from_bits(STALE_NAN_BITS);
        let stats = ColumnStats::of(&[stale, 5.0, f64::NAN, 7.0, 3.0, stale, 4.0, 1.0, stale]);
        assert_eq!((stats.count, stats.resets), (6, 2));
        assert_eq!(
            [stats.min, stats.max, stats.first, stats.last],
            [1.0, 7.0, 5.0, 1.0]
        );
        assert!(stats.sum.is_nan());
        let stats = ColumnStats::of(&[f64::NAN, 2.0]);
        assert_eq!((stats.min, stats.max), (2.0, 2.0));
        assert!(stats.first.is_nan());
        for none in [
            ColumnStats::of(&[stale; 3]),
            ColumnStats::of_constant(stale, 3),
        ] {
            assert_eq!((none.count, none.sum), (0, 0.0));
            assert!(none.min.is_nan() && none.max.is_nan());
            assert!(none.first.is_nan() && none.last.is_nan());
        }
    }

    #[test]
    fn sums_keep_what_rounding_loses() {
        assert_eq!(ColumnStats::of(&[1.0, 1e100, 1.0, -1e100]).sum, 2.0);
        assert_eq!(ColumnStats::of(&[0.1; 10]).sum, 1.0);
        assert_eq!(ColumnStats::of(&[f64::MAX, f64::MAX]).sum, f64::INFINITY);
        assert_eq!(ColumnStats::of(&[f64::INFINITY, 1.0]).sum, f64::INFINITY);
        let both = [f64::INFINITY, f64::NEG_INFINITY, 1.0];
        assert!(ColumnStats::of(&both).sum.is_nan());
    }

    proptest! {
        #[test]
        fn of_one_value_they_are_the_same_either_way(value: f64, count in 1..500usize) {
            let one_by_one = ColumnStats::of(&vec![value; count]);
            let at_once = ColumnStats::of_constant(value, count);
            // The compensation itself is rounded: a last digit may differ.
            let near = (one_by_one.sum - at_once.sum).abs() <= at_once.sum.abs() * f64::EPSILON;
            let same = one_by_one.sum.to_bits() == at_once.sum.to_bits();
            prop_assert!(near || same || !at_once.sum.is_finite());
            let sum = at_once.sum;
            prop_assert_eq!(bits(ColumnStats { sum, ..one_by_one }), bits(at_once));
        }

        #[test]
        fn of_integers_they_are_exact(integers in prop::collection::vec(-1000..1000i32, 1..300)) {
            let values: Vec<f64> = integers.iter().copied().map(f64::from).collect();
            let stats = ColumnStats::of(&values);
            let falls = integers.iter().zip(&integers[1..]).filter(|(a, b)| b < a).count();
            prop_assert_eq!(stats.resets as usize, falls);
            prop_assert_eq!(stats.sum, f64::from(integers.iter().sum::<i32>()));
            prop_assert_eq!(Some(stats.min), integers.iter().min().copied().map(f64::from));
            prop_assert_eq!(Some(stats.max), integers.iter().max().copied().map(f64::from));
        }
    }
}
