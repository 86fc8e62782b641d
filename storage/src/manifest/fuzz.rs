//! What holds of manifests of any bytes.

use super::codec::{HEADER_BYTES, decode, encode, header_crc};
use super::{BlockEntry, Manifest, SegmentEntry};
use crate::model::{Seq, TimeRange};

/// Where the header says how long the entries are, and has their checksum and its own.
const LENGTH_AT: usize = 16;
const ENTRIES_CRC_AT: usize = 24;
const CRC_AT: usize = 12;

/// A manifest whose length and checksums are put right. What is read does not contradict itself
/// and comes back from what it is encoded to.
pub(crate) fn run(data: &[u8]) -> bool {
    // As it is, too: no input is known that gets past the checksums.
    let _refused = decode(data);
    let Ok(manifest) = decode(&mended(data)) else {
        return false;
    };
    assert_eq!(manifest.contradiction(), None);
    assert_eq!(decode(&encode(&manifest)), Ok(manifest));
    true
}

/// The same bytes with a length and checksums that are right.
pub(crate) fn mended(data: &[u8]) -> Vec<u8> {
    let mut file = data.to_vec();
    let Some((header, entries)) = file.split_first_chunk_mut::<HEADER_BYTES>() else {
        return file;
    };
    let length = (entries.len() as u64).to_le_bytes();
    header[LENGTH_AT..LENGTH_AT + 8].copy_from_slice(&length);
    let crc = crc32fast::hash(entries).to_le_bytes();
    header[ENTRIES_CRC_AT..ENTRIES_CRC_AT + 4].copy_from_slice(&crc);
    // The header's own length stands in it: what is whole is what that says.
    let header_bytes = usize::from(u16::from_le_bytes([header[10], header[11]]));
    let crc = match file.get(..header_bytes) {
        Some(header) if header_bytes >= HEADER_BYTES => header_crc(header),
        _ => 0,
    };
    if let Some(slot) = file.get_mut(CRC_AT..CRC_AT + 4) {
        slot.copy_from_slice(&crc.to_le_bytes());
    }
    file
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let segment = |number: u64| SegmentEntry {
        number,
        epoch: number + 1,
        first_seq: Seq(number * 10 + 1),
        last_seq: Seq(number * 10 + 9),
        bytes: 4096,
        range: TimeRange::new(number as i64 * 100, number as i64 * 100 + 99),
    };
    let block = |number: u64| BlockEntry {
        number,
        first_seq: Seq(number * 10 + 1),
        last_seq: Seq(number * 10 + 9),
        bytes: 1 << 20,
        range: TimeRange::new(-1000, 1000),
    };
    let manifest = |blocks: u64, segments: u64| Manifest {
        generation: 7,
        segments: (blocks..blocks + segments).map(segment).collect(),
        next_segment: blocks + segments,
        blocks: (0..blocks).map(block).collect(),
        next_block: blocks,
        covered_seq: Seq((blocks + segments) * 10),
        last_epoch: blocks + segments,
    };
    [(0, 0), (0, 1), (1, 0), (2, 3)]
        .map(|(blocks, segments)| encode(&manifest(blocks, segments)))
        .to_vec()
}
