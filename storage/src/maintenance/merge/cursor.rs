//! One source on its way through a merge.

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
    samples: SegmentRows<'a>,
}

impl<'a> Cursor<'a> {
    /// Before the first row of a source whose symbols have these `numbers`. Samples that lie
    /// outside of `span` are not asked for.
    pub(super) fn new(
        input: Input<'a>,
        numbers: &'a [u32],
        span: TimeRange,
    ) -> Result<Self, MergeError> {
        let rows = OrderedRows::new(input, numbers)?;
        let mut samples = match input.source {
            Source::Segment(segment) => SegmentRows::new(input, segment, span),
        };
        samples.begin(rows.batch())?;
        Ok(Self {
            // There are no more sources than a u32 counts: each is an open file.
            number: input.number as u32,
            rows,
            samples,
        })
    }

    /// The labels of the current row; none behind the last.
    pub(super) fn key(&self) -> Option<&Key> {
        self.rows.current().map(|(key, _)| key)
    }

    /// Goes on to the next row.
    pub(super) fn advance(&mut self) -> Result<(), MergeError> {
        match self.rows.advance()? {
            true => self.samples.begin(self.rows.batch()),
            false => Ok(()),
        }
    }

    /// Whether the current row has histograms or start timestamps.
    pub(super) fn has_beside(&self) -> bool {
        self.samples.located(self.rows.at()).has_beside()
    }

    /// Adds the floats of the current row, which has nothing else, as they came.
    pub(super) fn floats(&mut self, arrived: &mut Arrived) -> Result<(), MergeError> {
        let place = self.rows.at();
        if !self.samples.may_have(place) {
            return Ok(());
        }
        let number = self.number;
        let floats = self.samples.floats(place)?;
        let times = floats.times.iter().map(|at| TimesRef {
            input: number,
            count: at.count.into(),
            column: at.column_at,
            start: at.start.into(),
        });
        arrived.push(times, &floats.values);
        arrived.push_own(&floats.late);
        Ok(())
    }

    /// Adds the timestamps at a place of this source.
    pub(super) fn times(&mut self, at: &TimesRef, out: &mut Vec<i64>) -> Result<(), MergeError> {
        // They came from there.
        let at = TimesAt {
            column_at: at.column,
            start: at.start as u8,
            count: at.count as u8,
        };
        self.samples.times(at, out)
    }

    /// Adds all samples of the current row, of any kinds.
    pub(super) fn points(&mut self, out: &mut Vec<Sample>) -> Result<(), MergeError> {
        let mut own = Vec::new();
        self.samples.points(self.rows.at(), &mut own)?;
        out.append(&mut own);
        Ok(())
    }

    /// Adds the exemplars of the current row.
    pub(super) fn exemplars(&mut self, out: &mut Vec<Exemplar>) -> Result<(), MergeError> {
        let place = self.rows.at();
        match self.samples.located(place).has_exemplars() {
            true => self.samples.exemplars(place, out),
            false => Ok(()),
        }
    }
}
