//! The body of a record: what one request writes, in columns. Layout: `docs/format/wal.md`.

mod definitions;
mod deltas;
mod floats;
#[cfg(test)]
mod tests;
mod values;

use thiserror::Error;

use crate::model::{Batch, Seq};

/// Bytes a body may have, and the labels that one defines.
pub const BODY_BYTES_MAX: usize = 256 << 20;
/// Float samples a record may hold.
pub const FLOATS_MAX: usize = 1 << 24;

/// What a section holds. Tags 3 to 7 are spoken for: see the format page.
const TAG_DEFINITIONS: u8 = 1;
const TAG_FLOATS: u8 = 2;
/// Tag and payload length.
const SECTION_HEADER_BYTES: usize = 5;

/// Why a batch does not fit in a record.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("a write of {size} {what} is too large for a WAL record: the limit is {max}")]
pub struct EncodeError {
    /// What there is too much of.
    pub what: &'static str,
    /// How much there is.
    pub size: usize,
    /// How much there may be.
    pub max: usize,
}

/// Why a body could not be read.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum DecodeError {
    /// A section this version knows nothing of. It may hold data, so it is never skipped.
    #[error("a section with the unknown tag {tag}: the record was written by a newer version")]
    Newer {
        /// Its tag.
        tag: u8,
    },
    /// Bytes that no version writes.
    #[error("{what} at byte {offset} of the body")]
    Corrupt {
        /// What is wrong.
        what: &'static str,
        /// Where in the body reading stopped.
        offset: usize,
    },
}

/// Appends the body of a record with the definitions and samples of `batch` to `out`. The seq
/// is not part of the body: it is given when the record is appended to the log.
///
/// # Errors
/// A batch with more than [`FLOATS_MAX`] samples, or more than [`BODY_BYTES_MAX`] bytes of
/// labels or of body. `out` is then as it was.
pub fn encode_body(batch: &Batch, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let start = out.len();
    let encoded = encode_sections(batch, out, start);
    if encoded.is_err() {
        out.truncate(start);
    }
    encoded
}

fn encode_sections(batch: &Batch, out: &mut Vec<u8>, start: usize) -> Result<(), EncodeError> {
    limit("samples", batch.floats.len(), FLOATS_MAX)?;
    let label_bytes = definitions::label_bytes(&batch.definitions);
    limit("label bytes", label_bytes, BODY_BYTES_MAX)?;
    if !batch.definitions.is_empty() {
        put_section(out, TAG_DEFINITIONS, start, |out| {
            definitions::put(out, &batch.definitions);
        })?;
    }
    if !batch.floats.is_empty() {
        put_section(out, TAG_FLOATS, start, |out| {
            floats::put(out, &batch.floats);
        })?;
    }
    Ok(())
}

fn limit(what: &'static str, size: usize, max: usize) -> Result<(), EncodeError> {
    if size > max {
        return Err(EncodeError { what, size, max });
    }
    Ok(())
}

fn put_section(
    out: &mut Vec<u8>,
    tag: u8,
    body_start: usize,
    payload: impl FnOnce(&mut Vec<u8>),
) -> Result<(), EncodeError> {
    out.push(tag);
    let length_at = out.len();
    out.extend_from_slice(&[0; 4]);
    payload(out);
    limit("bytes", out.len() - body_start, BODY_BYTES_MAX)?;
    let length = (out.len() - length_at - 4) as u32;
    out[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
    Ok(())
}

/// Reads a body back. Counts are checked against the bytes there are before room is made.
///
/// # Errors
/// A body of a newer version, or one that no version wrote.
pub fn decode_body(seq: Seq, body: &[u8]) -> Result<Batch, DecodeError> {
    let mut batch = Batch {
        seq,
        ..Batch::default()
    };
    let mut input = Input { rest: body, body };
    let mut last_tag = 0;
    while let Some((&tag, _)) = input.rest.split_first() {
        let header = input.take(SECTION_HEADER_BYTES, "a section header cut short")?;
        if tag > TAG_FLOATS {
            return Err(DecodeError::Newer { tag });
        }
        if tag <= last_tag {
            return Err(input.corrupt("a section out of order"));
        }
        last_tag = tag;
        let length = u32::from_le_bytes([header[1], header[2], header[3], header[4]]);
        let rest = input.take(length as usize, "a section longer than the body")?;
        let mut section = Input {
            rest,
            body: &body[..body.len() - input.rest.len()],
        };
        if tag == TAG_DEFINITIONS {
            definitions::take(&mut section, &mut batch.definitions)?;
        } else {
            floats::take(&mut section, &mut batch.floats)?;
        }
        if !section.rest.is_empty() {
            return Err(section.corrupt("bytes after the end of a section"));
        }
    }
    Ok(batch)
}

/// What is left to read of a body.
struct Input<'a> {
    rest: &'a [u8],
    /// The body up to the end of `rest`, to tell offsets.
    body: &'a [u8],
}

impl<'a> Input<'a> {
    fn corrupt(&self, what: &'static str) -> DecodeError {
        DecodeError::Corrupt {
            what,
            offset: self.body.len() - self.rest.len(),
        }
    }

    fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(self.corrupt(what)),
        }
    }

    fn number(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        crate::codec::varint::take_u64(&mut self.rest).ok_or_else(|| self.corrupt(what))
    }

    fn signed(&mut self, what: &'static str) -> Result<i64, DecodeError> {
        crate::codec::varint::take_i64(&mut self.rest).ok_or_else(|| self.corrupt(what))
    }

    /// A count of things that take at least a byte for each `per_byte` of them.
    fn count(&mut self, per_byte: usize, what: &'static str) -> Result<usize, DecodeError> {
        let count = self.number(what)?;
        if count > (self.rest.len() as u64).saturating_mul(per_byte as u64) {
            return Err(self.corrupt(what));
        }
        Ok(count as usize)
    }
}
