//! The bytes of a manifest: a header, then entries that each say what they are and how long.

use super::error::DecodeError;
use super::{BlockEntry, Manifest, SegmentEntry};
use crate::model::{Seq, TimeRange};

/// The format version this code writes, and the latest it reads.
const VERSION: u16 = 2;
/// The one before, which knew no blocks.
const VERSION_WITHOUT_BLOCKS: u16 = 1;
/// Length of the header.
pub(super) const HEADER_BYTES: usize = 32;
/// First bytes of the file. The line ends show a transfer as text.
const MAGIC: [u8; 8] = *b"SBKMAN\r\n";
/// Magic, version, header length and checksum stand here in every version.
const FIXED_BYTES: usize = 16;
const CRC_AT: usize = 12;
/// Kind, flags and length of an entry.
const ENTRY_HEADER_BYTES: usize = 8;
/// What holds for all; the first entry, and the only one of its kind.
const KIND_STATE: u16 = 1;
/// A live segment.
const KIND_SEGMENT: u16 = 2;
/// A live block.
const KIND_BLOCK: u16 = 3;
/// Flag of an entry that a reader may pass over if it does not know the kind.
const FLAG_OPTIONAL: u16 = 1;

/// The bytes of a manifest.
pub(super) fn encode(manifest: &Manifest) -> Vec<u8> {
    let mut out = vec![0; HEADER_BYTES];
    let state = [
        manifest.generation,
        manifest.next_segment,
        manifest.covered_seq.0,
        manifest.last_epoch,
        manifest.next_block,
    ];
    put_entry(&mut out, KIND_STATE, &state);
    for segment in &manifest.segments {
        let numbers = [
            segment.number,
            segment.epoch,
            segment.first_seq.0,
            segment.last_seq.0,
            segment.bytes,
            segment.range.start_ms as u64,
            segment.range.end_ms as u64,
        ];
        put_entry(&mut out, KIND_SEGMENT, &numbers);
    }
    for block in &manifest.blocks {
        let numbers = [
            block.number,
            block.first_seq.0,
            block.last_seq.0,
            block.bytes,
            block.range.start_ms as u64,
            block.range.end_ms as u64,
        ];
        put_entry(&mut out, KIND_BLOCK, &numbers);
    }
    seal(&mut out);
    out
}

fn put_entry(out: &mut Vec<u8>, kind: u16, numbers: &[u64]) {
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&0u16.to_le_bytes());
    out.extend_from_slice(&(8 * numbers.len() as u32).to_le_bytes());
    for number in numbers {
        out.extend_from_slice(&number.to_le_bytes());
    }
}

/// Fills in the header in front of the entries.
pub(super) fn seal(file: &mut [u8]) {
    let Some((header, entries)) = file.split_first_chunk_mut::<HEADER_BYTES>() else {
        return;
    };
    header[..8].copy_from_slice(&MAGIC);
    header[8..10].copy_from_slice(&VERSION.to_le_bytes());
    header[10..12].copy_from_slice(&(HEADER_BYTES as u16).to_le_bytes());
    header[16..24].copy_from_slice(&(entries.len() as u64).to_le_bytes());
    header[24..28].copy_from_slice(&crc32fast::hash(entries).to_le_bytes());
    let crc = header_crc(header);
    header[CRC_AT..FIXED_BYTES].copy_from_slice(&crc.to_le_bytes());
}

/// The checksum covers all of the header but itself.
pub(super) fn header_crc(header: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[..CRC_AT]);
    hasher.update(&header[FIXED_BYTES..]);
    hasher.finalize()
}

/// Reads a manifest back.
pub(super) fn decode(file: &[u8]) -> Result<Manifest, DecodeError> {
    let (version, mut entries) = check(file)?;
    let mut manifest = None;
    while !entries.is_empty() {
        let (kind, flags, payload) = take_entry(&mut entries)?;
        match (kind, &mut manifest) {
            (KIND_STATE, None) => manifest = Some(state(version, payload)?),
            (KIND_SEGMENT, Some(manifest)) => manifest.segments.push(segment(payload)?),
            (KIND_BLOCK, Some(manifest)) => manifest.blocks.push(block(payload)?),
            (KIND_STATE | KIND_SEGMENT | KIND_BLOCK, _) => {
                return Err(DecodeError::Damaged("an entry is out of place"));
            }
            _ if flags & FLAG_OPTIONAL != 0 => {}
            _ => {
                let reason = format!("it has an entry of the unknown kind {kind}");
                return Err(DecodeError::Newer(reason));
            }
        }
    }
    let manifest = manifest.ok_or(DecodeError::Damaged("its first entry is missing"))?;
    match manifest.contradiction() {
        Some(reason) => Err(DecodeError::Damaged(reason)),
        None => Ok(manifest),
    }
}

