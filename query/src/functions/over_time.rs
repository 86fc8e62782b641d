//! Aggregations of the samples in a window: `sum_over_time` and its family.

use std::collections::VecDeque;

use super::numeric::{KahanSum, Mean, quantile};
use super::patience::Patience;
use super::window::{Expects, Window, WindowEntry, WindowFunction};

pub(super) static FUNCTIONS: &[WindowEntry] = &[
    WindowEntry::new("avg_over_time", || Box::new(mean)),
    WindowEntry::new("count_over_time", || {
        Box::new(|window: &Window<'_>| Some(window.len() as f64))
    }),
    WindowEntry::new("first_over_time", || {
        Box::new(|window: &Window<'_>| window.values().first().copied())
    })
    .keeping_metadata(),
    WindowEntry::new("last_over_time", || {
        Box::new(|window: &Window<'_>| window.values().last().copied())
    })
    .keeping_metadata(),
    WindowEntry::new("mad_over_time", || Box::new(MedianDeviation::default())),
    WindowEntry::new("max_over_time", || Box::new(Extreme::new(|a, b| a > b))),
    WindowEntry::new("min_over_time", || Box::new(Extreme::new(|a, b| a < b))),
    WindowEntry::new("present_over_time", || Box::new(|_: &Window<'_>| Some(1.0))),
    WindowEntry::new("quantile_over_time", || Box::new(Quantile::default()))
        .expecting(Expects::Quantile),
    WindowEntry::new("stddev_over_time", || {
        Box::new(|window: &Window<'_>| variance(window).map(f64::sqrt))
    }),
    WindowEntry::new("stdvar_over_time", || Box::new(variance)),
    WindowEntry::new("sum_over_time", || Box::new(sum)),
    WindowEntry::new("ts_of_first_over_time", || {
        Box::new(|window: &Window<'_>| window.timestamps_ms().first().map(seconds))
    }),
    WindowEntry::new("ts_of_last_over_time", || {
        Box::new(|window: &Window<'_>| window.timestamps_ms().last().map(seconds))
    }),
    WindowEntry::new("ts_of_max_over_time", || {
        Box::new(|window: &Window<'_>| time_of(window, |value, best| value >= best))
    }),
    WindowEntry::new("ts_of_min_over_time", || {
        Box::new(|window: &Window<'_>| time_of(window, |value, best| value <= best))
    }),
];

/// A value for each window with a sample, of whatever series: what `absent_over_time` looks for.
pub(crate) static ANY_SAMPLE: WindowEntry =
    WindowEntry::new("absent_over_time", || Box::new(|_: &Window<'_>| Some(1.0)))
        .keeping_metadata();

fn seconds(time_ms: &i64) -> f64 {
    *time_ms as f64 / 1000.0
}

fn sum(window: &Window<'_>) -> Option<f64> {
    let mut sum = KahanSum::default();
    for piece in window.pieces() {
        sum = piece.iter().copied().fold(sum, KahanSum::plus);
    }
    Some(sum.total())
}

fn mean(window: &Window<'_>) -> Option<f64> {
    let (first, rest) = window.values().split_first()?;
    let mut mean = Mean::of(*first);
    for piece in window.patience.pieces(rest) {
        for value in piece {
            mean.add(*value);
        }
    }
    Some(mean.value())
}

/// Welford's variance of the population, its sums compensated (Prometheus `varianceOverTime`).
fn variance(window: &Window<'_>) -> Option<f64> {
    let mut count = 0.0;
    let mut mean = KahanSum::default();
    let mut squares = KahanSum::default();
    for piece in window.pieces() {
        for &value in piece {
            count += 1.0;
            let delta = value - mean.total();
            mean = mean.plus(delta / count);
            squares = squares.plus(delta * (value - mean.total()));
        }
    }
    Some(squares.total() / count)
}

/// The time of the last value that is as good as any, a number being better than NaN.
fn time_of(window: &Window<'_>, as_good: fn(f64, f64) -> bool) -> Option<f64> {
    let (values, times_ms) = (window.values(), window.timestamps_ms());
    let (mut best, mut time_ms) = (*values.first()?, times_ms.first()?);
    for range in window.patience.ranges(1..values.len()) {
        for (&value, at_ms) in values[range.clone()].iter().zip(&times_ms[range]) {
            if as_good(value, best) || best.is_nan() {
                (best, time_ms) = (value, at_ms);
            }
        }
    }
    Some(seconds(time_ms))
}

/// The largest or smallest value; NaN only where there is no number.
///
/// A deque holds the places of values that no later value beats, so that each value is looked
/// at once and not once a window. Of equal values the first counts (-0 and 0 are equal).
struct Extreme {
    better: fn(f64, f64) -> bool,
    /// Places in the series whose values get worse from front to back; no NaN.
    candidates: VecDeque<usize>,
    /// The value behind the last one taken in.
    next: usize,
}

impl Extreme {
    fn new(better: fn(f64, f64) -> bool) -> Self {
        Self {
            better,
            candidates: VecDeque::new(),
            next: 0,
        }
    }
}

impl WindowFunction for Extreme {
    fn begin(&mut self, _values: &[f64], _patience: Patience<'_>) {
        self.candidates.clear();
        self.next = 0;
    }

    fn value(&mut self, window: &Window<'_>) -> Option<f64> {
        let values = window.all_values;
        let new = self.next.max(window.first);
        for at in window.patience.ranges(new..window.end).flatten() {
            let value = values[at];
            if value.is_nan() {
                continue;
            }
            while let Some(&last) = self.candidates.back()
                && (self.better)(value, values[last])
            {
                self.candidates.pop_back();
            }
            self.candidates.push_back(at);
        }
        self.next = self.next.max(window.end);
        while self.candidates.front().is_some_and(|&at| at < window.first) {
            self.candidates.pop_front();
        }
        let best = self.candidates.front().map_or(f64::NAN, |&at| values[at]);
        Some(best)
    }
}

/// `quantile_over_time`, with room to sort in.
#[derive(Default)]
struct Quantile {
    sorted: Vec<f64>,
}

impl WindowFunction for Quantile {
    fn value(&mut self, window: &Window<'_>) -> Option<f64> {
        self.sorted.clear();
        self.sorted.reserve(window.len());
        for piece in window.pieces() {
            self.sorted.extend_from_slice(piece);
        }
        let q = window.parameters[0];
        Some(quantile(q, &mut self.sorted, window.patience))
    }
}

/// `mad_over_time`: the median of the distances to the median, with room to sort in.
#[derive(Default)]
struct MedianDeviation {
    sorted: Vec<f64>,
}

impl WindowFunction for MedianDeviation {
    fn value(&mut self, window: &Window<'_>) -> Option<f64> {
        self.sorted.clear();
        self.sorted.reserve(window.len());
        for piece in window.pieces() {
            if piece.iter().any(|value| value.is_nan()) {
                return Some(f64::NAN);
            }
            self.sorted.extend_from_slice(piece);
        }
        let median = quantile(0.5, &mut self.sorted, window.patience);
        for range in window.patience.ranges(0..self.sorted.len()) {
            for value in &mut self.sorted[range] {
                *value = (*value - median).abs();
            }
        }
        Some(quantile(0.5, &mut self.sorted, window.patience))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::window::tests::over;
    use super::*;

    fn each_second(values: &[f64]) -> Vec<(i64, f64)> {
        let time = |at: usize| at as i64 * 1000;
        values
            .iter()
            .enumerate()
            .map(|(at, value)| (time(at), *value))
            .collect()
    }

    fn of(name: &str, values: &[f64], parameter: f64) -> f64 {
        let end = values.len() as i64 * 1000;
        over(name, &each_second(values), (-1, end), [parameter, 0.0]).unwrap()
    }

    #[test]
    fn simple_aggregations() {
        let values = [4.0, -2.0, 7.0, 7.0];
        assert_eq!(of("sum_over_time", &values, 0.0), 16.0);
        assert_eq!(of("avg_over_time", &values, 0.0), 4.0);
        assert_eq!(of("count_over_time", &values, 0.0), 4.0);
        assert_eq!(of("max_over_time", &values, 0.0), 7.0);
        assert_eq!(of("min_over_time", &values, 0.0), -2.0);
        assert_eq!(of("first_over_time", &values, 0.0), 4.0);
        assert_eq!(of("last_over_time", &values, 0.0), 7.0);
        assert_eq!(of("present_over_time", &values, 0.0), 1.0);
        assert_eq!(of("stdvar_over_time", &values, 0.0), 13.5);
        assert_eq!(of("stddev_over_time", &values, 0.0), 13.5f64.sqrt());
        assert_eq!(of("quantile_over_time", &values, 0.5), 5.5);
        assert_eq!(of("mad_over_time", &values, 0.0), 1.5);
        assert_eq!(of("ts_of_first_over_time", &values, 0.0), 0.0);
        assert_eq!(of("ts_of_last_over_time", &values, 0.0), 3.0);
        assert_eq!(of("ts_of_max_over_time", &values, 0.0), 3.0);
        assert_eq!(of("ts_of_min_over_time", &values, 0.0), 1.0);
    }

    #[test]
    fn extremes_leave_nan_out_unless_there_is_nothing_else() {
        let values = [f64::NAN, 1.0, f64::NAN, 3.0];
        assert_eq!(of("max_over_time", &values, 0.0), 3.0);
        assert_eq!(of("min_over_time", &values, 0.0), 1.0);
        assert!(of("max_over_time", &[f64::NAN], 0.0).is_nan());
        assert!(of("sum_over_time", &values, 0.0).is_nan());
        assert!(of("mad_over_time", &values, 0.0).is_nan());
    }

    #[test]
    fn of_equal_extremes_the_first_counts() {
        assert!(of("max_over_time", &[-0.0, 0.0], 0.0).is_sign_negative());
        assert!(of("min_over_time", &[0.0, -0.0], 0.0).is_sign_positive());
    }

    proptest! {
        /// Windows that move forward give what each window by itself gives.
        #[test]
        fn moving_extremes_are_those_of_each_window(
            values in proptest::collection::vec(
                prop_oneof![-3.0..3.0f64, Just(f64::NAN), Just(0.0), Just(-0.0)],
                1..60,
            ),
            length in 1usize..10,
            stride in 1usize..15,
        ) {
            let times: Vec<i64> = (0..values.len() as i64).collect();
            let mut moving = Extreme::new(|a, b| a > b);
            moving.begin(&values, Patience::ENDLESS);
            for end in (1..=values.len()).step_by(stride) {
                let window = Window {
                    all_timestamps_ms: &times,
                    all_values: &values,
                    first: end.saturating_sub(length),
                    end,
                    start_ms: 0,
                    end_ms: 0,
                    time_ms: 0,
                    parameters: [0.0; 2],
                    patience: Patience::ENDLESS,
                };
                let mut expected = window.values()[0];
                for &value in window.values() {
                    if value > expected || expected.is_nan() {
                        expected = value;
                    }
                }
                let found = moving.value(&window).unwrap();
                prop_assert!(
                    found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan()
                );
            }
        }
    }
}
