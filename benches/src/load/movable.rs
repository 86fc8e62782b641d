//! Requests whose timestamps can be moved without compressing them anew, so that a load can be
//! sent again and again while its time goes on: compressing would take more CPU than the server
//! under test has for the request.
//!
//! In snappy's block format each byte of the message comes from a literal, perhaps by way of
//! copies. Where all bytes that come from a byte of a literal are the same byte of the same
//! timestamp, changing that one changes them all. Pieces of a message that are compressed each by
//! itself make a whole one when their elements are strung together, for copies look back by
//! distance. So a message is cut where its timestamp changes, and a piece in which a timestamp
//! shares a literal with something else is halved until it does not.

use std::ops::Range;

use crate::error::{About, Error, Result};

/// Bytes of a timestamp as a varint: those of milliseconds from February 1971 to May 2109 have
/// six.
const STAMP_BYTES: usize = 6;

/// Timestamps of that length.
const STAMPS_MS: Range<i64> = 1 << 35..1 << 42;

/// Where in a message a timestamp stands, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) at: usize,
    pub(crate) timestamp_ms: i64,
}

/// A byte of a compressed request that a timestamp comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patch {
    /// Its place in the request.
    pub(crate) at: u32,
    /// Which byte of the varint it is, from 0.
    pub(crate) index: u8,
    pub(crate) timestamp_ms: i64,
}

impl Patch {
    /// Puts the timestamp that is `shift_ms` later in the place of its own.
    ///
    /// # Errors
    /// A timestamp whose varint is longer or shorter; a place outside of the request.
    pub(crate) fn apply(&self, body: &mut [u8], shift_ms: i64) -> Result<()> {
        let moved = self.timestamp_ms.saturating_add(shift_ms);
        check_stamp(moved)?;
        let byte = body.get_mut(self.at as usize);
        let byte = byte.ok_or_else(|| Error::new("a patch outside of its request"))?;
        *byte = stamp_byte(moved, usize::from(self.index));
        Ok(())
    }
}

/// Refuses timestamps whose varint has another length.
fn check_stamp(timestamp_ms: i64) -> Result<()> {
    if STAMPS_MS.contains(&timestamp_ms) {
        return Ok(());
    }
    Err(Error::new(format!(
        "the timestamp {timestamp_ms} lies outside of 1971 to 2109, in which a load can move"
    )))
}

fn stamp_byte(timestamp_ms: i64, index: usize) -> u8 {
    let more = if index + 1 < STAMP_BYTES { 0x80 } else { 0 };
    (timestamp_ms >> (7 * index)) as u8 & 0x7f | more
}

/// Compresses a message, of which `stamps` are all timestamps in order.
///
/// # Errors
/// A timestamp that cannot be moved; a message longer than snappy allows.
pub(crate) fn compress(body: &[u8], stamps: &[Stamp]) -> Result<(Vec<u8>, Vec<Patch>)> {
    for stamp in stamps {
        check_stamp(stamp.timestamp_ms)?;
    }
    let mut out = Compressed {
        body,
        bytes: Vec::new(),
        patches: Vec::new(),
        snappy: snap::raw::Encoder::new(),
    };
    put_varint(&mut out.bytes, body.len() as u64);
    let pieces = stamps.chunk_by(|a, b| a.timestamp_ms == b.timestamp_ms);
    let mut begin = 0;
    let mut left = stamps.len();
    for piece in pieces {
        left -= piece.len();
        // What follows the last timestamp belongs to it.
        let end = if left == 0 { body.len() } else { end_of(piece) };
        out.piece(begin..end, piece)?;
        begin = end;
    }
    if stamps.is_empty() {
        out.piece(0..body.len(), &[])?;
    }
    Ok((out.bytes, out.patches))
}

fn end_of(stamps: &[Stamp]) -> usize {
    stamps.last().map_or(0, |stamp| stamp.at + STAMP_BYTES)
}

struct Compressed<'a> {
    body: &'a [u8],
    bytes: Vec<u8>,
    patches: Vec<Patch>,
    snappy: snap::raw::Encoder,
}

