//! The exponential function, and the logarithm near 1.

use super::LN_2_PARTS;

/// Above this the result is infinite.
const INFINITE_MIN: f64 = 709.782_712_893_384;

/// The exponential function as Go computes it on amd64, where processors multiply and add in
/// one step (FMA): the Taylor series of a 16th of the rest of a division by ln 2, squared four
/// times over.
pub(crate) fn exp(value: f64) -> f64 {
    /// ln 2 in two parts, so that a product of the first one is exact.
    const PARTS: [f64; 2] = [0.693_147_180_559_663, 2.823_529_056_303_157_7e-13];
    const BIAS: i32 = 1023;
    if value.is_nan() || value > INFINITE_MIN {
        return value + f64::INFINITY;
    }
    // Far below this the result is 0.
    let power = (value * std::f64::consts::LOG2_E)
        .round_ties_even()
        .max(-2000.0);
    let rest = (-power).mul_add(PARTS[0], value);
    let rest = (-power).mul_add(PARTS[1], rest) / 16.0;
    let mut sum = 1.0 / 40_320.0;
    for factorial in [5040.0, 720.0, 120.0, 24.0, 6.0, 2.0, 1.0] {
        sum = f64::mul_add(sum, rest, 1.0 / factorial);
    }
    // e^x - 1 of a doubled x: y * (y + 2).
    let mut above_one = rest * sum;
    for _ in 0..3 {
        above_one *= above_one + 2.0;
    }
    let fraction = (above_one + 2.0).mul_add(above_one, 1.0);
    let power_of_two = |power: i32| f64::from_bits(((power + BIAS) as u64) << 52);
    match power as i32 {
        // Go's own bound, below that of floats: 709.78 is infinite already.
        1024.. => f64::INFINITY,
        power @ -1022.. => fraction * power_of_two(power),
        // The second step rounds.
        power @ -1075.. => fraction * power_of_two(power + 1000) * power_of_two(-1000),
        _ => 0.0,
    }
}

/// 2 to a power, as Go computes it where there is no assembly: FreeBSD's approximation.
pub(crate) fn exp2(value: f64) -> f64 {
    const P: [f64; 5] = [
        4.138_136_797_057_238_5e-8,
        -1.653_390_220_546_525_2e-6,
        6.613_756_321_437_934e-5,
        -2.777_777_777_701_559_3e-3,
        1.666_666_666_666_666_6e-1,
    ];
    const FINITE_MAX: f64 = 1_023.999_999_999_999_9;
    const ZERO_MAX: f64 = -1_074.0;
    if value.is_nan() || value > FINITE_MAX {
        return value + f64::INFINITY;
    }
    if value < ZERO_MAX {
        return 0.0;
    }
    let power = (value + 0.5_f64.copysign(value)).trunc();
    let rest = value - power;
    let [high, low] = [rest * LN_2_PARTS[0], -rest * LN_2_PARTS[1]];
    let reduced = high - low;
    let square = reduced * reduced;
    let c = reduced - square * super::polynomial(square, &P);
    let fraction = 1.0 - ((low - (reduced * c) / (2.0 - c)) - high);
    super::join(fraction, power as i64)
}

/// The natural logarithm of 1 and a number (FreeBSD's approximation).
pub(crate) fn ln_1p(value: f64) -> f64 {
    const SQRT_2_LESS_1: f64 = 4.142_135_623_730_950_5e-1;
    const SQRT_HALF_LESS_1: f64 = -2.928_932_188_134_525e-1;
    if !(value > -1.0 && value < f64::INFINITY) {
        return value.ln_1p();
    }
    let size = value.abs();
    if size < 1.0 / (1_u64 << 54) as f64 {
        return value;
    }
    if size < 1.0 / (1_u64 << 29) as f64 {
        return value - value * value * 0.5;
    }
    if value > SQRT_HALF_LESS_1 && value < SQRT_2_LESS_1 {
        let half_square = 0.5 * value * value;
        return value - (half_square - ratio(value) * (half_square + series(value)));
    }
    let Sum {
        power,
        above,
        lost,
        is_tiny,
    } = Sum::of(value);
    let half_square = 0.5 * above * above;
    let low = power * LN_2_PARTS[1] + lost;
    if is_tiny {
        if above == 0.0 {
            return power * LN_2_PARTS[0] + low;
        }
        let rest = half_square * (1.0 - 0.666_666_666_666_666_6 * above);
        return power * LN_2_PARTS[0] - ((rest - low) - above);
    }
    let product = ratio(above) * (half_square + series(above));
    power * LN_2_PARTS[0] - ((half_square - (product + low)) - above)
}

