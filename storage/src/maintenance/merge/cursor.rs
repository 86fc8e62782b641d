//! One source on its way through a merge.

use super::block_rows::BlockRows;
use super::error::MergeError;
use super::labels::{Key, OrderedRows};
use super::segment_rows::SegmentRows;
use super::series::Arrived;
use super::source::{Input, Source};
use super::times::TimesRef;
use crate::model::{Exemplar, Sample, TimeRange};
use crate::segment::TimesAt;

/// The rows of a source in the order of their labels, and the samples of the current one.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    number: u32,
    rows: OrderedRows<'a>,
    samples: Samples<'a>,
}

/// The samples of a source's rows.
#[derive(Debug)]
enum Samples<'a> {
    Segment(Box<SegmentRows<'a>>),
    Block(Box<BlockRows<'a>>),
}

impl<'a> Cursor<'a> {
    /// Before the first row of a source whose symbols have these `numbers`. Samples that lie
    /// outside of `span` need not be given.
    pub(super) fn new(
        input: Input<'a>,
        numbers: &'a [u32],
        span: TimeRange,
    ) -> Result<Self, MergeError> {
        let samples = match input.source {
            Source::Segment(own) => Samples::Segment(Box::new(SegmentRows::new(input, own, span))),
            Source::Block(own) => Samples::Block(Box::new(BlockRows::new(input, own, span))),
        };
        let mut cursor = Self {
            // There are no more sources than a u32 counts: each is an open file.
            number: input.number as u32,
            rows: OrderedRows::new(input, numbers)?,
            samples,
        };
        cursor.arrive(true)?;
        Ok(cursor)
    }

    /// The number of the source among all.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// The labels of the current row; none behind the last.
    pub(super) fn key(&self) -> Option<&Key> {
        self.rows.current().map(|(key, _)| key)
    }

    /// Goes on to the next row.
    pub(super) fn advance(&mut self) -> Result<(), MergeError> {
        let is_first = self.rows.advance()?;
        self.arrive(is_first)
    }

    fn arrive(&mut self, is_first_of_batch: bool) -> Result<(), MergeError> {
        let Some((_, row)) = self.rows.current() else {
            return Ok(());
        };
        match &mut self.samples {
            Samples::Segment(own) => {
                if is_first_of_batch {
                    own.begin();
                }
                own.go_to(self.rows.at(), self.rows.batch())
            }
            Samples::Block(own) => own.go_to(row),
        }
    }

    /// Whether the current row has histograms or start timestamps.
    pub(super) fn has_beside(&self) -> bool {
        match &self.samples {
            Samples::Segment(own) => own.located().has_beside(),
            Samples::Block(own) => own.facts().has_beside,
        }
    }

    /// Adds the floats of the current row, which has nothing else, as they came.
    pub(super) fn floats(&mut self, arrived: &mut Arrived) -> Result<(), MergeError> {
        let input = self.number;
        match &mut self.samples {
            Samples::Segment(own) => {
                if let Some(floats) = own.floats()? {
                    let times = floats.times.iter().map(|at| TimesRef {
                        input,
                        count: at.count.into(),
                        column: at.column_at,
                        start: at.start.into(),
                    });
                    arrived.push(times, &floats.values);
                    arrived.push_own(&floats.late);
                }
            }
            Samples::Block(own) => {
                if let Some((column, values)) = own.floats()? {
                    let times = TimesRef {
                        input,
                        count: values.len() as u32,
                        column: column.into(),
                        start: 0,
                    };
                    arrived.push(std::iter::once(times), values);
                }
            }
        }
        Ok(())
    }

    /// Adds the timestamps at a place of this source to `out`.
    pub(super) fn times(&mut self, at: &TimesRef, out: &mut Vec<i64>) -> Result<(), MergeError> {
        match &mut self.samples {
            Samples::Segment(own) => {
                // They came from there.
                let at = TimesAt {
                    column_at: at.column,
                    start: at.start as u8,
                    count: at.count as u8,
                };
                own.times(at, out)
            }
            Samples::Block(own) => own.times(at.column as u32, out),
        }
    }

    /// Adds all samples of the current row, of any kinds.
    pub(super) fn points(&mut self, out: &mut Vec<Sample>) -> Result<(), MergeError> {
        let mut own = Vec::new();
        match &mut self.samples {
            Samples::Segment(source) => source.points(&mut own)?,
            Samples::Block(source) => source.points(&mut own)?,
        }
        out.append(&mut own);
        Ok(())
    }

    /// Adds the exemplars of the current row.
    pub(super) fn exemplars(&mut self, out: &mut Vec<Exemplar>) -> Result<(), MergeError> {
        match &mut self.samples {
            Samples::Segment(own) if own.located().has_exemplars() => own.exemplars(out),
            Samples::Block(own) if own.facts().has_exemplars => own.exemplars(out),
            _ => Ok(()),
        }
    }
}
