//! Reading segments.

mod bulk;
mod extras;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use self::bulk::{Floats, Located, TimesAt};
use self::extras::Extras;
use super::footer::{Footer, Kind};
use super::record::{Decoder, Part};
use super::rows::{RowAt, Rows, table_bytes};
use super::sparse::SparseRows;
use super::{FORMAT, SegmentError, SegmentInfo, SeqRange};
use crate::chunk::{
    CHUNK_SAMPLES_MAX, TIMES_BYTES_MAX, ValuesRef, XorReader, decode_times, overlay, times_within,
};
use crate::immutable::{Fault, Opened, Unusable};
use crate::index::stored::{IndexError, StoredIndex};
use crate::model::{Pace, Samples, TimeRange};
use crate::section::{Bytes, Section, Stretch, guarded};
use crate::sys::{File, Sys};

/// How many rows are looked at before it is checked that the file is still whole.
const SELECT_ROWS: usize = 1024;

/// How many samples a part of a row has, about.
const PART_SAMPLES: usize = CHUNK_SAMPLES_MAX as usize;

/// An open segment. What it says of itself is in memory; rows are read when asked for.
#[derive(Debug)]
pub struct Segment {
    path: PathBuf,
    info: SegmentInfo,
    index: StoredIndex,
    file: Arc<dyn File>,
    times: Section,
    chunks: Section,
    rows: Section,
    summaries: Section,
    starts: Option<Section>,
    histograms: Option<Section>,
    exemplars: Option<Section>,
    metadata: Option<Section>,
}

impl Segment {
    /// Opens the segment at `path`, whose name is that of a segment. Header and footer are
    /// checked, and that the file is as long as they say; sections are when they are read.
    ///
    /// # Errors
    /// [`SegmentError::Io`], [`SegmentError::Damaged`], [`SegmentError::Newer`]
    pub fn open(sys: &Sys, path: &Path) -> Result<Self, SegmentError> {
        let opened = Opened::open(sys, &FORMAT, path)?;
        let unusable = |why: Unusable| why.of(&FORMAT, path);
        let footer = Footer::decode(&opened.footer).map_err(unusable)?;
        let listed = &footer.sections;
        let optional = |kind| opened.section(listed, kind as u16).map_err(unusable);
        let section = |kind| opened.needed_section(listed, kind as u16).map_err(unusable);
        let segment = Self {
            path: path.to_owned(),
            times: section(Kind::Times)?,
            chunks: section(Kind::Chunks)?,
            rows: section(Kind::Rows)?,
            summaries: section(Kind::Summaries)?,
            starts: optional(Kind::Starts)?,
            histograms: optional(Kind::Histograms)?,
            exemplars: optional(Kind::Exemplars)?,
            metadata: optional(Kind::Metadata)?,
            info: footer.info(opened.number, opened.bytes),
            index: opened.index(&FORMAT, path, &footer.index)?,
            file: opened.file,
        };
        if segment.rows.len() == table_bytes(segment.info.rows)
            && segment.index.rows() == segment.info.rows
        {
            return Ok(segment);
        }
        let reason = "table, index and footer do not have the same number of rows";
        Err(unusable(Unusable::Damaged(reason)))
    }

    /// What it says of itself.
    pub fn info(&self) -> &SegmentInfo {
        &self.info
    }

    /// How many rows there are: series ids of its memtable are below.
    #[cfg(test)]
    pub fn rows(&self) -> u32 {
        self.info.rows
    }

    /// Smallest and largest timestamp; none without a sample.
    pub fn range(&self) -> Option<TimeRange> {
        self.info.range
    }

