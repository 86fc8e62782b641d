//! What aggregations keep of the values of a group at a step.

use crate::functions::numeric::{KahanSum, Mean};

/// The state of an aggregation that has seen at least one value.
pub(super) trait State: Send + 'static {
    /// After the first value.
    fn of(value: f64) -> Self;
    /// After another one.
    fn add(&mut self, value: f64);
}

/// `sum`
pub(super) type Sum = KahanSum;

impl State for Sum {
    fn of(value: f64) -> Self {
        Self {
            sum: value,
            compensation: 0.0,
        }
    }

    #[inline]
    fn add(&mut self, value: f64) {
        *self = self.plus(value);
    }
}

/// `avg`
pub(super) type Average = Mean;

impl State for Average {
    fn of(value: f64) -> Self {
        Self::of(value)
    }

    #[inline]
    fn add(&mut self, value: f64) {
        self.add(value);
    }
}

/// `count`
pub(super) struct Count(u64);

impl Count {
    pub(super) fn value(&self) -> f64 {
        self.0 as f64
    }
}

impl State for Count {
    fn of(_value: f64) -> Self {
        Self(1)
    }

    #[inline]
    fn add(&mut self, _value: f64) {
        self.0 += 1;
    }
}

/// `group`
pub(super) struct Present;

impl State for Present {
    fn of(_value: f64) -> Self {
        Self
    }

    fn add(&mut self, _value: f64) {}
}

/// `max` or `min`: NaN only where there is no number.
pub(super) struct Extremum<const LARGEST: bool>(f64);

impl<const LARGEST: bool> Extremum<LARGEST> {
    pub(super) fn value(&self) -> f64 {
        self.0
    }
}

impl<const LARGEST: bool> State for Extremum<LARGEST> {
    fn of(value: f64) -> Self {
        Self(value)
    }

    #[inline]
    fn add(&mut self, value: f64) {
        let better = if LARGEST {
            self.0 < value
        } else {
            self.0 > value
        };
        if better || self.0.is_nan() {
            self.0 = value;
        }
    }
}

/// `stdvar` and `stddev`: Welford's variance of the population, not compensated, as Prometheus
/// has it for aggregations.
pub(super) struct Variance {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Variance {
    pub(super) fn value(&self) -> f64 {
        self.squares / self.count
    }
}

impl State for Variance {
    fn of(value: f64) -> Self {
        Self {
            count: 1.0,
            mean: value,
            squares: if value.is_finite() { 0.0 } else { f64::NAN },
        }
    }

    #[inline]
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let delta = value - self.mean;
        self.mean += delta / self.count;
        self.squares += delta * (value - self.mean);
    }
}
