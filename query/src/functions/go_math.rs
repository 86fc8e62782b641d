//! Mathematics as Go's library computes it (Cephes' and FreeBSD's approximations), so that
//! answers agree to the last digit where that of another library may be another one.
//!
//! Of `exp` and what is made of it (powers with a fraction for their exponent, `sinh`, `cosh`,
//! `tanh`) Go's own last digit depends on the processor; these are those of amd64 with FMA.

mod exponential;
mod trigonometric;

pub(crate) use exponential::{exp, exp2, ln_1p};
pub(crate) use trigonometric::{acos, asin, atan, atan2, cos, cosh, sin, sinh, tan, tanh};

use std::f64::consts::{LOG2_E, LOG10_E, SQRT_2};

/// How many bits of a float are its mantissa.
const MANTISSA_BITS: u32 = 52;
const EXPONENT_MASK: u64 = 0x7ff << MANTISSA_BITS;

/// Evaluates a polynomial, the coefficient of the highest power first.
fn polynomial(at: f64, coefficients: &[f64]) -> f64 {
    let horner = |sum: Option<f64>, &coefficient: &f64| {
        Some(sum.map_or(coefficient, |sum| sum * at + coefficient))
    };
    coefficients.iter().fold(None, horner).unwrap_or(0.0)
}

/// A mantissa in [0.5, 1) and an exponent, for a finite number other than 0.
fn split(value: f64) -> (f64, i32) {
    if value == 0.0 || !value.is_finite() {
        return (value, 0);
    }
    // 2^54 makes a subnormal number normal.
    let (value, shift) = if value.abs() < f64::MIN_POSITIVE {
        (value * 18_014_398_509_481_984.0, 54)
    } else {
        (value, 0)
    };
    let bits = value.to_bits();
    let exponent = (bits & EXPONENT_MASK) >> MANTISSA_BITS;
    let mantissa = f64::from_bits(bits & !EXPONENT_MASK | 1022 << MANTISSA_BITS);
    (mantissa, exponent as i32 - 1022 - shift)
}

/// A mantissa times 2 to an exponent.
pub(crate) fn join(mantissa: f64, exponent: i64) -> f64 {
    let (mantissa, own) = split(mantissa);
    let exponent = exponent.saturating_add(i64::from(own));
    if mantissa == 0.0 || !mantissa.is_finite() {
        return mantissa;
    }
    if exponent > 1024 {
        return f64::INFINITY.copysign(mantissa);
    }
    if exponent < -1080 {
        return 0.0_f64.copysign(mantissa);
    }
    // In two steps below the smallest normal number, the last of which rounds.
    let (exponent, last) = if exponent < -1021 {
        (exponent + 53, 1.0 / 9_007_199_254_740_992.0)
    } else {
        (exponent, 1.0)
    };
    let bits = mantissa.to_bits() & !EXPONENT_MASK;
    f64::from_bits(bits | ((exponent + 1022) as u64) << MANTISSA_BITS) * last
}

/// ln 2 in two parts, so that products of the first one are exact.
const LN_2_PARTS: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];

/// The natural logarithm.
pub(crate) fn ln(value: f64) -> f64 {
    const ODD: [f64; 4] = [
        1.479_819_860_511_658_6e-1,
        1.818_357_216_161_805e-1,
        2.857_142_874_366_239e-1,
        6.666_666_666_666_735e-1,
    ];
    const EVEN: [f64; 3] = [
        1.531_383_769_920_937_3e-1,
        2.222_219_843_214_978_4e-1,
        3.999_999_999_940_942e-1,
    ];
    if value.is_nan() || value <= 0.0 || value == f64::INFINITY {
        return value.ln();
    }
    let (mut mantissa, mut exponent) = split(value);
    if mantissa < SQRT_2 / 2.0 {
        mantissa *= 2.0;
        exponent -= 1;
    }
    let above = mantissa - 1.0;
    let exponent = f64::from(exponent);
    let s = above / (2.0 + above);
    let s2 = s * s;
    let s4 = s2 * s2;
    let rest = s2 * polynomial(s4, &ODD) + s4 * polynomial(s4, &EVEN);
    let half_square = 0.5 * above * above;
    let [high, low] = LN_2_PARTS.map(|part| exponent * part);
    high - ((half_square - (s * (half_square + rest) + low)) - above)
}

