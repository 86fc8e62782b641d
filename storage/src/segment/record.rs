//! The chunks of a row, one after the other.

use crate::chunk::{CHUNK_SAMPLES_MAX, LateChunk, OrderedChunk, ValuesRef};
use crate::codec::varint;
use crate::model::TimeRange;

/// What the lowest two bits of a chunk's first byte say.
const FORM: u8 = 0b11;
const STREAM: u8 = 0;
const CONSTANT: u8 = 1;
/// Constant with the value of the constant chunk before.
const CONSTANT_AGAIN: u8 = 2;
/// A late chunk; the other bits are its encoding.
const LATE: u8 = 3;
/// The place of the first timestamp follows; it is 0 otherwise.
const WITH_START: u8 = 1 << 2;
/// The number of samples follows; otherwise they go up to the end of a full column.
const WITH_COUNT: u8 = 1 << 3;
/// Prometheus's number for XOR chunks, and the only encoding of late ones.
const XOR: u8 = 1;

/// What chunks are encoded against.
#[derive(Clone, Copy, Debug)]
struct Before {
    /// Where the time column of the chunk before is.
    column_at: u64,
    /// Bits of the constant chunk before.
    constant: Option<u64>,
}

/// Encodes a row.
#[derive(Debug)]
pub(super) struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    before: Before,
}

impl<'a> Encoder<'a> {
    /// Appends to `out`; the place of the first time column is written as its distance from
    /// `times_base`.
    pub(super) fn new(out: &'a mut Vec<u8>, times_base: u64) -> Self {
        let before = Before {
            column_at: times_base,
            constant: None,
        };
        Self { out, before }
    }

    /// Adds a chunk whose time column is at `column_at`.
    pub(super) fn in_order(&mut self, chunk: &OrderedChunk<'_>, column_at: u64) {
        let form = match chunk.values {
            ValuesRef::Stream(_) => STREAM,
            ValuesRef::Constant(bits) if self.before.constant == Some(bits) => CONSTANT_AGAIN,
            ValuesRef::Constant(_) => CONSTANT,
        };
        let has_start = chunk.start > 0;
        let has_count = u16::from(chunk.start) + u16::from(chunk.count) != CHUNK_SAMPLES_MAX;
        let out = &mut *self.out;
        let start_bit = if has_start { WITH_START } else { 0 };
        let count_bit = if has_count { WITH_COUNT } else { 0 };
        out.push(form | start_bit | count_bit);
        varint::put_i64(out, column_at.wrapping_sub(self.before.column_at) as i64);
        self.before.column_at = column_at;
        if has_start {
            out.push(chunk.start);
        }
        if has_count {
            out.push(chunk.count);
        }
        match chunk.values {
            ValuesRef::Stream(bytes) => {
                varint::put_u64(out, bytes.len() as u64);
                out.extend_from_slice(bytes);
            }
            ValuesRef::Constant(bits) => {
                if form == CONSTANT {
                    out.extend(bits.to_le_bytes());
                }
                self.before.constant = Some(bits);
            }
        }
    }

    /// Adds a late chunk.
    pub(super) fn late(&mut self, chunk: &LateChunk<'_>) {
        let out = &mut *self.out;
        out.push(LATE | XOR << 2);
        let (min_ms, max_ms) = (chunk.range.start_ms, chunk.range.end_ms);
        varint::put_i64(out, min_ms);
        varint::put_u64(out, max_ms.wrapping_sub(min_ms) as u64);
        let count = chunk.count.to_be_bytes();
        varint::put_u64(out, (count.len() + chunk.samples.len()) as u64);
        out.extend(count);
        out.extend_from_slice(chunk.samples);
    }
}

/// A chunk of a row.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part<'a> {
    /// Samples in order: values, and where their timestamps are.
    InOrder {
        column_at: u64,
        start: u8,
        count: u8,
        values: ValuesRef<'a>,
    },
    /// Late samples: a XOR chunk with its header.
    Late { range: TimeRange, xor: &'a [u8] },
}

