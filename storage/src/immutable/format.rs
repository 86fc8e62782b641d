//! What kinds of files there are: their names and headers.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// A kind of file, and the version of its format that this code writes, the latest it reads.
#[derive(Debug)]
pub struct Format {
    /// What errors call such a file.
    pub noun: &'static str,
    /// First bytes of each file. The line ends show a transfer as text.
    pub magic: [u8; 8],
    /// What names end with, after a dot.
    pub extension: &'static str,
    /// The version.
    pub version: u16,
    /// The section that holds most of a file.
    pub main_section: &'static str,
}

/// Length of the file header; sections follow.
pub const HEADER_BYTES: usize = 24;
/// Magic, version, header length and checksum stand here in every version.
const FIXED_BYTES: usize = 16;
const CRC_AT: usize = 12;
/// What follows the name of a file that is being written.
const TEMPORARY: &str = ".tmp";

/// Why a header or a footer cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unusable {
    /// It is whole and asks for a later version.
    Newer(String),
    /// It is not whole, or not that of this file.
    Damaged(&'static str),
}

impl Format {
    pub(super) fn newer(&self, version: u16) -> Unusable {
        let (noun, known) = (self.noun, self.version);
        Unusable::Newer(format!(
            "{noun} format {version}, this version knows up to {known}"
        ))
    }

    /// The header of the file with that number.
    pub(super) fn encode_header(&self, number: u64) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&self.magic);
        bytes[8..10].copy_from_slice(&self.version.to_le_bytes());
        bytes[10..12].copy_from_slice(&(HEADER_BYTES as u16).to_le_bytes());
        bytes[16..24].copy_from_slice(&number.to_le_bytes());
        let crc = header_crc(&bytes);
        bytes[CRC_AT..FIXED_BYTES].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// How long the header says it is, from the first bytes of a file.
    pub(super) fn header_length(&self, file: &[u8]) -> Result<usize, Unusable> {
        let short = Unusable::Damaged("the file header is cut short");
        let fixed: &[u8; FIXED_BYTES] = file.first_chunk().ok_or(short)?;
        if fixed[..8] != self.magic {
            let reason = "the file does not begin with the magic bytes of its kind";
            return Err(Unusable::Damaged(reason));
        }
        Ok(usize::from(u16::from_le_bytes([fixed[10], fixed[11]])))
    }

    /// Checks the header of the file with that number, which has the length that it says.
    pub(super) fn check_header(&self, header: &[u8], number: u64) -> Result<(), Unusable> {
        let damaged = |reason| Err(Unusable::Damaged(reason));
        let Some(fixed) = header.first_chunk::<FIXED_BYTES>() else {
            return damaged("the file header is cut short");
        };
        let crc = u32::from_le_bytes([fixed[12], fixed[13], fixed[14], fixed[15]]);
        if header_crc(header) != crc {
            return damaged("the checksum of the file header is wrong");
        }
        // Only a whole header is believed: a flipped bit in the version is damage.
        let version = u16::from_le_bytes([fixed[8], fixed[9]]);
        if version > self.version {
            return Err(self.newer(version));
        }
        if header.get(FIXED_BYTES..HEADER_BYTES) != Some(&number.to_le_bytes()[..]) {
            return damaged("the file header is that of another file");
        }
        Ok(())
    }

    /// Where the file with that number is.
    pub fn path(&self, dir: &Path, number: u64) -> PathBuf {
        dir.join(self.file_name(number))
    }

    pub(super) fn file_name(&self, number: u64) -> String {
        format!("{number:020}.{}", self.extension)
    }

    /// The name of that file while it is written.
    pub(super) fn temporary_name(&self, number: u64) -> String {
        self.file_name(number) + TEMPORARY
    }

    /// The number of the file with that name; `None` for a name that is none of this kind.
    pub fn number_of(&self, name: &str) -> Option<u64> {
        let name = Path::new(name);
        if name.extension() != Some(OsStr::new(self.extension)) {
            return None;
        }
        let digits = name.file_stem()?.to_str()?;
        if digits.len() != 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        digits.parse().ok()
    }

    /// Whether a file of that name is of this kind, or one that was being written when the
    /// process stopped, which may be removed.
    pub fn is_file_name(&self, name: &str) -> bool {
        let name = name.strip_suffix(TEMPORARY).unwrap_or(name);
        self.number_of(name).is_some()
    }
}

/// The checksum covers all of the header but itself.
fn header_crc(header: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header.get(..CRC_AT).unwrap_or(&[]));
    hasher.update(header.get(FIXED_BYTES..).unwrap_or(&[]));
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: Format = Format {
        noun: "x",
        magic: *b"SBKXXX\r\n",
        extension: "seg",
        version: 1,
        main_section: "y",
    };

    #[test]
    fn names_sort_as_numbers() {
        let path = FORMAT.path(Path::new("/data/segments"), 12);
        let expected = "/data/segments/00000000000000000012.seg";
        assert_eq!(path.to_str(), Some(expected));
        assert_eq!(FORMAT.number_of("00000000000000000012.seg"), Some(12));
        assert_eq!(FORMAT.number_of("18446744073709551615.seg"), Some(u64::MAX));
        assert!(
            FORMAT.is_file_name(&FORMAT.file_name(3))
                && FORMAT.is_file_name(&FORMAT.temporary_name(3))
        );
        for foreign in [
            "12.seg",
            "18446744073709551616.seg",
            "+000000000000000000.seg",
        ] {
            assert_eq!(FORMAT.number_of(foreign), None, "{foreign}");
            assert!(!FORMAT.is_file_name(foreign));
        }
        assert_eq!(FORMAT.number_of(&FORMAT.temporary_name(3)), None);
    }

    #[test]
    fn any_flipped_bit_of_a_header_is_noticed() {
        let bytes = FORMAT.encode_header(7);
        assert_eq!(FORMAT.header_length(&bytes), Ok(HEADER_BYTES));
        assert_eq!(FORMAT.check_header(&bytes, 7), Ok(()));
        assert!(FORMAT.check_header(&bytes, 8).is_err());
        for bit in 0..HEADER_BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            let checked = FORMAT
                .header_length(&flipped)
                .and_then(|_| FORMAT.check_header(&flipped, 7));
            assert!(matches!(checked, Err(Unusable::Damaged(_))), "bit {bit}");
        }
        for length in 0..HEADER_BYTES {
            assert!(FORMAT.check_header(&bytes[..length], 7).is_err());
        }
    }

    #[test]
    fn a_whole_header_of_a_later_version_is_named() {
        // A later version may have a longer header.
        let mut bytes = [FORMAT.encode_header(7).as_slice(), &[5; 8]].concat();
        bytes[8..10].copy_from_slice(&9u16.to_le_bytes());
        bytes[10..12].copy_from_slice(&32u16.to_le_bytes());
        let crc = header_crc(&bytes);
        bytes[CRC_AT..FIXED_BYTES].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(FORMAT.header_length(&bytes), Ok(32));
        assert_eq!(FORMAT.check_header(&bytes, 7), Err(FORMAT.newer(9)));
    }
}
