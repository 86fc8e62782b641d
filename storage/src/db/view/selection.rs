//! The series that a query selected.

use parking_lot::Mutex;

use super::damage::Damage;
use super::join::{Place, Places, join};
use super::lists::LabelLists;
use super::merge::{lay_over, lay_points_over};
use super::part::{Part, PartReader, PinnedHead};
use crate::error::Error;
use crate::model::{
    Allowance, HistogramPoint, Labels, Pace, ReadBounds, Sample, Samples, SymbolId, TimeRange,
    Value,
};

/// The series of a [`super::View`] that match and have a sample in the range; a series is named
/// by its place, from 0. Read from several threads at once.
///
/// Where one head alone has such series, each takes four bytes. Where they come from several
/// sources their labels are put together when they are selected: that takes twelve bytes a
/// series, eight more for each source that has it and four for each label, and each different
/// string once.
#[derive(Debug)]
pub struct Selection<'a> {
    range: TimeRange,
    series: Series<'a>,
}

#[derive(Debug)]
enum Series<'a> {
    /// One head has all of them: its own rows and symbols do.
    Head {
        head: &'a PinnedHead,
        rows: Vec<u32>,
    },
    Joined(Box<Joined<'a>>),
}

#[derive(Debug)]
struct Joined<'a> {
    /// The sources that have any, in the order of their seqs.
    parts: Vec<&'a Part>,
    lists: LabelLists,
    places: Places,
    /// What threads read with, while none does: each takes one, or makes it where there is
    /// none, so there are as many as threads ever read at once.
    idle: Mutex<Vec<Reading<'a>>>,
    damage: &'a Damage,
}

/// What a thread keeps from one series to the next.
#[derive(Debug)]
struct Reading<'a> {
    /// The sources, each with a reader.
    parts: Vec<(&'a Part, PartReader<'a>)>,
    damage: &'a Damage,
    /// Samples of one source before they lie over others.
    newer: Samples,
}

