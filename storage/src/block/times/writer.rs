//! Writing time columns, each once.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::io;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::{Column, END_BYTES, Head, PAGE_COLUMNS, encode_column, encode_page};
use crate::block::SLICE_SAMPLES;
use crate::column::decode_timestamps;
use crate::model::TimeRange;
use crate::section::{FileWriter, OpenSection};

/// How many bytes columns take that are remembered, as they are encoded, to be used again.
/// So little in tests that some are forgotten.
const REMEMBERED_BYTES: usize = if cfg!(all(test, debug_assertions)) {
    4 << 10
} else {
    64 << 20
};

/// The time columns of a block while rows are added.
#[derive(Debug)]
pub struct TimesWriter {
    /// Pages of the section that are full.
    pages: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<u8>,
    /// Columns of the page that is added to.
    open: Vec<Column>,
    count: u32,
    known: Known,
}

/// Columns that rows to come may share.
#[derive(Debug, Default)]
struct Known {
    hasher: RandomState,
    /// By the hash of their timestamps.
    table: HashTable<u64>,
    /// In the order in which they came; the first has the number `forgotten`.
    columns: VecDeque<KnownColumn>,
    forgotten: u64,
    bytes: usize,
    /// Timestamps of a chunk.
    chunk: Vec<i64>,
}

#[derive(Debug)]
struct KnownColumn {
    hash: u64,
    number: u32,
    count: usize,
    head: usize,
    bytes: Box<[u8]>,
}

impl TimesWriter {
    pub(in crate::block) fn new() -> Self {
        Self {
            pages: Vec::new(),
            ends: Vec::new(),
            open: Vec::new(),
            count: 0,
            known: Known::default(),
        }
    }

    /// Lets go of the columns that rows to come might share: there are none to come.
    pub(in crate::block) fn forget(&mut self) {
        self.known = Known::default();
    }

    /// How many columns there are.
    pub(in crate::block) fn count(&self) -> u32 {
        self.count
    }

    /// The number of the column of these timestamps, of which there is at least one; it is
    /// written to `data` if it is not known. None where there are 2^32 columns.
    pub(in crate::block) fn put(
        &mut self,
        times: &[i64],
        data: &mut OpenSection,
        file: &mut FileWriter,
    ) -> io::Result<Option<u32>> {
        let hash = self.known.hash_of(times);
        if let Some(number) = self.known.find(hash, times) {
            return Ok(Some(number));
        }
        let number = self.count;
        // Rows count columns from 1.
        let (Some(count), [first, ..], [.., last]) = (number.checked_add(1), times, times) else {
            return Ok(None);
        };
        self.count = count;
        let mut bytes = Vec::new();
        let head = encode_column(times, &mut bytes);
        self.open.push(Column {
            count: times.len() as u32,
            range: TimeRange::new(*first, *last),
            at: data.position(file),
            bytes: head as u32,
        });
        if self.open.len() == PAGE_COLUMNS {
            self.end_page();
        }
        data.put(file, &bytes)?;
        self.known.add(KnownColumn {
            hash,
            number,
            count: times.len(),
            head,
            bytes: bytes.into_boxed_slice(),
        });
        Ok((count < u32::MAX).then_some(number))
    }

    fn end_page(&mut self) {
        encode_page(&self.open, &mut self.pages);
        self.open.clear();
        self.ends.extend((self.pages.len() as u64).to_le_bytes());
    }

    /// The bytes of the section.
    pub(in crate::block) fn finish(&mut self) -> (&[u8], &[u8]) {
        if !self.open.is_empty() {
            self.end_page();
        }
        debug_assert_eq!(
            self.ends.len() / END_BYTES,
            (self.count as usize).div_ceil(PAGE_COLUMNS)
        );
        (&self.pages, &self.ends)
    }
}

impl Known {
    /// Columns are compared where their hashes are the same, so that a hash need not be safe.
    fn hash_of(&self, times: &[i64]) -> u64 {
        self.hasher.hash_one(times)
    }

    fn find(&mut self, hash: u64, times: &[i64]) -> Option<u32> {
        let (columns, forgotten, chunk) = (&self.columns, self.forgotten, &mut self.chunk);
        let column_of = |place: u64| columns.get((place - forgotten) as usize);
        let found = self.table.find(hash, |&place| {
            column_of(place).is_some_and(|column| column.hash == hash && column.is(times, chunk))
        })?;
        Some(column_of(*found)?.number)
    }

    fn add(&mut self, column: KnownColumn) {
        self.bytes += column.held();
        let place = self.forgotten + self.columns.len() as u64;
        let (columns, forgotten) = (&self.columns, self.forgotten);
        let hash_of = |&place: &u64| {
            let column = columns.get((place - forgotten) as usize);
            column.map_or(0, |column| column.hash)
        };
        self.table.insert_unique(column.hash, place, hash_of);
        self.columns.push_back(column);
        while self.bytes > REMEMBERED_BYTES
            && let Some(oldest) = self.columns.pop_front()
        {
            self.bytes -= oldest.held();
            let place = self.forgotten;
            if let Ok(entry) = self.table.find_entry(oldest.hash, |&other| other == place) {
                entry.remove();
            }
            self.forgotten += 1;
        }
    }
}

impl KnownColumn {
    /// How many bytes it takes, with its place in the table.
    fn held(&self) -> usize {
        self.bytes.len() + size_of::<Self>() + 2 * size_of::<u64>()
    }

    /// Whether it is the column of these timestamps.
    fn is(&self, times: &[i64], chunk: &mut Vec<i64>) -> bool {
        if self.count != times.len() {
            return false;
        }
        let chunks = times.chunks(SLICE_SAMPLES);
        let (head, mut bytes) = match times.len() > SLICE_SAMPLES {
            true => self.bytes.split_at(self.head.min(self.bytes.len())),
            false => (&[][..], &self.bytes[..]),
        };
        let ends = match head.is_empty() {
            true => vec![bytes.len() as u64],
            false => Head::decode(head, chunks.len()).map_or(Vec::new(), |head| head.ends),
        };
        let mut begin = 0;
        chunks.len() == ends.len()
            && chunks.zip(ends).all(|(times, end)| {
                let (encoded, rest) = bytes.split_at(bytes.len().min((end - begin) as usize));
                (begin, bytes) = (end, rest);
                chunk.resize(times.len(), 0);
                decode_timestamps(encoded, chunk).is_ok() && chunk == times
            })
    }
}
