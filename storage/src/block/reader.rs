//! Reading blocks.

mod bulk;
mod extras;
mod groups;
mod source;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use self::bulk::RowFacts;
use self::groups::{Groups, RowAt};
pub(super) use self::source::Source;
use super::footer::{Footer, Kind};
use super::group::{ENTRY_BYTES, LaneKind, RowKind};
use super::times::{Column, Times};
use super::{BlockError, BlockInfo, FORMAT, SLICE_SAMPLES};
use crate::column::{decode_values, decode_values_range};
use crate::immutable::{Fault, Opened, SeqRange, Unusable};
use crate::index::stored::{IndexError, StoredIndex};
use crate::model::{Pace, SAMPLES_PACE, Samples, TimeRange};
use crate::section::{Bytes, Section, guarded};
use crate::sys::{File, Sys};

/// An open block. What it says of itself is in memory; rows are read when asked for.
#[derive(Debug)]
pub struct Block {
    path: PathBuf,
    info: BlockInfo,
    /// How many rows have no sample.
    bare_rows: u32,
    /// How many time columns there are.
    columns: u32,
    /// What some of the rows have.
    has: RowKind,
    index: StoredIndex,
    file: Arc<dyn File>,
    data: Section,
    groups: Section,
    times: Section,
    metadata: Option<Section>,
}

impl Block {
    /// Opens the block at `path`, whose name is that of a block. Header and footer are checked,
    /// and that the file is as long as they say; sections are when they are read.
    ///
    /// # Errors
    /// [`BlockError::Io`], [`BlockError::Damaged`], [`BlockError::Newer`]
    pub fn open(sys: &Sys, path: &Path) -> Result<Self, BlockError> {
        let opened = Opened::open(sys, &FORMAT, path)?;
        let unusable = |why: Unusable| why.of(&FORMAT, path);
        let footer = Footer::decode(&opened.footer).map_err(unusable)?;
        let listed = &footer.sections;
        let section = |kind| opened.needed_section(listed, kind as u16).map_err(unusable);
        let metadata = opened.section(listed, Kind::Metadata as u16);
        let block = Self {
            path: path.to_owned(),
            info: footer.info(opened.number, opened.bytes),
            bare_rows: footer.bare_rows,
            columns: footer.columns,
            has: footer.has,
            index: opened.index(&FORMAT, path, &footer.index)?,
            data: section(Kind::Data)?,
            groups: section(Kind::Groups)?,
            times: section(Kind::Times)?,
            metadata: metadata.map_err(unusable)?,
            file: opened.file,
        };
        let groups = block.groups.len();
        let are_groups = groups.is_multiple_of(ENTRY_BYTES as u64)
            && (groups == 0) == (block.info.rows == 0)
            && groups / ENTRY_BYTES as u64 <= u64::from(block.info.rows);
        if are_groups && block.index.rows() == block.info.rows {
            return Ok(block);
        }
        let reason = "groups, index and footer do not have the same number of rows";
        Err(unusable(Unusable::Damaged(reason)))
    }

    /// What it says of itself.
    pub fn info(&self) -> &BlockInfo {
        &self.info
    }

    /// Smallest and largest timestamp; none without a sample.
    pub fn range(&self) -> Option<TimeRange> {
        self.info.range
    }

    /// The writes it holds.
    pub fn seqs(&self) -> SeqRange {
        self.info.seqs
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Asks the index, by `read`; it may be called again, so it begins anew each time.
    ///
    /// # Errors
    /// [`BlockError::Index`] and [`BlockError::Section`]
    pub fn with_index<T>(
        &self,
        mut read: impl FnMut(&StoredIndex) -> Result<T, IndexError>,
    ) -> Result<T, BlockError> {
        let lost = |source| BlockError::Section {
            noun: FORMAT.noun,
            path: self.path.clone(),
            section: "index",
            source,
        };
        let read = guarded(&*self.file, || Ok(read(&self.index))).map_err(lost)?;
        read.map_err(|source| BlockError::Index {
            noun: FORMAT.noun,
            path: self.path.clone(),
            source,
        })
    }

    /// Reads rows. It holds what was read last (decompressed pages, time columns, some MiB), so
    /// one for many rows in rising order is far quicker than one for each.
    pub fn reader(&self) -> Reader<'_> {
        let source = Source::new(&*self.file, &self.data);
        let range = self.info.range.filter(|_| self.bare_rows == 0);
        Reader {
            path: &self.path,
            rows: self.info.rows,
            has: self.has,
            all: range,
            parts: Parts {
                groups: Groups::new(source, &self.groups, self.info.rows),
                times: Times::new(source, &self.times, self.columns),
            },
        }
    }
}

/// Reads rows of a block.
#[derive(Debug)]
pub struct Reader<'a> {
    path: &'a Path,
    rows: u32,
    /// What some of the rows have.
    has: RowKind,
    /// Where all samples lie, if there is one in each row.
    all: Option<TimeRange>,
    parts: Parts<'a>,
}