impl Compressed<'_> {
    /// Adds the elements of a part of the message, all of whose timestamps are the same.
    fn piece(&mut self, range: Range<usize>, stamps: &[Stamp]) -> Result<()> {
        let part = self.body.get(range.clone()).unwrap_or_default();
        let compressed = self.snappy.compress_vec(part).about("snappy")?;
        let mut elements = compressed.as_slice();
        take_varint(&mut elements);
        let sources = sources(elements, part.len());
        if let Some(patches) = sources.and_then(|sources| self.patches(&sources, &range, stamps)) {
            self.patches.extend(patches);
            self.bytes.extend_from_slice(elements);
            return Ok(());
        }
        let half = stamps.len() / 2;
        if half > 0 {
            let (first, second) = stamps.split_at(half);
            let middle = end_of(first);
            self.piece(range.start..middle, first)?;
            return self.piece(middle..range.end, second);
        }
        self.literal(&range, stamps);
        Ok(())
    }

    /// The patches of a piece whose elements will be the next; none where a timestamp shares a
    /// literal with something else.
    fn patches(
        &self,
        sources: &[u32],
        range: &Range<usize>,
        stamps: &[Stamp],
    ) -> Option<Vec<Patch>> {
        const UNUSED: u8 = 0;
        const OTHER: u8 = u8::MAX;
        let len = sources.iter().max().map_or(0, |max| *max as usize + 1);
        let mut roles = vec![UNUSED; len];
        let mut wanted = vec![OTHER; sources.len()];
        for stamp in stamps {
            let at = stamp.at.checked_sub(range.start)?;
            let bytes = wanted.get_mut(at..at + STAMP_BYTES)?;
            for (index, role) in bytes.iter_mut().enumerate() {
                *role = index as u8 + 1;
            }
        }
        for (source, role) in sources.iter().zip(&wanted) {
            let known = roles.get_mut(*source as usize)?;
            if *known == UNUSED {
                *known = *role;
            } else if *known != *role {
                return None;
            }
        }
        let timestamp_ms = stamps.first().map_or(0, |stamp| stamp.timestamp_ms);
        let patch = |(at, role): (usize, &u8)| Patch {
            at: (self.bytes.len() + at) as u32,
            index: role.wrapping_sub(1),
            timestamp_ms,
        };
        let stamped = roles.iter().enumerate();
        let stamped = stamped.filter(|(_, role)| ![UNUSED, OTHER].contains(*role));
        Some(stamped.map(patch).collect())
    }

    /// Adds a part of the message as it is.
    fn literal(&mut self, range: &Range<usize>, stamps: &[Stamp]) {
        let part = self.body.get(range.clone()).unwrap_or_default();
        if part.is_empty() {
            return;
        }
        self.bytes.push(63 << 2);
        let len = part.len() as u32 - 1;
        self.bytes.extend_from_slice(&len.to_le_bytes());
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(part);
        for stamp in stamps {
            let at = begin + stamp.at - range.start;
            self.patches.extend((0..STAMP_BYTES).map(|index| Patch {
                at: (at + index) as u32,
                index: index as u8,
                timestamp_ms: stamp.timestamp_ms,
            }));
        }
    }
}

/// For each byte of a message the place in its elements that it comes from; none where they are
/// not the elements of a message of that length.
fn sources(mut elements: &[u8], len: usize) -> Option<Vec<u32>> {
    let all = elements.len();
    let mut sources: Vec<u32> = Vec::with_capacity(len);
    while let Some((&tag, rest)) = elements.split_first() {
        elements = rest;
        let high = usize::from(tag >> 2);
        let (count, distance) = match tag & 3 {
            0 => {
                let more = high.saturating_sub(59);
                let count = if more > 0 {
                    take_le(&mut elements, more)?
                } else {
                    high
                } + 1;
                let at = (all - elements.len()) as u32;
                elements = elements.get(count..)?;
                sources.extend(at..at + count as u32);
                continue;
            }
            1 => (
                4 + (high & 7),
                usize::from(tag >> 5) << 8 | take_le(&mut elements, 1)?,
            ),
            2 => (1 + high, take_le(&mut elements, 2)?),
            _ => (1 + high, take_le(&mut elements, 4)?),
        };
        let from = sources.len().checked_sub(distance)?;
        for at in from..from + count {
            // It may overlap what it makes.
            sources.push(*sources.get(at)?);
        }
    }
    (sources.len() == len).then_some(sources)
}

/// A little-endian number of so many bytes, at most 4.
fn take_le(bytes: &mut &[u8], count: usize) -> Option<usize> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    let value = taken
        .iter()
        .rev()
        .fold(0, |value, byte| value << 8 | usize::from(*byte));
    Some(value)
}

