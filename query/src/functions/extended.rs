//! Functions of windows with edges: `anchored` and `smoothed` range selectors.
//!
//! Their windows hold samples around the range too. An anchored range begins with the last
//! sample before it; a smoothed one begins and ends on the lines between the samples around its
//! ends. So nothing is extrapolated (Prometheus `extendedRate`, `promql/functions.go`).

use super::numeric;
use super::rate::{changes, resets};
use super::window::{Expects, Window, WindowEntry, WindowFunction};
use crate::parse::ast::RangeEdges;

/// In the order of their names: a refusal lists them so.
static ANCHORED: &[WindowEntry] = &[
    WindowEntry::new("changes", changes),
    WindowEntry::new("delta", || Box::new(Extended::anchored(false, false))),
    WindowEntry::new("increase", || Box::new(Extended::anchored(true, false)))
        .expecting(Expects::CounterName),
    WindowEntry::new("rate", || Box::new(Extended::anchored(true, true)))
        .expecting(Expects::CounterName),
    WindowEntry::new("resets", resets),
];

/// In the order of their names.
static SMOOTHED: &[WindowEntry] = &[
    WindowEntry::new("delta", || Box::new(Extended::smoothed(false, false))),
    WindowEntry::new("increase", || Box::new(Extended::smoothed(true, false)))
        .expecting(Expects::CounterName),
    WindowEntry::new("rate", || Box::new(Extended::smoothed(true, true)))
        .expecting(Expects::CounterName),
];

/// A function of windows with edges.
///
/// # Errors
/// Prometheus's words where the function has no use for them.
pub(crate) fn with_edges(name: &str, edges: RangeEdges) -> Result<&'static WindowEntry, String> {
    let (modifier, entries) = match edges {
        RangeEdges::Smoothed => ("smoothed", SMOOTHED),
        RangeEdges::Plain | RangeEdges::Anchored => ("anchored", ANCHORED),
    };
    entries
        .iter()
        .find(|entry| entry.name == name)
        .ok_or_else(|| {
            let names: Vec<&str> = entries.iter().map(|entry| entry.name).collect();
            let names = names.join(", ");
            format!("{modifier} modifier can only be used with: {names} - not with {name}")
        })
}

/// The samples of a window with edges, as places in the series.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Edges {
    /// The last sample at or before the range's start, or else the first behind it.
    pub(crate) first: usize,
    /// The sample behind the last that counts: of a smoothed range the first at or behind its
    /// end counts still.
    pub(crate) end: usize,
}

impl Edges {
    /// Of the samples from `first` to before `end`, which are those within reach of the range
    /// from `start_ms` to `end_ms`. None where no sample lies behind the start.
    pub(crate) fn find(
        timestamps_ms: &[i64],
        (first, end): (usize, usize),
        (start_ms, end_ms): (i64, i64),
        smoothed: bool,
    ) -> Option<Self> {
        let within = timestamps_ms.get(first..end)?;
        let behind_start = within.partition_point(|&at| at <= start_ms);
        if behind_start == within.len() {
            return None;
        }
        let last = if smoothed {
            let at_end = within.partition_point(|&at| at < end_ms);
            at_end.min(within.len() - 1)
        } else {
            within.len() - 1
        };
        Some(Self {
            first: first + behind_start.saturating_sub(1),
            end: first + last + 1,
        })
    }
}

/// The values of a window at its two ends.
///
/// Where the first sample lies before the range and the last one behind it, a smoothed range
/// has the values on the line to their neighbours there.
pub(crate) fn values_at_edges(window: &Window<'_>, smoothed: bool, is_counter: bool) -> (f64, f64) {
    let (times, values) = (window.all_timestamps_ms, window.all_values);
    let (first, last) = (window.first, window.end - 1);
    let on_line = |from: usize, at_ms: i64| {
        let (before, after) = (
            (times[from], values[from]),
            (times[from + 1], values[from + 1]),
        );
        interpolate(before, after, at_ms, is_counter)
    };
    let left = if smoothed && times[first] < window.start_ms && first < last {
        on_line(first, window.start_ms)
    } else {
        values[first]
    };
    let right = if smoothed && times[last] > window.end_ms && first < last {
        on_line(last - 1, window.end_ms)
    } else {
        values[last]
    };
    (left, right)
}

/// The value at a moment on the line between two samples; a counter that was reset between them
/// began at 0.
pub(crate) fn interpolate(
    (before_ms, mut before): (i64, f64),
    (after_ms, after): (i64, f64),
    at_ms: i64,
    is_counter: bool,
) -> f64 {
    if is_counter && after < before {
        before = 0.0;
    }
    let passed = at_ms.saturating_sub(before_ms) as f64;
    before + (after - before) * passed / after_ms.saturating_sub(before_ms) as f64
}

/// `rate`, `increase` and `delta` between the values at the edges.
struct Extended {
    smoothed: bool,
    is_counter: bool,
    is_rate: bool,
}

