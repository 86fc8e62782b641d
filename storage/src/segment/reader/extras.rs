//! Reading what is not a float: histograms, start timestamps, exemplars, metadata.

use super::{Parts, Reader, SELECT_ROWS, Segment, Times, corrupt, decoder, in_order, within};
use crate::chunk::{ChunkError, HistogramCursor, HistogramParts, StartRun, XorReader};
use crate::immutable::{Families, Fault, take_exemplars};
use crate::model::{Exemplar, Histogram, Metadata, Sample, Samples, TimeRange, Value};
use crate::section::{Stretch, guarded};
use crate::segment::footer::Kind;
use crate::segment::record::Part;
use crate::segment::rows::RowAt;
use crate::segment::sparse::SparseRows;
use crate::segment::{FORMAT, SegmentError, histograms, starts};

/// Places in pairs of lists of a row.
const IN_ORDER: usize = 0;
const LATE: usize = 1;

impl Segment {
    /// Whether any row has exemplars.
    pub fn has_exemplars(&self) -> bool {
        self.exemplars.is_some()
    }

    /// The metadata of a metric family, or of all that have some, in order of name.
    ///
    /// # Errors
    /// [`SegmentError::Section`] and [`SegmentError::CorruptSection`]
    pub fn metadata(&self, metric: Option<&str>) -> Result<Vec<(String, Metadata)>, SegmentError> {
        let Some(section) = &self.metadata else {
            return Ok(Vec::new());
        };
        let read = guarded(&*self.file, || Families::new(section).read(metric));
        read.map_err(|fault: Fault| fault.of_section(&FORMAT, &self.path))
    }
}

impl Reader<'_> {
    /// Whether a row has histograms, in whatever range. Costs nothing in a segment without any.
    ///
    /// # Errors
    /// [`SegmentError::Section`] and [`SegmentError::Corrupt`]
    pub fn has_histograms(&mut self, row: u32) -> Result<bool, SegmentError> {
        if self.parts.extras.histograms.is_none() {
            return Ok(false);
        }
        let has = guarded(self.file, || {
            self.parts.begin();
            self.parts.extras.has_histograms(row)
        });
        has.map_err(|fault| fault.of(&FORMAT, self.path, row))
    }

    /// Reads all samples of a row in `range` into `out`, which is emptied first: floats and
    /// histograms, with their start timestamps. Of several at one timestamp the one that came
    /// last counts, whatever its kind. None for a row that does not exist.
    ///
    /// # Errors
    /// [`SegmentError::Section`] and [`SegmentError::Corrupt`]; `out` is empty then.
    pub fn points(
        &mut self,
        row: u32,
        range: TimeRange,
        out: &mut Vec<Sample>,
    ) -> Result<(), SegmentError> {
        out.clear();
        let read = guarded(self.file, || {
            self.parts.begin();
            self.parts.points(row, range)
        });
        out.append(&mut read.map_err(|fault| fault.of(&FORMAT, self.path, row))?);
        Ok(())
    }

    /// Those of `rows` that have exemplars in `range`, with these, in order of time and none
    /// twice.
    ///
    /// # Errors
    /// [`SegmentError::Section`] and [`SegmentError::Corrupt`]
    pub fn exemplars(
        &mut self,
        rows: &[u32],
        range: TimeRange,
    ) -> Result<Vec<(u32, Vec<Exemplar>)>, SegmentError> {
        let mut all = Vec::new();
        for rows in rows.chunks(SELECT_ROWS) {
            let mut at = 0;
            let found = guarded(self.file, || {
                self.parts.begin();
                let mut found = Vec::new();
                for &row in rows {
                    at = row;
                    let exemplars = self.parts.extras.exemplars(row, range)?;
                    if !exemplars.is_empty() {
                        found.push((row, exemplars));
                    }
                }
                Ok(found)
            });
            all.extend(found.map_err(|fault: Fault| fault.of(&FORMAT, self.path, at))?);
        }
        Ok(all)
    }
}