fn take_varint(bytes: &mut &[u8]) {
    while let Some((byte, rest)) = bytes.split_first() {
        *bytes = rest;
        if *byte < 0x80 {
            break;
        }
    }
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BASE_MS: i64 = 1_700_000_000_123;

    /// A message of parts, each followed by a timestamp; and what it is after a shift.
    fn message(parts: &[(Vec<u8>, i64)], shift_ms: i64) -> (Vec<u8>, Vec<Stamp>) {
        let (mut body, mut stamps) = (Vec::new(), Vec::new());
        for (part, timestamp_ms) in parts {
            body.extend_from_slice(part);
            stamps.push(Stamp {
                at: body.len(),
                timestamp_ms: *timestamp_ms,
            });
            put_varint(&mut body, (timestamp_ms + shift_ms).cast_unsigned());
        }
        (body, stamps)
    }

    fn moved(parts: &[(Vec<u8>, i64)], shift_ms: i64) -> Result<(Vec<u8>, usize)> {
        let (body, stamps) = message(parts, 0);
        let (mut compressed, patches) = compress(&body, &stamps)?;
        let decoded = snap::raw::Decoder::new().decompress_vec(&compressed);
        assert_eq!(decoded.about("not moved")?, body);
        for patch in &patches {
            patch.apply(&mut compressed, shift_ms)?;
        }
        let decoded = snap::raw::Decoder::new().decompress_vec(&compressed);
        Ok((decoded.about("moved")?, compressed.len()))
    }

    #[test]
    fn a_scrape_moves_and_stays_small() -> Result<()> {
        let part = |n: u64| {
            let value = (n * 7 % 100) as f64;
            let labels = format!("node_cpu_seconds_total{n} job=node instance=10.0.0.1:9100 ");
            [labels.as_bytes(), &value.to_le_bytes(), b"\x10"].concat()
        };
        // Three targets, of which two share the upper bytes of their timestamps.
        let parts: Vec<_> = (0..2_000)
            .map(|n| (part(n), BASE_MS + (n / 700).cast_signed() * 9_000))
            .collect();
        for shift_ms in [0, 1, 7_215_000, -86_400_000, 1 << 33] {
            let (decoded, len) = moved(&parts, shift_ms)?;
            assert!(decoded == message(&parts, shift_ms).0, "{shift_ms}");
            assert!(len < decoded.len() / 3, "{len} of {}", decoded.len());
        }
        Ok(())
    }

    #[test]
    fn a_value_that_looks_like_the_timestamp_stays() -> Result<()> {
        let (stamp, _) = message(&[(Vec::new(), BASE_MS)], 0);
        let part = [b"some label, a value: ", &stamp[..], b"\x01\x02\x10"].concat();
        let parts = vec![(part, BASE_MS); 5];
        let (decoded, _) = moved(&parts, 60_000)?;
        assert_eq!(decoded, message(&parts, 60_000).0);
        assert_ne!(decoded, message(&parts, 0).0);
        Ok(())
    }

    #[test]
    fn what_cannot_move_is_refused() -> Result<()> {
        let (body, stamps) = message(&[(b"a".to_vec(), BASE_MS)], 0);
        let (mut compressed, patches) = compress(&body, &stamps)?;
        let error = patches[0].apply(&mut compressed, -BASE_MS).unwrap_err();
        assert!(error.to_string().contains("1971"), "{error}");
        assert!(patches[5].apply(&mut [0; 3], 0).is_err());
        let early = [Stamp {
            at: 1,
            timestamp_ms: 5,
        }];
        assert!(compress(&body, &early).is_err());
        assert_eq!(compress(b"abc", &[])?.1, []);
        Ok(())
    }

    proptest! {
        #[test]
        fn messages_move(
            // Bytes of few kinds, those of timestamps among them, so that much is copied.
            parts in prop::collection::vec(
                (
                    prop::collection::vec(prop::sample::select(vec![0, 1, 0x10, 0xfb, 0xd0, 0x31]), 0..90),
                    BASE_MS..BASE_MS + 4,
                ),
                0..60,
            ),
            shift_ms in -1_000_000_000_000_i64..1_000_000_000_000,
        ) {
            let (decoded, _) = moved(&parts, shift_ms).unwrap();
            prop_assert_eq!(decoded, message(&parts, shift_ms).0);
        }
    }
}