impl<'a> Selection<'a> {
    /// Of the sources that have series, in the order of their seqs, with their rows.
    pub(super) fn new(
        mut selected: Vec<(&'a Part, Vec<u32>)>,
        range: TimeRange,
        damage: &'a Damage,
        bounds: ReadBounds<'_>,
    ) -> Result<Self, Error> {
        let series = match selected.as_mut_slice() {
            [(Part::Head(head), rows)] => Series::Head {
                head,
                rows: std::mem::take(rows),
            },
            _ => {
                let (lists, places) = join_readable(&mut selected, damage, bounds)?;
                Series::Joined(Box::new(Joined {
                    parts: selected.into_iter().map(|(part, _)| part).collect(),
                    lists,
                    places,
                    idle: Mutex::default(),
                    damage,
                }))
            }
        };
        Ok(Self { range, series })
    }
}

impl Selection<'_> {
    /// How many series there are.
    pub fn len(&self) -> usize {
        match &self.series {
            Series::Head { rows, .. } => rows.len(),
            Series::Joined(joined) => joined.lists.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The labels of a series.
    ///
    /// # Panics
    /// If `series` is not below [`Selection::len`].
    pub fn labels(&self, series: usize) -> Labels {
        match &self.series {
            Series::Head { head, rows } => head.labels(rows[series]),
            Series::Joined(joined) => joined.lists.labels(series),
        }
    }

    /// Calls `each` with the symbols of a series' label names and values, in order of name.
    /// Equal strings have equal symbols throughout one selection; another selection, of the same
    /// view too, may have others. No series can be added meanwhile, so `each` should be quick,
    /// and not call the database.
    ///
    /// # Panics
    /// If `series` is not below [`Selection::len`].
    pub fn for_each_label_symbol(&self, series: usize, mut each: impl FnMut(SymbolId, SymbolId)) {
        match &self.series {
            Series::Head { head, rows } => head.for_each_label_symbol(rows[series], each),
            Series::Joined(joined) => {
                for (name, value) in joined.lists.symbols_at(series) {
                    each(name, value);
                }
            }
        }
    }

    /// The symbol of a string in this selection. There is one if a series of the selection has
    /// the string as a label's name or value, and may be one if another series has it.
    pub fn symbol(&self, text: &str) -> Option<SymbolId> {
        match &self.series {
            Series::Head { head, .. } => head.symbol(text),
            Series::Joined(joined) => joined.lists.symbol(text),
        }
    }

    /// The floats of a series in the range of the selection, stale markers included, into `out`
    /// (emptied first). Where a histogram came over a float of the same timestamp, there is none.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] where the system does not let data be read.
    ///
    /// # Panics
    /// If `series` is not below [`Selection::len`].
    pub fn samples(&self, series: usize, out: &mut Samples) -> Result<(), Error> {
        self.read(series, out, ReadBounds::NONE)
    }

    /// The same as long as `allowance` lets it go on: it is asked once in so many samples as take a
    /// few tenths of a millisecond, and not for a series with fewer.
    ///
    /// # Errors
    /// Those of [`Selection::samples`]; [`crate::ErrorKind::Ended`], and `out` is empty then.
    ///
    /// # Panics
    /// If `series` is not below [`Selection::len`].
    pub fn samples_within(
        &self,
        series: usize,
        out: &mut Samples,
        allowance: &dyn Allowance,
    ) -> Result<(), Error> {
        self.read(series, out, ReadBounds::new(allowance))
    }

    fn read(&self, series: usize, out: &mut Samples, bounds: ReadBounds<'_>) -> Result<(), Error> {
        let mut pace = bounds.sample_pace();
        match &self.series {
            Series::Head { head, rows } => head.read(rows[series], self.range, out, &mut pace)?,
            Series::Joined(joined) => joined.read(|reading| {
                reading.read(joined.places.of(series), self.range, out, &mut pace)
            })?,
        }
        let finished = pace.finish();
        if finished.is_err() {
            out.clear();
        }
        Ok(finished?)
    }

    /// The histograms of a series in the range of the selection, stale ones included, into `out`
    /// (emptied first): what stands beside [`Selection::samples`], no timestamp in both. Costs
    /// little for a series without any.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] where the system does not let data be read.
    ///
    /// # Panics
    /// If `series` is not below [`Selection::len`].
    pub fn histograms(&self, series: usize, out: &mut Vec<HistogramPoint>) -> Result<(), Error> {
        self.histograms_in(series, self.range, out)
    }

    /// The same of a part of that range: for who does not want all of them in memory at once.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] where the system does not let data be read.
    ///
    /// # Panics
    /// If `series` is not below [`Selection::len`].
    pub fn histograms_in(
        &self,
        series: usize,
        range: TimeRange,
        out: &mut Vec<HistogramPoint>,
    ) -> Result<(), Error> {
        let range = self.range.within(range);
        match &self.series {
            Series::Head { head, rows } => head.read_histograms(rows[series], range, out),
            Series::Joined(joined) => {
                joined.read(|reading| reading.read_histograms(joined.places.of(series), range, out))
            }
        }
    }

    /// Where the histograms of a series lie at most, within the range of the selection; none where
    /// it has none. Costs little.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] where the system does not let data be read.
    ///
    /// # Panics
    /// If `series` is not below [`Selection::len`].
    pub fn histogram_range(&self, series: usize) -> Result<Option<TimeRange>, Error> {
        let around = match &self.series {
            Series::Head { head, rows } => match head.has_histograms(rows[series]) {
                true => head.range(),
                false => None,
            },
            Series::Joined(joined) => {
                let mut range = None;
                joined.read(|reading| {
                    range = reading.histogram_range(joined.places.of(series))?;
                    Ok(())
                })?;
                range
            }
        };
        let within = around.map(|around| self.range.within(around));
        Ok(within.filter(|range| range.start_ms <= range.end_ms))
    }

    /// All samples of a series in the range of the selection, floats and histograms with their
    /// start timestamps, into `out` (emptied first).
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] where the system does not let data be read.
    ///
    /// # Panics
    /// If `series` is not below [`Selection::len`].
    pub fn points(&self, series: usize, out: &mut Vec<Sample>) -> Result<(), Error> {
        match &self.series {
            Series::Head { head, rows } => head.read_points(rows[series], self.range, out),
            Series::Joined(joined) => joined
                .read(|reading| reading.read_points(joined.places.of(series), self.range, out)),
        }
    }
}

impl<'a> Joined<'a> {
    /// Reads with what no other thread reads with.
    fn read(&self, read: impl FnOnce(&mut Reading<'a>) -> Result<(), Error>) -> Result<(), Error> {
        let idle = self.idle.lock().pop();
        let mut reading = idle.unwrap_or_else(|| self.reading());
        let done = read(&mut reading);
        self.idle.lock().push(reading);
        done
    }

    fn reading(&self) -> Reading<'a> {
        Reading {
            parts: self
                .parts
                .iter()
                .map(|&part| (part, part.reader()))
                .collect(),
            damage: self.damage,
            newer: Samples::default(),
        }
    }
}

/// Joins the sources whose labels can be read; the others go.
fn join_readable(
    selected: &mut Vec<(&Part, Vec<u32>)>,
    damage: &Damage,
    bounds: ReadBounds<'_>,
) -> Result<(LabelLists, Places), Error> {
    loop {
        match join(selected, bounds) {
            Ok(joined) => return Ok(joined),
            Err((place, error)) => {
                let (part, _) = selected[place];
                damage.of_file::<()>(part, Err(error))?;
                selected.remove(place);
            }
        }
    }
}

impl<'a> Reading<'a> {
    /// Reads a row of a source; none where that is damaged.
    fn at<T>(
        &mut self,
        place: Place,
        read: impl FnOnce(&mut PartReader<'a>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let (part, reader) = &mut self.parts[place.part as usize];
        let read = read(reader);
        self.damage.of_row(part, place.row, read)
    }

    /// Reads the floats of a series; `places` are in the order of the sources.
    fn read(
        &mut self,
        places: &[Place],
        range: TimeRange,
        out: &mut Samples,
        pace: &mut Pace<'_>,
    ) -> Result<(), Error> {
        out.clear();
        let Some((&oldest, newer)) = places.split_first() else {
            return Ok(());
        };
        if self.has_histograms(newer)? {
            // One of a later source may lie over a float of an earlier one.
            let mut points = Vec::new();
            self.read_points(places, range, &mut points)?;
            for point in points {
                if let Value::Float(value) = point.value {
                    out.push(point.timestamp_ms, value);
                }
            }
            return Ok(());
        }
        let read = self.at(oldest, |reader| reader.read(oldest.row, range, out, pace))?;
        if read.is_none() {
            out.clear();
        }
        let mut samples = std::mem::take(&mut self.newer);
        let laid = newer.iter().try_for_each(|&place| {
            let read = self.at(place, |reader| {
                reader.read(place.row, range, &mut samples, pace)
            })?;
            if read.is_some() {
                lay_over(out, &samples, pace);
            }
            Ok(())
        });
        self.newer = samples;
        laid
    }

    fn has_histograms(&mut self, places: &[Place]) -> Result<bool, Error> {
        for &place in places {
            let has = self.at(place, |reader| reader.has_histograms(place.row))?;
            if has == Some(true) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The range of the sources that may have histograms of a series.
    fn histogram_range(&mut self, places: &[Place]) -> Result<Option<TimeRange>, Error> {
        let mut all: Option<TimeRange> = None;
        for &place in places {
            let has = self.at(place, |reader| reader.has_histograms(place.row))?;
            let (part, _) = &self.parts[place.part as usize];
            let own = part.range().filter(|_| has == Some(true));
            all = match (all, own) {
                (Some(all), Some(own)) => Some(TimeRange {
                    start_ms: all.start_ms.min(own.start_ms),
                    end_ms: all.end_ms.max(own.end_ms),
                }),
                (all, own) => all.or(own),
            };
        }
        Ok(all)
    }

    fn read_points(
        &mut self,
        places: &[Place],
        range: TimeRange,
        out: &mut Vec<Sample>,
    ) -> Result<(), Error> {
        out.clear();
        for &place in places {
            let mut newer = Vec::new();
            let read = self.at(place, |reader| {
                reader.read_points(place.row, range, &mut newer)
            })?;
            if read.is_some() {
                lay_points_over(out, newer);
            }
        }
        Ok(())
    }

    fn read_histograms(
        &mut self,
        places: &[Place],
        range: TimeRange,
        out: &mut Vec<HistogramPoint>,
    ) -> Result<(), Error> {
        out.clear();
        if !self.has_histograms(places)? {
            return Ok(());
        }
        let mut points = Vec::new();
        self.read_points(places, range, &mut points)?;
        for point in points {
            if let Value::Histogram(histogram) = point.value {
                out.push(HistogramPoint {
                    timestamp_ms: point.timestamp_ms,
                    start_timestamp_ms: point.start_timestamp_ms,
                    histogram: *histogram,
                });
            }
        }
        Ok(())
    }
}
