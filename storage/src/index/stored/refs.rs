//! Where the parts of an index lie.

use super::postings::ListRef;
use crate::section::SectionRef;

/// Where the sections of an index lie, and what they count. The file that holds the index keeps
/// this under a checksum of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IndexRefs {
    pub(super) symbols: SectionRef,
    pub(super) names: SectionRef,
    pub(super) postings: SectionRef,
    pub(super) series: SectionRef,
    pub(super) rows: u32,
    pub(super) symbols_count: u32,
    pub(super) names_count: u32,
    pub(super) shapes_count: u32,
    /// The list of all rows that hold a series.
    pub(super) all: ListRef,
}

impl IndexRefs {
    /// Length of encoded references.
    pub const ENCODED_BYTES: usize = 4 * SectionRef::ENCODED_BYTES + 4 * 4 + 2 * 8;

    /// Where symbols, names, postings and series lie.
    pub(crate) fn section_refs(&self) -> [SectionRef; 4] {
        [self.symbols, self.names, self.postings, self.series]
    }

    /// The references of symbols, names, postings and series; rows, symbols, names and shapes, 4
    /// bytes each; offset and descriptor of the list of all rows, 8 each, little endian.
    pub fn encode(&self) -> [u8; Self::ENCODED_BYTES] {
        let mut out = Vec::with_capacity(Self::ENCODED_BYTES);
        for section in self.section_refs() {
            out.extend_from_slice(&section.encode());
        }
        for count in [
            self.rows,
            self.symbols_count,
            self.names_count,
            self.shapes_count,
        ] {
            out.extend_from_slice(&count.to_le_bytes());
        }
        out.extend_from_slice(&self.all.offset.to_le_bytes());
        out.extend_from_slice(&self.all.descriptor().to_le_bytes());
        let mut bytes = [0; Self::ENCODED_BYTES];
        bytes.copy_from_slice(&out);
        bytes
    }

    /// What [`IndexRefs::encode`] wrote; none where the list of all rows has no known form.
    /// Whether there are such places shows when the index is opened and read.
    pub fn decode(bytes: &[u8; Self::ENCODED_BYTES]) -> Option<Self> {
        let mut rest = &bytes[..];
        let symbols = SectionRef::decode(take(&mut rest)?);
        let names = SectionRef::decode(take(&mut rest)?);
        let postings = SectionRef::decode(take(&mut rest)?);
        let series = SectionRef::decode(take(&mut rest)?);
        let mut count = || Some(u32::from_le_bytes(*take(&mut rest)?));
        let (rows, symbols_count) = (count()?, count()?);
        let (names_count, shapes_count) = (count()?, count()?);
        let offset = u64::from_le_bytes(*take(&mut rest)?);
        let descriptor = u64::from_le_bytes(*take(&mut rest)?);
        Some(Self {
            symbols,
            names,
            postings,
            series,
            rows,
            symbols_count,
            names_count,
            shapes_count,
            all: ListRef::from_descriptor(descriptor, offset)?,
        })
    }
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (taken, later) = rest.split_first_chunk()?;
    *rest = later;
    Some(taken)
}
