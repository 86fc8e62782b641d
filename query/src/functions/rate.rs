//! Differences over time: `rate`, `increase`, `delta`, `irate`, `idelta`, `changes`, `resets`.

use super::numeric;
use super::patience::Patience;
use super::window::{Expects, Window, WindowEntry, WindowFunction};

pub(super) static FUNCTIONS: &[WindowEntry] = &[
    WindowEntry::new("rate", || Box::new(Extrapolated::new(true, true)))
        .expecting(Expects::CounterName),
    WindowEntry::new("increase", || Box::new(Extrapolated::new(true, false)))
        .expecting(Expects::CounterName),
    WindowEntry::new("delta", || Box::new(Extrapolated::new(false, false))),
    WindowEntry::new("irate", || {
        Box::new(|window: &Window<'_>| last_two(window, true))
    }),
    WindowEntry::new("idelta", || {
        Box::new(|window: &Window<'_>| last_two(window, false))
    }),
    WindowEntry::new("changes", changes),
    WindowEntry::new("resets", resets),
];

/// `changes`: one NaN after another is no change.
pub(super) fn changes() -> Box<dyn WindowFunction> {
    Box::new(Steps::new(|before, value| {
        value != before && !(value.is_nan() && before.is_nan())
    }))
}

/// `resets`
pub(super) fn resets() -> Box<dyn WindowFunction> {
    Box::new(Steps::new(|before, value| value < before))
}

/// The difference of the last and the first value, with counter resets undone, extended to the
/// window's ends where samples come close to them (Prometheus `extrapolatedRate`,
/// `promql/functions.go`).
struct Extrapolated {
    is_counter: bool,
    is_rate: bool,
    /// Places of values that are below the one before.
    resets: Vec<usize>,
    /// The first of `resets` that no earlier window has left behind.
    next_reset: usize,
}

impl Extrapolated {
    fn new(is_counter: bool, is_rate: bool) -> Self {
        Self {
            is_counter,
            is_rate,
            resets: Vec::new(),
            next_reset: 0,
        }
    }

    /// The difference of last and first value, plus what each reset inside took away.
    fn difference(&mut self, window: &Window<'_>) -> f64 {
        let values = window.values();
        let mut difference = values[values.len() - 1] - values[0];
        while self
            .resets
            .get(self.next_reset)
            .is_some_and(|&at| at <= window.first)
        {
            self.next_reset += 1;
        }
        for &at in &self.resets[self.next_reset..] {
            if at >= window.end {
                break;
            }
            difference += window.all_values[at - 1];
        }
        difference
    }
}

impl WindowFunction for Extrapolated {
    fn begin(&mut self, values: &[f64], patience: Patience<'_>) {
        self.resets.clear();
        self.next_reset = 0;
        if self.is_counter {
            let is_reset = |&at: &usize| values[at] < values[at - 1];
            for range in patience.ranges(1..values.len()) {
                self.resets.extend(range.filter(is_reset));
            }
        }
    }

    fn value(&mut self, window: &Window<'_>) -> Option<f64> {
        if window.len() < 2 {
            return None;
        }
        let mut result = self.difference(window);
        let timestamps_ms = window.timestamps_ms();
        let (first_ms, last_ms) = (timestamps_ms[0], timestamps_ms[timestamps_ms.len() - 1]);
        let seconds = |length_ms: i64| length_ms as f64 / 1000.0;
        let mut to_start = seconds(first_ms.saturating_sub(window.start_ms));
        let mut to_end = seconds(window.end_ms.saturating_sub(last_ms));
        let sampled = seconds(last_ms.saturating_sub(first_ms));
        let between_samples = sampled / (window.len() - 1) as f64;
        let threshold = between_samples * 1.1;
        // A gap as long as that between samples means: the series goes on there. A longer one
        // means that it begins or ends half a distance away.
        if to_start >= threshold {
            to_start = between_samples / 2.0;
        }
        if self.is_counter && result > 0.0 && window.values()[0] >= 0.0 {
            // No counter was below zero: where the slope would get there, it began.
            let to_zero = sampled * (window.values()[0] / result);
            if to_zero < to_start {
                to_start = to_zero;
            }
        }
        if to_end >= threshold {
            to_end = between_samples / 2.0;
        }
        let mut factor = 1.0;
        if sampled != 0.0 {
            factor = (sampled + to_start + to_end) / sampled;
        }
        if self.is_rate {
            factor /= numeric::seconds(window.end_ms.saturating_sub(window.start_ms));
        }
        result *= factor;
        Some(result)
    }
}

/// The difference of the last two samples, for a rate a second.
fn last_two(window: &Window<'_>, is_rate: bool) -> Option<f64> {
    let ([.., before, last], [.., before_ms, last_ms]) = (window.values(), window.timestamps_ms())
    else {
        return None;
    };
    let is_reset = is_rate && last < before;
    let difference = if is_reset { *last } else { last - before };
    if is_rate {
        Some(difference / (last_ms.saturating_sub(*before_ms) as f64 / 1000.0))
    } else {
        Some(difference)
    }
}

/// Counts the neighbours of which something holds.
struct Steps {
    holds: fn(f64, f64) -> bool,
    /// For each value how many up to it, itself included, hold with the value before.
    counts: Vec<u64>,
}

impl Steps {
    fn new(holds: fn(f64, f64) -> bool) -> Self {
        Self {
            holds,
            counts: Vec::new(),
        }
    }
}

impl WindowFunction for Steps {
    fn begin(&mut self, values: &[f64], patience: Patience<'_>) {
        self.counts.clear();
        self.counts.reserve(values.len());
        let mut count = 0;
        for range in patience.ranges(0..values.len()) {
            self.counts.extend(range.map(|at| {
                count += u64::from(at > 0 && (self.holds)(values[at - 1], values[at]));
                count
            }));
        }
    }

    fn value(&mut self, window: &Window<'_>) -> Option<f64> {
        // Not all of them are there where the query has ended.
        let (first, last) = (
            self.counts.get(window.first)?,
            self.counts.get(window.end - 1)?,
        );
        Some((last - first) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::window::tests::over;

    fn counter(values: &[f64]) -> Vec<(i64, f64)> {
        let time = |at: usize| at as i64 * 15_000;
        values
            .iter()
            .enumerate()
            .map(|(at, value)| (time(at), *value))
            .collect()
    }

    #[test]
    fn a_rate_extends_to_the_ends_that_samples_come_close_to() {
        // 4 samples at 0, 15, 30, 45 s; the window (-5 s, 50 s] is covered but for 5 s each.
        let samples = counter(&[100.0, 110.0, 120.0, 130.0]);
        let increase = over("increase", &samples, (-5_000, 50_000), [0.0; 2]).unwrap();
        assert_eq!(increase, 30.0 * ((45.0 + 5.0 + 5.0) / 45.0));
        let rate = over("rate", &samples, (-5_000, 50_000), [0.0; 2]).unwrap();
        assert_eq!(rate, 30.0 * ((45.0 + 5.0 + 5.0) / 45.0 / 55.0));
    }

    #[test]
    fn a_rate_extends_half_a_distance_into_a_long_gap() {
        let samples = counter(&[100.0, 110.0, 120.0, 130.0]);
        let increase = over("increase", &samples, (-60_000, 120_000), [0.0; 2]).unwrap();
        assert_eq!(increase, 30.0 * ((45.0 + 7.5 + 7.5) / 45.0));
    }

    #[test]
    fn a_counter_is_not_extended_below_zero_and_a_gauge_is() {
        let samples = counter(&[2.0, 12.0, 22.0]);
        let increase = over("increase", &samples, (-10_000, 30_000), [0.0; 2]).unwrap();
        // Zero lies 2/20 of 30 s before the first sample.
        assert_eq!(increase, 20.0 * ((30.0 + 30.0 * (2.0 / 20.0)) / 30.0));
        let delta = over("delta", &samples, (-10_000, 30_000), [0.0; 2]).unwrap();
        assert_eq!(delta, 20.0 * ((30.0 + 10.0) / 30.0));
    }

    #[test]
    fn resets_add_what_was_lost() {
        let samples = counter(&[50.0, 60.0, 5.0, 15.0, 1.0]);
        let increase = over("increase", &samples, (-1, 60_000), [0.0; 2]).unwrap();
        assert_eq!(
            increase,
            (1.0 - 50.0 + 60.0 + 15.0) * ((60.0 + 0.001) / 60.0)
        );
        assert_eq!(over("resets", &samples, (-1, 60_000), [0.0; 2]), Some(2.0));
        // The reset at 30 s lies before the window's first sample.
        assert_eq!(
            over("resets", &samples, (15_000, 60_000), [0.0; 2]),
            Some(1.0)
        );
        assert_eq!(over("changes", &samples, (-1, 60_000), [0.0; 2]), Some(4.0));
    }

    #[test]
    fn one_sample_has_no_rate_and_no_changes() {
        let samples = counter(&[1.0]);
        for name in ["rate", "increase", "delta", "irate", "idelta"] {
            assert_eq!(over(name, &samples, (-1, 1), [0.0; 2]), None, "{name}");
        }
        assert_eq!(over("changes", &samples, (-1, 1), [0.0; 2]), Some(0.0));
    }

    #[test]
    fn the_last_two_samples_make_irate_and_idelta() {
        let samples = counter(&[1.0, 100.0, 40.0]);
        assert_eq!(
            over("irate", &samples, (-1, 15_000), [0.0; 2]),
            Some(99.0 / 15.0)
        );
        assert_eq!(
            over("irate", &samples, (-1, 30_000), [0.0; 2]),
            Some(40.0 / 15.0)
        );
        assert_eq!(
            over("idelta", &samples, (-1, 30_000), [0.0; 2]),
            Some(-60.0)
        );
    }

    #[test]
    fn nan_after_nan_is_no_change() {
        let samples = counter(&[f64::NAN, f64::NAN, 1.0, 1.0, f64::NAN]);
        assert_eq!(over("changes", &samples, (-1, 60_000), [0.0; 2]), Some(2.0));
    }
}
