//! Sections: parts of an immutable file under checksums by page.
//!
//! A section is its bytes, then the CRC32 of each [`PAGE_BYTES`] of them (the last page may be
//! shorter), 4 bytes each, little endian. A [`SectionRef`] says where it lies and carries the
//! checksum of the checksums. Whoever holds that reads any part of a section and pays for the
//! pages it touches alone: none of their bytes is handed out before it was checked.
//!
//! In a mapped file a page is checked once, and bytes are handed out where they lie. Should the
//! system lose them after that, they turn to zeros under the reader: so whatever is made of a
//! mapped file's bytes is made within [`guarded`].

mod guard;
mod reader;
mod stretch;
mod writer;

use thiserror::Error;

pub use guard::guarded;
pub use reader::{Bytes, Section};
pub use stretch::Stretch;
#[cfg(test)]
pub use tests::Raw;
pub use writer::{FileWriter, OpenSection, SectionWriter};

/// Bytes under one checksum.
pub const PAGE_BYTES: usize = 16 << 10;
/// Bytes of a checksum.
const CRC_BYTES: usize = 4;

/// Where a section lies in its file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SectionRef {
    /// Where its bytes begin in the file.
    pub offset: u64,
    /// How many bytes it has, the checksums of the pages after them not counted.
    pub bytes: u64,
    /// CRC32 of the checksums of the pages.
    pub crc: u32,
}

impl SectionRef {
    /// Length of an encoded reference.
    pub const ENCODED_BYTES: usize = 20;

    /// Offset, length and checksum, little endian.
    pub fn encode(&self) -> [u8; Self::ENCODED_BYTES] {
        let mut bytes = [0; Self::ENCODED_BYTES];
        bytes[..8].copy_from_slice(&self.offset.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.bytes.to_le_bytes());
        bytes[16..].copy_from_slice(&self.crc.to_le_bytes());
        bytes
    }

    /// What [`SectionRef::encode`] wrote. Whether there is such a place shows when it is read.
    pub fn decode(bytes: &[u8; Self::ENCODED_BYTES]) -> Self {
        let [
            o0,
            o1,
            o2,
            o3,
            o4,
            o5,
            o6,
            o7,
            b0,
            b1,
            b2,
            b3,
            b4,
            b5,
            b6,
            b7,
            c0,
            c1,
            c2,
            c3,
        ] = *bytes;
        Self {
            offset: u64::from_le_bytes([o0, o1, o2, o3, o4, o5, o6, o7]),
            bytes: u64::from_le_bytes([b0, b1, b2, b3, b4, b5, b6, b7]),
            crc: u32::from_le_bytes([c0, c1, c2, c3]),
        }
    }

    /// Where it ends in the file, with the checksums of its pages; none beyond 2^64.
    pub fn end(&self) -> Option<u64> {
        let checksums = self.pages().checked_mul(CRC_BYTES as u64)?;
        self.offset.checked_add(self.bytes)?.checked_add(checksums)
    }

    /// How many pages it has.
    fn pages(&self) -> u64 {
        self.bytes.div_ceil(PAGE_BYTES as u64)
    }
}

/// Why a part of a section cannot be handed out.
#[derive(Debug, Error)]
pub enum SectionError {
    /// The system refuses to read the file, or it ends before the section does.
    #[error("cannot read {bytes} bytes at {offset}: {source}")]
    Io {
        /// Where in the file.
        offset: u64,
        /// How much was wanted.
        bytes: u64,
        /// What the system says.
        source: std::io::Error,
    },
    /// A page is not what was written.
    #[error("the page at {offset} fails its checksum")]
    Checksum {
        /// Where the page begins in the file.
        offset: u64,
    },
    /// The checksums of the pages are not what was written.
    #[error("the checksums at {offset} fail theirs")]
    Checksums {
        /// Where they begin in the file.
        offset: u64,
    },
    /// An offset in the file's own data points outside of the section.
    #[error("{bytes} bytes at {offset} are asked of a section of {section_bytes}")]
    OutOfBounds {
        /// Where in the section.
        offset: u64,
        /// How much was wanted.
        bytes: u64,
        /// Length of the section.
        section_bytes: u64,
    },
}

#[cfg(test)]
mod tests;
