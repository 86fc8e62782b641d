//! Functions of single values: arithmetic, powers and logarithms, trigonometry.

use std::f64::consts::{LN_2, PI};

use super::numeric::{max, min};
use super::{ColumnFunction, go_math};
use crate::eval::column::{ABSENT, cell, each_present, is_present};

pub(super) static FUNCTIONS: &[(&str, ColumnFunction)] = &[
    ("abs", |values, _| each_present(values, f64::abs)),
    ("acos", |values, _| each_present(values, go_math::acos)),
    ("acosh", |values, _| each_present(values, acosh)),
    ("asin", |values, _| each_present(values, go_math::asin)),
    ("asinh", |values, _| each_present(values, asinh)),
    ("atan", |values, _| each_present(values, go_math::atan)),
    ("atanh", |values, _| each_present(values, atanh)),
    ("ceil", |values, _| each_present(values, f64::ceil)),
    ("clamp", clamp),
    ("clamp_max", clamp_max),
    ("clamp_min", clamp_min),
    ("cos", |values, _| each_present(values, go_math::cos)),
    ("cosh", |values, _| each_present(values, go_math::cosh)),
    ("deg", |values, _| each_present(values, |v| v * 180.0 / PI)),
    ("exp", |values, _| each_present(values, go_math::exp)),
    ("floor", |values, _| each_present(values, f64::floor)),
    ("ln", |values, _| each_present(values, go_math::ln)),
    ("log10", |values, _| each_present(values, go_math::log10)),
    ("log2", |values, _| each_present(values, go_math::log2)),
    ("rad", |values, _| each_present(values, |v| v * PI / 180.0)),
    ("round", round),
    ("sgn", |values, _| each_present(values, sign)),
    ("sin", |values, _| each_present(values, go_math::sin)),
    ("sinh", |values, _| each_present(values, go_math::sinh)),
    ("sqrt", |values, _| each_present(values, f64::sqrt)),
    ("tan", |values, _| each_present(values, go_math::tan)),
    ("tanh", |values, _| each_present(values, go_math::tanh)),
];

/// Unary minus.
pub(crate) fn negate(values: &mut [f64], _parameters: &[&[f64]]) {
    each_present(values, |value| -value);
}

/// The parameter in the place of each value.
pub(crate) fn replace(values: &mut [f64], parameters: &[&[f64]]) {
    each_with(values, parameters, |_, [replacement, _]| Some(replacement));
}

/// Computes each present value with the parameters of its step; a parameter left out is 1.
fn each_with(
    values: &mut [f64],
    parameters: &[&[f64]],
    compute: impl Fn(f64, [f64; 2]) -> Option<f64>,
) {
    let parameter = |which: usize, at: usize| {
        let column = parameters.get(which);
        column
            .and_then(|column| column.get(at))
            .copied()
            .unwrap_or(1.0)
    };
    for (at, value) in values.iter_mut().enumerate() {
        if is_present(*value) {
            let computed = compute(*value, [parameter(0, at), parameter(1, at)]);
            *value = computed.map_or(ABSENT, cell);
        }
    }
}

fn clamp(values: &mut [f64], parameters: &[&[f64]]) {
    each_with(values, parameters, |value, [low, high]| {
        within(value, low, high)
    });
}

fn clamp_max(values: &mut [f64], parameters: &[&[f64]]) {
    each_with(values, parameters, |value, [high, _]| {
        within(value, f64::NEG_INFINITY, high)
    });
}

fn clamp_min(values: &mut [f64], parameters: &[&[f64]]) {
    each_with(values, parameters, |value, [low, _]| {
        within(value, low, f64::INFINITY)
    });
}

/// No value where there is no room between the bounds.
fn within(value: f64, low: f64, high: f64) -> Option<f64> {
    let no_room = high < low;
    (!no_room).then(|| max(low, min(high, value)))
}

/// To the nearest multiple, upwards from half way. The inverse loses less precision.
fn round(values: &mut [f64], parameters: &[&[f64]]) {
    each_with(values, parameters, |value, [nearest, _]| {
        let inverse = 1.0 / nearest;
        Some((value * inverse + 0.5).floor() / inverse)
    });
}

fn sign(value: f64) -> f64 {
    if value < 0.0 {
        -1.0
    } else if value > 0.0 {
        1.0
    } else {
        value
    }
}

/// Above this the square of a number swallows 1.
const LARGE: f64 = (1u64 << 28) as f64;

/// The inverse hyperbolic functions by the formulas that FreeBSD and Go use: std's overflow
/// where the square of a number does.
fn asinh(value: f64) -> f64 {
    let size = value.abs();
    let result = if !(1.0 / LARGE..=f64::MAX).contains(&size) {
        return value;
    } else if size > LARGE {
        go_math::ln(size) + LN_2
    } else if size > 2.0 {
        go_math::ln(2.0 * size + 1.0 / ((size * size + 1.0).sqrt() + size))
    } else {
        go_math::ln_1p(size + size * size / (1.0 + (1.0 + size * size).sqrt()))
    };
    result.copysign(value)
}

