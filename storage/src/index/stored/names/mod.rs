//! The label table of a stored index: names, their values, and where the rows of each stand.
//!
//! The section begins with an entry for each name, in order of symbol: see [`Name`]. Behind them
//! each name has the groups of its values, [`GROUP`] values each (the last may have fewer), then
//! the table of these groups, then the symbol of the first value of each group, 4 bytes each.
//!
//! A group is varints: where the first list of its values begins in the postings, then for each
//! value the distance of its symbol from the one before (from 0 for the first) and its
//! [descriptor](super::postings::RowsAt): a single row, or length and form of its list. Lists of
//! a group lie one after the other.

mod reader;
mod writer;

use super::groups::OFFSET_BYTES;
use super::postings::ListRef;

pub(super) use reader::Names;
pub(super) use writer::write;

/// Values a group.
const GROUP: u32 = 32;
/// Bytes of the symbol of a group's first value.
const HEAD_BYTES: u64 = 4;

/// Bytes of a name's entry: symbol 4, number of values 4, end of its first values 5, offset of
/// the list of its rows 5, descriptor of that list 6, all little endian.
const NAME_BYTES: u64 = 4 + 4 + 2 * OFFSET_BYTES + DESCRIPTOR_BYTES;
/// Bytes of a descriptor of fixed length.
const DESCRIPTOR_BYTES: u64 = 6;

/// A name of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Name {
    /// Its symbol.
    pub(super) symbol: u32,
    /// How many values it has.
    pub(super) values: u32,
    /// Where the symbols of its groups' first values end in the section.
    end: u64,
    /// The rows that have it.
    pub(super) present: ListRef,
}

impl Name {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.symbol.to_le_bytes());
        out.extend_from_slice(&self.values.to_le_bytes());
        super::groups::put_offset(out, self.end);
        super::groups::put_offset(out, self.present.offset);
        let descriptor = self.present.descriptor().to_le_bytes();
        out.extend_from_slice(&descriptor[..DESCRIPTOR_BYTES as usize]);
    }

    fn decode(bytes: &[u8; NAME_BYTES as usize]) -> Option<Self> {
        let [
            s0,
            s1,
            s2,
            s3,
            v0,
            v1,
            v2,
            v3,
            e0,
            e1,
            e2,
            e3,
            e4,
            p0,
            p1,
            p2,
            p3,
            p4,
            d0,
            d1,
            d2,
            d3,
            d4,
            d5,
        ] = *bytes;
        let descriptor = u64::from_le_bytes([d0, d1, d2, d3, d4, d5, 0, 0]);
        let offset = u64::from_le_bytes([p0, p1, p2, p3, p4, 0, 0, 0]);
        Some(Self {
            symbol: u32::from_le_bytes([s0, s1, s2, s3]),
            values: u32::from_le_bytes([v0, v1, v2, v3]),
            end: u64::from_le_bytes([e0, e1, e2, e3, e4, 0, 0, 0]),
            present: ListRef::from_descriptor(descriptor, offset)?,
        })
    }
}
