//! Trigonometric and hyperbolic functions.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};

use super::{exp, polynomial};

/// Angles from here on are reduced with all the digits of 4/pi that they need.
const LARGE_MIN: f64 = (1u64 << 29) as f64;

const SIN: [f64; 6] = [
    1.589_623_015_765_465_7e-10,
    -2.505_074_776_285_780_7e-8,
    2.755_731_362_138_572_2e-6,
    -1.984_126_982_958_954e-4,
    8.333_333_333_322_118e-3,
    -1.666_666_666_666_663e-1,
];
const COS: [f64; 6] = [
    -1.135_853_652_138_768_2e-11,
    2.087_570_084_197_473e-9,
    -2.755_731_417_929_674e-7,
    2.480_158_728_885_170_5e-5,
    -1.388_888_888_887_305_6e-3,
    4.166_666_666_666_659_5e-2,
];

/// The digits of 4/pi, 64 bits each, the first before the point.
const FOUR_BY_PI: [u64; 20] = [
    0x0000_0000_0000_0001,
    0x45f3_06dc_9c88_2a53,
    0xf84e_afa3_ea69_bb81,
    0xb6c5_2b32_7887_2083,
    0xfca2_c757_bd77_8ac3,
    0x6e48_dc74_849b_a5c0,
    0x0c92_5dd4_13a3_2439,
    0xfc3b_d639_6253_4e7d,
    0xd104_6bea_5d76_8909,
    0xd338_e04d_68be_fc82,
    0x7323_ac73_06a6_73e9,
    0x3908_bf17_7bf2_5076,
    0x3ff1_2fff_bc0b_301f,
    0xde5e_2316_b414_da3e,
    0xda6c_fd9e_4f96_136e,
    0x9e8c_7ecd_3cbf_d45a,
    0xea4f_758f_d7cb_e2f6,
    0x7a0e_73ef_14a5_25d4,
    0xd7f6_bf62_3f1a_ba10,
    0xac06_608d_f8f6_d757,
];

/// In which eighth of a turn a positive angle lies, an even number, and how far from there.
fn reduce(angle: f64) -> (u64, f64) {
    // pi/4 in three parts, so that products of the first ones are exact.
    const PARTS: [f64; 3] = [
        7.853_981_256_484_985e-1,
        3.774_894_707_930_798e-8,
        2.695_151_429_079_059_5e-15,
    ];
    if angle >= LARGE_MIN {
        return reduce_large(angle);
    }
    let mut eighths = (angle * (4.0 / PI)) as u64;
    eighths += eighths & 1;
    let turns = eighths as f64;
    let rest = ((angle - turns * PARTS[0]) - turns * PARTS[1]) - turns * PARTS[2];
    (eighths & 7, rest)
}

/// Payne's and Hanek's way.
fn reduce_large(angle: f64) -> (u64, f64) {
    const BIAS: i32 = 1023;
    const SHIFT: u32 = 52;
    let bits = angle.to_bits();
    let exponent = ((bits >> SHIFT) & 0x7ff) as i32 - BIAS - SHIFT as i32;
    let mantissa = bits & ((1 << SHIFT) - 1) | 1 << SHIFT;
    // The digits whose product with the mantissa lies around the point.
    let place = (exponent + 61) as usize;
    let (first, shift) = (place / 64, place % 64);
    let digit = |at: usize| FOUR_BY_PI.get(at).copied().unwrap_or(0);
    let digits = |at: usize| match shift {
        0 => digit(first + at),
        shift => digit(first + at) << shift | digit(first + at + 1) >> (64 - shift),
    };
    let wide = |at: usize| u128::from(digits(at)) * u128::from(mantissa);
    let product = (u128::from(digits(0).wrapping_mul(mantissa)) << 64)
        .wrapping_add(wide(1))
        .wrapping_add(wide(2) >> 64);
    let mut eighths = (product >> 125) as u64;
    let fraction = product << 3;
    let zeros = fraction.leading_zeros();
    if zeros >= 64 {
        return ((eighths + (eighths & 1)) & 7, 0.0);
    }
    let exponent = u64::from(BIAS.unsigned_abs() - (zeros + 1));
    let mantissa = ((fraction << (zeros + 1)) >> (128 - SHIFT)) as u64;
    let mut rest = f64::from_bits(exponent << SHIFT | mantissa);
    if eighths & 1 == 1 {
        eighths = (eighths + 1) & 7;
        rest -= 1.0;
    }
    (eighths, rest * FRAC_PI_4)
}

fn sin_near_zero(angle: f64, square: f64) -> f64 {
    angle + angle * square * polynomial(square, &SIN)
}

fn cos_near_zero(square: f64) -> f64 {
    1.0 - 0.5 * square + square * square * polynomial(square, &COS)
}