fn acosh(value: f64) -> f64 {
    if value < 1.0 {
        f64::NAN
    } else if value >= LARGE {
        go_math::ln(value) + LN_2
    } else if value > 2.0 {
        go_math::ln(2.0 * value - 1.0 / (value + (value * value - 1.0).sqrt()))
    } else {
        let above = value - 1.0;
        go_math::ln_1p(above + (2.0 * above + above * above).sqrt())
    }
}

fn atanh(value: f64) -> f64 {
    let size = value.abs();
    let doubled = size + size;
    let result = if size < 1.0 / LARGE {
        size
    } else if size < 0.5 {
        0.5 * go_math::ln_1p(doubled + doubled * size / (1.0 - size))
    } else {
        0.5 * go_math::ln_1p(doubled / (1.0 - size))
    };
    result.copysign(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, value: f64, parameters: &[f64]) -> f64 {
        let (_, function) = FUNCTIONS.iter().find(|(known, _)| *known == name).unwrap();
        let columns: Vec<&[f64]> = parameters.iter().map(std::slice::from_ref).collect();
        let mut values = [value];
        function(&mut values, &columns);
        values[0]
    }

    #[test]
    fn logarithms_are_those_of_go() {
        assert_eq!(of("log10", 1000.0, &[]), 3.0);
        assert_eq!(of("log2", 1000.0, &[]), 9.965784284662087);
        assert_eq!(of("log2", 8.0, &[]), 3.0);
        assert_eq!(of("log2", f64::from_bits(1), &[]), -1074.0);
        assert_eq!(of("log2", 0.0, &[]), f64::NEG_INFINITY);
        assert!(of("log10", -1.0, &[]).is_nan());
        assert_eq!(of("log10", f64::INFINITY, &[]), f64::INFINITY);
    }

    #[test]
    fn inverse_hyperbolic_functions_know_their_ends() {
        let cases = [
            ("asinh", -1e308, -709.889355822726),
            ("asinh", 0.3, 0.29567304756342244),
            ("asinh", -2.5, -1.6472311463710958),
            ("acosh", 1.7e308, 710.4199840737881),
            ("acosh", 1.5, 0.9624236501192069),
            ("acosh", 2.3, 1.475044781241425),
            ("atanh", -0.3, -0.30951960420311175),
            ("atanh", 0.9, 1.4722194895832204),
        ];
        for (name, value, expected) in cases {
            let found = of(name, value, &[]);
            assert!(
                (found / expected - 1.0).abs() < 1e-15,
                "{name}({value}): {found}"
            );
        }
        assert_eq!(of("acosh", 1.0, &[]), 0.0);
        assert_eq!(of("atanh", 1.0, &[]), f64::INFINITY);
        assert_eq!(of("asinh", f64::NEG_INFINITY, &[]), f64::NEG_INFINITY);
        assert!(of("acosh", 0.5, &[]).is_nan());
        assert!(of("acosh", -1e10, &[]).is_nan());
        assert!(of("atanh", 1.5, &[]).is_nan());
        assert!(of("asinh", f64::NAN, &[]).is_nan());
        assert!(of("asinh", -0.0, &[]).is_sign_negative());
    }

    #[test]
    fn rounding_goes_up_from_half_way() {
        assert_eq!(of("round", 2.5, &[]), 3.0);
        assert_eq!(of("round", -2.5, &[]), -2.0);
        assert_eq!(of("round", 23.0, &[10.0]), 20.0);
        assert_eq!(of("round", 0.27, &[0.1]), 0.3);
    }

    #[test]
    fn clamping_without_room_gives_nothing() {
        assert_eq!(of("clamp", 5.0, &[0.0, 3.0]), 3.0);
        assert_eq!(of("clamp_min", -5.0, &[0.0]), 0.0);
        assert_eq!(of("clamp_max", 5.0, &[3.0]), 3.0);
        assert!(!is_present(of("clamp", 5.0, &[3.0, 0.0])));
        assert!(of("clamp", f64::NAN, &[0.0, 3.0]).is_nan());
        assert!(of("clamp", 1.0, &[f64::NAN, 3.0]).is_nan());
    }

    #[test]
    fn signs_keep_zero_and_nan() {
        assert_eq!(of("sgn", -7.0, &[]), -1.0);
        assert!(of("sgn", -0.0, &[]).is_sign_negative());
        assert!(of("sgn", f64::NAN, &[]).is_nan());
    }

    #[test]
    fn absent_values_stay_absent() {
        for (name, function) in FUNCTIONS {
            let mut values = [ABSENT];
            function(&mut values, &[&[1.0], &[2.0]]);
            assert!(!is_present(values[0]), "{name}");
        }
    }
}
