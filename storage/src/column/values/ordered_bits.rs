//! The bits of doubles as integers that rise as the doubles do: for doubles near to each other
//! that are no decimals. Zeros that all end with (floats of 32 bits) are a common divisor.

use super::tag;
use crate::column::error::Fault;
#[cfg(test)]
use crate::column::integers::Form;
use crate::column::integers::{self, Plan};

/// The best form of the bits of at least one value.
pub(super) fn plan(values: &[f64]) -> Option<Plan> {
    Plan::best(integers(values))
}

/// One form of the bits.
#[cfg(test)]
pub(super) fn plan_of(values: &[f64], form: Form) -> Option<Plan> {
    Plan::of(integers(values), form)
}

fn integers(values: &[f64]) -> Vec<i64> {
    values
        .iter()
        .map(|value| ordered(value.to_bits()))
        .collect()
}

/// Appends the plan's values.
pub(super) fn encode(plan: &Plan, out: &mut Vec<u8>) {
    out.push(tag::ORDERED_BITS);
    plan.encode(out);
}

/// Reads what stands after [`tag::ORDERED_BITS`].
pub(super) fn decode(input: &mut &[u8], out: &mut [f64]) -> Result<(), Fault> {
    let count = out.len();
    let mut slots = out.iter_mut();
    integers::decode(input, count, |block| {
        for (&integer, slot) in block.iter().zip(&mut slots) {
            *slot = f64::from_bits(unordered(integer));
        }
    })
}

/// Negative doubles fall as their bits rise: all bits but the sign are turned over.
fn ordered(bits: u64) -> i64 {
    let signed = bits as i64;
    signed ^ (signed >> 63) & i64::MAX
}

fn unordered(integer: i64) -> u64 {
    (integer ^ (integer >> 63) & i64::MAX) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_rise_as_doubles_do() {
        let rising = [
            f64::NEG_INFINITY,
            -2.0,
            -f64::MIN_POSITIVE,
            -0.0,
            0.0,
            1.0,
            f64::INFINITY,
        ];
        let integers = rising.map(|value| ordered(value.to_bits()));
        assert!(integers.is_sorted(), "{integers:?}");
        assert_eq!(integers.map(unordered), rising.map(f64::to_bits));
    }
}
