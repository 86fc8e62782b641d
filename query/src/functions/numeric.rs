//! Sums, quantiles and comparisons as Prometheus computes them, to the last bit.

use std::cmp::Ordering;

use super::patience::Patience;
use crate::limits::meter::work;

use crate::float_text::{Decimal, text, write_plain_float, write_scientific_float};

/// A duration in seconds, rounded as Go's `time.Duration.Seconds` rounds it.
pub(crate) fn seconds(length_ms: i64) -> f64 {
    (length_ms / 1000) as f64 + (length_ms % 1000 * 1_000_000) as f64 / 1e9
}

/// A number as Go's `%g` prints it.
pub(crate) fn go_float(value: f64) -> String {
    let plain = Decimal::shortest(value).is_none_or(|it| (-4..6).contains(&it.exponent()));
    text(|out| {
        if plain {
            write_plain_float(out, value);
        } else {
            write_scientific_float(out, value);
        }
    })
}

/// A number as OpenMetrics wants it in a label: never without a point or an exponent.
pub(crate) fn open_metrics_float(value: f64) -> String {
    let mut text = go_float(value);
    if value.is_finite() && !text.contains(['.', 'e']) {
        text.push_str(".0");
    }
    text
}

/// A sum and what rounding took from it (Kahan's summation with Neumaier's improvement, as in
/// Prometheus `util/kahansum`). The sum is `sum + compensation`.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct KahanSum {
    pub(crate) sum: f64,
    pub(crate) compensation: f64,
}

impl KahanSum {
    /// The sum with `value` added.
    #[inline]
    #[must_use]
    pub(crate) fn plus(self, value: f64) -> Self {
        let sum = self.sum + value;
        let compensation = if sum.is_infinite() {
            0.0
        } else if self.sum.abs() >= value.abs() {
            self.compensation + ((self.sum - sum) + value)
        } else {
            self.compensation + ((value - sum) + self.sum)
        };
        Self { sum, compensation }
    }

    /// Both parts times `factor`.
    #[must_use]
    pub(crate) fn scaled(self, factor: f64) -> Self {
        Self {
            sum: self.sum * factor,
            compensation: self.compensation * factor,
        }
    }

    pub(crate) fn total(self) -> f64 {
        self.sum + self.compensation
    }
}

/// A mean: of the compensated sum as long as that is finite, then incremental.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mean {
    /// The sum, or the mean once `incremental`.
    sum: KahanSum,
    count: f64,
    incremental: bool,
}

impl Mean {
    /// The mean of one value.
    pub(crate) fn of(value: f64) -> Self {
        Self {
            sum: KahanSum {
                sum: value,
                compensation: 0.0,
            },
            count: 1.0,
            incremental: false,
        }
    }

    /// Takes another value in.
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if !self.incremental {
            let sum = self.sum.plus(value);
            if !sum.sum.is_infinite() {
                self.sum = sum;
                return;
            }
            self.incremental = true;
            self.sum = KahanSum {
                sum: self.sum.sum / (self.count - 1.0),
                compensation: self.sum.compensation / (self.count - 1.0),
            };
        }
        let kept = (self.count - 1.0) / self.count;
        self.sum = self.sum.scaled(kept).plus(value / self.count);
    }

    pub(crate) fn value(&self) -> f64 {
        if self.incremental {
            self.sum.total()
        } else {
            self.sum.sum / self.count + self.sum.compensation / self.count
        }
    }
}

/// Rising, NaN before all numbers.
#[inline]
pub(crate) fn nan_first(a: &f64, b: &f64) -> Ordering {
    work(1);
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
    }
}

/// The `q` quantile of values, which it sorts: between two of them a weighted mean. NaN of no
/// values or a `q` of NaN, an infinity for a `q` outside 0 to 1.
pub(crate) fn quantile(q: f64, values: &mut Vec<f64>, patience: Patience<'_>) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    patience.sort(values);
    let last = values.len() - 1;
    let rank = q * last as f64;
    let lower = rank.floor();
    let upper = (lower as usize + 1).min(last);
    let weight = rank - lower;
    values[lower as usize] * (1.0 - weight) + values[upper] * weight
}

