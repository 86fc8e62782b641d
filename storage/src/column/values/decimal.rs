//! Decimals: integers over one power of ten.

use super::tag;
use crate::column::error::Fault;
#[cfg(test)]
use crate::column::integers::Form;
use crate::column::integers::{self, Plan};

/// Powers of ten that are doubles to the bit.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];
/// The largest exponent that is tried. Larger ones are read.
const EXPONENT_TRIED_MAX: u8 = 17;
/// Doubles up to here can be rounded by adding and subtracting [`ROUNDING`].
const ROUNDED_MAX: f64 = 2_251_799_813_685_248.0;
/// 1.5 * 2^52: the last bit of a double of this size is a unit.
const ROUNDING: f64 = 6_755_399_441_055_744.0;
/// Values that are looked at first to find an exponent.
const PROBES: usize = 8;
/// Values that are scaled between two looks at whether all of them could be.
const STRIDE: usize = 64;

/// 10^exponent.
pub(super) fn power(exponent: u8) -> Result<f64, Fault> {
    let power = POWERS.get(usize::from(exponent));
    power.copied().ok_or(Fault::Exponent(exponent))
}

/// The value times a power of ten, rounded, and whether that gives the value back to the bit.
/// Without a branch, so that it can be done for several values at a time.
#[inline]
fn scale(value: f64, power: f64) -> (i64, bool) {
    let (integer, error) = nearest(value, power);
    (integer, error == Some(0))
}

/// The integer nearest to the value times a power of ten, and by how many units in the last place
/// the value is more than what the integer stands for. No error if the product is too large.
#[inline]
pub(super) fn nearest(value: f64, power: f64) -> (i64, Option<i64>) {
    let scaled = value * power;
    let shifted = scaled + ROUNDING;
    let integer = (shifted.to_bits() as i64).wrapping_sub(ROUNDING.to_bits() as i64);
    let back = (shifted - ROUNDING) / power;
    let error = (value.to_bits() as i64).wrapping_sub(back.to_bits() as i64);
    (integer, (scaled.abs() < ROUNDED_MAX).then_some(error))
}

/// The integer that the value is, beyond what can be rounded.
fn large_integer(value: f64) -> Option<i64> {
    let integer = value as i64;
    let same = (integer as f64).to_bits() == value.to_bits();
    (same && integer != i64::MAX).then_some(integer)
}

/// The decimal with the smallest exponent that a value is.
pub(super) fn shortest(value: f64) -> Option<(u8, i64)> {
    let scaled = (0u8..)
        .zip(POWERS)
        .take(usize::from(EXPONENT_TRIED_MAX) + 1);
    let found = scaled.map(|(exponent, power)| (exponent, scale(value, power)));
    let mut found = found.filter(|(_, (_, exact))| *exact);
    let found = found
        .next()
        .map(|(exponent, (integer, _))| (exponent, integer));
    found.or_else(|| Some((0, large_integer(value)?)))
}

/// The smallest exponent at which all values are integers, and those.
fn scale_all(values: &[f64]) -> Option<(u8, Vec<i64>)> {
    let mut exponent = 0;
    let step = (values.len() / PROBES).max(1);
    for value in values.iter().step_by(step) {
        exponent = exponent.max(shortest(*value)?.0);
    }
    let mut integers = Vec::with_capacity(values.len());
    loop {
        let power = power(exponent).ok()?;
        integers.clear();
        let Some(misfit) = scale_until_misfit(values, power, &mut integers) else {
            return Some((exponent, integers));
        };
        // The one that does not fit says how far to go.
        let needed = shortest(misfit)?.0;
        if needed <= exponent {
            break;
        }
        exponent = needed;
    }
    // A value that fits a smaller exponent alone, or none: only large integers are left.
    integers.clear();
    for &value in values {
        integers.push(large_integer(value)?);
    }
    Some((0, integers))
}

/// Scales values to integers, to the end or to the first that none gives back to the bit.
fn scale_until_misfit(values: &[f64], power: f64, integers: &mut Vec<i64>) -> Option<f64> {
    for values in values.chunks(STRIDE) {
        let mut exact = true;
        integers.extend(values.iter().map(|&value| {
            let (integer, fits) = scale(value, power);
            exact &= fits;
            integer
        }));
        if !exact {
            let mut misfits = values.iter().filter(|value| !scale(**value, power).1);
            return misfits.next().copied();
        }
    }
    None
}

/// Values as integers over a power of ten.
#[derive(Debug)]
pub(super) struct Decimals {
    exponent: u8,
    plan: Plan,
}

impl Decimals {
    /// The smallest way to write decimals, if the values are that.
    pub(super) fn best(values: &[f64]) -> Option<Self> {
        let (exponent, integers) = scale_all(values)?;
        let plan = Plan::best(integers)?;
        Some(Self { exponent, plan })
    }

    /// Decimals in one form of integers.
    #[cfg(test)]
    pub(super) fn of(values: &[f64], form: Form) -> Option<Self> {
        let (exponent, integers) = scale_all(values)?;
        let plan = Plan::of(integers, form)?;
        Some(Self { exponent, plan })
    }

    /// How many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        1 + self.plan.bytes
    }

    /// The power of ten that the integers are over.
    pub(super) fn exponent(&self) -> u8 {
        self.exponent
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.plan.len()
    }

    /// Whether they are not predicted from each other.
    pub(super) fn are_plain(&self) -> bool {
        self.plan.is_plain()
    }

    /// The integers.
    pub(super) fn integers(&self) -> impl Iterator<Item = i64> {
        self.plan.integers()
    }

    /// Appends the values.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(tag::DECIMAL | self.exponent);
        self.plan.encode(out);
    }
}

/// Reads what stands after [`tag::DECIMAL`].
#[inline]
pub(super) fn decode(exponent: u8, input: &mut &[u8], out: &mut [f64]) -> Result<(), Fault> {
    let power = power(exponent)?;
    let count = out.len();
    let mut slots = out.iter_mut();
    if exponent == 0 {
        return integers::decode(input, count, |block| {
            for (&integer, slot) in block.iter().zip(&mut slots) {
                *slot = integer as f64;
            }
        });
    }
    integers::decode(input, count, |block| {
        for (&integer, slot) in block.iter().zip(&mut slots) {
            *slot = integer as f64 / power;
        }
    })
}
