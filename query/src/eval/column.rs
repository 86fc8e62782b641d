//! Columns: one f64 for each step, some of them absent.
//!
//! Absence is the bit pattern of the stale marker. No selector yields it as a value, and no
//! arithmetic yields it unless it goes in: it is a signalling NaN, and operations answer NaNs
//! that are quiet or that they were given. So a column needs no bitmap beside it, as long as
//! presence is asked by bits before a value is used. `docs/adr/0002-column-evaluation.md`.

use std::ops::Range;

use crate::limits::meter::work;

/// What stands in a column where there is no value.
pub(crate) const ABSENT: f64 = f64::from_bits(ABSENT_BITS);

const ABSENT_BITS: u64 = 0x7ff0_0000_0000_0002;

/// Whether there is no value here.
#[inline]
pub(crate) fn is_absent(value: f64) -> bool {
    value.to_bits() == ABSENT_BITS
}

/// Whether there is a value here.
#[inline]
pub(crate) fn is_present(value: f64) -> bool {
    !is_absent(value)
}

/// A computed value as a cell: changing the sign of a NaN may give the bits of absence, which
/// become an ordinary NaN.
#[inline]
pub(crate) fn cell(value: f64) -> f64 {
    if is_absent(value) { f64::NAN } else { value }
}

/// Computes a new value for each that is present.
#[inline]
pub(crate) fn each_present(values: &mut [f64], compute: impl Fn(f64) -> f64) {
    for value in values {
        if is_present(*value) {
            *value = cell(compute(*value));
        }
    }
}

/// From the first to behind the last value that is present; empty where there is none.
pub(crate) fn present_range(values: &[f64]) -> Range<usize> {
    work(values.len());
    let present = |&value: &f64| is_present(value);
    match values.iter().position(present) {
        Some(first) => {
            let last = values.iter().rposition(present).unwrap_or(first);
            first..last + 1
        }
        None => 0..0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_operation_makes_absence_of_values() {
        let odd_nans = [
            f64::NAN,
            -f64::NAN,
            f64::from_bits(0xfff0_0000_0000_0002),
            f64::from_bits(0x7ff8_0000_0000_0002),
            f64::from_bits(0x7ff0_0000_0000_0001),
        ];
        for nan in odd_nans {
            for other in [0.0, 1.5, f64::INFINITY, nan] {
                let results = [nan + other, nan * other, other / nan, nan % other];
                assert!(results.into_iter().all(is_present));
            }
            let mut column = [nan];
            each_present(&mut column, |value| -value);
            assert!(is_present(column[0]));
        }
    }

    #[test]
    fn the_present_range_leaves_absent_ends_out() {
        let column = [ABSENT, 1.0, ABSENT, f64::NAN, ABSENT];
        assert_eq!(present_range(&column), 1..4);
        assert_eq!(present_range(&[ABSENT; 3]), 0..0);
    }
}