pub(crate) fn sin(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value * if value == 0.0 { 1.0 } else { f64::NAN };
    }
    let (mut eighths, rest) = reduce(value.abs());
    let mut negative = value < 0.0;
    if eighths > 3 {
        negative = !negative;
        eighths -= 4;
    }
    let square = rest * rest;
    let result = match eighths {
        1 | 2 => cos_near_zero(square),
        _ => sin_near_zero(rest, square),
    };
    if negative { -result } else { result }
}

pub(crate) fn cos(value: f64) -> f64 {
    if !value.is_finite() {
        return f64::NAN;
    }
    let (mut eighths, rest) = reduce(value.abs());
    let mut negative = false;
    if eighths > 3 {
        negative = true;
        eighths -= 4;
    }
    negative ^= eighths > 1;
    let square = rest * rest;
    let result = match eighths {
        1 | 2 => sin_near_zero(rest, square),
        _ => cos_near_zero(square),
    };
    if negative { -result } else { result }
}

pub(crate) fn tan(value: f64) -> f64 {
    const P: [f64; 3] = [
        -1.309_369_391_813_837_9e4,
        1.153_516_648_385_874_2e6,
        -1.795_652_519_764_848_8e7,
    ];
    const Q: [f64; 5] = [
        1.0,
        1.368_129_634_706_929_5e4,
        -1.320_892_344_402_109_7e6,
        2.500_838_018_233_579e7,
        -5.386_957_559_294_546_5e7,
    ];
    if value == 0.0 || !value.is_finite() {
        return value * if value == 0.0 { 1.0 } else { f64::NAN };
    }
    let (eighths, rest) = reduce(value.abs());
    let square = rest * rest;
    let mut result = rest;
    if square > 1e-14 {
        result += rest * (square * polynomial(square, &P) / polynomial(square, &Q));
    }
    if eighths & 2 == 2 {
        result = -1.0 / result;
    }
    if value < 0.0 { -result } else { result }
}

/// The arc tangent of a number of [0, 0.66].
fn atan_small(value: f64) -> f64 {
    const P: [f64; 5] = [
        -8.750_608_600_031_904e-1,
        -1.615_753_718_733_365_2e1,
        -7.500_855_792_314_705e1,
        -1.228_866_684_490_136_1e2,
        -6.485_021_904_942_025e1,
    ];
    const Q: [f64; 6] = [
        1.0,
        2.485_846_490_142_306_2e1,
        1.650_270_098_316_988_6e2,
        4.328_810_604_912_902_7e2,
        4.853_903_996_359_137e2,
        1.945_506_571_482_614e2,
    ];
    let square = value * value;
    let factor = square * polynomial(square, &P) / polynomial(square, &Q);
    value * factor + value
}

/// That of any positive number.
fn atan_positive(value: f64) -> f64 {
    /// What pi/2 lacks as a float.
    const MORE: f64 = 6.123_233_995_736_766e-17;
    const TAN_3_PI_BY_8: f64 = 2.414_213_562_373_095;
    if value <= 0.66 {
        atan_small(value)
    } else if value > TAN_3_PI_BY_8 {
        FRAC_PI_2 - atan_small(1.0 / value) + MORE
    } else {
        FRAC_PI_4 + atan_small((value - 1.0) / (value + 1.0)) + 0.5 * MORE
    }
}

pub(crate) fn atan(value: f64) -> f64 {
    if value == 0.0 || value.is_nan() {
        value
    } else {
        atan_positive(value.abs()).copysign(value)
    }
}

pub(crate) fn asin(value: f64) -> f64 {
    let size = value.abs();
    if value == 0.0 {
        return value;
    }
    if size.is_nan() || size > 1.0 {
        return f64::NAN;
    }
    let other = (1.0 - size * size).sqrt();
    let result = if size > 0.7 {
        FRAC_PI_2 - atan_positive(other / size)
    } else {
        atan_positive(size / other)
    };
    result.copysign(value)
}

pub(crate) fn acos(value: f64) -> f64 {
    FRAC_PI_2 - asin(value)
}

pub(crate) fn atan2(y: f64, x: f64) -> f64 {
    if x == 0.0 || y == 0.0 || !x.is_finite() || !y.is_finite() {
        return y.atan2(x);
    }
    let angle = atan(y / x);
    if x >= 0.0 {
        angle
    } else if angle <= 0.0 {
        angle + PI
    } else {
        angle - PI
    }
}

/// From here on the smaller of the two exponentials is lost.
const EXPONENTIAL_MIN: f64 = 21.0;

