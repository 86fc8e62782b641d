//! The operators on columns.

use crate::eval::column::{ABSENT, is_present};
use crate::functions::go_math;
use crate::parse::ast::BinaryOp;

/// Calls a function with an operator as its last argument: a closure of two numbers, so that
/// each operator has a loop of its own. Comparisons answer 1 or 0. Operators that are none of
/// numbers give NaN.
macro_rules! with_operator {
    ($op:expr, $function:ident($($argument:expr),*)) => {
        match $op {
            BinaryOp::Add => $function($($argument,)* |a, b| a + b),
            BinaryOp::Sub => $function($($argument,)* |a, b| a - b),
            BinaryOp::Mul => $function($($argument,)* |a, b| a * b),
            BinaryOp::Div => $function($($argument,)* |a, b| a / b),
            BinaryOp::Mod => $function($($argument,)* |a, b| a % b),
            BinaryOp::Pow => $function($($argument,)* go_math::pow),
            BinaryOp::Atan2 => $function($($argument,)* go_math::atan2),
            BinaryOp::Eq => $function($($argument,)* |a, b| f64::from(a == b)),
            BinaryOp::Ne => $function($($argument,)* |a, b| f64::from(a != b)),
            BinaryOp::Lt => $function($($argument,)* |a, b| f64::from(a < b)),
            BinaryOp::Le => $function($($argument,)* |a, b| f64::from(a <= b)),
            BinaryOp::Gt => $function($($argument,)* |a, b| f64::from(a > b)),
            BinaryOp::Ge => $function($($argument,)* |a, b| f64::from(a >= b)),
            BinaryOp::And
            | BinaryOp::Or
            | BinaryOp::Unless
            | BinaryOp::TrimUpper
            | BinaryOp::TrimLower => $function($($argument,)* |_, _| f64::NAN),
        }
    };
}

/// Whether it is an operator of native histograms alone.
pub(in crate::eval) fn is_trim(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::TrimLower | BinaryOp::TrimUpper)
}

/// Whether the result means something else than the left value.
pub(in crate::eval) fn changes_meaning(op: BinaryOp) -> bool {
    !op.is_comparison() && !op.is_set() && !is_trim(op)
}

/// Two scalars, into the left one; a comparison gives 1 or 0.
pub(in crate::eval) fn scalars(op: BinaryOp, lhs: &mut [f64], rhs: &[f64]) {
    fn each(lhs: &mut [f64], rhs: &[f64], compute: impl Fn(f64, f64) -> f64) {
        for (a, b) in lhs.iter_mut().zip(rhs) {
            *a = compute(*a, *b);
        }
    }
    with_operator!(op, each(lhs, rhs));
}

/// The values of a vector with a scalar, in place. A comparison that does not return a bool
/// keeps the vector's value, whatever side it is on, or makes it absent.
pub(in crate::eval) fn with_scalar(
    op: BinaryOp,
    values: &mut [f64],
    scalar: &[f64],
    scalar_left: bool,
    return_bool: bool,
) {
    fn each(
        values: &mut [f64],
        scalar: &[f64],
        scalar_left: bool,
        filters: bool,
        compute: impl Fn(f64, f64) -> f64,
    ) {
        for (value, &scalar) in values.iter_mut().zip(scalar) {
            if !is_present(*value) {
                continue;
            }
            let computed = if scalar_left {
                compute(scalar, *value)
            } else {
                compute(*value, scalar)
            };
            if !filters {
                *value = computed;
            } else if computed == 0.0 {
                *value = ABSENT;
            }
        }
    }
    let filters = op.is_comparison() && !return_bool;
    with_operator!(op, each(values, scalar, scalar_left, filters));
}

/// Two vectors, step by step; absent where one of them is. A comparison that does not return a
/// bool keeps the left value or gives none.
pub(in crate::eval) fn vectors(
    op: BinaryOp,
    return_bool: bool,
    lhs: &[f64],
    rhs: &[f64],
    out: &mut Vec<f64>,
) {
    fn each(
        lhs: &[f64],
        rhs: &[f64],
        filters: bool,
        out: &mut Vec<f64>,
        compute: impl Fn(f64, f64) -> f64,
    ) {
        out.extend(lhs.iter().zip(rhs).map(|(&a, &b)| {
            if !is_present(a) || !is_present(b) {
                return ABSENT;
            }
            let computed = compute(a, b);
            if !filters {
                computed
            } else if computed == 0.0 {
                ABSENT
            } else {
                a
            }
        }));
    }
    let filters = op.is_comparison() && !return_bool;
    with_operator!(op, each(lhs, rhs, filters, out));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_with_a_scalar_keeps_the_vectors_value_on_either_side() {
        let mut values = [1.0, 5.0, ABSENT, f64::NAN];
        with_scalar(BinaryOp::Lt, &mut values, &[3.0; 4], true, false);
        assert!(!is_present(values[0]) && !is_present(values[2]) && !is_present(values[3]));
        assert_eq!(values[1], 5.0);
        let mut values = [1.0, 5.0, ABSENT, f64::NAN];
        with_scalar(BinaryOp::Ne, &mut values, &[1.0; 4], false, true);
        assert_eq!((values[0], values[1], values[3]), (0.0, 1.0, 1.0));
        assert!(!is_present(values[2]));
    }

    #[test]
    fn vectors_meet_where_both_are_present() {
        let mut out = Vec::new();
        vectors(
            BinaryOp::Sub,
            false,
            &[1.0, ABSENT, 3.0],
            &[5.0, 5.0, ABSENT],
            &mut out,
        );
        assert_eq!(out[0], -4.0);
        assert!(!is_present(out[1]) && !is_present(out[2]));
    }

    #[test]
    fn arithmetic_is_that_of_floats() {
        let mut lhs = [7.0, -7.0, 2.0, 1.0];
        scalars(BinaryOp::Mod, &mut lhs, &[3.0, 3.0, 0.0, f64::INFINITY]);
        assert_eq!((lhs[0], lhs[1], lhs[3]), (1.0, -1.0, 1.0));
        assert!(lhs[2].is_nan());
        let mut lhs = [2.0, 0.0];
        scalars(BinaryOp::Pow, &mut lhs, &[10.0, 0.0]);
        assert_eq!(lhs, [1024.0, 1.0]);
    }
}
