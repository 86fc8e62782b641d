//! Reading many rows that do not follow each other, as whoever merges segments does: first where
//! they are, then their bytes in the order of the file, and only then what is in them, in
//! whatever order.

use std::ops::ControlFlow;

use super::{Reader, corrupt, late};
use crate::immutable::Fault;
use crate::model::TimeRange;
use crate::section::guarded;
use crate::segment::footer::Kind;
use crate::segment::record::{Decoder, Part};
use crate::segment::rows::RowAt;
use crate::segment::{FORMAT, SegmentError};

/// Where a row is, and of which kinds its samples are.
#[derive(Clone, Copy, Debug)]
pub struct Located {
    row: u32,
    at: Option<RowAt>,
    has_beside: bool,
    has_exemplars: bool,
}

impl Located {
    /// The row.
    pub fn row(&self) -> u32 {
        self.row
    }

    /// From its smallest timestamp to its largest; none without a sample.
    pub fn range(&self) -> Option<TimeRange> {
        self.at.map(|at| at.summary.range)
    }

    /// How many bytes [`Reader::fetch`] gives of it.
    pub fn bytes(&self) -> usize {
        self.at.map_or(0, |at| at.chunks_bytes as usize)
    }

    /// Whether [`Reader::floats`] does not tell all of its samples: it has histograms or start
    /// timestamps, which [`Reader::points`] reads.
    pub fn has_beside(&self) -> bool {
        self.has_beside
    }

    /// Whether it has exemplars.
    pub fn has_exemplars(&self) -> bool {
        self.has_exemplars
    }
}

/// Some of the timestamps of a column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimesAt {
    /// Where the column is.
    pub column_at: u64,
    /// The place of the first of them in it.
    pub start: u8,
    /// How many there are, at least 1.
    pub count: u8,
}

/// The floats of a row, their timestamps by where they stand.
#[derive(Debug, Default)]
pub struct Floats {
    /// The timestamps of the values.
    pub times: Vec<TimesAt>,
    /// The values that came in order.
    pub values: Vec<f64>,
    /// The samples that came late, as they came: of several samples at one timestamp the last
    /// of these counts.
    pub late: Vec<(i64, f64)>,
}

impl Floats {
    /// Leaves nothing but the memory.
    pub fn clear(&mut self) {
        self.times.clear();
        self.values.clear();
        self.late.clear();
    }
}

impl Reader<'_> {
    /// Puts where `rows` are, which rise, into `out`, which is emptied first.
    ///
    /// # Errors
    /// [`SegmentError::Section`] and [`SegmentError::Corrupt`]
    pub fn locate(&mut self, rows: &[u32], out: &mut Vec<Located>) -> Result<(), SegmentError> {
        let mut reached = 0;
        let located = guarded(self.file, || {
            out.clear();
            self.parts.begin();
            for &row in rows {
                reached = row;
                let extras = &mut self.parts.extras;
                let has_beside = extras.has_histograms(row)? || extras.has_starts(row)?;
                out.push(Located {
                    row,
                    has_beside,
                    has_exemplars: extras.has_exemplars(row)?,
                    at: self.parts.rows.find(row)?,
                });
            }
            Ok(())
        });
        located.map_err(|fault: Fault| fault.of(&FORMAT, self.path, reached))
    }

    /// Puts the bytes of rows one after the other into `out`, which is emptied first. Quickest
    /// for rows that rise.
    ///
    /// # Errors
    /// [`SegmentError::Section`]
    pub fn fetch<'l>(
        &mut self,
        rows: impl Iterator<Item = &'l Located> + Clone,
        out: &mut Vec<u8>,
    ) -> Result<(), SegmentError> {
        let mut reached = 0;
        let fetched = guarded(self.file, || {
            out.clear();
            self.parts.begin();
            for located in rows.clone() {
                reached = located.row;
                if let Some(at) = &located.at {
                    let bytes = self
                        .parts
                        .chunks
                        .get(at.chunks_at, at.chunks_bytes as usize)
                        .map_err(|error| Fault::Section(Kind::Chunks.name(), error))?;
                    out.extend_from_slice(bytes);
                }
            }
            Ok(())
        });
        fetched.map_err(|fault: Fault| fault.of(&FORMAT, self.path, reached))
    }

    /// Takes the floats of a row out of the bytes that [`Reader::fetch`] gave of it into `out`,
    /// which is emptied first.
    ///
    /// # Errors
    /// [`SegmentError::Corrupt`]
    pub fn floats(
        &self,
        located: &Located,
        bytes: &[u8],
        out: &mut Floats,
    ) -> Result<(), SegmentError> {
        out.clear();
        let times_base = located.at.map_or(0, |at| at.times_base);
        let taken = take_floats(Decoder::new(bytes, times_base), out);
        taken.map_err(|fault| fault.of(&FORMAT, self.path, located.row))
    }

    /// Adds the timestamps that `at` names, of a row's values, to `out`.
    ///
    /// # Errors
    /// [`SegmentError::Section`] and [`SegmentError::Corrupt`]
    pub fn times(&mut self, row: u32, at: TimesAt, out: &mut Vec<i64>) -> Result<(), SegmentError> {
        let before = out.len();
        let read = guarded(self.file, || {
            out.truncate(before);
            self.parts.begin();
            let times = &mut self.parts.times;
            out.extend_from_slice(times.get(at.column_at, at.start, at.count)?);
            Ok(())
        });
        read.map_err(|fault: Fault| fault.of(&FORMAT, self.path, row))
    }
}

fn take_floats(mut row: Decoder<'_>, out: &mut Floats) -> Result<(), Fault> {
    while let Some(part) = row.next_part().map_err(corrupt)? {
        match part {
            Part::InOrder {
                column_at,
                start,
                count,
                values,
            } => {
                let read = values.for_each(count.into(), |value| {
                    out.values.push(value);
                    ControlFlow::Continue(())
                });
                let _all = read.map_err(|error| corrupt(error.to_string()))?;
                out.times.push(TimesAt {
                    column_at,
                    start,
                    count,
                });
            }
            Part::Late { xor, .. } => late(xor, |timestamp_ms, value| {
                out.late.push((timestamp_ms, value));
            })?,
        }
    }
    Ok(())
}
