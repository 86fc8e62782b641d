//! The samples of a block's rows, which are in the order of their labels already.

use super::error::MergeError;
use super::source::Input;
use crate::block::{Block, Reader, RowFacts};
use crate::model::{Exemplar, Sample, TimeRange};

/// Reads one row after the other.
#[derive(Debug)]
pub(super) struct BlockRows<'a> {
    input: Input<'a>,
    reader: Reader<'a>,
    /// What lies outside is not asked for.
    span: TimeRange,
    row: u32,
    facts: RowFacts,
    values: Vec<f64>,
}

impl<'a> BlockRows<'a> {
    pub(super) fn new(input: Input<'a>, block: &'a Block, span: TimeRange) -> Self {
        Self {
            input,
            reader: block.reader(),
            span,
            row: 0,
            facts: RowFacts::default(),
            values: Vec::new(),
        }
    }

    /// Goes on to a row.
    pub(super) fn go_to(&mut self, row: u32) -> Result<(), MergeError> {
        self.row = row;
        self.facts = self.reader.facts(row).map_err(self.input.named())?;
        Ok(())
    }

    /// What is known of the row.
    pub(super) fn facts(&self) -> RowFacts {
        self.facts
    }

    /// The values of the row, which has nothing else, with the number of their time column; none
    /// where none is asked for.
    pub(super) fn floats(&mut self) -> Result<Option<(u32, &[f64])>, MergeError> {
        let times = self.facts.times;
        let Some(times) = times.filter(|times| times.range.overlaps(self.span)) else {
            return Ok(None);
        };
        self.values.clear();
        let read = self.reader.values(self.row, &mut self.values);
        read.map_err(self.input.named())?;
        Ok(Some((times.column, &self.values)))
    }

    /// Adds the timestamps of a time column to `out`.
    pub(super) fn times(&mut self, column: u32, out: &mut Vec<i64>) -> Result<(), MergeError> {
        let read = self.reader.times(self.row, column, out);
        read.map_err(self.input.named())
    }

    /// All samples of the row that are asked for, of any kinds.
    pub(super) fn points(&mut self, out: &mut Vec<Sample>) -> Result<(), MergeError> {
        let read = self.reader.points(self.row, self.span, out);
        read.map_err(self.input.named())
    }

    /// Adds the exemplars of the row that are asked for to `out`.
    pub(super) fn exemplars(&mut self, out: &mut Vec<Exemplar>) -> Result<(), MergeError> {
        let read = self.reader.exemplars(&[self.row], self.span);
        for (_, mut own) in read.map_err(self.input.named())? {
            out.append(&mut own);
        }
        Ok(())
    }
}