/// The logarithm to base 2 comes from mantissa and exponent: exact for powers of two.
pub(crate) fn log2(value: f64) -> f64 {
    let (mantissa, exponent) = split(value);
    if mantissa == 0.5 {
        return f64::from(exponent - 1);
    }
    ln(mantissa) * LOG2_E + f64::from(exponent)
}

/// The logarithm to base 10.
pub(crate) fn log10(value: f64) -> f64 {
    ln(value) * LOG10_E
}

/// A power: of the whole part of the exponent by squaring, of the rest by logarithm.
pub(crate) fn pow(base: f64, exponent: f64) -> f64 {
    const WHOLE_MAX: f64 = 9.2e18;
    let special = base == 0.0
        || base == 1.0
        || exponent == 0.0
        || !base.is_finite()
        || !exponent.is_finite()
        || exponent.abs() >= WHOLE_MAX;
    if special {
        return base.powf(exponent);
    }
    if exponent == 0.5 {
        return base.sqrt();
    }
    if exponent == -0.5 {
        return 1.0 / base.sqrt();
    }
    let (mut whole, mut rest) = (exponent.abs().trunc(), exponent.abs().fract());
    if rest != 0.0 && base < 0.0 {
        return f64::NAN;
    }
    let mut mantissa = 1.0;
    if rest != 0.0 {
        if rest > 0.5 {
            rest -= 1.0;
            whole += 1.0;
        }
        mantissa = exp(rest * ln(base));
    }
    // The result is mantissa * 2^power.
    let mut power = 0_i64;
    let (mut square, square_power) = split(base);
    let mut square_power = i64::from(square_power);
    let mut left = whole as u64;
    while left != 0 {
        if square_power.abs() > 1 << 12 {
            // Beyond all floats, on one side or the other.
            power = power.saturating_add(square_power);
            break;
        }
        if left & 1 == 1 {
            mantissa *= square;
            power += square_power;
        }
        square *= square;
        square_power <<= 1;
        if square < 0.5 {
            square += square;
            square_power -= 1;
        }
        left >>= 1;
    }
    if exponent < 0.0 {
        mantissa = 1.0 / mantissa;
        power = -power;
    }
    join(mantissa, power)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn logarithms_of_special_numbers() {
        assert_eq!(log10(1000.0), 3.0);
        assert_eq!(log2(f64::from_bits(1)), -1074.0);
        assert_eq!(ln(0.0), f64::NEG_INFINITY);
        assert_eq!(ln(f64::INFINITY), f64::INFINITY);
        assert!(ln(-1.0).is_nan() && log10(f64::NAN).is_nan());
        // As Prometheus 3.5.3 answered.
        assert_eq!(log10(0.3), -0.522_878_745_280_337_6);
        assert_eq!(log10(1e15), 14.999_999_999_999_998);
    }

    #[test]
    fn powers_of_special_numbers() {
        assert_eq!(pow(-2.0, 3.0), -8.0);
        assert_eq!(pow(2.0, -1074.0), f64::from_bits(1));
        assert_eq!(pow(2.0, 1e9), f64::INFINITY);
        assert_eq!(pow(-2.0, 1_000_000_001.0), f64::NEG_INFINITY);
        assert_eq!(pow(2.0, -1e9), 0.0);
        assert_eq!(pow(0.5, 1e18), 0.0);
        assert_eq!(pow(-1.0, 3.0), -1.0);
        assert!(pow(-8.0, 1.0 / 3.0).is_nan());
        assert_eq!(pow(f64::NEG_INFINITY, 3.0), f64::NEG_INFINITY);
        assert_eq!(pow(0.0, -1.0), f64::INFINITY);
        // As Prometheus 3.5.3 answered.
        assert_eq!(pow(10.0, 300.0), 1.000_000_000_000_000_6e300);
        assert_eq!(pow(1e10, -1.5), 9.999_999_999_999_999e-16);
    }

    proptest! {
        #[test]
        fn nothing_is_far_from_the_nearest_float(
            value in 1e-300..1e300_f64,
            base in 0.1..100.0_f64,
            exponent in -50.0..50.0_f64,
        ) {
            let near = |a: f64, b: f64| (a - b).abs() <= 1e-13 * b.abs() || a == b;
            prop_assert!(near(ln(value), value.ln()));
            prop_assert!(near(pow(base, exponent), base.powf(exponent)));
        }

        #[test]
        fn what_is_split_is_joined(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            let (mantissa, exponent) = split(value);
            let joined = join(mantissa, i64::from(exponent));
            prop_assert!(joined.to_bits() == bits || joined.is_nan() && value.is_nan());
        }
    }
}
