//! Snappy's block format, decompressed without guessing (ADR 12).
//!
//! Format: <https://github.com/google/snappy/blob/main/format_description.txt>. A varint says how
//! long the message is; then come elements, each a tag byte and what belongs to it: a literal is
//! bytes of the message, a copy is bytes that it had before.
//!
//! Whether the next element is a literal or a copy, and how long it is, no processor guesses
//! right, and a wrong guess costs as much as ten bytes. So both are done by the same instructions:
//! bytes of the body stand in front of the message, where literals are copied from as copies are;
//! [`WIDE`] bytes are copied whatever the length, and what is too much is written over by the next
//! element. What does not fit this (the last bytes, long literals, copies that overlap, anything
//! wrong) is done with care, an element at a time.

use std::hint::select_unpredictable;

use thiserror::Error;

/// Bytes of the body that stand before the message.
const WINDOW: usize = 4096;
/// What is copied at once: no copy is longer, and no literal whose tag holds its length.
const WIDE: usize = 64;
/// The longest header: a u32 as a varint.
const HEADER_BYTES_MAX: usize = 5;

/// Why a body is not in snappy's block format. Places count from the begin of the body, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub(super) enum Broken {
    #[error("it does not begin with a length below 4 GiB")]
    Header,
    #[error("it ends within the element at byte {at}")]
    Truncated { at: usize },
    #[error("the copy at byte {at} is of bytes before the first one")]
    Offset { at: usize },
    #[error("it says that it has {expected} bytes, and the element at byte {at} goes past them")]
    TooLong { expected: usize, at: usize },
    #[error("it says that it has {expected} bytes and has {found}")]
    TooShort { expected: usize, found: usize },
}

/// How many bytes a body says that it has, decompressed.
///
/// # Errors
/// It does not say.
pub(super) fn decoded_len(body: &[u8]) -> Result<usize, Broken> {
    header(body).map(|(len, _)| len)
}

/// Decompresses a body into memory that is used again: `buffer` grows by what it needs, which is
/// little more than [`decoded_len`].
///
/// # Errors
/// Bytes that are not of this format, or not as many as they say.
pub(super) fn decode<'a>(body: &[u8], buffer: &'a mut Vec<u8>) -> Result<&'a [u8], Broken> {
    let (expected, at) = header(body)?;
    let end = WINDOW.saturating_add(expected);
    if buffer.len() < end {
        buffer.resize(end, 0);
    }
    let mut decoder = Decoder {
        body,
        at,
        buffer: buffer.get_mut(..end).unwrap_or_default(),
        end: WINDOW,
        window: 0..0,
    };
    decoder.all()?;
    match decoder.end - WINDOW {
        found if found < expected => Err(Broken::TooShort { expected, found }),
        _ => Ok(buffer.get(WINDOW..end).unwrap_or_default()),
    }
}

/// The length of the message, and where the first element begins.
fn header(body: &[u8]) -> Result<(usize, usize), Broken> {
    let mut len = 0u64;
    for (place, &byte) in body.iter().take(HEADER_BYTES_MAX).enumerate() {
        len |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            let len = u32::try_from(len).map_err(|_| Broken::Header)?;
            return Ok((len as usize, place + 1));
        }
    }
    Err(Broken::Header)
}

/// What a tag says, where that can be done without a look. Aligned, so that the place of one is
/// worked out at once.
#[derive(Clone, Copy)]
#[repr(align(8))]
struct Tag {
    /// Bytes of the message, from 1 to [`WIDE`].
    len: u16,
    /// Which bits of the two bytes after the tag are of the offset, and those that it has itself.
    offset_mask: u16,
    offset_high: u16,
}

/// The tag of what needs care: an offset less than the length.
const CARE: Tag = Tag {
    len: 1,
    offset_mask: 0,
    offset_high: 0,
};

static TAGS: [Tag; 256] = {
    let mut tags = [CARE; 256];
    let mut tag = 0;
    while tag < tags.len() {
        let high = tag as u16 >> 2;
        tags[tag] = match tag & 3 {
            // Whose offset is not used, but passes the check of one.
            0 if high < 60 => Tag {
                len: high + 1,
                offset_mask: 0,
                offset_high: WIDE as u16,
            },
            1 => Tag {
                len: (high & 7) + 4,
                offset_mask: 0xff,
                offset_high: high >> 3 << 8,
            },
            2 => Tag {
                len: high + 1,
                offset_mask: 0xffff,
                offset_high: 0,
            },
            _ => CARE,
        };
        tag += 1;
    }
    tags
};

struct Decoder<'a, 'b> {
    body: &'a [u8],
    /// Where in the body the next element begins.
    at: usize,
    /// The window, then the message.
    buffer: &'b mut [u8],
    /// Where in the buffer the message ends so far.
    end: usize,
    /// Which bytes of the body the window has.
    window: std::ops::Range<usize>,
}

impl Decoder<'_, '_> {
    fn all(&mut self) -> Result<(), Broken> {
        while self.at < self.body.len() {
            self.many();
            if self.at < self.body.len() {
                self.one()?;
            }
        }
        Ok(())
    }

