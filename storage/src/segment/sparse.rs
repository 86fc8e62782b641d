//! Bytes of few rows: what most rows have none of.
//!
//! Rows stand in blocks, as in the table of rows. A block is the bytes of its rows, one after the
//! other, then an entry of [`ENTRY_BYTES`] for each row that has some. At the end of the section
//! stands a table with [`HEADER_BYTES`] a block. So a row without any costs nothing, and a block
//! without any so much as to say so.

use super::rows::BLOCK_ROWS;
use crate::immutable::Fault;
use crate::section::{Bytes, Stretch};

/// Place of the row in its block, and where its bytes end, from those of the block's first.
const ENTRY_BYTES: usize = 6;
/// Where the bytes of a block begin, their length, and the number of its entries.
const HEADER_BYTES: usize = 16;

/// Entries and table while rows are added, in rising order.
#[derive(Debug, Default)]
pub(super) struct SparseTable {
    /// Blocks that are complete.
    table: Vec<u8>,
    /// Entries of the block that is added to.
    entries: Vec<u8>,
    /// Where its bytes begin.
    begin: u64,
    /// Where those of its last row end, from `begin`.
    end: u32,
}

impl SparseTable {
    /// Whether no row has any.
    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty() && self.entries.is_empty()
    }

    /// Ends the blocks before that of `row`; what is to be written goes to `out`, whose end is
    /// at `at` in the section. The bytes of the row follow.
    pub(super) fn begin(&mut self, row: u32, at: u64, out: &mut Vec<u8>) {
        self.end_blocks(row / BLOCK_ROWS, at, out);
    }

    /// Adds the row that was begun last; its bytes, at least one, end at `end`. None if the
    /// block has more than 4 GiB.
    pub(super) fn add(&mut self, row: u32, end: u64) -> Option<()> {
        self.end = u32::try_from(end - self.begin).ok()?;
        self.entries
            .extend(((row % BLOCK_ROWS) as u16).to_le_bytes());
        self.entries.extend(self.end.to_le_bytes());
        Some(())
    }

    /// Ends the section of a segment with so many rows, as [`SparseTable::begin`].
    pub(super) fn finish(&mut self, rows: u32, at: u64, out: &mut Vec<u8>) {
        self.end_blocks(rows.div_ceil(BLOCK_ROWS), at, out);
        out.append(&mut self.table);
    }

    fn end_blocks(&mut self, blocks: u32, mut at: u64, out: &mut Vec<u8>) {
        while self.table.len() / HEADER_BYTES < blocks as usize {
            let entries = (self.entries.len() / ENTRY_BYTES) as u32;
            self.table.extend(self.begin.to_le_bytes());
            self.table.extend(self.end.to_le_bytes());
            self.table.extend(entries.to_le_bytes());
            at += self.entries.len() as u64;
            out.append(&mut self.entries);
            (self.begin, self.end) = (at, 0);
        }
    }
}

/// Finds the bytes of rows.
#[derive(Debug)]
pub(super) struct SparseRows<'a> {
    name: &'static str,
    rows: u32,
    /// Where the table begins; none where the section is too short for it.
    table_at: Option<u64>,
    table: Stretch<'a>,
    entries: Stretch<'a>,
    bytes: Stretch<'a>,
}

/// A block, as its header says.
struct Block {
    begin: u64,
    length: u32,
    entries: u32,
}

impl<'a> SparseRows<'a> {
    /// Of the section `name` of a segment with so many rows.
    pub(super) fn new(name: &'static str, rows: u32, section: &'a dyn Bytes) -> Self {
        let table_bytes = u64::from(rows.div_ceil(BLOCK_ROWS)) * HEADER_BYTES as u64;
        Self {
            name,
            rows,
            table_at: section.len().checked_sub(table_bytes),
            table: Stretch::new(section),
            entries: Stretch::new(section),
            bytes: Stretch::new(section),
        }
    }

    /// As [`Stretch::begin`].
    pub(super) fn begin(&mut self) {
        self.table.begin();
        self.entries.begin();
        self.bytes.begin();
    }

    /// The name of the section.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Whether a row has any.
    pub(super) fn contains(&mut self, row: u32) -> Result<bool, Fault> {
        Ok(self.find(row)?.is_some())
    }

    /// The bytes of a row, if it has any.
    pub(super) fn get(&mut self, row: u32) -> Result<Option<&[u8]>, Fault> {
        let Some((at, length)) = self.find(row)? else {
            return Ok(None);
        };
        let name = self.name;
        let bytes = self.bytes.get(at, length as usize);
        bytes.map(Some).map_err(|error| Fault::Section(name, error))
    }

