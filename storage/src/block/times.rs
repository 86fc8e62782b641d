//! Time columns: where they are, and their bytes.
//!
//! A column of up to [`SLICE_SAMPLES`] timestamps is a column of timestamps and nothing else. A
//! longer one is cut into chunks of so many, each a column of its own; before them stands a head
//! with the first timestamp and the length of each, so that a timestamp is found without a look
//! at the others.
//!
//! Section times says where columns begin, in pages of [`PAGE_COLUMNS`]; at its end stands, for
//! each page, where it ends.

mod reader;
mod writer;

use std::ops::Range;

use super::SLICE_SAMPLES;
use super::ints::{put_ints, take_ints, take_u32s};
use crate::column::encode_timestamps;
use crate::model::TimeRange;

pub(super) use reader::Times;
pub(super) use writer::TimesWriter;

/// Columns of a page of the section.
const PAGE_COLUMNS: usize = 256;
/// Where a page ends.
const END_BYTES: usize = 8;

/// What is known of a column without its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Column {
    /// How many timestamps it has, at least 1.
    pub(super) count: u32,
    /// From the first to the last.
    pub(super) range: TimeRange,
    /// Where its bytes begin in section data.
    at: u64,
    /// Length of the column, or of the head of a long one.
    bytes: u32,
}

impl Column {
    fn is_long(&self) -> bool {
        self.count as usize > SLICE_SAMPLES
    }

    /// How many chunks it has.
    fn chunks(&self) -> usize {
        (self.count as usize).div_ceil(SLICE_SAMPLES)
    }

    /// How many timestamps the chunk with that number has.
    fn chunk_len(&self, chunk: usize) -> usize {
        let before = chunk * SLICE_SAMPLES;
        (self.count as usize)
            .saturating_sub(before)
            .min(SLICE_SAMPLES)
    }
}

/// The head of a long column.
#[derive(Debug)]
struct Head {
    /// The first timestamp of each chunk.
    firsts: Vec<i64>,
    /// Where the bytes of each chunk end, from where those of the first begin.
    ends: Vec<u64>,
}

impl Head {
    fn encode(&self, out: &mut Vec<u8>) {
        put_ints(out, self.firsts.iter().copied());
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        let lengths = begins.zip(&self.ends).map(|(begin, end)| end - begin);
        put_ints(out, lengths.map(|length| length as i64));
    }

    fn decode(mut bytes: &[u8], chunks: usize) -> Result<Self, &'static str> {
        let firsts = take_ints(&mut bytes, chunks)?;
        let lengths = take_u32s(&mut bytes, chunks)?;
        let ends = lengths.into_iter().scan(0, |end, length| {
            *end += u64::from(length);
            Some(*end)
        });
        let head = Self {
            firsts,
            ends: ends.collect(),
        };
        match bytes.is_empty() && head.firsts.is_sorted_by(|a, b| a < b) {
            true => Ok(head),
            false => Err("the head of a time column makes no sense"),
        }
    }

    /// Where the bytes of a chunk are, from where those of the first begin.
    fn span(&self, chunk: usize) -> Option<Range<u64>> {
        let begin = match chunk.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        Some(begin..*self.ends.get(chunk)?)
    }
}

/// Appends a column; says how long its head is, or all of it if it has none.
fn encode_column(times: &[i64], out: &mut Vec<u8>) -> usize {
    let start = out.len();
    if times.len() <= SLICE_SAMPLES {
        encode_timestamps(times, out);
        return out.len() - start;
    }
    let (mut chunks, mut firsts, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for chunk in times.chunks(SLICE_SAMPLES) {
        encode_timestamps(chunk, &mut chunks);
        firsts.extend(chunk.first());
        ends.push(chunks.len() as u64);
    }
    Head { firsts, ends }.encode(out);
    let head = out.len() - start;
    out.append(&mut chunks);
    head
}

/// Appends a page of the section.
fn encode_page(columns: &[Column], out: &mut Vec<u8>) {
    put_ints(out, columns.iter().map(|column| i64::from(column.count)));
    put_ints(out, columns.iter().map(|column| column.range.start_ms));
    let spans = columns.iter().map(|column| {
        let TimeRange { start_ms, end_ms } = column.range;
        end_ms.wrapping_sub(start_ms)
    });
    put_ints(out, spans);
    put_ints(out, columns.iter().map(|column| column.at as i64));
    put_ints(out, columns.iter().map(|column| i64::from(column.bytes)));
}

/// Reads a page of so many columns.
fn decode_page(mut bytes: &[u8], columns: usize) -> Result<Vec<Column>, &'static str> {
    let input = &mut bytes;
    let counts = take_u32s(input, columns)?;
    let firsts = take_ints(input, columns)?;
    let spans = take_ints(input, columns)?;
    let ats = take_ints(input, columns)?;
    let lengths = take_u32s(input, columns)?;
    let mut page = Vec::with_capacity(columns);
    let all = counts
        .into_iter()
        .zip(firsts)
        .zip(spans)
        .zip(ats)
        .zip(lengths);
    for ((((count, start_ms), span), at), bytes) in all {
        let range = TimeRange::new(start_ms, start_ms.wrapping_add(span));
        // As many timestamps as it has do rise from the first to the last.
        let steps = range
            .end_ms
            .checked_sub(start_ms)
            .map_or(u64::MAX, |ms| ms as u64);
        if count == 0 || range.end_ms < start_ms || steps < u64::from(count - 1) {
            return Err("a time column ends before it can");
        }
        page.push(Column {
            count,
            range,
            at: at as u64,
            bytes,
        });
    }
    match input.is_empty() {
        true => Ok(page),
        false => Err("a page of time columns has bytes left over"),
    }
}
