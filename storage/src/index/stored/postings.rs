//! Lists of rows.
//!
//! A list has one of two forms, whichever is smaller, [`Form`] says which:
//! * *runs*: varints. For each run of successive rows its distance from the end of the run
//!   before (from 0 at first) shifted left by one; the lowest bit says that the run has more
//!   than one row, and that their number less two follows.
//! * *roaring*: the portable serialization of a roaring bitmap with run containers.

use roaring::{MultiOps, RoaringBitmap};

use super::IndexError;
use super::part::Part;
use crate::codec::varint;
use crate::model::ReadBounds;
use crate::section::Bytes;

/// A run of this many rows is added to a bitmap at once.
const LONG_RUN: u32 = 64;
/// Where lists have a byte for this many rows of the file, their rows are marked as bits.
const DENSE_ROWS: u64 = 64;
/// How many bytes of lists that lie one after the other are read at once.
const READ_BYTES: u64 = 128 << 10;
/// To mark this many rows as bits costs less than it saves a byte of lists that is compared.
const MARKS_A_BYTE: u64 = 9;

/// How many bytes of lists are taken apart from one check to the next, and what a list adds to
/// that.
const LISTS_PACE: usize = 256 << 10;
const LIST_WORK: usize = 16;
/// How many bitmaps are joined at once.
const UNION_BATCH: usize = 1024;

/// How a list is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    Runs,
    Roaring,
}

/// The rows of one label, or where they stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RowsAt {
    One(u32),
    List(ListRef),
}

/// Where a list stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListRef {
    pub(super) offset: u64,
    pub(super) bytes: u64,
    pub(super) form: Form,
}

impl RowsAt {
    /// One number for a row, or for length and form of a list: the lowest two bits say which.
    pub(super) fn descriptor(self) -> u64 {
        match self {
            Self::One(row) => u64::from(row) << 2,
            Self::List(list) => list.descriptor(),
        }
    }

    /// What a descriptor says, of a list at `offset`.
    pub(super) fn from_descriptor(descriptor: u64, offset: u64) -> Option<Self> {
        match descriptor & 3 {
            0 => Some(Self::One(u32::try_from(descriptor >> 2).ok()?)),
            _ => ListRef::from_descriptor(descriptor, offset).map(Self::List),
        }
    }
}

impl ListRef {
    pub(super) fn descriptor(self) -> u64 {
        let form = match self.form {
            Form::Runs => 1,
            Form::Roaring => 2,
        };
        self.bytes << 2 | form
    }

    pub(super) fn from_descriptor(descriptor: u64, offset: u64) -> Option<Self> {
        let form = match descriptor & 3 {
            1 => Form::Runs,
            2 => Form::Roaring,
            _ => return None,
        };
        Some(Self {
            offset,
            bytes: descriptor >> 2,
            form,
        })
    }
}

/// Appends a list to `out`, which is empty.
pub(super) fn encode(rows: &RoaringBitmap, out: &mut Vec<u8>) -> Form {
    let mut roaring = rows.clone();
    roaring.optimize();
    let roaring_bytes = roaring.serialized_size();
    if put_runs(rows, roaring_bytes, out) {
        return Form::Runs;
    }
    out.clear();
    // A vector takes all that is written.
    let _ = roaring.serialize_into(&mut *out);
    Form::Roaring
}

/// Appends runs; false as soon as they have more than `bytes_max` bytes.
fn put_runs(rows: &RoaringBitmap, bytes_max: usize, out: &mut Vec<u8>) -> bool {
    let mut end = 0;
    let mut iter = rows.iter();
    while let Some(range) = iter.next_range() {
        let (first, last) = (*range.start(), *range.end());
        let distance = u64::from(first) - end;
        match last - first {
            0 => varint::put_u64(out, distance << 1),
            more => {
                varint::put_u64(out, distance << 1 | 1);
                varint::put_u64(out, u64::from(more - 1));
            }
        }
        end = u64::from(last) + 1;
        if out.len() > bytes_max {
            return false;
        }
    }
    true
}

/// Reads lists.
#[derive(Debug)]
pub(super) struct Lists {
    part: Part,
    /// Rows are below this.
    rows: u32,
}

impl Lists {
    pub(super) fn new(bytes: Box<dyn Bytes>, rows: u32) -> Self {
        Self {
            part: Part::new("postings", bytes),
            rows,
        }
    }

    pub(super) fn get(&self, rows: RowsAt) -> Result<RoaringBitmap, IndexError> {
        match rows {
            RowsAt::One(row) => {
                self.check_row(row)?;
                Ok(RoaringBitmap::from_iter([row]))
            }
            RowsAt::List(list) => self.decode(list, &self.part.get(list.offset, list.bytes)?),
        }
    }