    /// Where the bytes of a row begin, and how many there are.
    fn find(&mut self, row: u32) -> Result<Option<(u64, u32)>, Fault> {
        if row >= self.rows {
            return Ok(None);
        }
        let Block {
            begin,
            length,
            entries,
        } = self.block(row / BLOCK_ROWS)?;
        if entries == 0 {
            return Ok(None);
        }
        let name = self.name;
        let corrupt = |reason| Fault::corrupt(name, reason);
        if entries > BLOCK_ROWS {
            return Err(corrupt("a block has more rows than one holds"));
        }
        let entries_at = begin.checked_add(length.into());
        let entries_at = entries_at.ok_or_else(|| corrupt("a place is above 2^64"))?;
        let entries = self
            .entries
            .get(entries_at, entries as usize * ENTRY_BYTES)
            .map_err(|error| Fault::Section(name, error))?;
        let (entries, _) = entries.as_chunks::<ENTRY_BYTES>();
        let place = (row % BLOCK_ROWS) as u16;
        let place_of = |&[p0, p1, ..]: &[u8; ENTRY_BYTES]| u16::from_le_bytes([p0, p1]);
        let Ok(found) = entries.binary_search_by_key(&place, place_of) else {
            return Ok(None);
        };
        let end_of =
            |&[.., e0, e1, e2, e3]: &[u8; ENTRY_BYTES]| u32::from_le_bytes([e0, e1, e2, e3]);
        let before = found.checked_sub(1).and_then(|before| entries.get(before));
        let start = before.map_or(0, end_of);
        let end = entries.get(found).map(end_of).filter(|&end| end <= length);
        let bytes = end.and_then(|end| end.checked_sub(start));
        let bytes = bytes.ok_or_else(|| corrupt("its bytes lie outside of those of its block"))?;
        Ok(Some((begin + u64::from(start), bytes)))
    }

    fn block(&mut self, block: u32) -> Result<Block, Fault> {
        let name = self.name;
        let table_at = self.table_at;
        let short = || Fault::corrupt(name, "it is shorter than its table");
        let table_at = table_at.ok_or_else(short)?;
        let at = table_at + u64::from(block) * HEADER_BYTES as u64;
        let header = self
            .table
            .get(at, HEADER_BYTES)
            .map_err(|error| Fault::Section(name, error))?;
        let (words, _) = header.as_chunks::<8>();
        let &[begin, [l0, l1, l2, l3, e0, e1, e2, e3]] = words else {
            return Err(Fault::corrupt(name, "a block has no header"));
        };
        Ok(Block {
            begin: u64::from_le_bytes(begin),
            length: u32::from_le_bytes([l0, l1, l2, l3]),
            entries: u32::from_le_bytes([e0, e1, e2, e3]),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::tests::Raw;
    use super::*;

    fn written(rows: u32, having: &BTreeMap<u32, Vec<u8>>) -> Raw {
        let (mut table, mut out) = (SparseTable::default(), Vec::new());
        for (&row, bytes) in having {
            let at = out.len() as u64;
            table.begin(row, at, &mut out);
            out.extend(bytes);
            table.add(row, out.len() as u64).unwrap();
        }
        let at = out.len() as u64;
        table.finish(rows, at, &mut out);
        Raw(out)
    }

    fn having() -> impl Strategy<Value = BTreeMap<u32, Vec<u8>>> {
        let row = prop_oneof![0..5000u32, 1020..1030u32, Just(4999)];
        prop::collection::btree_map(row, prop::collection::vec(any::<u8>(), 1..40), 0..60)
    }

    proptest! {
        #[test]
        fn rows_come_back_and_others_have_none(having in having()) {
            let section = written(5000, &having);
            let bytes: usize = having.values().map(|bytes| bytes.len() + ENTRY_BYTES).sum();
            prop_assert_eq!(section.0.len(), bytes + 5 * HEADER_BYTES);
            let mut rows = SparseRows::new("x", 5000, &section);
            for row in (0..5002).rev().chain(0..5002) {
                prop_assert_eq!(rows.contains(row).unwrap(), having.contains_key(&row));
                let expected = having.get(&row).map(Vec::as_slice);
                prop_assert_eq!(rows.get(row).unwrap(), expected);
            }
        }

        #[test]
        fn harmed_bytes_are_read_or_refused(
            having in having(),
            harm in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..9),
            cut in prop_oneof![Just(None), any::<prop::sample::Index>().prop_map(Some)],
        ) {
            let mut section = written(5000, &having);
            for (at, byte) in harm {
                let at = at.index(section.0.len());
                section.0[at] = byte;
            }
            if let Some(cut) = cut {
                section.0.truncate(cut.index(section.0.len()));
            }
            let mut rows = SparseRows::new("x", 5000, &section);
            for row in 0..5002 {
                if let Ok(Some(bytes)) = rows.get(row) {
                    prop_assert!(bytes.len() <= section.0.len());
                }
            }
        }
    }

    #[test]
    fn a_block_holds_no_more_than_4_gib() {
        let mut table = SparseTable::default();
        table.begin(3, 0, &mut Vec::new());
        assert_eq!(table.add(3, u64::from(u32::MAX) + 1), None);
        assert_eq!(table.add(3, u64::from(u32::MAX)), Some(()));
    }
}