/// The sections of what few rows have, where there are any.
#[derive(Debug, Default)]
pub(super) struct Extras<'a> {
    pub(super) starts: Option<SparseRows<'a>>,
    pub(super) histograms: Option<SparseRows<'a>>,
    pub(super) exemplars: Option<SparseRows<'a>>,
}

impl Extras<'_> {
    /// As [`Stretch::begin`].
    pub(super) fn begin(&mut self) {
        let all = [&mut self.starts, &mut self.histograms, &mut self.exemplars];
        all.into_iter().flatten().for_each(SparseRows::begin);
    }

    pub(super) fn has_histograms(&mut self, row: u32) -> Result<bool, Fault> {
        match &mut self.histograms {
            Some(rows) => rows.contains(row),
            None => Ok(false),
        }
    }

    pub(super) fn has_starts(&mut self, row: u32) -> Result<bool, Fault> {
        match &mut self.starts {
            Some(rows) => rows.contains(row),
            None => Ok(false),
        }
    }

    pub(super) fn has_exemplars(&mut self, row: u32) -> Result<bool, Fault> {
        match &mut self.exemplars {
            Some(rows) => rows.contains(row),
            None => Ok(false),
        }
    }

    pub(super) fn exemplars(&mut self, row: u32, range: TimeRange) -> Result<Vec<Exemplar>, Fault> {
        let mut found = Vec::new();
        if let Some(rows) = &mut self.exemplars {
            let name = rows.name();
            if let Some(bytes) = rows.get(row)? {
                take_exemplars(bytes, range, &mut found)
                    .map_err(|what| Fault::corrupt(name, what))?;
            }
        }
        Exemplar::sort(&mut found);
        Ok(found)
    }
}

/// What a row has in a section of few rows; nothing where it has none.
fn take<'s, T: Default>(
    section: &'s mut Option<SparseRows<'_>>,
    row: u32,
    take: impl FnOnce(&'s [u8]) -> Result<T, &'static str>,
) -> Result<T, Fault> {
    let Some(rows) = section else {
        return Ok(T::default());
    };
    let name = rows.name();
    match rows.get(row)? {
        Some(bytes) => take(bytes).map_err(|what| Fault::corrupt(name, what)),
        None => Ok(T::default()),
    }
}

/// A point of a row, and where it stands there.
#[derive(Clone, Copy, Debug)]
struct Found {
    timestamp_ms: i64,
    /// The float; nothing for a histogram.
    value: f64,
    list: usize,
    ordinal: u64,
}

impl Parts<'_> {
    /// Reads the floats of a row in `range` that has histograms too.
    pub(super) fn read_among_histograms(
        &mut self,
        row: u32,
        at: &RowAt,
        range: TimeRange,
        out: &mut Samples,
    ) -> Result<(), Fault> {
        let histograms = take(&mut self.extras.histograms, row, histograms::take)?;
        for point in find_points(&mut self.chunks, &mut self.times, at, range)? {
            if !histograms[point.list].contains(point.ordinal) {
                out.push(point.timestamp_ms, point.value);
            }
        }
        Ok(())
    }

    pub(super) fn points(&mut self, row: u32, range: TimeRange) -> Result<Vec<Sample>, Fault> {
        let Some(at) = self.find(row, range)? else {
            return Ok(Vec::new());
        };
        let found = find_points(&mut self.chunks, &mut self.times, &at, range)?;
        let starts: [Vec<StartRun>; 2] = take(&mut self.extras.starts, row, starts::take)?;
        let lists = take(&mut self.extras.histograms, row, histograms::take)?;
        let read = read_histograms(&lists, &found);
        let histograms = read.map_err(|what| Fault::corrupt(Kind::Histograms.name(), what))?;
        let points = found.into_iter().zip(histograms);
        let points = points.map(|(point, histogram)| Sample {
            timestamp_ms: point.timestamp_ms,
            start_timestamp_ms: StartRun::find(
                &starts[point.list],
                point.ordinal,
                point.timestamp_ms,
            ),
            value: match histogram {
                Some(histogram) => Value::Histogram(Box::new(histogram)),
                None => Value::Float(point.value),
            },
        });
        Ok(points.collect())
    }
}