    /// How many rows there are in each.
    pub(super) fn counts(
        &self,
        all: &[RowsAt],
        bounds: ReadBounds<'_>,
    ) -> Result<Vec<u64>, IndexError> {
        let mut counts = vec![1; all.len()];
        let (mut lists, mut places) = (Vec::new(), Vec::new());
        for (&rows, count) in all.iter().zip(&mut counts) {
            if let RowsAt::List(list) = rows {
                lists.push(list);
                places.push(count);
            }
        }
        let mut places = places.into_iter();
        let mut pace = bounds.pace(LISTS_PACE);
        self.for_each(&lists, |list, bytes| {
            pace.step(LIST_WORK + bytes.len())?;
            let mut rows = 0;
            match list.form {
                Form::Runs => self.for_each_run(list, bytes, |first, last| {
                    rows += u64::from(last - first) + 1;
                })?,
                Form::Roaring => rows = self.decode(list, bytes)?.len(),
            }
            if let Some(place) = places.next() {
                *place = rows;
            }
            Ok(())
        })?;
        Ok(counts)
    }

    /// Calls `each` with each of the lists.
    pub(super) fn for_each(
        &self,
        lists: &[ListRef],
        mut each: impl FnMut(ListRef, &[u8]) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        let mut rest = lists;
        while let Some(first) = rest.first() {
            // Those that follow close by are read with it.
            let mut end = first.offset.saturating_add(first.bytes);
            let mut count = 1;
            for next in rest.iter().skip(1) {
                let next_end = next.offset.saturating_add(next.bytes);
                let is_close = next.offset >= end && next.offset - end <= READ_BYTES / 16;
                if !is_close || next_end - first.offset > READ_BYTES {
                    break;
                }
                end = next_end;
                count += 1;
            }
            let (now, later) = rest.split_at(count);
            rest = later;
            let bytes = self.part.get(first.offset, end - first.offset)?;
            for list in now {
                let start = (list.offset - first.offset) as usize;
                let own = bytes.get(start..start + list.bytes as usize);
                each(*list, own.ok_or_else(|| self.bad(*list, "a list is cut"))?)?;
            }
        }
        Ok(())
    }

    /// The rows that are in any of these.
    pub(super) fn union(
        &self,
        one: &[u32],
        lists: &[ListRef],
        bounds: ReadBounds<'_>,
    ) -> Result<RoaringBitmap, IndexError> {
        let bytes = lists.iter().fold(one.len() as u64, |bytes, list| {
            bytes.saturating_add(list.bytes)
        });
        let mut sink = Sink::new(bytes, self.rows);
        let mut bitmaps = Vec::new();
        let mut pace = bounds.pace(LISTS_PACE);
        for &row in one {
            pace.step(1)?;
            self.check_row(row)?;
            sink.add(row, row);
        }
        self.for_each(lists, |list, bytes| {
            pace.step(LIST_WORK + bytes.len())?;
            match list.form {
                Form::Runs => {
                    self.for_each_run(list, bytes, |first, last| sink.add(first, last))?;
                }
                Form::Roaring => bitmaps.push(self.decode(list, bytes)?),
            }
            if bitmaps.len() >= UNION_BATCH {
                let joined = bitmaps.drain(..).union();
                bitmaps.push(joined);
            }
            Ok(())
        })?;
        bounds.check()?;
        bitmaps.push(sink.into_bitmap());
        Ok(bitmaps.union())
    }

    /// Calls `each`, list after list, with whether the list has one of `rows`.
    pub(super) fn for_each_intersecting(
        &self,
        lists: &[ListRef],
        rows: &RoaringBitmap,
        bounds: ReadBounds<'_>,
        mut each: impl FnMut(bool),
    ) -> Result<(), IndexError> {
        let mut pace = bounds.pace(LISTS_PACE);
        // Bits answer quickly and take time to set.
        let bytes = lists
            .iter()
            .fold(0u64, |sum, list| sum.saturating_add(list.bytes));
        let is_marked = rows.len() < bytes.saturating_mul(MARKS_A_BYTE);
        let bits = is_marked.then(|| self.bits(rows));
        self.for_each(lists, |list, bytes| {
            pace.step(LIST_WORK + bytes.len())?;
            let mut found = false;
            match (list.form, &bits) {
                (Form::Roaring, _) => found = !rows.is_disjoint(&self.decode(list, bytes)?),
                (Form::Runs, Some(bits)) => self.for_each_run(list, bytes, |first, last| {
                    found = found || bits.any(first, last);
                })?,
                (Form::Runs, None) => self.for_each_run(list, bytes, |first, last| {
                    found = found || rows.range(first..=last).next().is_some();
                })?,
            }
            each(found);
            Ok(())
        })
    }

