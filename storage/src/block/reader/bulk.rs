//! Reading all rows of a block, one after the other, as whoever merges blocks does.

use super::Reader;
use crate::block::group::{LaneKind, RowKind};
use crate::block::{BlockError, FORMAT};
use crate::model::{Pace, TimeRange};

/// What is known of a row without its pieces.
#[derive(Clone, Copy, Default, Debug)]
pub struct RowFacts {
    /// Its time column; none without a sample.
    pub times: Option<TimesFacts>,
    /// Whether its floats are not all of its samples, or some have start timestamps.
    pub has_beside: bool,
    /// Whether it has exemplars.
    pub has_exemplars: bool,
}

/// What is known of a time column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimesFacts {
    /// Its number in the block.
    pub column: u32,
    /// How many timestamps it has.
    pub count: u32,
    /// From the first to the last.
    pub range: TimeRange,
}

impl Reader<'_> {
    /// What is known of a row; nothing of one that does not exist.
    ///
    /// # Errors
    /// [`BlockError::Section`] and [`BlockError::Corrupt`]
    pub fn facts(&mut self, row: u32) -> Result<RowFacts, BlockError> {
        let parts = &mut self.parts;
        let mut find = || {
            let Some(at) = parts.groups.find(row)? else {
                return Ok(RowFacts::default());
            };
            let times = match parts.groups.with_points(row)? {
                Some((_, number)) => {
                    let column = parts.times.column(number)?;
                    Some(TimesFacts {
                        column: number,
                        count: column.count,
                        range: column.range,
                    })
                }
                None => None,
            };
            Ok(RowFacts {
                times,
                has_beside: LaneKind::Marks.is_of(at.kind),
                has_exemplars: at.kind.has(RowKind::EXEMPLARS),
            })
        };
        find().map_err(|fault: crate::immutable::Fault| fault.of(&FORMAT, self.path, row))
    }

    /// Adds all values of a row that has nothing but floats, as many as its time column has
    /// timestamps, to `out`.
    ///
    /// # Errors
    /// [`BlockError::Section`] and [`BlockError::Corrupt`]
    pub fn values(&mut self, row: u32, out: &mut Vec<f64>) -> Result<(), BlockError> {
        let parts = &mut self.parts;
        let mut read = || {
            let Some((at, number)) = parts.groups.with_points(row)? else {
                return Ok(());
            };
            let count = parts.times.column(number)?.count as usize;
            parts.floats(&at, count, 0..count, out, &mut Pace::none())
        };
        read().map_err(|fault: crate::immutable::Fault| fault.of(&FORMAT, self.path, row))
    }

    /// Adds all timestamps of the time column of a row to `out`. They are not held for others.
    ///
    /// # Errors
    /// [`BlockError::Section`] and [`BlockError::Corrupt`]
    pub fn times(&mut self, row: u32, column: u32, out: &mut Vec<i64>) -> Result<(), BlockError> {
        let read = self.parts.times.read_all(column, out);
        read.map_err(|fault| fault.of(&FORMAT, self.path, row))
    }
}
