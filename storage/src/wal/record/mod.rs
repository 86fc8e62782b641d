//! The body of a record: what one request writes, in columns. Layout: `docs/format/wal.md`.

mod definitions;
mod deltas;
mod exemplars;
mod floats;
mod histograms;
mod metadata;
#[cfg(test)]
mod tests;
mod values;

use thiserror::Error;

use crate::model::{Batch, FloatRuns, Seq};

/// Bytes a body may have, and the labels that one defines.
pub const BODY_BYTES_MAX: usize = 256 << 20;
/// Float samples a record may hold.
pub const FLOATS_MAX: usize = 1 << 24;

/// Histogram samples a record may hold, and exemplars, and metrics with metadata.
pub const ROWS_MAX: usize = 1 << 20;
/// Bounds, spans and buckets that the histograms of a record may have: 256 MiB in memory.
pub const HISTOGRAM_ELEMENTS_MAX: usize = 1 << 25;

/// What a section holds.
const TAG_DEFINITIONS: u8 = 1;
const TAG_FLOATS: u8 = 2;
const TAG_FLOAT_STARTS: u8 = 3;
const TAG_HISTOGRAMS: u8 = 4;
const TAG_EXEMPLARS: u8 = 5;
const TAG_METADATA: u8 = 6;
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

/// Appends the body of a record with all that `batch` holds to `out`. The seq is not part of the
/// body: it is given when the record is appended to the log.
///
/// # Errors
/// A batch with more than `FLOATS_MAX` float samples, `ROWS_MAX` histograms, exemplars or
/// metrics with metadata, `HISTOGRAM_ELEMENTS_MAX` elements of histograms, or more than
/// `BODY_BYTES_MAX` bytes of labels, of exemplars' labels, of metadata or of body. `out` is
/// then as it was.
pub fn encode_body(batch: &Batch, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let start = out.len();
    let encoded = encode_sections(batch, out, start);
    if encoded.is_err() {
        out.truncate(start);
    }
    encoded
}

fn encode_sections(batch: &Batch, out: &mut Vec<u8>, start: usize) -> Result<(), EncodeError> {
    check_limits(batch)?;
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
    if !batch.float_starts.is_empty() {
        put_section(out, TAG_FLOAT_STARTS, start, |out| {
            floats::put_starts(out, &batch.float_starts);
        })?;
    }
    if !batch.histograms.is_empty() {
        put_section(out, TAG_HISTOGRAMS, start, |out| {
            histograms::put(out, &batch.histograms);
        })?;
    }
    if !batch.exemplars.is_empty() {
        put_section(out, TAG_EXEMPLARS, start, |out| {
            exemplars::put(out, &batch.exemplars);
        })?;
    }
    if !batch.metadata.is_empty() {
        put_section(out, TAG_METADATA, start, |out| {
            metadata::put(out, &batch.metadata);
        })?;
    }
    Ok(())
}

fn check_limits(batch: &Batch) -> Result<(), EncodeError> {
    limit("samples", batch.floats.len(), FLOATS_MAX)?;
    limit("histograms", batch.histograms.len(), ROWS_MAX)?;
    limit("exemplars", batch.exemplars.len(), ROWS_MAX)?;
    limit("metrics with metadata", batch.metadata.len(), ROWS_MAX)?;
    let labels = batch.definitions.iter().map(|series| &series.labels);
    limit(
        "label bytes",
        definitions::label_bytes(labels),
        BODY_BYTES_MAX,
    )?;
    let labels = batch.exemplars.iter().map(|row| &row.exemplar.labels);
    let label_bytes = definitions::label_bytes(labels);
    limit("exemplar label bytes", label_bytes, BODY_BYTES_MAX)?;
    let metadata_bytes = metadata::text_bytes(&batch.metadata);
    limit("metadata bytes", metadata_bytes, BODY_BYTES_MAX)?;
    let elements = histograms::elements(&batch.histograms);
    limit("histogram buckets", elements, HISTOGRAM_ELEMENTS_MAX)
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
/// Floats go to `floats` (emptied first, so that its memory is used again), unless the batch has
/// histograms or start timestamps: then they stand in the batch, since their places count.
///
/// # Errors
/// A body of a newer version, or one that no version wrote.
pub fn decode_body(seq: Seq, body: &[u8], floats: &mut FloatRuns) -> Result<Batch, DecodeError> {
    floats.clear();
    let mut batch = Batch {
        seq,
        ..Batch::default()
    };
    let mut input = Input { rest: body, body };
    let mut last_tag = 0;
    while let Some((&tag, _)) = input.rest.split_first() {
        let header = input.take(SECTION_HEADER_BYTES, "a section header cut short")?;
        if tag > TAG_METADATA {
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
        take_section(tag, &mut section, &mut batch, floats)?;
        if !section.rest.is_empty() {
            return Err(section.corrupt("bytes after the end of a section"));
        }
    }
    if !(batch.float_starts.is_empty() && batch.histograms.is_empty()) {
        batch.floats.extend(floats.as_slices().rows());
        floats.clear();
    }
    Ok(batch)
}

fn take_section(
    tag: u8,
    section: &mut Input<'_>,
    batch: &mut Batch,
    floats: &mut FloatRuns,
) -> Result<(), DecodeError> {
    match tag {
        TAG_DEFINITIONS => definitions::take(section, &mut batch.definitions),
        TAG_FLOATS => floats::take(section, floats),
        TAG_FLOAT_STARTS => floats::take_starts(section, floats.count(), &mut batch.float_starts),
        TAG_HISTOGRAMS => histograms::take(section, floats.count(), &mut batch.histograms),
        TAG_EXEMPLARS => exemplars::take(section, &mut batch.exemplars),
        _ => metadata::take(section, &mut batch.metadata),
    }
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

    /// A count of rows that take at least a byte each, [`ROWS_MAX`] at most.
    fn rows(&mut self, what: &'static str) -> Result<usize, DecodeError> {
        let count = self.count(1, what)?;
        if count > ROWS_MAX {
            return Err(self.corrupt(what));
        }
        Ok(count)
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
