//! Values: doubles of any bits, in the smallest of several encodings.
//!
//! To add an encoding: a tag, a file with `encode` and `decode`, a candidate in [`choose`], an
//! arm in [`decode_chunk`].

mod choose;
mod clocks;
mod constant;
mod decimal;
mod exceptions;
mod near_decimal;
mod ordered_bits;
mod raw;
mod ticks;
mod xor;

use super::chunks::{self, CHUNK_SAMPLES};
use super::error::{ColumnError, Fault};
use super::residuals::take_byte;
use super::stats::ColumnStats;

use choose::Chooser;
#[cfg(test)]
pub(super) use choose::{Encoding, encode_as};

/// The first byte of a chunk. Those that end in an exponent have it in their lowest five bits.
pub(super) mod tag {
    pub(crate) const CONSTANT_DECIMAL: u8 = 0x00;
    pub(crate) const DECIMAL: u8 = 0x20;
    pub(crate) const NEAR_DECIMAL: u8 = 0x40;
    pub(crate) const TICKS: u8 = 0x80;
    pub(crate) const CONSTANT_BITS: u8 = 0x60;
    pub(crate) const ORDERED_BITS: u8 = 0x61;
    pub(crate) const XOR: u8 = 0x62;
    pub(crate) const RAW: u8 = 0x63;
    pub(crate) const EXCEPTIONS: u8 = 0x64;
    /// The bits of an exponent.
    pub(crate) const EXPONENT_MASK: u8 = 0x1f;
}

/// Encodes columns. By default it learns nothing.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    chooser: Chooser,
}

impl Encoder {
    /// One that knows in a column what it learned of those before.
    pub(super) fn learning() -> Self {
        Self {
            chooser: Chooser::learning(),
        }
    }

    /// Appends values, and says what they come to.
    pub(super) fn encode(&mut self, values: &[f64], out: &mut Vec<u8>) -> ColumnStats {
        // However long, one value is not cut into chunks.
        if let Some(value) = constant::value_of(values) {
            if values.len() > CHUNK_SAMPLES {
                out.push(chunks::UNCUT);
            }
            constant::encode(value, out);
            return ColumnStats::of_constant(value, values.len());
        }
        let chooser = &mut self.chooser;
        chunks::encode(values, out, |chunk, out| chooser.encode(chunk, out));
        ColumnStats::of(values)
    }
}

/// Reads values from `start` on, as many as `out` takes, of the `count` in `bytes`.
pub(super) fn decode(
    bytes: &[u8],
    count: usize,
    start: usize,
    out: &mut [f64],
) -> Result<(), ColumnError> {
    if count > CHUNK_SAMPLES
        && let Some((&chunks::UNCUT, constant)) = bytes.split_first()
    {
        return chunks::decode_uncut(constant, count, start, out, decode_constant);
    }
    chunks::decode(bytes, count, start, out, decode_chunk)
}

/// Reads a chunk of one value.
fn decode_constant(input: &mut &[u8], out: &mut [f64]) -> Result<(), Fault> {
    match input.first() {
        Some(&tag) if !constant::is_tag(tag) => Err(Fault::Nested(tag)),
        _ => decode_encoding(input, out),
    }
}

/// Reads a chunk of as many values as `out` takes.
#[inline]
pub(super) fn decode_chunk(input: &mut &[u8], out: &mut [f64]) -> Result<(), Fault> {
    if input.first() != Some(&tag::EXCEPTIONS) {
        return decode_encoding(input, out);
    }
    take_byte(input)?;
    let exceptions = exceptions::Exceptions::decode(input, out.len())?;
    decode_encoding(input, out)?;
    exceptions.apply(out)
}

#[inline]
fn decode_encoding(input: &mut &[u8], out: &mut [f64]) -> Result<(), Fault> {
    let tag = take_byte(input)?;
    let exponent = tag & tag::EXPONENT_MASK;
    match tag & !tag::EXPONENT_MASK {
        tag::CONSTANT_DECIMAL => out.fill(constant::decode_decimal(exponent, input)?),
        tag::DECIMAL => decimal::decode(exponent, input, out)?,
        tag::NEAR_DECIMAL => near_decimal::decode(exponent, input, out)?,
        tag::TICKS => ticks::decode(exponent, input, out)?,
        _ => match tag {
            tag::CONSTANT_BITS => out.fill(constant::decode_bits(input)?),
            tag::ORDERED_BITS => ordered_bits::decode(input, out)?,
            tag::XOR => xor::decode(input, out)?,
            tag::RAW => raw::decode(input, out)?,
            tag::EXCEPTIONS => return Err(Fault::Nested(tag)),
            _ => return Err(Fault::Encoding(tag)),
        },
    }
    Ok(())
}
