//! Decimals that sums have moved by a last digit or a few: integers over a power of ten, then by
//! how many units in the last place each value is off.

use super::decimal::{self, nearest};
use super::tag;
use crate::column::error::Fault;
use crate::column::integers::{self, Plan};

/// The largest exponent that is tried.
const EXPONENT_TRIED_MAX: u8 = 12;
/// Values that are looked at to find an exponent.
const PROBES: usize = 32;

/// Values as integers over a power of ten, and corrections.
#[derive(Debug)]
pub(super) struct NearDecimals {
    exponent: u8,
    integers: Plan,
    errors: Plan,
}

impl NearDecimals {
    /// The way that seems smallest, if all values are near to decimals of one exponent.
    pub(super) fn best(values: &[f64]) -> Option<Self> {
        let probes = values.get(..PROBES).unwrap_or(values);
        let costs = (0..=EXPONENT_TRIED_MAX).filter_map(|e| Some((bits(probes, e)?, e)));
        let (_, exponent) = costs.min()?;
        Self::of(values, exponent)
    }

    /// With this exponent, if the values have integers there.
    pub(super) fn of(values: &[f64], exponent: u8) -> Option<Self> {
        let (mut integers, mut errors) = (Vec::new(), Vec::new());
        let power = decimal::power(exponent).ok()?;
        for &value in values {
            let (integer, error) = nearest(value, power);
            integers.push(integer);
            errors.push(error?);
        }
        Some(Self {
            exponent,
            integers: Plan::best(integers)?,
            errors: Plan::best(errors)?,
        })
    }

    /// How many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        1 + self.integers.bytes + self.errors.bytes
    }

    /// Appends the values.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(tag::NEAR_DECIMAL | self.exponent);
        self.integers.encode(out);
        self.errors.encode(out);
    }
}

/// About how many bits the values take with an exponent.
fn bits(values: &[f64], exponent: u8) -> Option<u32> {
    let power = decimal::power(exponent).ok()?;
    let length = |n: i64| 64 - n.unsigned_abs().leading_zeros();
    let mut total = 0;
    let mut before = None;
    for &value in values {
        let (integer, error) = nearest(value, power);
        total += length(error?) + length(integer.wrapping_sub(before.unwrap_or(integer)));
        before = Some(integer);
    }
    Some(total)
}

/// Reads what stands after [`tag::NEAR_DECIMAL`].
pub(super) fn decode(exponent: u8, input: &mut &[u8], out: &mut [f64]) -> Result<(), Fault> {
    decimal::decode(exponent, input, out)?;
    let count = out.len();
    let mut slots = out.iter_mut();
    integers::decode(input, count, |block| {
        for (&error, slot) in block.iter().zip(&mut slots) {
            *slot = f64::from_bits(slot.to_bits().wrapping_add(error as u64));
        }
    })
}
