//! Reading what is no float: histograms, start timestamps, exemplars, metadata.

use super::{Block, Found, Parts, Reader};
use crate::block::footer::Kind;
use crate::block::group::{LaneKind, RowKind};
use crate::block::histograms::take_histograms;
use crate::block::lists::Marks;
use crate::block::packed;
use crate::block::{BlockError, FORMAT, SLICE_SAMPLES};
use crate::chunk::StartRun;
use crate::immutable::{Families, Fault, take_exemplars};
use crate::model::{Exemplar, Histogram, Metadata, Pace, Sample, Samples, TimeRange, Value};
use crate::section::guarded;

impl Block {
    /// Whether any row has exemplars.
    pub fn has_exemplars(&self) -> bool {
        self.has.has(RowKind::EXEMPLARS)
    }

    /// The metadata of a metric family, or of all that have some, in order of name.
    ///
    /// # Errors
    /// [`BlockError::Section`] and [`BlockError::CorruptSection`]
    pub fn metadata(&self, metric: Option<&str>) -> Result<Vec<(String, Metadata)>, BlockError> {
        let Some(section) = &self.metadata else {
            return Ok(Vec::new());
        };
        let read = guarded(&*self.file, || {
            let families = packed::unpack(section)?;
            Families::new(&families).read(metric)
        });
        read.map_err(|fault: Fault| fault.of_section(&FORMAT, &self.path))
    }
}

impl Reader<'_> {
    /// Whether a row has histograms, in whatever range. Costs nothing in a block without any.
    ///
    /// # Errors
    /// [`BlockError::Section`] and [`BlockError::Corrupt`]
    pub fn has_histograms(&mut self, row: u32) -> Result<bool, BlockError> {
        if !self.has.has(RowKind::HISTOGRAMS) {
            return Ok(false);
        }
        let found = self.parts.groups.find(row);
        let found = found.map_err(|fault| fault.of(&FORMAT, self.path, row))?;
        Ok(found.is_some_and(|row| row.kind.has(RowKind::HISTOGRAMS)))
    }

    /// Reads all samples of a row in `range` into `out`, which is emptied first: floats and
    /// histograms, with their start timestamps. None for a row that does not exist.
    ///
    /// # Errors
    /// [`BlockError::Section`] and [`BlockError::Corrupt`]; `out` is empty then.
    pub fn points(
        &mut self,
        row: u32,
        range: TimeRange,
        out: &mut Vec<Sample>,
    ) -> Result<(), BlockError> {
        out.clear();
        let read = self.parts.points(row, range);
        out.append(&mut read.map_err(|fault| fault.of(&FORMAT, self.path, row))?);
        Ok(())
    }

    /// Those of `rows` that have exemplars in `range`, with these, in order of time and none
    /// twice.
    ///
    /// # Errors
    /// [`BlockError::Section`] and [`BlockError::Corrupt`]
    pub fn exemplars(
        &mut self,
        rows: &[u32],
        range: TimeRange,
    ) -> Result<Vec<(u32, Vec<Exemplar>)>, BlockError> {
        let mut found = Vec::new();
        if !self.has.has(RowKind::EXEMPLARS) {
            return Ok(found);
        }
        for &row in rows {
            let exemplars = self.parts.exemplars(row, range);
            let exemplars = exemplars.map_err(|fault| fault.of(&FORMAT, self.path, row))?;
            if !exemplars.is_empty() {
                found.push((row, exemplars));
            }
        }
        Ok(found)
    }
}

