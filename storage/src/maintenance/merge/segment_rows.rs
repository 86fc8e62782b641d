//! The samples of a segment's rows, in another order than that of the file.

use std::ops::Range;

use super::error::MergeError;
use super::labels::Batch;
use super::source::Input;
use crate::model::{Exemplar, Sample, TimeRange};
use crate::segment::{Floats, Located, Reader, Segment, TimesAt};

/// How many bytes of rows are held at most, or one row where that has more.
const HELD_BYTES: usize = 1 << 20;
/// How many rows are looked up at once.
const KNOWN_ROWS: usize = 4096;

/// Reads the rows of a batch: their bytes in the order of the file, as many as may be held, then
/// what is in them in the order of the batch. Were each row read for itself, those that come
/// next lie far from each other, and each would take a page of its own to be read and checked.
#[derive(Debug)]
pub(super) struct SegmentRows<'a> {
    input: Input<'a>,
    reader: Reader<'a>,
    /// What lies outside is not asked for.
    span: TimeRange,
    /// The place of the current row in the batch.
    place: usize,
    /// The places that were looked up, and where each of these rows is.
    known: Range<usize>,
    located: Vec<Located>,
    /// The places whose bytes are held, and where those of each begin.
    held: Range<usize>,
    bytes: Vec<u8>,
    starts: Vec<usize>,
    floats: Floats,
}

impl<'a> SegmentRows<'a> {
    pub(super) fn new(input: Input<'a>, segment: &'a Segment, span: TimeRange) -> Self {
        Self {
            input,
            reader: segment.reader(),
            span,
            place: 0,
            known: 0..0,
            located: Vec::new(),
            held: 0..0,
            bytes: Vec::new(),
            starts: Vec::new(),
            floats: Floats::default(),
        }
    }

    /// Goes on to another batch.
    pub(super) fn begin(&mut self) {
        self.known = 0..0;
        self.held = 0..0;
    }

    /// Goes on to the row at a place of the batch; places rise.
    pub(super) fn go_to(&mut self, place: usize, batch: &Batch) -> Result<(), MergeError> {
        self.place = place;
        match self.known.contains(&place) {
            true => Ok(()),
            false => self.locate(place, batch),
        }
    }

    /// Looks up a row and those that come after it.
    fn locate(&mut self, first: usize, batch: &Batch) -> Result<(), MergeError> {
        let wanted = batch.rows().skip(first).take(KNOWN_ROWS);
        let mut by_row: Vec<(u32, usize)> = wanted.zip(0..).collect();
        by_row.sort_unstable();
        let rows: Vec<u32> = by_row.iter().map(|&(row, _)| row).collect();
        let mut located = Vec::with_capacity(rows.len());
        let done = self.reader.locate(&rows, &mut located);
        done.map_err(self.input.named())?;
        self.located.clear();
        self.located.extend_from_slice(&located);
        for (located, (_, place)) in located.into_iter().zip(by_row) {
            self.located[place] = located;
        }
        self.known = first..first + rows.len();
        self.held = first..first;
        Ok(())
    }

    /// What is known of the current row.
    pub(super) fn located(&self) -> Located {
        self.located[self.place - self.known.start]
    }

    /// Whether a row may have samples that are asked for.
    fn is_wanted(&self, located: &Located) -> bool {
        let range = located.range();
        range.is_some_and(|range| range.overlaps(self.span))
    }

    /// The floats of the current row, which has nothing else; none where none is asked for.
    pub(super) fn floats(&mut self) -> Result<Option<&Floats>, MergeError> {
        let located = self.located();
        if !self.is_wanted(&located) {
            return Ok(None);
        }
        if !self.held.contains(&self.place) {
            self.hold()?;
        }
        let start = self.starts[self.place - self.held.start];
        let bytes = self.bytes.get(start..start + located.bytes());
        let out = &mut self.floats;
        let taken = self.reader.floats(&located, bytes.unwrap_or(&[]), out);
        taken.map_err(self.input.named())?;
        Ok(Some(&self.floats))
    }

    /// Holds the bytes of the current row and of those that come after it.
    fn hold(&mut self) -> Result<(), MergeError> {
        let first = self.place - self.known.start;
        let mut total = 0;
        let mut end = first;
        let mut by_row = Vec::new();
        while let Some(located) = self.located.get(end) {
            if self.is_wanted(located) {
                total += located.bytes();
                if end > first && total > HELD_BYTES {
                    break;
                }
                by_row.push(end);
            }
            end += 1;
        }
        by_row.sort_unstable_by_key(|&place| self.located[place].row());
        self.starts.clear();
        self.starts.resize(end - first, 0);
        let mut start = 0;
        for &place in &by_row {
            self.starts[place - first] = start;
            start += self.located[place].bytes();
        }
        let wanted = by_row.iter().map(|&place| &self.located[place]);
        let fetched = self.reader.fetch(wanted, &mut self.bytes);
        fetched.map_err(self.input.named())?;
        self.held = self.place..self.known.start + end;
        Ok(())
    }

    /// Adds timestamps of the current row, or of one before it, to `out`.
    pub(super) fn times(&mut self, at: TimesAt, out: &mut Vec<i64>) -> Result<(), MergeError> {
        let row = self.located().row();
        let read = self.reader.times(row, at, out);
        read.map_err(self.input.named())
    }

    /// All samples of the current row that are asked for, of any kinds.
    pub(super) fn points(&mut self, out: &mut Vec<Sample>) -> Result<(), MergeError> {
        let row = self.located().row();
        let read = self.reader.points(row, self.span, out);
        read.map_err(self.input.named())
    }

    /// Adds the exemplars of the current row that are asked for to `out`.
    pub(super) fn exemplars(&mut self, out: &mut Vec<Exemplar>) -> Result<(), MergeError> {
        let row = self.located().row();
        let read = self.reader.exemplars(&[row], self.span);
        for (_, mut own) in read.map_err(self.input.named())? {
            out.append(&mut own);
        }
        Ok(())
    }
}