/// 1 and a number as `2^power * (1 + above)`, `above` between sqrt(1/2) - 1 and sqrt(2) - 1.
struct Sum {
    power: f64,
    above: f64,
    /// What rounding lost, relative to the sum.
    lost: f64,
    /// Whether `above` is a few of the last bits at most.
    is_tiny: bool,
}

impl Sum {
    fn of(value: f64) -> Self {
        const SQRT_2_MANTISSA: u64 = 0x0006_a09e_667f_3bcd;
        const ONE: u64 = 1023 << 52;
        const HALF: u64 = 1022 << 52;
        let is_large = value >= (1_u64 << 53) as f64;
        let sum = if is_large { value } else { 1.0 + value };
        let mut power = (sum.to_bits() >> 52) as i32 - 1023;
        let lost = match power {
            _ if is_large => 0.0,
            1.. => 1.0 - (sum - value),
            _ => value - (sum - 1.0),
        };
        let mantissa = sum.to_bits() & ((1 << 52) - 1);
        let (scaled, left) = if mantissa < SQRT_2_MANTISSA {
            (f64::from_bits(mantissa | ONE), mantissa)
        } else {
            power += 1;
            let left = ((1 << 52) - mantissa) >> 2;
            (f64::from_bits(mantissa | HALF), left)
        };
        Self {
            power: f64::from(power),
            above: scaled - 1.0,
            lost: lost / sum,
            is_tiny: left == 0,
        }
    }
}

fn ratio(above: f64) -> f64 {
    above / (2.0 + above)
}

fn series(above: f64) -> f64 {
    const L: [f64; 7] = [
        1.479_819_860_511_658_6e-1,
        1.531_383_769_920_937_3e-1,
        1.818_357_216_161_805e-1,
        2.222_219_843_214_978_4e-1,
        2.857_142_874_366_239e-1,
        3.999_999_999_940_942e-1,
        6.666_666_666_666_735e-1,
    ];
    let square = ratio(above) * ratio(above);
    square * super::polynomial(square, &L)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As Prometheus 3.5.3 answered.
    #[test]
    fn exponentials_are_those_of_go() {
        for (value, expected) in [
            (1.0, std::f64::consts::E),
            (0.3, 1.349_858_807_576_003_2),
            (-2.5, 0.082_084_998_623_898_8),
            (100.7, 5.413_203_172_330_057e43),
            (-700.1, 8.921_404_266_525_102e-305),
            (-708.3, 2.450_295_530_965_988_6e-308),
            (-708.5, 2.006_132_305_331_306e-308),
            (-710.0, 4.476_286_225_675_13e-309),
            (-745.0, 5e-324),
            (-1e10, 0.0),
            (709.78, f64::INFINITY),
            (1e10, f64::INFINITY),
            (f64::INFINITY, f64::INFINITY),
            (f64::NEG_INFINITY, 0.0),
            (1e-20, 1.0),
        ] {
            assert_eq!(exp(value), expected, "exp({value})");
        }
        assert!(exp(f64::NAN).is_nan());
    }

    #[test]
    fn logarithms_near_one_of_special_numbers() {
        assert_eq!(ln_1p(-1.0), f64::NEG_INFINITY);
        assert_eq!(ln_1p(f64::INFINITY), f64::INFINITY);
        assert_eq!(ln_1p(-0.0).to_bits(), (-0.0_f64).to_bits());
        assert!(ln_1p(-1.5).is_nan() && ln_1p(f64::NAN).is_nan());
        assert_eq!(ln_1p(1.0), std::f64::consts::LN_2);
    }

    proptest! {
        #[test]
        fn nothing_is_far_from_the_nearest_float(
            value in -700.0..700.0_f64,
            small in prop_oneof![-0.999..2.0_f64, -1e-6..1e-6_f64, 0.0..1e300_f64],
        ) {
            let near = |a: f64, b: f64| (a - b).abs() <= 2e-15 * b.abs();
            prop_assert!(near(exp(value), value.exp()), "exp({value})");
            prop_assert!(near(exp2(value), value.exp2()), "exp2({value})");
            prop_assert!(near(ln_1p(small), small.ln_1p()), "ln_1p({small})");
        }
    }
}