impl Reader<'_> {
    /// Those of `rows` that have a sample in `range`. Rows that do not exist have none.
    ///
    /// Most questions are settled by what the file says of time columns.
    ///
    /// # Errors
    /// [`BlockError::Section`] and [`BlockError::Corrupt`]
    pub fn with_samples(&mut self, rows: &[u32], range: TimeRange) -> Result<Vec<u32>, BlockError> {
        let is_whole =
            |all: TimeRange| range.start_ms <= all.start_ms && all.end_ms <= range.end_ms;
        if self.all.is_some_and(is_whole) {
            return Ok(rows
                .iter()
                .copied()
                .filter(|&row| row < self.rows)
                .collect());
        }
        let mut found = Vec::with_capacity(rows.len());
        for &row in rows {
            let has = self.parts.has_sample(row, range);
            if has.map_err(|fault| fault.of(&FORMAT, self.path, row))? {
                found.push(row);
            }
        }
        Ok(found)
    }

    /// [`Self::read_within`] without bounds.
    #[cfg(any(test, feature = "fuzz-internals"))]
    pub fn read(
        &mut self,
        row: u32,
        range: TimeRange,
        out: &mut Samples,
    ) -> Result<(), BlockError> {
        self.read_within(row, range, out, &mut Pace::none())
    }

    /// Reads the floats of a row in `range` into `out`, which is emptied first. None for a row
    /// that does not exist; part of them where the pace ends it.
    ///
    /// # Errors
    /// [`BlockError::Section`] and [`BlockError::Corrupt`]; `out` is empty then.
    pub fn read_within(
        &mut self,
        row: u32,
        range: TimeRange,
        out: &mut Samples,
        pace: &mut Pace<'_>,
    ) -> Result<(), BlockError> {
        out.clear();
        self.parts.read(row, range, out, pace).map_err(|fault| {
            out.clear();
            fault.of(&FORMAT, self.path, row)
        })
    }
}

/// Appends a value so many times.
fn repeat(
    value: f64,
    mut count: usize,
    out: &mut Vec<f64>,
    pace: &mut Pace<'_>,
) -> Result<(), Fault> {
    out.reserve(count);
    while count > 0 && pace.goes_on(count.min(SAMPLES_PACE)) {
        let piece = count.min(SAMPLES_PACE);
        out.resize(out.len() + piece, value);
        count -= piece;
    }
    Ok(())
}

/// What rows are read from.
#[derive(Debug)]
struct Parts<'a> {
    groups: Groups<'a>,
    times: Times<'a>,
}

/// The points of a row that lie in a range.
struct Found {
    row: RowAt,
    /// The number of their time column.
    number: u32,
    column: Column,
    /// Their places in it, at least one.
    places: Range<usize>,
}

impl Parts<'_> {
    fn has_sample(&mut self, row: u32, range: TimeRange) -> Result<bool, Fault> {
        let Some((_, number)) = self.groups.with_points(row)? else {
            return Ok(false);
        };
        let column = self.times.column(number)?;
        let all = column.range;
        if range.contains(all.start_ms) || range.contains(all.end_ms) {
            return Ok(true);
        }
        Ok(!self.times.within(number, &column, range)?.is_empty())
    }

    /// The points of a row that lie in `range`.
    fn find(&mut self, row: u32, range: TimeRange) -> Result<Option<Found>, Fault> {
        let Some((row, number)) = self.groups.with_points(row)? else {
            return Ok(None);
        };
        let column = self.times.column(number)?;
        let places = self.times.within(number, &column, range)?;
        Ok((!places.is_empty()).then_some(Found {
            row,
            number,
            column,
            places,
        }))
    }

    fn read(
        &mut self,
        row: u32,
        range: TimeRange,
        out: &mut Samples,
        pace: &mut Pace<'_>,
    ) -> Result<(), Fault> {
        let Some(found) = self.find(row, range)? else {
            return Ok(());
        };
        if found.row.kind.has(RowKind::HISTOGRAMS) {
            return self.read_among_histograms(&found, out);
        }
        let Found {
            row,
            number,
            column,
            places,
        } = found;
        let times = &mut out.timestamps_ms;
        self.times
            .read(number, &column, places.clone(), times, pace)?;
        self.floats(&row, column.count as usize, places, &mut out.values, pace)
    }

    /// Appends the floats at `places` of a row with `count` of them to `out`.
    fn floats(
        &mut self,
        row: &RowAt,
        count: usize,
        places: Range<usize>,
        out: &mut Vec<f64>,
        pace: &mut Pace<'_>,
    ) -> Result<(), Fault> {
        match row.kind.floats() {
            RowKind::CONSTANT => {
                let value = self.groups.constant(row)?;
                return repeat(value, places.len(), out, pace);
            }
            RowKind::COLUMN => out.reserve(places.len()),
            _ => return Err(Fault::corrupt(Kind::Data.name(), "a row has no floats")),
        }
        let mut from = places.start;
        while from < places.end {
            if !pace.goes_on(SLICE_SAMPLES) {
                return Ok(());
            }
            let slice = from / SLICE_SAMPLES;
            let before = slice * SLICE_SAMPLES;
            let samples = count.saturating_sub(before).min(SLICE_SAMPLES);
            let to = places.end.min(before + samples);
            let piece = self.groups.piece(LaneKind::Values, row, slice)?;
            // Not all at once: to have the memory of a long series filled takes long by itself.
            let start = out.len();
            out.resize(start + to.saturating_sub(from), 0.0);
            let slots = out.get_mut(start..).unwrap_or_default();
            let decoded = match slots.len() == samples {
                true => decode_values(piece, slots),
                false => decode_values_range(piece, samples, from - before, slots),
            };
            decoded.map_err(|error| Fault::corrupt(Kind::Data.name(), error.to_string()))?;
            if to <= from {
                return Err(Fault::corrupt(Kind::Data.name(), "a row has fewer floats"));
            }
            from = to;
        }
        Ok(())
    }
}
