//! Chunks as they go from memory to a file: borrowed, and encoded already.

use super::{TimeColumn, ValuesRef};
use crate::model::TimeRange;

/// A chunk of samples that came in order.
#[derive(Clone, Copy, Debug)]
pub struct OrderedChunk<'a> {
    /// The number of its time column among those of its owner.
    pub column: u32,
    /// That column.
    pub times: &'a TimeColumn,
    /// The place of its first timestamp in the column.
    pub start: u8,
    /// How many samples it has, at least 1.
    pub count: u8,
    /// Their values.
    pub values: ValuesRef<'a>,
}

/// A chunk of late samples, in the order in which they came.
#[derive(Clone, Copy, Debug)]
pub struct LateChunk<'a> {
    /// From its smallest timestamp to its largest.
    pub range: TimeRange,
    /// How many samples it has.
    pub count: u16,
    /// The samples of a XOR chunk, without the count that stands before them.
    pub samples: &'a [u8],
}