    fn bits(&self, rows: &RoaringBitmap) -> Bits {
        let mut bits = Bits::new(self.rows);
        rows.iter().for_each(|row| bits.set(row, row));
        bits
    }

    /// Takes a list apart.
    pub(super) fn decode(&self, list: ListRef, bytes: &[u8]) -> Result<RoaringBitmap, IndexError> {
        let rows = match list.form {
            Form::Runs => self.decode_runs(list, bytes)?,
            Form::Roaring => RoaringBitmap::deserialize_from(bytes)
                .map_err(|_| self.bad(list, "a list is not a roaring bitmap"))?,
        };
        if rows.max().is_some_and(|row| row >= self.rows) {
            return Err(self.bad(list, "a row is not below the number of rows"));
        }
        Ok(rows)
    }

    fn decode_runs(&self, list: ListRef, bytes: &[u8]) -> Result<RoaringBitmap, IndexError> {
        let mut sink = Sink::new(list.bytes, self.rows);
        self.for_each_run(list, bytes, |first, last| sink.add(first, last))?;
        Ok(sink.into_bitmap())
    }

    /// Calls `each` with first and last row of each run; they rise.
    fn for_each_run(
        &self,
        list: ListRef,
        bytes: &[u8],
        mut each: impl FnMut(u32, u32),
    ) -> Result<(), IndexError> {
        let mut runs = self.part.decoder(bytes, list.offset);
        let mut end = 0u64;
        while !runs.is_empty() {
            let head = runs.u64()?;
            let more = match head & 1 {
                0 => 0,
                _ => runs.u64()?.saturating_add(1),
            };
            let first = end.saturating_add(head >> 1);
            let last = first.saturating_add(more);
            if last >= u64::from(self.rows) {
                return Err(runs.malformed("a row is not below the number of rows"));
            }
            each(first as u32, last as u32);
            end = last + 1;
        }
        Ok(())
    }

    fn check_row(&self, row: u32) -> Result<(), IndexError> {
        match row < self.rows {
            true => Ok(()),
            false => Err(self
                .part
                .malformed(0, "a row is not below the number of rows")),
        }
    }

    fn bad(&self, list: ListRef, what: &'static str) -> IndexError {
        self.part.malformed(list.offset, what)
    }
}

/// Gathers rows in any order.
enum Sink {
    /// Single ones, and those of long runs.
    Sparse(Vec<u32>, RoaringBitmap),
    Dense(Bits),
}

impl Sink {
    /// For the rows of lists of this many bytes, which are below `rows`.
    fn new(bytes: u64, rows: u32) -> Self {
        match bytes.saturating_mul(DENSE_ROWS) > u64::from(rows) {
            true => Self::Dense(Bits::new(rows)),
            false => Self::Sparse(Vec::new(), RoaringBitmap::new()),
        }
    }

    /// Adds the rows of a run.
    fn add(&mut self, first: u32, last: u32) {
        match self {
            Self::Sparse(_, long) if last - first >= LONG_RUN => {
                long.insert_range(first..=last);
            }
            Self::Sparse(rows, _) => rows.extend(first..=last),
            Self::Dense(bits) => bits.set(first, last),
        }
    }

    fn into_bitmap(self) -> RoaringBitmap {
        match self {
            Self::Sparse(mut rows, long) => {
                rows.sort_unstable();
                RoaringBitmap::from_iter(rows) | long
            }
            Self::Dense(bits) => RoaringBitmap::from_lsb0_bytes(0, &bits.0),
        }
    }
}

/// A bit for each row, the lowest of a byte first. Rows beyond the last are left out.
struct Bits(Vec<u8>);

impl Bits {
    fn new(rows: u32) -> Self {
        Self(vec![0; rows.div_ceil(8) as usize])
    }

    /// Sets those from `first` to `last`.
    fn set(&mut self, first: u32, last: u32) {
        let (head, tail) = Self::masks(first, last);
        match self.0.get_mut((first / 8) as usize..=(last / 8) as usize) {
            Some([only]) => *only |= head & tail,
            Some([start, between @ .., end]) => {
                *start |= head;
                between.fill(u8::MAX);
                *end |= tail;
            }
            _ => {}
        }
    }

    /// Whether one from `first` to `last` is set.
    fn any(&self, first: u32, last: u32) -> bool {
        let (head, tail) = Self::masks(first, last);
        match self.0.get((first / 8) as usize..=(last / 8) as usize) {
            Some([only]) => only & head & tail != 0,
            Some([start, between @ .., end]) => {
                start & head != 0 || end & tail != 0 || between.iter().any(|&byte| byte != 0)
            }
            _ => false,
        }
    }

    /// The bits of the first byte and of the last.
    fn masks(first: u32, last: u32) -> (u8, u8) {
        (u8::MAX << (first % 8), u8::MAX >> (7 - last % 8))
    }
}