    /// Reads elements up to one that needs care.
    fn many(&mut self) {
        while self.fill() {
            let limit = self.window.len() - WIDE;
            let place = self.at - self.window.start;
            let (place, end) = run(self.buffer, place, limit, self.end);
            (self.at, self.end) = (self.window.start + place, end);
            if place < limit {
                return;
            }
        }
    }

    /// Sees to it that the window has the next elements; not so at the end of the body, of which
    /// [`WIDE`] bytes are read one by one.
    fn fill(&mut self) -> bool {
        if self.at + WIDE < self.window.end {
            return true;
        }
        let end = self.body.len().min(self.at + WINDOW);
        let next = self.body.get(self.at..end).unwrap_or_default();
        let window = self.buffer.get_mut(..next.len()).unwrap_or_default();
        window.copy_from_slice(next);
        self.window = self.at..end;
        window.len() > WIDE
    }

    /// Reads an element, whatever it is.
    fn one(&mut self) -> Result<(), Broken> {
        let truncated = Broken::Truncated { at: self.at };
        let rest = self.body.get(self.at..).unwrap_or_default();
        let (&tag, rest) = rest.split_first().ok_or(truncated)?;
        let high = usize::from(tag >> 2);
        let number_bytes = match tag & 3 {
            0 => high.saturating_sub(59),
            1 => 1,
            2 => 2,
            _ => 4,
        };
        let (number, rest) = rest.split_at_checked(number_bytes).ok_or(truncated)?;
        let low_last = number.iter().rev();
        let number = low_last.fold(0, |number, &byte| number << 8 | usize::from(byte));
        let element_bytes = match tag & 3 {
            0 => {
                let len = 1 + if number_bytes > 0 { number } else { high };
                let literal = rest.get(..len).ok_or(truncated)?;
                self.room(len)?.copy_from_slice(literal);
                self.end += len;
                1 + number_bytes + len
            }
            kind => {
                let (offset, len) = match kind {
                    1 => (number | high >> 3 << 8, (high & 7) + 4),
                    _ => (number, high + 1),
                };
                self.copy(offset, len)?;
                1 + number_bytes
            }
        };
        self.at += element_bytes;
        Ok(())
    }

    /// Where the next bytes of the message go.
    fn room(&mut self, len: usize) -> Result<&mut [u8], Broken> {
        let too_long = Broken::TooLong {
            expected: self.buffer.len() - WINDOW,
            at: self.at,
        };
        let rest = self.buffer.get_mut(self.end..).unwrap_or_default();
        rest.get_mut(..len).ok_or(too_long)
    }

    /// Copies `len` bytes, 64 at most, from `offset` bytes ago. Where they are not there yet, they
    /// are those before them over and over.
    fn copy(&mut self, offset: usize, len: usize) -> Result<(), Broken> {
        if offset == 0 || offset > self.end - WINDOW {
            return Err(Broken::Offset { at: self.at });
        }
        self.room(len)?;
        let from = self.end - offset;
        let to = self.end + len;
        while self.end < to {
            let bytes = (self.end - from).min(to - self.end);
            self.buffer.copy_within(from..from + bytes, self.end);
            self.end += bytes;
        }
        Ok(())
    }
}

/// Reads elements from `place` of the window on to `end` of the buffer, until `limit`, the last
/// [`WIDE`] bytes of the message or an element that needs care. Returns where both are then.
///
/// Nearly all the time goes where the next element begins: the processor does the rest
/// meanwhile. So that is worked out from the tag alone, in as few steps as there can be. Not
/// inlined, so that all of it stays in registers.
#[inline(never)]
fn run(buffer: &mut [u8], place: usize, limit: usize, end: usize) -> (usize, usize) {
    let (mut place, mut end) = (place, end);
    // Said here, so that it is not checked each time.
    let limit = limit.min(WINDOW);
    let Some(end_max) = buffer.len().checked_sub(WIDE) else {
        return (place, end);
    };
    while place < limit && end <= end_max {
        let Some(&[tag, b0, b1]) = chunk(buffer, place) else {
            break;
        };
        let tag = usize::from(tag);
        let Tag {
            len,
            offset_mask,
            offset_high,
        } = TAGS[tag];
        let len = usize::from(len);
        let offset = usize::from(u16::from_le_bytes([b0, b1]) & offset_mask | offset_high);
        if offset < len || offset > end - WINDOW {
            break;
        }
        let (kind, high) = (tag & 3, tag >> 2);
        let is_literal = kind == 0;
        let from = select_unpredictable(is_literal, place + 1, end - offset);
        let Some(&bytes) = chunk::<WIDE>(buffer, from) else {
            break;
        };
        let Some(out) = buffer.get_mut(end..end + WIDE) else {
            break;
        };
        out.copy_from_slice(&bytes);
        end += len;
        place = select_unpredictable(is_literal, place + 2 + high, place + 1 + kind);
    }
    (place, end)
}

#[inline(always)]
fn chunk<const N: usize>(buffer: &[u8], from: usize) -> Option<&[u8; N]> {
    buffer.get(from..from.wrapping_add(N))?.first_chunk()
}

#[cfg(test)]
mod tests;