impl Parts<'_> {
    /// Reads the floats of a row that has histograms too.
    pub(super) fn read_among_histograms(
        &mut self,
        found: &Found,
        out: &mut Samples,
    ) -> Result<(), Fault> {
        let marks = self.marks(found)?;
        let times = self.times_of(found)?;
        let mut from = None;
        for (place, &time) in found.places.clone().zip(&times) {
            let (before, is_histogram) = marks.histograms_before(place as u64);
            if !is_histogram {
                from.get_or_insert(place - before as usize);
                out.timestamps_ms.push(time);
            }
        }
        let Some(from) = from else {
            return Ok(());
        };
        let floats = (found.column.count as usize).saturating_sub(marks.histogram_count as usize);
        let wanted = from..from + out.timestamps_ms.len();
        let pace = &mut Pace::none();
        self.floats(&found.row, floats, wanted, &mut out.values, pace)
    }

    fn times_of(&mut self, found: &Found) -> Result<Vec<i64>, Fault> {
        let (mut times, places) = (Vec::new(), found.places.clone());
        let pace = &mut Pace::none();
        self.times
            .read(found.number, &found.column, places, &mut times, pace)?;
        Ok(times)
    }

    pub(super) fn points(&mut self, row: u32, range: TimeRange) -> Result<Vec<Sample>, Fault> {
        let Some(found) = self.find(row, range)? else {
            return Ok(Vec::new());
        };
        let marks = self.marks(&found)?;
        let mut floats = Samples::default();
        match marks.histogram_count {
            0 => self.read(row, range, &mut floats, &mut Pace::none())?,
            _ => self.read_among_histograms(&found, &mut floats)?,
        }
        let mut histograms = self.histograms(&found, &marks)?.into_iter();
        let times = self.times_of(&found)?;
        let mut floats = floats.values.into_iter();
        let points = found
            .places
            .clone()
            .zip(times)
            .map(|(place, timestamp_ms)| {
                let (_, is_histogram) = marks.histograms_before(place as u64);
                let value = match is_histogram {
                    true => histograms.next().map(|one| Value::Histogram(Box::new(one))),
                    false => floats.next().map(Value::Float),
                };
                let starts = &marks.starts;
                Some(Sample {
                    timestamp_ms,
                    start_timestamp_ms: StartRun::find(starts, place as u64, timestamp_ms),
                    value: value?,
                })
            });
        let points: Option<Vec<Sample>> = points.collect();
        points.ok_or_else(|| corrupt("a row has fewer samples than timestamps"))
    }

    /// The marks of a row; none of its points has any where it has none.
    fn marks(&mut self, found: &Found) -> Result<Marks, Fault> {
        let kind = found.row.kind;
        if !LaneKind::Marks.is_of(kind) {
            return Ok(Marks::default());
        }
        let (histograms, starts) = (kind.has(RowKind::HISTOGRAMS), kind.has(RowKind::STARTS));
        let bytes = self.groups.piece(LaneKind::Marks, &found.row, 0)?;
        let points = u64::from(found.column.count);
        Marks::take(bytes, points, histograms, starts).map_err(corrupt)
    }

    /// The histograms among the points that were found.
    fn histograms(&mut self, found: &Found, marks: &Marks) -> Result<Vec<Histogram>, Fault> {
        let (from, _) = marks.histograms_before(found.places.start as u64);
        let (to, _) = marks.histograms_before(found.places.end as u64);
        let (mut from, to) = (from as usize, to as usize);
        let mut all = Vec::new();
        while from < to {
            let slice = from / SLICE_SAMPLES;
            let before = slice * SLICE_SAMPLES;
            let count = (marks.histogram_count as usize).saturating_sub(before);
            let count = count.min(SLICE_SAMPLES);
            let piece = self.groups.piece(LaneKind::Histograms, &found.row, slice)?;
            let wanted = from - before..(to - before).min(count);
            all.extend(take_histograms(piece, count, wanted).map_err(corrupt)?);
            from = before + SLICE_SAMPLES;
        }
        Ok(all)
    }

    pub(super) fn exemplars(&mut self, row: u32, range: TimeRange) -> Result<Vec<Exemplar>, Fault> {
        let mut found = Vec::new();
        let row = self.groups.find(row)?;
        if let Some(row) = row.filter(|row| row.kind.has(RowKind::EXEMPLARS)) {
            let piece = self.groups.piece(LaneKind::Exemplars, &row, 0)?;
            let taken = take_exemplars(piece, range, &mut found);
            taken.map_err(|what| Fault::corrupt(Kind::Data.name(), what))?;
        }
        Exemplar::sort(&mut found);
        Ok(found)
    }
}

fn corrupt(reason: &str) -> Fault {
    Fault::corrupt(Kind::Data.name(), reason)
}