    /// The writes it holds.
    pub fn seqs(&self) -> SeqRange {
        self.info.origin.seqs
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Asks the index, by `read`; it may be called again, so it begins anew each time.
    ///
    /// # Errors
    /// [`SegmentError::Index`] and [`SegmentError::Section`]
    pub fn with_index<T>(
        &self,
        mut read: impl FnMut(&StoredIndex) -> Result<T, IndexError>,
    ) -> Result<T, SegmentError> {
        let lost = |source| SegmentError::Section {
            noun: FORMAT.noun,
            path: self.path.clone(),
            section: "index",
            source,
        };
        let read = guarded(&*self.file, || Ok(read(&self.index))).map_err(lost)?;
        read.map_err(|source| SegmentError::Index {
            noun: FORMAT.noun,
            path: self.path.clone(),
            source,
        })
    }

    /// Reads rows. It holds the parts read last, so one for many rows in rising order is
    /// quicker than one for each.
    pub fn reader(&self) -> Reader<'_> {
        Reader {
            path: &self.path,
            file: &*self.file,
            parts: Parts {
                rows: Rows::new(self.info.rows, &self.rows, &self.summaries),
                chunks: Stretch::new(&self.chunks),
                times: Times::new(&self.times),
                extras: Extras {
                    starts: self.sparse(Kind::Starts, &self.starts),
                    histograms: self.sparse(Kind::Histograms, &self.histograms),
                    exemplars: self.sparse(Kind::Exemplars, &self.exemplars),
                },
            },
        }
    }

    fn sparse<'a>(&self, kind: Kind, section: &'a Option<Section>) -> Option<SparseRows<'a>> {
        let section = section.as_ref()?;
        Some(SparseRows::new(kind.name(), self.info.rows, section))
    }

    /// Whether a row has a sample in `range`: see [`Reader::has_sample`].
    ///
    /// # Errors
    /// Those of [`Reader::has_sample`].
    #[cfg(test)]
    pub fn has_sample(&self, row: u32, range: TimeRange) -> Result<bool, SegmentError> {
        self.reader().has_sample(row, range)
    }

    /// Reads the samples of a row: see [`Reader::read`].
    ///
    /// # Errors
    /// Those of [`Reader::read`].
    #[cfg(test)]
    pub fn read(&self, row: u32, range: TimeRange, out: &mut Samples) -> Result<(), SegmentError> {
        self.reader().read(row, range, out)
    }
}

/// Reads rows of a segment.
#[derive(Debug)]
pub struct Reader<'a> {
    path: &'a Path,
    file: &'a dyn File,
    parts: Parts<'a>,
}

impl Reader<'_> {
    /// Whether a row has a sample in `range`. No for a row that does not exist.
    ///
    /// Most questions are settled by the table of rows, without a look at the chunks.
    ///
    /// # Errors
    /// [`SegmentError::Section`] and [`SegmentError::Corrupt`]
    #[cfg(test)]
    pub fn has_sample(&mut self, row: u32, range: TimeRange) -> Result<bool, SegmentError> {
        let has = guarded(self.file, || {
            self.parts.begin();
            self.parts.has_sample(row, range)
        });
        has.map_err(|fault| fault.of(&FORMAT, self.path, row))
    }

    /// Those of `rows` that have a sample in `range`, as [`Reader::has_sample`].
    ///
    /// # Errors
    /// Those of [`Reader::has_sample`].
    pub fn with_samples(
        &mut self,
        rows: &[u32],
        range: TimeRange,
    ) -> Result<Vec<u32>, SegmentError> {
        let mut all = Vec::with_capacity(rows.len());
        for rows in rows.chunks(SELECT_ROWS) {
            let mut at = 0;
            let found = guarded(self.file, || {
                self.parts.begin();
                let mut found = Vec::with_capacity(rows.len());
                for &row in rows {
                    at = row;
                    if self.parts.has_sample(row, range)? {
                        found.push(row);
                    }
                }
                Ok(found)
            });
            all.extend(found.map_err(|fault: Fault| fault.of(&FORMAT, self.path, at))?);
        }
        Ok(all)
    }

    /// [`Self::read_within`] without bounds.
    #[cfg(any(test, feature = "fuzz-internals"))]
    pub fn read(
        &mut self,
        row: u32,
        range: TimeRange,
        out: &mut Samples,
    ) -> Result<(), SegmentError> {
        self.read_within(row, range, out, &mut Pace::none())
    }

    /// Reads the floats of a row in `range` into `out`, which is emptied first; those that a
    /// histogram came over are not among them. Of several at one timestamp the one that came
    /// last counts. None for a row that does not exist; part of them where the pace ends it.
    ///
    /// # Errors
    /// [`SegmentError::Section`] and [`SegmentError::Corrupt`]; `out` is empty then.
    pub fn read_within(
        &mut self,
        row: u32,
        range: TimeRange,
        out: &mut Samples,
        pace: &mut Pace<'_>,
    ) -> Result<(), SegmentError> {
        let read = guarded(self.file, || {
            out.clear();
            self.parts.begin();
            self.parts.read(row, range, out, pace)
        });
        read.map_err(|fault| {
            out.clear();
            fault.of(&FORMAT, self.path, row)
        })
    }
}