/// The larger of two, as Go's `math.Max` has it: NaN if one is, unless the other is +Inf.
pub(crate) fn max(a: f64, b: f64) -> f64 {
    if a == f64::INFINITY || b == f64::INFINITY {
        f64::INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a == 0.0 && b == 0.0 {
        // +0 is the larger.
        if a.is_sign_negative() { b } else { a }
    } else if a > b {
        a
    } else {
        b
    }
}

/// The smaller of two, as Go's `math.Min` has it: NaN if one is, unless the other is -Inf.
pub(crate) fn min(a: f64, b: f64) -> f64 {
    -max(-a, -b)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_print_as_in_go() {
        let cases = [
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Inf"),
            (1.1, "1.1"),
            (-0.0, "-0"),
            (100_000.0, "100000"),
            (1e6, "1e+06"),
            (-1.5e-7, "-1.5e-07"),
            (0.0001, "0.0001"),
            (1e100, "1e+100"),
        ];
        for (value, text) in cases {
            assert_eq!(go_float(value), text);
        }
    }

    #[test]
    fn numbers_in_labels_have_a_point() {
        let cases = [
            (1.0, "1.0"),
            (0.25, "0.25"),
            (1e9, "1e+09"),
            (f64::INFINITY, "+Inf"),
        ];
        for (value, text) in cases {
            assert_eq!(open_metrics_float(value), text);
        }
    }

    #[test]
    fn the_sum_keeps_what_a_plain_sum_loses() {
        let sum = [1.0, 1e100, 1.0, -1e100]
            .into_iter()
            .fold(KahanSum::default(), KahanSum::plus);
        assert_eq!(sum.total(), 2.0);
        let infinite = KahanSum::default().plus(f64::MAX).plus(f64::MAX);
        assert_eq!(infinite.total(), f64::INFINITY);
    }

    #[test]
    fn a_mean_of_numbers_whose_sum_overflows_is_finite() {
        let mut mean = Mean::of(f64::MAX);
        mean.add(f64::MAX);
        mean.add(f64::MAX);
        assert!((mean.value() / f64::MAX - 1.0).abs() < 1e-15);
        let mut infinite = Mean::of(f64::INFINITY);
        infinite.add(1.0);
        assert_eq!(infinite.value(), f64::INFINITY);
        infinite.add(f64::NEG_INFINITY);
        assert!(infinite.value().is_nan());
    }

    #[test]
    fn quantiles_lie_between_values() {
        let mut values = vec![4.0, 1.0, 3.0, 2.0];
        assert_eq!(quantile(0.5, &mut values, Patience::ENDLESS), 2.5);
        assert_eq!(quantile(0.0, &mut values, Patience::ENDLESS), 1.0);
        assert_eq!(quantile(1.0, &mut values, Patience::ENDLESS), 4.0);
        assert_eq!(
            quantile(-0.1, &mut values, Patience::ENDLESS),
            f64::NEG_INFINITY
        );
        assert_eq!(quantile(1.1, &mut values, Patience::ENDLESS), f64::INFINITY);
        assert!(quantile(f64::NAN, &mut values, Patience::ENDLESS).is_nan());
        assert!(quantile(0.5, &mut vec![], Patience::ENDLESS).is_nan());
        // NaN sorts before all numbers.
        assert!(quantile(0.0, &mut vec![1.0, f64::NAN], Patience::ENDLESS).is_nan());
        assert_eq!(
            quantile(1.0, &mut vec![1.0, f64::NAN], Patience::ENDLESS),
            1.0
        );
    }

    #[test]
    fn extremes_of_special_values_are_those_of_go() {
        assert!(max(f64::NAN, 1.0).is_nan());
        assert!(max(f64::NEG_INFINITY, f64::NAN).is_nan());
        assert_eq!(max(f64::INFINITY, f64::NAN), f64::INFINITY);
        assert_eq!(min(f64::NAN, f64::NEG_INFINITY), f64::NEG_INFINITY);
        assert!(max(-0.0, 0.0).is_sign_positive());
        assert!(min(0.0, -0.0).is_sign_negative());
    }

    proptest! {
        #[test]
        fn the_mean_lies_within_its_values(values in proptest::collection::vec(-1e300..1e300f64, 1..50)) {
            let mut mean = Mean::of(values[0]);
            for &value in &values[1..] {
                mean.add(value);
            }
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let slack = 1e-12 * high.abs().max(low.abs());
            prop_assert!(mean.value() >= low - slack && mean.value() <= high + slack);
        }
    }
}
