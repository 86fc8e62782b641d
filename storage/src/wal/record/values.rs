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

/// How many bytes each code has.
const LENGTHS: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 0];

/// Reads as many floats as `out` takes.
pub(super) fn take(input: &mut Input<'_>, out: &mut [f64]) -> Result<(), DecodeError> {
    let codes = input.take(out.len().div_ceil(2), "value codes cut short")?;
    let bytes = input.rest;
    let mut at = 0;
    let mut before = 0;
    for (pair, &codes) in out.chunks_mut(2).zip(codes) {
        for (value, code) in pair.iter_mut().zip([codes & 15, codes >> 4]) {
            let length = usize::from(LENGTHS[usize::from(code)]);
            let Some(word) = word(bytes, at, length) else {
                input.rest = bytes.get(at..).unwrap_or_default();
                return Err(input.corrupt("values cut short"));
            };
            at += length;
            before = decode(code, length, word, before);
            *value = f64::from_bits(before);
        }
    }
    input.rest = bytes.get(at..).unwrap_or_default();
    Ok(())
}

/// The eight bytes from `at` on, of which `length` are there for sure: what follows them is
/// whatever follows, or zero at the end.
#[inline]
fn word(bytes: &[u8], at: usize, length: usize) -> Option<[u8; 8]> {
    let rest = bytes.get(at..)?;
    if let Some(word) = rest.first_chunk() {
        return Some(*word);
    }
    let rest = rest.get(..length)?;
    let mut word = [0; 8];
    word.get_mut(..length)?.copy_from_slice(rest);
    Some(word)
}

/// The bits of a float by its code, the bytes that begin with its own, and the float before.
///
/// Codes come in no order, so that no guess of the processor's would be right: both ways of
/// writing a float are worked out, and one is taken.
#[inline]
fn decode(code: u8, length: usize, word: [u8; 8], before: u64) -> u64 {
    let unused = 64 - 8 * length as u32;
    let float = u64::from_be_bytes(word)
        .checked_shr(unused)
        .map_or(0, |bits| bits << unused);
    let bits = u64::from_le_bytes(word);
    let whole = bits.checked_shl(unused).map_or(0, |bits| bits >> unused);
    // At most six bytes.
    let whole = (whole as i64 as f64).to_bits();
    match code {
        CODE_SAME => before,
        ..=CODE_FLOAT_MAX => float,
        _ => whole,
    }
}
