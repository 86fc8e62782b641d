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
