//! Frames: a record's body with its seq and its checksums.

use crate::model::Seq;

use super::record::BODY_BYTES_MAX;

/// Length of the header in front of each body.
pub(super) const HEADER_BYTES: usize = 40;
/// Frames begin at multiples of this; zeros fill the gap after a body.
pub(super) const ALIGNMENT: usize = 8;
const HEADER_CRC_AT: usize = 36;

/// Checksum of a frame header. It begins with the number of the file and the place of the frame
/// in it: a frame that belongs elsewhere never passes. The header holds the checksum of the body
/// and so vouches for it.
fn header_crc(file_number: u64, at: usize, header: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&file_number.to_le_bytes());
    hasher.update(&(at as u64).to_le_bytes());
    hasher.update(&header[..HEADER_CRC_AT]);
    hasher.finalize()
}

/// What a frame header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FrameHeader {
    /// The record's place in the order of writes.
    pub(super) seq: Seq,
    /// Every record up to this one was durable when the frame was written; before `seq`.
    pub(super) durable_seq: Seq,
    /// The epoch of its file, once more: where the header of the file is damaged nothing else
    /// tells whose ids the record speaks of.
    pub(super) epoch: u64,
}

/// What stands at a place of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Parsed<'a> {
    /// A frame; the next one begins at `next`.
    Frame {
        header: FrameHeader,
        body: &'a [u8],
        next: usize,
    },
    /// A frame whose header is whole and whose body is not.
    BadBody { header: FrameHeader, next: usize },
    /// A whole header with flags that this version does not know.
    Newer { header: FrameHeader, flags: u32 },
    /// No frame header.
    Nothing,
}

/// Length of the frame around a body of that length.
pub(super) fn frame_bytes(body_bytes: usize) -> usize {
    HEADER_BYTES + body_bytes.next_multiple_of(ALIGNMENT)
}

/// Appends a frame that will stand at byte `at` of the file `file_number`. The body has at most
/// [`BODY_BYTES_MAX`] bytes.
pub(super) fn put(
    out: &mut Vec<u8>,
    file_number: u64,
    at: usize,
    header: FrameHeader,
    body: &[u8],
) {
    let start = out.len();
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&header.seq.0.to_le_bytes());
    out.extend_from_slice(&header.durable_seq.0.to_le_bytes());
    out.extend_from_slice(&header.epoch.to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(body);
    out.resize(start + frame_bytes(body.len()), 0);
    let frame = &mut out[start..];
    let body_crc = crc32fast::hash(&frame[HEADER_BYTES..]);
    frame[4..8].copy_from_slice(&body_crc.to_le_bytes());
    let header_crc = header_crc(file_number, at, frame);
    frame[HEADER_CRC_AT..HEADER_BYTES].copy_from_slice(&header_crc.to_le_bytes());
}

/// Length of the frame that `rest` begins with, as its first bytes claim, whole or not.
pub(super) fn claimed_bytes(rest: &[u8]) -> Option<usize> {
    let header = rest.first_chunk::<HEADER_BYTES>()?;
    let body_bytes = u32_at(header, 0) as usize;
    (body_bytes <= BODY_BYTES_MAX).then(|| frame_bytes(body_bytes))
}

/// Reads what `rest` begins with: the bytes from byte `at` of the file `file_number` on.
pub(super) fn parse(rest: &[u8], at: usize, file_number: u64) -> Parsed<'_> {
    let Some((header, rest)) = rest.split_first_chunk::<HEADER_BYTES>() else {
        return Parsed::Nothing;
    };
    let body_bytes = u32_at(header, 0) as usize;
    let body_crc = u32_at(header, 4);
    let seq = Seq(u64_at(header, 8));
    let durable_seq = Seq(u64_at(header, 16));
    let epoch = u64_at(header, 24);
    let flags = u32_at(header, 32);
    // Cheap first, for the search through damaged bytes.
    if body_bytes > BODY_BYTES_MAX || durable_seq >= seq {
        return Parsed::Nothing;
    }
    if header_crc(file_number, at, header) != u32_at(header, HEADER_CRC_AT) {
        return Parsed::Nothing;
    }
    let header = FrameHeader {
        seq,
        durable_seq,
        epoch,
    };
    if flags != 0 {
        return Parsed::Newer { header, flags };
    }
    let next = at + frame_bytes(body_bytes);
    match rest.get(..body_bytes.next_multiple_of(ALIGNMENT)) {
        Some(padded) if crc32fast::hash(padded) == body_crc => Parsed::Frame {
            header,
            body: &padded[..body_bytes],
            next,
        },
        _ => Parsed::BadBody { header, next },
    }
}

fn u32_at(header: &[u8; HEADER_BYTES], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&header[at..at + 4]);
    u32::from_le_bytes(number)
}

fn u64_at(header: &[u8; HEADER_BYTES], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&header[at..at + 8]);
    u64::from_le_bytes(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: FrameHeader = FrameHeader {
        seq: Seq(10),
        durable_seq: Seq(8),
        epoch: 2,
    };

    fn frame(body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, 3, 0, HEADER, body);
        out
    }

    #[test]
    fn a_frame_comes_back_padded() {
        for length in [0, 1, 7, 8, 9, 100] {
            let body = vec![0xa5; length];
            let bytes = frame(&body);
            assert_eq!(bytes.len() % ALIGNMENT, 0);
            let want = Parsed::Frame {
                header: HEADER,
                body: &body,
                next: bytes.len(),
            };
            assert_eq!(parse(&bytes, 0, 3), want);
            // Neither in another file nor at another place.
            assert_eq!(parse(&bytes, 0, 4), Parsed::Nothing);
            let moved = [&[0; 8], &bytes[..]].concat();
            assert_eq!(parse(&moved[8..], 8, 3), Parsed::Nothing);
        }
    }

    #[test]
    fn any_flipped_bit_and_any_cut_is_noticed() {
        let bytes = frame(b"some body");
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let parsed = parse(&flipped, 0, 3);
            if bit / 8 < HEADER_BYTES {
                assert_eq!(parsed, Parsed::Nothing, "bit {bit}");
            } else {
                let next = bytes.len();
                let header = HEADER;
                assert_eq!(parsed, Parsed::BadBody { header, next }, "bit {bit}");
            }
        }
        for length in 0..bytes.len() {
            let parsed = parse(&bytes[..length], 0, 3);
            assert!(!matches!(parsed, Parsed::Frame { .. }), "length {length}");
        }
    }

    #[test]
    fn flags_of_a_later_version_are_named() {
        let mut bytes = frame(b"x");
        bytes[32] = 4;
        let crc = header_crc(3, 0, &bytes);
        bytes[HEADER_CRC_AT..HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
        let (header, flags) = (HEADER, 4);
        assert_eq!(parse(&bytes, 0, 3), Parsed::Newer { header, flags });
    }
}