/// The sections, and where they are read.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) rows: Rows<'a>,
    pub(super) chunks: Stretch<'a>,
    pub(super) times: Times<'a>,
    extras: Extras<'a>,
}

impl Parts<'_> {
    /// Lets go of what a fault of the file could have changed since it was checked.
    fn begin(&mut self) {
        self.rows.begin();
        self.chunks.begin();
        self.times.begin();
        self.extras.begin();
    }

    pub(super) fn has_sample(&mut self, row: u32, range: TimeRange) -> Result<bool, Fault> {
        let Some(at) = self.find(row, range)? else {
            return Ok(false);
        };
        let all = at.summary.range;
        if range.contains(all.start_ms) || range.contains(all.end_ms) {
            return Ok(true);
        }
        let mut decoder = decoder(&mut self.chunks, &at)?;
        while let Some(part) = decoder.next_part().map_err(corrupt)? {
            let has = match part {
                Part::InOrder {
                    column_at,
                    start,
                    count,
                    ..
                } => {
                    self.times.may_overlap(column_at, start, count, range)?
                        && !within(self.times.get(column_at, start, count)?, range).is_empty()
                }
                Part::Late { range: all, xor } if all.overlaps(range) => {
                    let mut found = false;
                    late(xor, |timestamp_ms, _| {
                        found |= range.contains(timestamp_ms);
                    })?;
                    found
                }
                Part::Late { .. } => false,
            };
            if has {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn read(
        &mut self,
        row: u32,
        range: TimeRange,
        out: &mut Samples,
        pace: &mut Pace<'_>,
    ) -> Result<(), Fault> {
        let Some(at) = self.find(row, range)? else {
            return Ok(());
        };
        if self.extras.has_histograms(row)? {
            return self.read_among_histograms(row, &at, range, out);
        }
        let mut decoder = decoder(&mut self.chunks, &at)?;
        // Whoever wants all of them needs no chunk skipped.
        let all = at.summary.range;
        let is_whole = range.start_ms <= all.start_ms && all.end_ms <= range.end_ms;
        let mut later = Vec::new();
        while let Some(part) = decoder.next_part().map_err(corrupt)? {
            if !pace.goes_on(PART_SAMPLES) {
                return Ok(());
            }
            match part {
                Part::InOrder {
                    column_at,
                    start,
                    count,
                    values,
                } => {
                    if is_whole || self.times.may_overlap(column_at, start, count, range)? {
                        let times = self.times.get(column_at, start, count)?;
                        in_order(times, values, range, out)?;
                    }
                }
                Part::Late { range: all, xor } if all.overlaps(range) => {
                    late(xor, |timestamp_ms, value| {
                        if range.contains(timestamp_ms) {
                            later.push((timestamp_ms, value));
                        }
                    })?;
                }
                Part::Late { .. } => {}
            }
        }
        if !later.is_empty() {
            overlay(out, later);
        }
        Ok(())
    }

    /// Where a row is that may have samples in `range`.
    fn find(&mut self, row: u32, range: TimeRange) -> Result<Option<RowAt>, Fault> {
        let found = self.rows.find(row)?;
        Ok(found.filter(|at| at.summary.range.overlaps(range)))
    }
}

fn decoder<'s>(chunks: &'s mut Stretch<'_>, at: &RowAt) -> Result<Decoder<'s>, Fault> {
    let row = chunks
        .get(at.chunks_at, at.chunks_bytes as usize)
        .map_err(|error| Fault::Section(Kind::Chunks.name(), error))?;
    Ok(Decoder::new(row, at.times_base))
}

fn corrupt(reason: impl Into<String>) -> Fault {
    Fault::corrupt(Kind::Chunks.name(), reason)
}

/// Where in timestamps that rise those of a range are.
fn within(times: &[i64], range: TimeRange) -> std::ops::Range<usize> {
    let from = times.partition_point(|&t| t < range.start_ms);
    let to = times.partition_point(|&t| t <= range.end_ms);
    from..to.max(from)
}

/// Adds the samples of a chunk that lie in `range`.
fn in_order(
    times: &[i64],
    values: ValuesRef<'_>,
    range: TimeRange,
    out: &mut Samples,
) -> Result<(), Fault> {
    let wanted = within(times, range);
    if wanted.is_empty() {
        return Ok(());
    }
    if out.timestamps_ms.last() >= times.get(wanted.start) {
        return Err(corrupt("chunks in order go back in time"));
    }
    // Values are read from the first one on: each is coded against the one before.
    let mut place = 0;
    let read = values.for_each(wanted.end as u16, |value| {
        if place >= wanted.start {
            out.values.push(value);
        }
        place += 1;
        ControlFlow::Continue(())
    });
    let _all = read.map_err(|error| corrupt(error.to_string()))?;
    out.timestamps_ms.extend_from_slice(&times[wanted]);
    Ok(())
}

/// Hands out the samples of a late chunk.
fn late(xor: &[u8], mut each: impl FnMut(i64, f64)) -> Result<(), Fault> {
    let read = XorReader::new(xor).and_then(|reader| {
        reader.for_each(u16::MAX, |timestamp_ms, value| {
            each(timestamp_ms, value);
            ControlFlow::Continue(())
        })
    });
    let _all = read.map_err(|error| corrupt(format!("late {error}")))?;
    Ok(())
}

/// Reads time columns; the one read last is held.
#[derive(Debug)]
pub(super) struct Times<'a> {
    section: Stretch<'a>,
    at: Option<u64>,
    column: Vec<i64>,
}

impl<'a> Times<'a> {
    pub(super) fn new(section: &'a dyn Bytes) -> Self {
        Self {
            section: Stretch::new(section),
            at: None,
            column: Vec::new(),
        }
    }

    fn begin(&mut self) {
        if self.section.begin() {
            self.at = None;
        }
    }

    /// Whether `count` timestamps from place `start` on of the column at `at` may lie in `range`.
    fn may_overlap(
        &mut self,
        at: u64,
        start: u8,
        count: u8,
        range: TimeRange,
    ) -> Result<bool, Fault> {
        if self.at == Some(at) {
            return Ok(true);
        }
        let all = times_within(self.column_bytes(at)?, start, count);
        Ok(all.ok_or_else(|| no_column(at))?.overlaps(range))
    }

    /// `count` timestamps from place `start` on, at least one, of the column at `at`.
    fn get(&mut self, at: u64, start: u8, count: u8) -> Result<&[i64], Fault> {
        if self.at != Some(at) {
            self.at = None;
            let mut column = std::mem::take(&mut self.column);
            let decoded = decode_times(self.column_bytes(at)?, &mut column);
            self.column = column;
            decoded.ok_or_else(|| no_column(at))?;
            self.at = Some(at);
        }
        let start = usize::from(start);
        let end = start + usize::from(count);
        let times = self.column.get(start..end);
        times.filter(|times| !times.is_empty()).ok_or_else(|| {
            corrupt(format!(
                "a chunk has the timestamps {start}..{end} of a column of {}",
                self.column.len()
            ))
        })
    }

    fn column_bytes(&mut self, at: u64) -> Result<&[u8], Fault> {
        let bytes = self.section.get_up_to(at, TIMES_BYTES_MAX);
        bytes.map_err(|error| Fault::Section(Kind::Times.name(), error))
    }
}

fn no_column(at: u64) -> Fault {
    Fault::corrupt(Kind::Times.name(), format!("no column is at {at}"))
}

#[cfg(test)]
mod tests;
