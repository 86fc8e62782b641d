//! Names and headers of log files.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::model::Seq;

/// The format version this code writes, and the latest it reads.
pub(super) const VERSION: u16 = 1;
/// Length of the file header; frames follow.
pub(super) const HEADER_BYTES: usize = 40;
/// First bytes of each file. The line ends show a transfer as text.
const MAGIC: [u8; 8] = *b"SBKWAL\r\n";
/// Magic, version, header length and checksum stand here in every version.
const FIXED_BYTES: usize = 16;
const CRC_AT: usize = 12;
const EXTENSION: &str = "wal";

/// What a file header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FileHeader {
    /// The number in the name of the file.
    pub(super) number: u64,
    /// Every record up to this one was durable when the file was created, and all records in it
    /// are later ones.
    pub(super) durable_seq: Seq,
    /// The epoch that the ids in its records belong to; 1 or higher.
    pub(super) epoch: u64,
}

/// Why a file header cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum HeaderError {
    /// It is whole and says that the file has a later format.
    Newer { version: u16 },
    /// It is not whole, or not that of this file.
    Damaged { reason: &'static str },
}

impl FileHeader {
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
        bytes[10..12].copy_from_slice(&(HEADER_BYTES as u16).to_le_bytes());
        bytes[16..24].copy_from_slice(&self.number.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.durable_seq.0.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.epoch.to_le_bytes());
        let crc = header_crc(&bytes);
        bytes[CRC_AT..FIXED_BYTES].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads the header of the file `number` off its first bytes.
    pub(super) fn decode(file: &[u8], number: u64) -> Result<Self, HeaderError> {
        let damaged = |reason| HeaderError::Damaged { reason };
        let short = damaged("the file header is cut short");
        let fixed: &[u8; FIXED_BYTES] = file.first_chunk().ok_or(short)?;
        if fixed[..8] != MAGIC {
            return Err(damaged(
                "the file does not begin with the WAL's magic bytes",
            ));
        }
        let version = u16::from_le_bytes([fixed[8], fixed[9]]);
        let header_bytes = u16::from_le_bytes([fixed[10], fixed[11]]);
        let crc = u32::from_le_bytes([fixed[12], fixed[13], fixed[14], fixed[15]]);
        let header = file.get(..usize::from(header_bytes)).ok_or(short)?;
        if header.len() < FIXED_BYTES || header_crc(header) != crc {
            return Err(damaged("the checksum of the file header is wrong"));
        }
        // Only a whole header is believed: a flipped bit in the version is damage.
        if version > VERSION {
            return Err(HeaderError::Newer { version });
        }
        let header: &[u8; HEADER_BYTES] = header.try_into().map_err(|_| short)?;
        let header = Self {
            number: u64_at(header, 16),
            durable_seq: Seq(u64_at(header, 24)),
            epoch: u64_at(header, 32),
        };
        if header.number != number {
            return Err(damaged("the file header is that of another file"));
        }
        if header.epoch == 0 {
            return Err(damaged("the file header names no epoch"));
        }
        Ok(header)
    }
}

/// The checksum covers all of the header but itself.
fn header_crc(header: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[..CRC_AT]);
    hasher.update(&header[FIXED_BYTES..]);
    hasher.finalize()
}

fn u64_at(bytes: &[u8; HEADER_BYTES], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

/// Where the file with that number is.
pub(super) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:020}.{EXTENSION}"))
}

/// The number of the file with that name; `None` for a name that is none of ours.
pub(super) fn number_of(name: &str) -> Option<u64> {
    let name = Path::new(name);
    if name.extension() != Some(OsStr::new(EXTENSION)) {
        return None;
    }
    let digits = name.file_stem()?.to_str()?;
    if digits.len() != 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// Whether a file of that name in the directory of a log is part of the log.
pub fn is_file_name(name: &str) -> bool {
    number_of(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: FileHeader = FileHeader {
        number: 7,
        durable_seq: Seq(41),
        epoch: 3,
    };

    #[test]
    fn names_sort_as_numbers() {
        let path = path(Path::new("/data/wal"), 12);
        assert_eq!(path.to_str(), Some("/data/wal/00000000000000000012.wal"));
        assert_eq!(number_of("00000000000000000012.wal"), Some(12));
        assert_eq!(number_of("18446744073709551615.wal"), Some(u64::MAX));
        for foreign in [
            "12.wal",
            "18446744073709551616.wal",
            "0000000000000000001x.wal",
            "00000000000000000012.tmp",
            "+0000000000000000012.wal",
            "lock",
        ] {
            assert_eq!(number_of(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_header_comes_back_and_any_flipped_bit_is_noticed() {
        let bytes = HEADER.encode();
        assert_eq!(FileHeader::decode(&bytes, 7), Ok(HEADER));
        assert!(FileHeader::decode(&bytes, 8).is_err());
        for bit in 0..HEADER_BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(
                matches!(
                    FileHeader::decode(&flipped, 7),
                    Err(HeaderError::Damaged { .. })
                ),
                "bit {bit}"
            );
        }
        let without_epoch = FileHeader { epoch: 0, ..HEADER }.encode();
        assert!(FileHeader::decode(&without_epoch, 7).is_err());
        for length in 0..HEADER_BYTES {
            assert!(FileHeader::decode(&bytes[..length], 7).is_err());
        }
    }

    #[test]
    fn a_whole_header_of_a_later_version_is_named() {
        // A later version may have a longer header.
        let mut bytes = [HEADER.encode().as_slice(), &[5; 8]].concat();
        bytes[8..10].copy_from_slice(&9u16.to_le_bytes());
        bytes[10..12].copy_from_slice(&48u16.to_le_bytes());
        let crc = header_crc(&bytes);
        bytes[CRC_AT..FIXED_BYTES].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(
            FileHeader::decode(&bytes, 7),
            Err(HeaderError::Newer { version: 9 })
        );
    }
}