/// Checks the header and the checksums; gives the version and the bytes of the entries.
fn check(file: &[u8]) -> Result<(u16, &[u8]), DecodeError> {
    let short = DecodeError::Damaged("it is cut short");
    let Some(fixed) = file.first_chunk::<FIXED_BYTES>() else {
        return Err(short);
    };
    if fixed[..8] != MAGIC {
        return Err(DecodeError::Damaged(
            "it does not begin with its magic bytes",
        ));
    }
    let version = u16::from_le_bytes([fixed[8], fixed[9]]);
    let header_bytes = u16::from_le_bytes([fixed[10], fixed[11]]);
    let crc = u32::from_le_bytes([fixed[12], fixed[13], fixed[14], fixed[15]]);
    let Some((header, entries)) = file.split_at_checked(usize::from(header_bytes)) else {
        return Err(short);
    };
    if header.len() < FIXED_BYTES || header_crc(header) != crc {
        return Err(DecodeError::Damaged("the checksum of its header is wrong"));
    }
    // Only a whole header is believed: a flipped bit in the version is damage.
    if version > VERSION {
        let reason = format!("it has format {version}, this version knows up to {VERSION}");
        return Err(DecodeError::Newer(reason));
    }
    let Ok(header) = <&[u8; HEADER_BYTES]>::try_from(header) else {
        return Err(DecodeError::Damaged("its header has a wrong length"));
    };
    let [
        ..,
        l0,
        l1,
        l2,
        l3,
        l4,
        l5,
        l6,
        l7,
        c0,
        c1,
        c2,
        c3,
        _,
        _,
        _,
        _,
    ] = *header;
    if u64::from_le_bytes([l0, l1, l2, l3, l4, l5, l6, l7]) != entries.len() as u64 {
        return Err(DecodeError::Damaged("it is longer or shorter than written"));
    }
    if u32::from_le_bytes([c0, c1, c2, c3]) != crc32fast::hash(entries) {
        return Err(DecodeError::Damaged("the checksum of its entries is wrong"));
    }
    Ok((version, entries))
}

/// Takes an entry off the front: kind, flags, payload.
fn take_entry<'a>(entries: &mut &'a [u8]) -> Result<(u16, u16, &'a [u8]), DecodeError> {
    let short = DecodeError::Damaged("an entry is cut short");
    let Some((header, rest)) = entries.split_first_chunk::<ENTRY_HEADER_BYTES>() else {
        return Err(short);
    };
    let [k0, k1, f0, f1, l0, l1, l2, l3] = *header;
    let length = u32::from_le_bytes([l0, l1, l2, l3]);
    let flags = u16::from_le_bytes([f0, f1]);
    let Some((payload, rest)) = rest.split_at_checked(length as usize) else {
        return Err(short);
    };
    if flags & !FLAG_OPTIONAL != 0 {
        let reason = format!("an entry has the unknown flags {flags:#x}");
        return Err(DecodeError::Newer(reason));
    }
    *entries = rest;
    Ok((u16::from_le_bytes([k0, k1]), flags, payload))
}

/// The numbers of a payload, if there are as many as that.
fn numbers<const N: usize>(payload: &[u8]) -> Result<[u64; N], DecodeError> {
    let (eights, rest) = payload.as_chunks::<8>();
    match <&[[u8; 8]; N]>::try_from(eights) {
        Ok(eights) if rest.is_empty() => Ok(eights.map(u64::from_le_bytes)),
        _ => Err(DecodeError::Damaged("an entry has a wrong length")),
    }
}

fn state(version: u16, payload: &[u8]) -> Result<Manifest, DecodeError> {
    let ([generation, next_segment, covered_seq, last_epoch], next_block) = match version {
        ..=VERSION_WITHOUT_BLOCKS => (numbers(payload)?, 0),
        _ => {
            let [before @ .., next_block] = numbers::<5>(payload)?;
            (before, next_block)
        }
    };
    Ok(Manifest {
        generation,
        segments: Vec::new(),
        next_segment,
        blocks: Vec::new(),
        next_block,
        covered_seq: Seq(covered_seq),
        last_epoch,
    })
}

fn segment(payload: &[u8]) -> Result<SegmentEntry, DecodeError> {
    let [number, epoch, first_seq, last_seq, bytes, start, end] = numbers(payload)?;
    Ok(SegmentEntry {
        number,
        epoch,
        first_seq: Seq(first_seq),
        last_seq: Seq(last_seq),
        bytes,
        range: TimeRange::new(start as i64, end as i64),
    })
}

fn block(payload: &[u8]) -> Result<BlockEntry, DecodeError> {
    let [number, first_seq, last_seq, bytes, start, end] = numbers(payload)?;
    Ok(BlockEntry {
        number,
        first_seq: Seq(first_seq),
        last_seq: Seq(last_seq),
        bytes,
        range: TimeRange::new(start as i64, end as i64),
    })
}
