//! The table of rows: where the chunks of a row are, and what can be said of it without them.
//!
//! Rows stand in blocks of [`BLOCK_ROWS`]. An entry has six bytes: where the row's chunks end,
//! from the block's first chunk on, and the number of its summary among those of the block. Most
//! rows of a block have the same summary as another, as series of a target have the same times.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::footer::Kind;
use crate::immutable::Fault;
use crate::model::TimeRange;
use crate::section::{Bytes, Stretch};

/// Rows of a block.
pub(super) const BLOCK_ROWS: u32 = 1024;
/// Where the block's chunks begin, its time base, the number of its first summary.
const HEADER_BYTES: usize = 24;
const ENTRY_BYTES: usize = 6;
const BLOCK_BYTES: u64 = (HEADER_BYTES + ENTRY_BYTES * BLOCK_ROWS as usize) as u64;
const SUMMARY_BYTES: usize = 24;

/// Length of the table of so many rows.
pub(super) fn table_bytes(rows: u32) -> u64 {
    let blocks = u64::from(rows.div_ceil(BLOCK_ROWS));
    blocks * HEADER_BYTES as u64 + u64::from(rows) * ENTRY_BYTES as u64
}

/// What is known of the samples of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Summary {
    /// From the smallest timestamp to the largest: there is a sample at both.
    pub(super) range: TimeRange,
    /// Samples in order.
    pub(super) in_order: u32,
    /// Late samples.
    pub(super) late: u32,
}

impl Summary {
    fn encode(self) -> [u8; SUMMARY_BYTES] {
        let mut bytes = [0; SUMMARY_BYTES];
        bytes[..8].copy_from_slice(&self.range.start_ms.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.range.end_ms.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.in_order.to_le_bytes());
        bytes[20..].copy_from_slice(&self.late.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (words, _) = bytes.as_chunks::<8>();
        let &[start, end, [i0, i1, i2, i3, l0, l1, l2, l3]] = words else {
            return None;
        };
        Some(Self {
            range: TimeRange::new(i64::from_le_bytes(start), i64::from_le_bytes(end)),
            in_order: u32::from_le_bytes([i0, i1, i2, i3]),
            late: u32::from_le_bytes([l0, l1, l2, l3]),
        })
    }
}

/// The table while rows are added to it, in rising order.
#[derive(Debug, Default)]
pub(super) struct RowTable {
    rows: u32,
    table: Vec<u8>,
    summaries: Vec<u8>,
    block: Block,
}

/// The block that rows are added to.
#[derive(Debug, Default)]
struct Block {
    /// Where its header stands in the table.
    header: usize,
    chunks_base: u64,
    /// Where the chunks of the last row end, from `chunks_base`.
    end: u32,
    times_base: Option<u64>,
    /// Numbers of its summaries, in the bytes of the file.
    numbers: HashMap<[u8; SUMMARY_BYTES], u16, RandomState>,
}

impl RowTable {
    /// How many rows there are.
    pub(super) fn rows(&self) -> u32 {
        self.rows
    }

    /// Adds rows without chunks until there are `rows`; the chunks of the next one will begin at
    /// `chunks_at`.
    pub(super) fn skip_to(&mut self, rows: u32, chunks_at: u64) {
        debug_assert!(self.rows <= rows, "rows come in rising order");
        while self.rows < rows {
            self.begin(chunks_at);
            self.end_row(0);
        }
    }

    /// Begins a row, and a block where it is the first of one.
    pub(super) fn begin(&mut self, chunks_at: u64) {
        let is_begun = self.table.len() as u64 > table_bytes(self.rows);
        if !self.rows.is_multiple_of(BLOCK_ROWS) || is_begun {
            return;
        }
        self.block = Block {
            header: self.table.len(),
            chunks_base: chunks_at,
            ..Block::default()
        };
        let summaries = (self.summaries.len() / SUMMARY_BYTES) as u64;
        self.table.extend(chunks_at.to_le_bytes());
        self.table.extend(0u64.to_le_bytes());
        self.table.extend(summaries.to_le_bytes());
    }

    /// What places of time columns are written against: the first of the block.
    pub(super) fn times_base(&mut self, column_at: u64) -> u64 {
        *self.block.times_base.get_or_insert_with(|| {
            let at = self.block.header + 8;
            self.table[at..at + 8].copy_from_slice(&column_at.to_le_bytes());
            column_at
        })
    }

    /// Adds a row with chunks; they end at `chunks_end`. None if the block has more than 4 GiB.
    pub(super) fn add(&mut self, chunks_end: u64, summary: Summary) -> Option<()> {
        self.block.end = u32::try_from(chunks_end - self.block.chunks_base).ok()?;
        let bytes = summary.encode();
        // A block has fewer rows than u16 has numbers.
        let next = self.block.numbers.len() as u16;
        let summaries = &mut self.summaries;
        let number = *self.block.numbers.entry(bytes).or_insert_with(|| {
            summaries.extend(bytes);
            next
        });
        self.end_row(number);
        Some(())
    }

    fn end_row(&mut self, summary: u16) {
        self.table.extend(self.block.end.to_le_bytes());
        self.table.extend(summary.to_le_bytes());
        self.rows += 1;
    }

    /// The bytes of the table and of the summaries.
    pub(super) fn bytes(&self) -> (&[u8], &[u8]) {
        (&self.table, &self.summaries)
    }
}

/// A row with chunks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct RowAt {
    /// Where its chunks are in their section.
    pub(super) chunks_at: u64,
    /// How many bytes, at least 1.
    pub(super) chunks_bytes: u32,
    pub(super) times_base: u64,
    pub(super) summary: Summary,
}

