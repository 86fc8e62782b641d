//! The samples of a segment's rows, in another order than that of the file.

use std::ops::Range;

use super::error::MergeError;
use super::labels::Batch;
use super::source::Input;
use crate::model::{Exemplar, Sample, TimeRange};
use crate::segment::{Floats, Located, Reader, Segment, TimesAt};

/// How many bytes of rows are held at most, or one row where that has more.
const HELD_BYTES: usize = 1 << 20;

/// Reads the rows of a batch: their bytes in the order of the file, as many as may be held, then
/// what is in them in the order of the batch. Were each row read for itself, those that come
/// next lie far from each other, and each would take a page of its own to be read and checked.
#[derive(Debug)]
pub(super) struct SegmentRows<'a> {
    input: Input<'a>,
    reader: Reader<'a>,
    /// What lies outside is not asked for.
    span: TimeRange,
    /// Where the rows of the batch are, in its order.
    located: Vec<Located>,
    /// The places in the batch whose bytes are held.
    held: Range<usize>,
    bytes: Vec<u8>,
    /// Where those of each begin.
    starts: Vec<usize>,
    floats: Floats,
}

impl<'a> SegmentRows<'a> {
    pub(super) fn new(input: Input<'a>, segment: &'a Segment, span: TimeRange) -> Self {
        Self {
            input,
            reader: segment.reader(),
            span,
            located: Vec::new(),
            held: 0..0,
            bytes: Vec::new(),
            starts: Vec::new(),
            floats: Floats::default(),
        }
    }

    /// Goes on to another batch.
    pub(super) fn begin(&mut self, batch: &Batch) -> Result<(), MergeError> {
        let mut by_row: Vec<(u32, usize)> = batch.rows().zip(0..).collect();
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
        self.held = 0..0;
        Ok(())
    }

    /// What is known of the row at a place of the batch.
    pub(super) fn located(&self, place: usize) -> Located {
        self.located[place]
    }

    /// Whether the row at a place of the batch may have samples that are asked for.
    pub(super) fn may_have(&self, place: usize) -> bool {
        let range = self.located[place].range();
        range.is_some_and(|range| range.overlaps(self.span))
    }

    /// The floats of the row at a place of the batch, which has nothing else. Places rise.
    pub(super) fn floats(&mut self, place: usize) -> Result<&Floats, MergeError> {
        if !self.held.contains(&place) {
            self.hold(place)?;
        }
        let located = self.located[place];
        let start = self.starts[place - self.held.start];
        let bytes = self.bytes.get(start..start + located.bytes());
        let taken = self
            .reader
            .floats(&located, bytes.unwrap_or(&[]), &mut self.floats);
        taken.map_err(self.input.named())?;
        Ok(&self.floats)
    }

    /// Holds the bytes of a row and of those that come after it.
    fn hold(&mut self, first: usize) -> Result<(), MergeError> {
        let mut total = 0;
        let mut end = first;
        let mut by_row = Vec::new();
        while let Some(located) = self.located.get(end) {
            if self.may_have(end) {
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
        self.held = first..end;
        Ok(())
    }

    /// Adds timestamps of a row to `out`.
    pub(super) fn times(&mut self, at: TimesAt, out: &mut Vec<i64>) -> Result<(), MergeError> {
        // Which row it is does not matter but for the error.
        let row = self.floats_row();
        let read = self.reader.times(row, at, out);
        read.map_err(self.input.named())
    }

    fn floats_row(&self) -> u32 {
        let held = self.located.get(self.held.start);
        held.map_or(0, Located::row)
    }

    /// All samples of the row at a place of the batch that are asked for, of any kinds.
    pub(super) fn points(&mut self, place: usize, out: &mut Vec<Sample>) -> Result<(), MergeError> {
        let row = self.located[place].row();
        let read = self.reader.points(row, self.span, out);
        read.map_err(self.input.named())
    }

    /// Adds the exemplars of the row at a place of the batch that are asked for to `out`.
    pub(super) fn exemplars(
        &mut self,
        place: usize,
        out: &mut Vec<Exemplar>,
    ) -> Result<(), MergeError> {
        let row = self.located[place].row();
        let read = self.reader.exemplars(&[row], self.span);
        for (_, mut own) in read.map_err(self.input.named())? {
            out.append(&mut own);
        }
        Ok(())
    }
}