/// Decodes a row.
#[derive(Debug)]
pub(super) struct Decoder<'a> {
    rest: &'a [u8],
    before: Before,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(row: &'a [u8], times_base: u64) -> Self {
        Self {
            rest: row,
            before: Before {
                column_at: times_base,
                constant: None,
            },
        }
    }

    /// The next chunk; none at the end.
    ///
    /// # Errors
    /// What is there is no chunk.
    pub(super) fn next_part(&mut self) -> Result<Option<Part<'a>>, &'static str> {
        let Some((&first, rest)) = self.rest.split_first() else {
            return Ok(None);
        };
        self.rest = rest;
        if first & FORM == LATE {
            if first >> 2 != XOR {
                return Err("the encoding of a late chunk is not known");
            }
            return self.late().map(Some).ok_or("a late chunk is cut short");
        }
        if first & !(FORM | WITH_START | WITH_COUNT) != 0 {
            return Err("the form of a chunk is not known");
        }
        if first & FORM == CONSTANT_AGAIN && self.before.constant.is_none() {
            return Err("a chunk repeats a value and none came before");
        }
        self.in_order(first).map(Some).ok_or("a chunk is cut short")
    }

    fn in_order(&mut self, first: u8) -> Option<Part<'a>> {
        let distance = varint::take_i64(&mut self.rest)?;
        let column_at = self.before.column_at.wrapping_add(distance as u64);
        self.before.column_at = column_at;
        let start = match first & WITH_START {
            0 => 0,
            _ => self.byte()?,
        };
        let count = match first & WITH_COUNT {
            0 => (CHUNK_SAMPLES_MAX as u8).checked_sub(start)?,
            _ => self.byte()?,
        };
        let values = match first & FORM {
            STREAM => ValuesRef::Stream(self.counted()?),
            form => {
                if form == CONSTANT {
                    let (&bits, rest) = self.rest.split_first_chunk()?;
                    self.rest = rest;
                    self.before.constant = Some(u64::from_le_bytes(bits));
                }
                ValuesRef::Constant(self.before.constant?)
            }
        };
        Some(Part::InOrder {
            column_at,
            start,
            count,
            values,
        })
    }

    fn late(&mut self) -> Option<Part<'a>> {
        let min_ms = varint::take_i64(&mut self.rest)?;
        let span_ms = varint::take_u64(&mut self.rest)?;
        let range = TimeRange::new(min_ms, min_ms.checked_add_unsigned(span_ms)?);
        let xor = self.counted()?;
        Some(Part::Late { range, xor })
    }

    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    /// As many bytes as the varint before them says.
    fn counted(&mut self) -> Option<&'a [u8]> {
        let bytes = usize::try_from(varint::take_u64(&mut self.rest)?).ok()?;
        let (counted, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(counted)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chunk::TimeColumn;

    /// A chunk in order as a test knows it: column, start, count; bits of a constant or a stream.
    type Chunk = (u64, u8, u8, Result<u64, Vec<u8>>);

    fn chunk() -> impl Strategy<Value = Chunk> {
        let values = prop_oneof![
            3 => (0..3u64).prop_map(Ok),
            1 => any::<u64>().prop_map(Ok),
            2 => prop::collection::vec(any::<u8>(), 0..300).prop_map(Err),
        ];
        let column = prop_oneof![4 => 0..2000u64, 1 => any::<u64>()];
        let start = prop_oneof![Just(0), 0..120u8];
        (column, start, prop_oneof![Just(120), 1..=120u8], values).prop_map(
            |(column, start, count, values)| (column, start, count.min(120 - start), values),
        )
    }

    fn late() -> impl Strategy<Value = (TimeRange, u16, Vec<u8>)> {
        let bytes = prop::collection::vec(any::<u8>(), 0..200);
        (any::<i64>(), any::<i64>(), any::<u16>(), bytes)
            .prop_map(|(a, b, count, bytes)| (TimeRange::new(a.min(b), a.max(b)), count, bytes))
    }

    fn values_of(values: &Result<u64, Vec<u8>>) -> ValuesRef<'_> {
        match values {
            Ok(bits) => ValuesRef::Constant(*bits),
            Err(bytes) => ValuesRef::Stream(bytes),
        }
    }

    proptest! {
        #[test]
        fn chunks_come_back(
            chunks in prop::collection::vec(chunk(), 0..12),
            lates in prop::collection::vec(late(), 0..3),
            times_base in prop_oneof![0..2000u64, any::<u64>()],
            cut in any::<prop::sample::Index>(),
        ) {
            let mut out = vec![9];
            let mut encoder = Encoder::new(&mut out, times_base);
            let times = TimeColumn::new(0);
            let mut ends = vec![0];
            for (column_at, start, count, values) in &chunks {
                let chunk = OrderedChunk {
                    column: 0,
                    times: &times,
                    start: *start,
                    count: *count,
                    values: values_of(values),
                };
                encoder.in_order(&chunk, *column_at);
                ends.push(encoder.out.len() - 1);
            }
            for (range, count, samples) in &lates {
                let (range, count) = (*range, *count);
                encoder.late(&LateChunk { range, count, samples });
                ends.push(encoder.out.len() - 1);
            }
            let row = &out[1..];
            let mut decoder = Decoder::new(row, times_base);
            let mut next = || decoder.next_part().unwrap();
            for (column_at, start, count, values) in &chunks {
                let expected = Part::InOrder {
                    column_at: *column_at,
                    start: *start,
                    count: *count,
                    values: values_of(values),
                };
                prop_assert_eq!(format!("{:?}", next()), format!("{:?}", Some(expected)));
            }
            for (range, count, samples) in &lates {
                let xor = [&count.to_be_bytes(), samples.as_slice()].concat();
                let expected = Part::Late { range: *range, xor: &xor };
                prop_assert_eq!(format!("{:?}", next()), format!("{:?}", Some(expected)));
            }
            prop_assert!(next().is_none());
            // A row cut within a chunk is refused there.
            let cut = cut.index(row.len() + 1);
            let mut decoder = Decoder::new(&row[..cut], times_base);
            let whole = ends.iter().filter(|&&end| end <= cut).count() - 1;
            for _ in 0..whole {
                prop_assert!(decoder.next_part().unwrap().is_some());
            }
            let at_end = ends.contains(&cut);
            prop_assert_eq!(decoder.next_part().is_ok_and(|part| part.is_none()), at_end);
        }
    }
}
