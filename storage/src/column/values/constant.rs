//! One value throughout: a decimal in a varint, or the bits.

use super::decimal;
use super::tag;
use crate::codec::varint;
use crate::column::error::Fault;

/// Values that are compared between two looks at what came out.
const COMPARED: usize = 64;

/// The value that all of them are, to the bit; none of no values.
pub(super) fn value_of(values: &[f64]) -> Option<f64> {
    let (&first, rest) = values.split_first()?;
    let same = |value: &f64| value.to_bits() == first.to_bits();
    // A look at the last tells most that differ; the rest is compared without a branch each.
    let all = rest.last().is_none_or(same)
        && rest
            .chunks(COMPARED)
            .all(|rest| rest.iter().fold(true, |all, v| all & same(v)));
    all.then_some(first)
}

/// Appends a value that stands for any number of the same.
pub(super) fn encode(value: f64, out: &mut Vec<u8>) {
    match decimal::shortest(value) {
        // Longer ones are not shorter than the bits.
        Some((exponent, integer)) if integer.unsigned_abs() < 1 << 48 => {
            out.push(tag::CONSTANT_DECIMAL | exponent);
            varint::put_i64(out, integer);
        }
        _ => {
            out.push(tag::CONSTANT_BITS);
            out.extend_from_slice(&value.to_bits().to_le_bytes());
        }
    }
}

/// Whether this is the tag of one value.
pub(super) fn is_tag(tag: u8) -> bool {
    tag & !tag::EXPONENT_MASK == tag::CONSTANT_DECIMAL || tag == tag::CONSTANT_BITS
}

/// Reads what stands after [`tag::CONSTANT_DECIMAL`].
pub(super) fn decode_decimal(exponent: u8, input: &mut &[u8]) -> Result<f64, Fault> {
    let power = decimal::power(exponent)?;
    let integer = varint::take_i64(input).ok_or(Fault::Truncated)?;
    Ok(integer as f64 / power)
}

/// Reads what stands after [`tag::CONSTANT_BITS`].
pub(super) fn decode_bits(input: &mut &[u8]) -> Result<f64, Fault> {
    let (bits, rest) = input.split_first_chunk::<8>().ok_or(Fault::Truncated)?;
    *input = rest;
    Ok(f64::from_bits(u64::from_le_bytes(*bits)))
}
