//! Long columns in chunks, so that a range is read without all that stands before it.
//!
//! First, for each chunk but the last, a varint of its length in bytes; then the chunks, each of
//! [`CHUNK_SAMPLES`] samples but the last, which has the rest. So a column of one chunk is that
//! chunk and nothing else. No chunk is empty: a first length of 0 ([`UNCUT`]) says that the one
//! value that follows is that of all samples.

use super::error::{ColumnError, Fault};
use crate::codec::varint;

/// In the place of the first length: what follows stands for all samples, whatever their number.
pub(super) const UNCUT: u8 = 0;
/// Samples of a chunk: two hours of a scrape in 15 s.
pub(super) const CHUNK_SAMPLES: usize = 480;

/// Appends a column's items in chunks, each of them as `encode` appends it.
pub(super) fn encode<T>(
    items: &[T],
    out: &mut Vec<u8>,
    mut encode: impl FnMut(&[T], &mut Vec<u8>),
) {
    let mut bodies = Vec::new();
    let mut chunks = items.chunks(CHUNK_SAMPLES).peekable();
    while let Some(chunk) = chunks.next() {
        let start = bodies.len();
        encode(chunk, &mut bodies);
        if chunks.peek().is_some() {
            varint::put_u64(out, (bodies.len() - start) as u64);
        }
    }
    out.extend_from_slice(&bodies);
}

/// The chunks of a column that is read.
#[derive(Debug)]
struct Chunks<'a> {
    /// What is left of the lengths.
    lengths: &'a [u8],
    /// What is left of the bodies.
    bodies: &'a [u8],
    /// How many samples are left.
    samples: usize,
}

impl<'a> Chunks<'a> {
    /// The chunks of a column of `samples` samples, in what stands after its tag.
    fn new(input: &'a [u8], samples: usize) -> Result<Self, Fault> {
        let mut bodies = input;
        for _ in 1..samples.div_ceil(CHUNK_SAMPLES) {
            varint::take_u64(&mut bodies).ok_or(Fault::Truncated)?;
        }
        Ok(Self {
            lengths: input,
            bodies,
            samples,
        })
    }

    /// The next chunk's bytes and samples; none after the last.
    fn next_chunk(&mut self) -> Result<Option<(&'a [u8], usize)>, Fault> {
        let samples = self.samples.min(CHUNK_SAMPLES);
        self.samples -= samples;
        if self.samples == 0 {
            let last = std::mem::take(&mut self.bodies);
            return Ok((samples > 0).then_some((last, samples)));
        }
        let length = varint::take_u64(&mut self.lengths).ok_or(Fault::Truncated)?;
        let length = usize::try_from(length).map_err(|_| Fault::Truncated)?;
        let (chunk, rest) = self
            .bodies
            .split_at_checked(length)
            .ok_or(Fault::Truncated)?;
        self.bodies = rest;
        Ok(Some((chunk, samples)))
    }
}

/// Reads samples from `start` on, as many as `out` takes, of the `count` that stand in `bytes` as
/// chunks, each as `decode` reads it. Chunks without any of them are passed over.
#[inline]
pub(super) fn decode<T: Copy + Default>(
    bytes: &[u8],
    count: usize,
    start: usize,
    out: &mut [T],
    decode: impl Fn(&mut &[u8], &mut [T]) -> Result<(), Fault>,
) -> Result<(), ColumnError> {
    let at = |left: usize| {
        move |fault| ColumnError {
            fault,
            offset: bytes.len() - left.min(bytes.len()),
        }
    };
    let in_range = start.checked_add(out.len()).is_some_and(|end| end <= count);
    if !in_range {
        return Err(at(bytes.len())(Fault::Range));
    }
    if count == 0 && !bytes.is_empty() {
        return Err(at(bytes.len())(Fault::Trailing(bytes.len())));
    }
    let mut chunks = Chunks::new(bytes, count).map_err(at(bytes.len()))?;
    let mut skip = start;
    let mut rest = out;
    while !rest.is_empty()
        && let Some((chunk, samples)) = chunks.next_chunk().map_err(at(chunks.bodies.len()))?
    {
        if skip >= samples {
            skip -= samples;
            continue;
        }
        let after = chunks.bodies.len();
        let mut input = chunk;
        let wanted = rest.len().min(samples - skip);
        let (slots, later) = rest.split_at_mut(wanted);
        let decoded = if wanted == samples {
            decode(&mut input, slots)
        } else {
            let mut whole = vec![T::default(); samples];
            decode(&mut input, &mut whole).map(|()| {
                let from = whole.get(skip..skip + wanted).unwrap_or_default();
                slots.copy_from_slice(from);
            })
        };
        decoded.map_err(|fault| at(input.len() + after)(fault))?;
        if !input.is_empty() {
            return Err(at(input.len() + after)(Fault::Trailing(input.len())));
        }
        skip = 0;
        rest = later;
    }
    Ok(())
}

/// Reads samples of a column that one value stands for, after the mark that says so.
pub(super) fn decode_uncut<T>(
    bytes: &[u8],
    count: usize,
    start: usize,
    out: &mut [T],
    decode: impl Fn(&mut &[u8], &mut [T]) -> Result<(), Fault>,
) -> Result<(), ColumnError> {
    let mut input = bytes;
    let decoded = match start.checked_add(out.len()) {
        Some(end) if end <= count => decode(&mut input, out),
        _ => Err(Fault::Range),
    };
    let decoded = decoded.and(match input.len() {
        0 => Ok(()),
        left => Err(Fault::Trailing(left)),
    });
    decoded.map_err(|fault| ColumnError {
        fault,
        offset: 1 + bytes.len() - input.len(),
    })
}