impl Extended {
    fn anchored(is_counter: bool, is_rate: bool) -> Self {
        Self {
            smoothed: false,
            is_counter,
            is_rate,
        }
    }

    fn smoothed(is_counter: bool, is_rate: bool) -> Self {
        Self {
            smoothed: true,
            is_counter,
            is_rate,
        }
    }
}

impl WindowFunction for Extended {
    fn value(&mut self, window: &Window<'_>) -> Option<f64> {
        let (times, values) = (window.timestamps_ms(), window.values());
        if self.smoothed && times[0] > window.end_ms {
            return None;
        }
        let (left, right) = values_at_edges(window, self.smoothed, self.is_counter);
        let mut result = right - left;
        if self.is_counter {
            // The values at the edges have taken resets beyond them into account.
            let inside = |at: &usize| times[*at] > window.start_ms && times[*at] < window.end_ms;
            let samples = window.patience.ranges(0..times.len()).flatten();
            let samples = samples.filter(inside);
            let mut before = left;
            let mut lost = 0.0;
            for value in samples.map(|at| values[at]).chain([right]) {
                if value < before {
                    lost += before;
                }
                before = value;
            }
            result += lost;
        }
        if self.is_rate {
            result /= numeric::seconds(window.end_ms.saturating_sub(window.start_ms));
        }
        Some(result)
    }
}

#[cfg(test)]
mod tests {
    use super::super::patience::Patience;
    use super::*;

    const SECOND: i64 = 1000;

    fn of(name: &str, edges: RangeEdges, samples: &[(i64, f64)], end_ms: i64) -> Option<f64> {
        let times: Vec<i64> = samples.iter().map(|sample| sample.0).collect();
        let values: Vec<f64> = samples.iter().map(|sample| sample.1).collect();
        let entry = with_edges(name, edges).unwrap();
        let mut function = (entry.make)();
        function.begin(&values, Patience::ENDLESS);
        let range = (end_ms - 60 * SECOND, end_ms);
        let smoothed = edges == RangeEdges::Smoothed;
        let found = Edges::find(&times, (0, times.len()), range, smoothed)?;
        function.value(&Window {
            all_timestamps_ms: &times,
            all_values: &values,
            first: found.first,
            end: found.end,
            start_ms: range.0,
            end_ms: range.1,
            time_ms: end_ms,
            parameters: [0.0; 2],
            patience: Patience::ENDLESS,
        })
    }

    #[test]
    fn an_anchored_range_begins_with_the_sample_before_it() {
        let samples = [(0, 10.0), (30_000, 20.0), (90_000, 35.0), (110_000, 5.0)];
        let anchored = |name, end| of(name, RangeEdges::Anchored, &samples, end);
        // (60 s, 120 s] begins with the sample at 30 s.
        assert_eq!(anchored("increase", 120_000), Some(15.0 + 5.0));
        assert_eq!(anchored("delta", 120_000), Some(-15.0));
        assert_eq!(anchored("rate", 120_000), Some(20.0 / 60.0));
        assert_eq!(anchored("resets", 120_000), Some(1.0));
        assert_eq!(anchored("changes", 120_000), Some(2.0));
        // Nothing lies behind 110 s.
        assert_eq!(anchored("increase", 170_000), None);
    }

    #[test]
    fn a_smoothed_range_begins_and_ends_on_the_lines_between_samples() {
        let samples = [(0, 0.0), (80_000, 8.0), (160_000, 24.0)];
        let smoothed = |name, end| of(name, RangeEdges::Smoothed, &samples, end);
        // At 40 s the line is at 4, at 100 s at 12.
        assert_eq!(smoothed("increase", 100_000), Some(8.0));
        assert_eq!(smoothed("delta", 100_000), Some(8.0));
        // Behind the last sample the line is flat.
        assert_eq!(smoothed("increase", 200_000), Some(24.0 - 20.0));
        assert_eq!(smoothed("increase", -1), None);
    }

    #[test]
    fn a_counter_reset_between_an_edge_and_its_neighbour_begins_at_zero() {
        let samples = [(0, 100.0), (80_000, 40.0), (160_000, 20.0)];
        let smoothed = |name| of(name, RangeEdges::Smoothed, &samples, 120_000);
        // 0 to 40 over 80 s is 30 at 60 s; 0 to 20 over 80 s is 10 at 120 s.
        assert_eq!(smoothed("increase"), Some((40.0 - 30.0) + 10.0));
        assert_eq!(smoothed("delta"), Some(30.0 - 55.0));
    }

    #[test]
    fn other_functions_are_refused_with_the_list_of_these() {
        let refused = |edges| with_edges("sum_over_time", edges).unwrap_err();
        assert_eq!(
            refused(RangeEdges::Anchored),
            "anchored modifier can only be used with: changes, delta, increase, rate, resets - \
             not with sum_over_time"
        );
        assert_eq!(
            refused(RangeEdges::Smoothed),
            "smoothed modifier can only be used with: delta, increase, rate - not with \
             sum_over_time"
        );
    }
}
