//! Reading time columns.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::{Column, END_BYTES, Head, PAGE_COLUMNS, decode_page};
use crate::block::SLICE_SAMPLES;
use crate::block::footer::Kind;
use crate::block::reader::Source;
use crate::column::decode_timestamps;
use crate::immutable::Fault;
use crate::model::{Pace, TimeRange};
use crate::section::Bytes;

/// So little is held in tests that all of it is let go of now and then.
const LITTLE: bool = cfg!(all(test, debug_assertions));
/// Timestamps that are held decoded: 8 MiB of them.
const HELD_TIMES: usize = if LITTLE { 2000 } else { 1 << 20 };
/// Pages of columns that are held decoded: half a MiB of them.
const HELD_PAGES: usize = if LITTLE { 1 } else { 64 };
/// Heads of long columns that are held, by their chunks: half a MiB of them.
const HELD_HEADS: usize = if LITTLE { 4 } else { 32 << 10 };

/// Finds and reads time columns. Those read last are held, and belong to no mapped file.
#[derive(Debug)]
pub struct Times<'a> {
    source: Source<'a>,
    section: &'a dyn Bytes,
    /// How many columns there are.
    columns: u32,
    pages: HashMap<u32, Vec<Column>, RandomState>,
    heads: HashMap<u32, Arc<Head>, RandomState>,
    /// How many chunks the heads that are held have.
    held_heads: usize,
    chunks: Chunks,
}

/// Decoded chunks of columns.
#[derive(Debug, Default)]
struct Chunks {
    /// Where those of a column's chunk are in `times`, and how many.
    places: HashMap<(u32, u32), (usize, usize), RandomState>,
    times: Vec<i64>,
    /// How often a chunk was not there since there is no more room.
    misses: usize,
    /// One that there is no room for.
    other: Vec<i64>,
}

impl<'a> Times<'a> {
    pub(in crate::block) fn new(source: Source<'a>, section: &'a dyn Bytes, columns: u32) -> Self {
        Self {
            source,
            section,
            columns,
            pages: HashMap::default(),
            heads: HashMap::default(),
            held_heads: 0,
            chunks: Chunks::default(),
        }
    }

    /// What is known of a column.
    pub(in crate::block) fn column(&mut self, number: u32) -> Result<Column, Fault> {
        let (page, place) = (number / PAGE_COLUMNS as u32, number as usize % PAGE_COLUMNS);
        if !self.pages.contains_key(&page) {
            if self.pages.len() >= HELD_PAGES {
                self.pages.clear();
            }
            let columns = self.source.load(|_| self.read_page(page))?;
            self.pages.insert(page, columns);
        }
        let column = self.pages.get(&page).and_then(|page| page.get(place));
        column.copied().ok_or_else(|| {
            let reason = format!("there is no column {number} among {}", self.columns);
            corrupt(reason)
        })
    }

    fn read_page(&self, page: u32) -> Result<Vec<Column>, Fault> {
        let columns = self.columns as usize;
        let pages = columns.div_ceil(PAGE_COLUMNS) as u64;
        let before = page as usize * PAGE_COLUMNS;
        let Some(columns) = columns.checked_sub(before).filter(|&columns| columns > 0) else {
            return Ok(Vec::new());
        };
        let table = pages.checked_mul(END_BYTES as u64);
        let table_at = table.and_then(|table| self.section.len().checked_sub(table));
        let table_at = table_at.ok_or_else(|| corrupt("it is shorter than its table"))?;
        let end_of = |page: u32| {
            let at = table_at + u64::from(page) * END_BYTES as u64;
            let word = self.section.get(at, END_BYTES).map_err(unreadable)?;
            let word = word.first_chunk().copied();
            word.map(u64::from_le_bytes)
                .ok_or_else(|| corrupt("its table is cut short"))
        };
        let begin = match page.checked_sub(1) {
            Some(before) => end_of(before)?,
            None => 0,
        };
        let end = end_of(page)?;
        let length = end.checked_sub(begin).filter(|_| end <= table_at);
        let length = length.and_then(|length| usize::try_from(length).ok());
        let length = length.ok_or_else(|| corrupt("a page lies outside of it"))?;
        let bytes = self.section.get(begin, length).map_err(unreadable)?;
        decode_page(&bytes, columns.min(PAGE_COLUMNS)).map_err(corrupt)
    }

    /// The places of the timestamps of a column that lie in `range`.
    pub(in crate::block) fn within(
        &mut self,
        number: u32,
        column: &Column,
        range: TimeRange,
    ) -> Result<Range<usize>, Fault> {
        if !column.range.overlaps(range) {
            return Ok(0..0);
        }
        let start = match range.start_ms <= column.range.start_ms {
            true => 0,
            false => self.partition(number, column, |t| t < range.start_ms)?,
        };
        let end = match column.range.end_ms <= range.end_ms {
            true => column.count as usize,
            false => self.partition(number, column, |t| t <= range.end_ms)?,
        };
        Ok(start..end.max(start))
    }

    /// How many timestamps of a column, from the first on, `is_before` is true of.
    fn partition(
        &mut self,
        number: u32,
        column: &Column,
        is_before: impl Fn(i64) -> bool,
    ) -> Result<usize, Fault> {
        let chunk = match column.is_long() {
            true => {
                let head = self.head(number, column)?;
                let after = head.firsts.partition_point(|&first| is_before(first));
                after.saturating_sub(1)
            }
            false => 0,
        };
        let times = self.chunk(number, column, chunk)?;
        Ok(chunk * SLICE_SAMPLES + times.partition_point(|&time| is_before(time)))
    }