pub(crate) fn sinh(value: f64) -> f64 {
    const P: [f64; 4] = [
        -2.630_563_213_397_497e1,
        -2.894_211_355_989_564e3,
        -8.991_272_022_039_509e4,
        -6.307_673_640_497_717e5,
    ];
    const Q: [f64; 4] = [
        1.0,
        -1.736_789_535_582_337e2,
        1.521_517_378_790_019e4,
        -6.307_673_640_497_717e5,
    ];
    let size = value.abs();
    let result = if size > EXPONENTIAL_MIN {
        exp(size) * 0.5
    } else if size > 0.5 {
        let exponential = exp(size);
        (exponential - 1.0 / exponential) * 0.5
    } else {
        let square = size * size;
        polynomial(square, &P) * size / polynomial(square, &Q)
    };
    result.copysign(value)
}

pub(crate) fn cosh(value: f64) -> f64 {
    let exponential = exp(value.abs());
    if value.abs() > EXPONENTIAL_MIN {
        exponential * 0.5
    } else {
        (exponential + 1.0 / exponential) * 0.5
    }
}

pub(crate) fn tanh(value: f64) -> f64 {
    const P: [f64; 3] = [
        -9.643_991_794_250_523e-1,
        -9.928_772_310_019_185e1,
        -1.614_687_684_417_084_5e3,
    ];
    const Q: [f64; 4] = [
        1.0,
        1.128_116_784_916_329_3e2,
        2.235_488_390_601_004_5e3,
        4.844_063_053_251_255e3,
    ];
    /// From here on the result is 1.
    const ONE_MIN: f64 = 44.014_845_965_556_53;
    let size = value.abs();
    if size > ONE_MIN {
        1.0_f64.copysign(value)
    } else if size >= 0.625 {
        (1.0 - 2.0 / (exp(2.0 * size) + 1.0)).copysign(value)
    } else if value == 0.0 {
        value
    } else {
        let square = value * value;
        value + value * square * polynomial(square, &P) / polynomial(square, &Q)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As Prometheus 3.5.3 answered, where another library has another last digit.
    #[test]
    fn last_digits_are_those_of_go() {
        for (found, expected) in [
            (sin(2.5), 0.598_472_144_103_956_4),
            (sin(1e10), -0.487_506_025_087_510_73),
            (sin(1e300), -0.817_881_912_115_908_7),
            (cos(253_402_300_800.0), 0.429_505_625_921_851_54),
            (tan(1.0), 1.557_407_724_654_902),
            (tan(951_782_400.0), 3.688_835_000_162_334_2),
            (sinh(1.7), 2.645_631_933_837_232_7),
            (cosh(1.7), 2.828_315_457_889_967),
            (tanh(1.7), 0.935_409_070_603_099),
            (sinh(0.3), 0.304_520_293_447_142_6),
            (cos(0.3), 0.955_336_489_125_606),
            (atan(0.3), 0.291_456_794_477_867_1),
            (acos(0.3), 1.266_103_672_779_499),
            (atan(253_402_300_800.0), 1.570_796_326_790_950_2),
            (atan2(-1.5, 0.3), -1.373_400_766_945_015_7),
            (atan2(0.3, -1.5), 2.944_197_093_739_912_2),
        ] {
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn special_numbers() {
        for function in [sin, cos, tan, asin, acos, atan, sinh, cosh, tanh] {
            assert!(function(f64::NAN).is_nan());
        }
        for function in [sin, tan, asin, atan, sinh, tanh] {
            assert_eq!(function(-0.0).to_bits(), (-0.0_f64).to_bits());
        }
        for function in [sin, cos, tan, asin, acos] {
            assert!(function(f64::INFINITY).is_nan());
        }
        assert_eq!(atan(f64::NEG_INFINITY), -FRAC_PI_2);
        assert_eq!(tanh(f64::NEG_INFINITY), -1.0);
        assert_eq!(cosh(f64::NEG_INFINITY), f64::INFINITY);
        assert_eq!(asin(1.0), FRAC_PI_2);
    }

    proptest! {
        #[test]
        fn nothing_is_far_from_the_nearest_float(
            angle in prop_oneof![-10.0..10.0_f64, -1e9..1e9_f64, 5e8..1e300_f64],
            part in -1.0..1.0_f64,
            size in -30.0..30.0_f64,
        ) {
            let near = |a: f64, b: f64| (a - b).abs() <= 1e-12 * b.abs().max(1e-3);
            prop_assert!(near(sin(angle), angle.sin()), "{} {}", sin(angle), angle.sin());
            prop_assert!(near(cos(angle), angle.cos()));
            prop_assert!(near(1.0 / tan(angle), 1.0 / angle.tan()) || tan(angle).abs() < 1e-3);
            prop_assert!(near(atan(angle), angle.atan()));
            prop_assert!(near(atan2(angle, size), angle.atan2(size)));
            prop_assert!(near(asin(part), part.asin()) && near(acos(part), part.acos()));
            prop_assert!(near(sinh(size), size.sinh()) && near(cosh(size), size.cosh()));
            prop_assert!(near(tanh(size), size.tanh()));
        }
    }
}
