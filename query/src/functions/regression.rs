//! Trends of the samples of a window: the straight lines of `deriv` and `predict_linear`, and
//! `double_exponential_smoothing`.

use super::numeric::KahanSum;
use super::window::{Expects, Window, WindowEntry};

pub(super) static FUNCTIONS: &[WindowEntry] = &[
    WindowEntry::new("deriv", || Box::new(derivative)),
    WindowEntry::new("double_exponential_smoothing", || Box::new(smoothed))
        .expecting(Expects::Factors),
    WindowEntry::new("predict_linear", || Box::new(prediction)),
];

/// Whether the factors of `double_exponential_smoothing` can be used.
///
/// # Errors
/// What is wrong with them.
pub(crate) fn check_factors([smoothing, trend]: [f64; 2]) -> Result<(), String> {
    for (what, short, factor) in [("smoothing", "sf", smoothing), ("trend", "tf", trend)] {
        if factor <= 0.0 || factor >= 1.0 {
            return Err(format!(
                "invalid {what} factor. Expected: 0 < {short} < 1, got: {factor:.6}"
            ));
        }
    }
    Ok(())
}

/// The value and its trend, both as means in which older samples count less and less (Holt's
/// linear method, as in Prometheus `funcDoubleExponentialSmoothing`).
fn smoothed(window: &Window<'_>) -> Option<f64> {
    let [smoothing_factor, trend_factor] = window.parameters;
    let [first, second, ..] = window.values() else {
        return None;
    };
    let (mut before, mut value, mut trend) = (0.0, *first, second - first);
    let samples = window.values();
    for at in window.patience.ranges(1..samples.len()).flatten() {
        let sample = samples[at];
        if at > 1 {
            trend = trend_factor * (value - before) + (1.0 - trend_factor) * trend;
        }
        let expected = (1.0 - smoothing_factor) * (value + trend);
        (before, value) = (value, smoothing_factor * sample + expected);
    }
    Some(value)
}

/// The slope a second.
fn derivative(window: &Window<'_>) -> Option<f64> {
    // A time near the samples keeps the numbers small.
    line(window, window.timestamps_ms()[0]).map(|(slope, _)| slope)
}

/// Where the line will be so many seconds after the moment of evaluation.
fn prediction(window: &Window<'_>) -> Option<f64> {
    let (slope, intercept) = line(window, window.time_ms)?;
    Some(slope * window.parameters[0] + intercept)
}

/// Slope a second, and value at `origin_ms`, of the line with the least squares; none for less
/// than two samples (Prometheus `linearRegression`).
fn line(window: &Window<'_>, origin_ms: i64) -> Option<(f64, f64)> {
    if window.len() < 2 {
        return None;
    }
    let values = window.values();
    let first = values[0];
    let mut rest = window.patience.pieces(&values[1..]);
    if rest.all(|piece| piece.iter().all(|&value| value == first)) {
        let line = if first.is_infinite() {
            (f64::NAN, f64::NAN)
        } else {
            (0.0, first)
        };
        return Some(line);
    }
    let [mut xs, mut ys, mut products, mut squares] = [KahanSum::default(); 4];
    let times_ms = window.timestamps_ms();
    for range in window.patience.ranges(0..values.len()) {
        for (&time_ms, &y) in times_ms[range.clone()].iter().zip(&values[range]) {
            let x = time_ms.saturating_sub(origin_ms) as f64 / 1e3;
            xs = xs.plus(x);
            ys = ys.plus(y);
            products = products.plus(x * y);
            squares = squares.plus(x * x);
        }
    }
    let count = values.len() as f64;
    let (x, y) = (xs.total(), ys.total());
    let covariance = products.total() - x * y / count;
    let variance = squares.total() - x * x / count;
    let slope = covariance / variance;
    Some((slope, y / count - slope * x / count))
}

#[cfg(test)]
mod tests {
    use super::super::window::tests::over;

    #[test]
    fn a_line_is_found_and_followed() {
        let samples: Vec<_> = (0..5)
            .map(|at| (at * 10_000, 3.0 + 2.0 * at as f64))
            .collect();
        let slope = over("deriv", &samples, (-1, 40_000), [0.0; 2]).unwrap();
        assert_eq!(slope, 0.2);
        // 10 s after the end at 40 s.
        let predicted = over("predict_linear", &samples, (-1, 40_000), [10.0, 0.0]).unwrap();
        assert!((predicted - 13.0).abs() < 1e-12, "{predicted}");
    }

    #[test]
    fn smoothing_follows_a_line_exactly() {
        let samples: Vec<_> = (0..6).map(|at| (at * 1000, 4.0 * at as f64)).collect();
        let end = over(
            "double_exponential_smoothing",
            &samples,
            (-1, 5000),
            [0.5, 0.25],
        );
        assert_eq!(end, Some(20.0));
        assert!(super::check_factors([0.5, 0.25]).is_ok());
        assert_eq!(
            super::check_factors([0.5, 1.0]).unwrap_err(),
            "invalid trend factor. Expected: 0 < tf < 1, got: 1.000000"
        );
    }

    #[test]
    fn constant_values_have_no_slope() {
        let constant = [(0, 5.0), (1000, 5.0)];
        assert_eq!(over("deriv", &constant, (-1, 1000), [0.0; 2]), Some(0.0));
        assert_eq!(
            over("predict_linear", &constant, (-1, 1000), [9.0, 0.0]),
            Some(5.0)
        );
        let infinite = [(0, f64::INFINITY), (1000, f64::INFINITY)];
        assert!(
            over("deriv", &infinite, (-1, 1000), [0.0; 2])
                .unwrap()
                .is_nan()
        );
        assert_eq!(over("deriv", &[(0, 1.0)], (-1, 1000), [0.0; 2]), None);
    }
}
