//! A column of floats, each in as few whole bytes as hold its bits exactly.
//!
//! Half a byte says how a value is written, then come the bytes. Counters and gauges are mostly
//! whole numbers or have short fractions, so that most of the low bytes of a float are zero.

use super::{DecodeError, Input};

/// Codes 1 to 8: so many bytes from the top of the float, the others are zero. 0 is thus +0.0.
const CODE_FLOAT_MAX: u8 = 8;
/// Codes 9 to 14: a whole number in 1 to 6 bytes.
const CODE_WHOLE: u8 = 8;
/// The bits of the value before.
const CODE_SAME: u8 = 15;
/// Whole numbers below this are exact as floats and fit in six bytes.
const WHOLE_END: f64 = (1u64 << 48) as f64;

/// Appends the column: codes of all values, two a byte, then their bytes.
pub(super) fn put(out: &mut Vec<u8>, values: impl ExactSizeIterator<Item = f64>) {
    let codes_at = out.len();
    let mut at = codes_at + values.len().div_ceil(2);
    // Room for the longest; each value is stored as eight bytes, then the next one over those
    // it does not need.
    out.resize(at + 8 * values.len(), 0);
    let mut before = 0;
    for (place, value) in values.enumerate() {
        let bits = value.to_bits();
        let (code, bytes, length) = encode(bits, value, before);
        out[at..at + 8].copy_from_slice(&bytes);
        at += length;
        out[codes_at + place / 2] |= code << (4 * (place % 2));
        before = bits;
    }
    out.truncate(at);
}

fn encode(bits: u64, value: f64, before: u64) -> (u8, [u8; 8], usize) {
    if bits == before {
        return (CODE_SAME, [0; 8], 0);
    }
    let float_bytes = 8 - (bits.trailing_zeros() / 8) as usize;
    if value < WHOLE_END {
        // Out of range and NaN saturate; those do not come back the same.
        let whole = value as u64;
        let whole_bytes = 8 - (whole.leading_zeros() / 8) as usize;
        if (whole as f64).to_bits() == bits && whole_bytes < float_bytes {
            let code = CODE_WHOLE + whole_bytes as u8;
            return (code, whole.to_le_bytes(), whole_bytes);
        }
    }
    (float_bytes as u8, bits.to_be_bytes(), float_bytes)
}

/// Reads `count` floats and hands each to `emit`.
pub(super) fn take(
    input: &mut Input<'_>,
    count: usize,
    mut emit: impl FnMut(f64),
) -> Result<(), DecodeError> {
    let codes = input.take(count.div_ceil(2), "value codes cut short")?;
    let mut bits = 0;
    for place in 0..count {
        let code = codes[place / 2] >> (4 * (place % 2)) & 15;
        if code <= CODE_FLOAT_MAX {
            let length = usize::from(code);
            let mut bytes = [0; 8];
            bytes[..length].copy_from_slice(input.take(length, "values cut short")?);
            bits = u64::from_be_bytes(bytes);
        } else if code < CODE_SAME {
            let length = usize::from(code - CODE_WHOLE);
            let mut bytes = [0; 8];
            bytes[..length].copy_from_slice(input.take(length, "values cut short")?);
            bits = (u64::from_le_bytes(bytes) as f64).to_bits();
        }
        emit(f64::from_bits(bits));
    }
    Ok(())
}