/// The points of a row in `range`, in order of time; of several at one timestamp the one that
/// came last.
fn find_points(
    chunks: &mut Stretch<'_>,
    times: &mut Times<'_>,
    at: &RowAt,
    range: TimeRange,
) -> Result<Vec<Found>, Fault> {
    let mut decoder = decoder(chunks, at)?;
    let (mut samples, mut ordinals) = (Samples::default(), Vec::new());
    let mut late = Vec::new();
    // How many points of each list came before.
    let mut before = [0u64; 2];
    while let Some(part) = decoder.next_part().map_err(corrupt)? {
        match part {
            Part::InOrder {
                column_at,
                start,
                count,
                values,
            } => {
                if times.may_overlap(column_at, start, count, range)? {
                    let times = times.get(column_at, start, count)?;
                    let wanted = within(times, range);
                    ordinals.extend(wanted.map(|place| before[IN_ORDER] + place as u64));
                    in_order(times, values, range, &mut samples)?;
                }
                before[IN_ORDER] += u64::from(count);
            }
            Part::Late { range: all, xor } => {
                let reader = XorReader::new(xor).map_err(bad_late)?;
                let count = u64::from(reader.left());
                if all.overlaps(range) {
                    find_late(reader, before[LATE], range, &mut late)?;
                }
                before[LATE] += count;
            }
        }
    }
    let in_order = samples.iter().zip(ordinals);
    let in_order = in_order.map(|((timestamp_ms, value), ordinal)| Found {
        timestamp_ms,
        value,
        list: IN_ORDER,
        ordinal,
    });
    let mut points: Vec<Found> = in_order.collect();
    if !late.is_empty() {
        // Stable, and late ones behind, so that of equal timestamps the last one came last.
        points.append(&mut late);
        points.sort_by_key(|point| point.timestamp_ms);
        points.reverse();
        points.dedup_by_key(|point| point.timestamp_ms);
        points.reverse();
    }
    Ok(points)
}

/// Adds the points of a late chunk that lie in `range`; `before` came before them.
fn find_late(
    mut reader: XorReader<'_>,
    before: u64,
    range: TimeRange,
    late: &mut Vec<Found>,
) -> Result<(), Fault> {
    let mut ordinal = before;
    while let Some((timestamp_ms, value)) = reader.next_sample().map_err(bad_late)? {
        if range.contains(timestamp_ms) {
            late.push(Found {
                timestamp_ms,
                value,
                list: LATE,
                ordinal,
            });
        }
        ordinal += 1;
    }
    Ok(())
}

/// The histograms that points are, none for a float. Says what is wrong with the bytes.
fn read_histograms(
    lists: &[HistogramParts<'_>; 2],
    points: &[Found],
) -> Result<Vec<Option<Histogram>>, String> {
    let mut read: Vec<Option<Histogram>> = Vec::new();
    read.resize_with(points.len(), || None);
    let mut wanted: Vec<(usize, &Found)> = points.iter().enumerate().collect();
    // Each block is decoded once when ordinals rise; late points are in order of time here.
    wanted.sort_unstable_by_key(|(_, point)| (point.list, point.ordinal));
    let mut cursors = [HistogramCursor::default(), HistogramCursor::default()];
    for (place, point) in wanted {
        let (list, cursor) = (&lists[point.list], &mut cursors[point.list]);
        let histogram = list.read(point.ordinal, cursor);
        read[place] =
            histogram.map_err(|what| format!("that of point {}: {what}", point.ordinal))?;
    }
    Ok(read)
}

fn bad_late(error: ChunkError) -> Fault {
    corrupt(format!("late {error}"))
}