/// Finds rows.
#[derive(Debug)]
pub(super) struct Rows<'a> {
    rows: u32,
    table: Stretch<'a>,
    summaries: Stretch<'a>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(rows: u32, table: &'a dyn Bytes, summaries: &'a dyn Bytes) -> Self {
        Self {
            rows,
            table: Stretch::new(table),
            summaries: Stretch::new(summaries),
        }
    }

    /// As [`Stretch::begin`].
    pub(super) fn begin(&mut self) {
        self.table.begin();
        self.summaries.begin();
    }

    /// Where a row is; none where it has no chunks.
    pub(super) fn find(&mut self, row: u32) -> Result<Option<RowAt>, Fault> {
        if row >= self.rows {
            return Ok(None);
        }
        let first = row - row % BLOCK_ROWS;
        let rows = (self.rows - first).min(BLOCK_ROWS) as usize;
        let block = self
            .table
            .get(
                u64::from(first / BLOCK_ROWS) * BLOCK_BYTES,
                HEADER_BYTES + rows * ENTRY_BYTES,
            )
            .map_err(|error| Fault::Section(Kind::Rows.name(), error))?;
        let (words, _) = block.as_chunks::<8>();
        let Some([chunks_base, times_base, summaries, ..]) = words.first_chunk::<3>() else {
            return Err(Fault::corrupt(Kind::Rows.name(), "a block has no header"));
        };
        let entries = block.get(HEADER_BYTES..).unwrap_or(&[]);
        let (entries, _) = entries.as_chunks::<ENTRY_BYTES>();
        let place = (row % BLOCK_ROWS) as usize;
        let end_of =
            |&[e0, e1, e2, e3, ..]: &[u8; ENTRY_BYTES]| u32::from_le_bytes([e0, e1, e2, e3]);
        let start = place.checked_sub(1).and_then(|before| entries.get(before));
        let (start, entry) = (start.map_or(0, end_of), entries.get(place));
        let (Some(chunks_bytes), Some(&[.., s0, s1])) =
            (entry.and_then(|e| end_of(e).checked_sub(start)), entry)
        else {
            return Err(Fault::corrupt(
                Kind::Rows.name(),
                "its chunks end before they begin",
            ));
        };
        if chunks_bytes == 0 {
            return Ok(None);
        }
        let chunks_at = u64::from_le_bytes(*chunks_base).checked_add(u64::from(start));
        let times_base = u64::from_le_bytes(*times_base);
        let summary = u64::from_le_bytes(*summaries)
            .checked_add(u64::from(u16::from_le_bytes([s0, s1])))
            .and_then(|number| number.checked_mul(SUMMARY_BYTES as u64));
        let (Some(chunks_at), Some(summary)) = (chunks_at, summary) else {
            return Err(Fault::corrupt(Kind::Rows.name(), "a place is above 2^64"));
        };
        let summary = self
            .summaries
            .get(summary, SUMMARY_BYTES)
            .map_err(|error| Fault::Section(Kind::Summaries.name(), error))?;
        let summary = Summary::decode(summary)
            .ok_or_else(|| Fault::corrupt(Kind::Summaries.name(), "it is cut short"))?;
        Ok(Some(RowAt {
            chunks_at,
            chunks_bytes,
            times_base,
            summary,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Raw;
    use super::*;

    fn summary(number: u32) -> Summary {
        Summary {
            range: TimeRange::new(-1, i64::from(number)),
            in_order: number,
            late: 7,
        }
    }

    #[test]
    fn rows_come_back_with_what_lies_between() {
        let mut table = RowTable::default();
        let mut model: Vec<Option<RowAt>> = Vec::new();
        let mut at = 10;
        for row in (0..5000u32).filter(|row| row % 7 != 3 && !(1000..3000).contains(row)) {
            table.skip_to(row, at);
            table.begin(at);
            let column_at = 90 + u64::from(row);
            let times_base = table.times_base(column_at);
            let chunks_bytes = 1 + row % 100;
            // Some are shared, most are not.
            let summary = summary(row % 900);
            let found = RowAt {
                chunks_at: at,
                chunks_bytes,
                times_base,
                summary,
            };
            at += u64::from(chunks_bytes);
            table.add(at, summary).unwrap();
            model.resize(row as usize, None);
            model.push(Some(found));
        }
        table.skip_to(5003, at);
        assert_eq!(table.rows(), 5003);
        let (bytes, summaries) = table.bytes();
        assert_eq!(bytes.len() as u64, table_bytes(5003));
        assert!(summaries.len() / SUMMARY_BYTES < 2700);
        let (bytes, summaries) = (Raw(bytes.to_vec()), Raw(summaries.to_vec()));
        let mut rows = Rows::new(5003, &bytes, &summaries);
        for (row, expected) in (0u32..).zip(&model) {
            assert_eq!(&rows.find(row).unwrap(), expected, "row {row}");
        }
        assert_eq!(model[3002].unwrap().times_base, 90 + 3000);
        assert_eq!(rows.find(5001).unwrap(), None);
    }

    #[test]
    fn a_block_holds_no_more_than_4_gib() {
        let mut table = RowTable::default();
        table.begin(5);
        assert_eq!(table.add(5 + (1 << 32), summary(0)), None);
        assert_eq!(table.add(4 + (1 << 32), summary(0)), Some(()));
    }
}