    /// Appends the timestamps at `places` of a column to `out`.
    pub(in crate::block) fn read(
        &mut self,
        number: u32,
        column: &Column,
        places: Range<usize>,
        out: &mut Vec<i64>,
        pace: &mut Pace<'_>,
    ) -> Result<(), Fault> {
        let mut from = places.start;
        while from < places.end && pace.goes_on(SLICE_SAMPLES) {
            let chunk = from / SLICE_SAMPLES;
            let before = chunk * SLICE_SAMPLES;
            let times = self.chunk(number, column, chunk)?;
            let to = places.end.min(before + times.len());
            let wanted = times.get(from - before..to - before);
            let wanted = wanted.filter(|wanted| !wanted.is_empty());
            out.extend_from_slice(wanted.ok_or_else(|| bad_column(number))?);
            from = to;
        }
        Ok(())
    }

    /// Appends all timestamps of a column to `out`, and holds none of them.
    pub(in crate::block) fn read_all(
        &mut self,
        number: u32,
        out: &mut Vec<i64>,
    ) -> Result<(), Fault> {
        let column = self.column(number)?;
        for chunk in 0..column.chunks() {
            let start = out.len();
            out.resize(start + column.chunk_len(chunk), 0);
            let times = out.get_mut(start..).unwrap_or_default();
            self.read_chunk(number, &column, chunk, times)?;
        }
        Ok(())
    }

    /// The timestamps of a chunk of a column.
    fn chunk(&mut self, number: u32, column: &Column, chunk: usize) -> Result<&[i64], Fault> {
        let key = (number, chunk as u32);
        if let Some(&(start, length)) = self.chunks.places.get(&key) {
            let times = self.chunks.times.get(start..start + length);
            return times.ok_or_else(|| bad_column(number));
        }
        let mut times = std::mem::take(&mut self.chunks.other);
        times.clear();
        times.resize(column.chunk_len(chunk), 0);
        self.read_chunk(number, column, chunk, &mut times)?;
        Ok(self.chunks.keep(key, times))
    }

    fn read_chunk(
        &mut self,
        number: u32,
        column: &Column,
        chunk: usize,
        times: &mut [i64],
    ) -> Result<(), Fault> {
        let (mut at, mut bytes) = (column.at, column.bytes);
        let (mut first, mut end) = (column.range.start_ms, None);
        if column.is_long() {
            let head = self.head(number, column)?;
            let place = head.firsts.get(chunk).copied().zip(head.span(chunk));
            let (begins, span) = place.ok_or_else(|| bad_column(number))?;
            let begin = at.checked_add(u64::from(bytes));
            let begin = begin.and_then(|begin| begin.checked_add(span.start));
            at = begin.ok_or_else(|| bad_column(number))?;
            (first, end) = (begins, head.firsts.get(chunk + 1).copied());
            bytes = (span.end - span.start) as u32;
        }
        self.source.load(|data| {
            let bytes = data.get(at, bytes as usize).map_err(unreadable_data)?;
            decode_timestamps(&bytes, times).map_err(|_| bad_column(number))
        })?;
        let ends_well = match (times.last(), end) {
            (Some(&last), Some(end)) => last < end,
            (last, None) => last == Some(&column.range.end_ms),
            (None, _) => false,
        };
        match ends_well && times.first() == Some(&first) && times.is_sorted_by(|a, b| a < b) {
            true => Ok(()),
            false => Err(bad_column(number)),
        }
    }

    fn head(&mut self, number: u32, column: &Column) -> Result<Arc<Head>, Fault> {
        if let Some(head) = self.heads.get(&number) {
            return Ok(Arc::clone(head));
        }
        let head = self.source.load(|data| {
            let bytes = data.get(column.at, column.bytes as usize);
            let bytes = bytes.map_err(unreadable_data)?;
            let head = Head::decode(&bytes, column.chunks()).map_err(corrupt)?;
            match head.firsts.first() == Some(&column.range.start_ms) {
                true => Ok(head),
                false => Err(bad_column(number)),
            }
        })?;
        if self.held_heads > HELD_HEADS {
            self.heads.clear();
            self.held_heads = 0;
        }
        self.held_heads += head.firsts.len();
        let head = Arc::new(head);
        self.heads.insert(number, Arc::clone(&head));
        Ok(head)
    }
}

impl Chunks {
    /// Holds a chunk if there is room.
    fn keep(&mut self, key: (u32, u32), chunk: Vec<i64>) -> &[i64] {
        if self.times.len() + chunk.len() > HELD_TIMES {
            self.misses += 1;
            // What is there is of use to rows that come round; after so many that are not among
            // it, others do.
            if self.misses > 4 * self.places.len() {
                self.places.clear();
                self.times.clear();
                self.misses = 0;
            } else {
                self.other = chunk;
                return &self.other;
            }
        }
        let start = self.times.len();
        self.times.extend_from_slice(&chunk);
        self.places.insert(key, (start, chunk.len()));
        self.other = chunk;
        &self.other
    }
}

fn corrupt(reason: impl Into<String>) -> Fault {
    Fault::corrupt(Kind::Times.name(), reason)
}

fn bad_column(number: u32) -> Fault {
    let reason = format!("time column {number} is not what the section of times says");
    Fault::corrupt(Kind::Data.name(), reason)
}

fn unreadable(error: crate::section::SectionError) -> Fault {
    Fault::Section(Kind::Times.name(), error)
}

fn unreadable_data(error: crate::section::SectionError) -> Fault {
    Fault::Section(Kind::Data.name(), error)
}
