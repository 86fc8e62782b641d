//! What few series have, kept beside the series so that the others pay nothing for it:
//! histograms, start timestamps, exemplars.

use super::exemplar_list::ExemplarList;
use super::histogram_list::HistogramList;
use super::series::List;
use super::start_runs::StartRuns;
use crate::chunk::{ChunkError, HistogramCursor, HistogramParts, StartRun};
use crate::model::{Batch, Exemplar, Histogram, Seq, SeriesId, TimeRange};

const LISTS: [List; 2] = [List::InOrder, List::Overflow];

/// A point on its way into a series.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point<'a> {
    pub(super) timestamp_ms: i64,
    pub(super) start_timestamp_ms: Option<i64>,
    pub(super) value: PointValue<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum PointValue<'a> {
    Float(f64),
    Histogram(&'a Histogram),
}

impl Point<'_> {
    /// Whether it is a float and nothing else, so that its list holds all of it.
    pub(super) fn is_plain(&self) -> bool {
        self.start_timestamp_ms.is_none() && self.float().is_some()
    }

    pub(super) fn float(&self) -> Option<f64> {
        match self.value {
            PointValue::Float(value) => Some(value),
            PointValue::Histogram(_) => None,
        }
    }

    /// Whether it is the point at the same timestamp in the list of points in order, the last
    /// one there, that has these bits as its float or placeholder.
    pub(super) fn is_last(&self, bits: u64, ordinal: u64, extras: Option<&Extras>) -> bool {
        let extras = extras.map(|extras| &extras.in_order);
        let start = extras.and_then(|extras| extras.starts.get(ordinal, self.timestamp_ms));
        let last = extras
            .and_then(|extras| extras.histograms.as_ref())
            .and_then(|histograms| histograms.last_at(ordinal));
        let is_value = match (self.value, last) {
            (PointValue::Float(value), None) => value.to_bits() == bits,
            (PointValue::Histogram(histogram), Some(last)) => histogram.is_identical(last),
            _ => false,
        };
        is_value && start == self.start_timestamp_ms
    }
}

/// The points of a batch in the order of the request.
pub(super) fn points(batch: &Batch) -> impl Iterator<Item = (SeriesId, Point<'_>)> {
    let mut floats = (0u32..).zip(&batch.floats).peekable();
    let mut starts = batch.float_starts.iter().peekable();
    let mut histograms = batch.histograms.iter().peekable();
    std::iter::from_fn(move || {
        let floats_before = floats.peek().map_or(u32::MAX, |&(place, _)| place);
        if let Some(row) = histograms.next_if(|row| row.floats_before <= floats_before) {
            let point = Point {
                timestamp_ms: row.timestamp_ms,
                start_timestamp_ms: row.start_timestamp_ms,
                value: PointValue::Histogram(&row.histogram),
            };
            return Some((row.series, point));
        }
        let (place, row) = floats.next()?;
        let start = starts.next_if(|start| start.row == place);
        let point = Point {
            timestamp_ms: row.timestamp_ms,
            start_timestamp_ms: start.map(|start| start.start_timestamp_ms),
            value: PointValue::Float(row.value),
        };
        Some((row.series, point))
    })
}

/// What a series has beside its floats.
#[derive(Debug, Default)]
pub(super) struct Extras {
    in_order: PointExtras,
    overflow: Option<Box<PointExtras>>,
    exemplars: Option<Box<ExemplarList>>,
}

/// What the points of one list have beside their floats.
#[derive(Debug, Default)]
struct PointExtras {
    histograms: Option<Box<HistogramList>>,
    starts: StartRuns,
}

impl PointExtras {
    fn bytes(&self) -> usize {
        let histograms = self.histograms.as_ref().map_or(0, |histograms| {
            size_of::<HistogramList>() + histograms.bytes()
        });
        histograms + self.starts.bytes()
    }
}

impl Extras {
    /// Keeps what the point with that ordinal has beside a float. Returns by how many bytes this
    /// grew.
    pub(super) fn push(&mut self, list: List, ordinal: u64, point: &Point<'_>) -> isize {
        let mut grown = 0;
        let extras = match list {
            List::InOrder => &mut self.in_order,
            List::Overflow => self.overflow.get_or_insert_with(|| {
                grown = size_of::<PointExtras>() as isize;
                Box::default()
            }),
        };
        let before = extras.bytes() as isize;
        if let PointValue::Histogram(histogram) = point.value {
            extras
                .histograms
                .get_or_insert_default()
                .push(ordinal, histogram);
        }
        if let Some(start_timestamp_ms) = point.start_timestamp_ms {
            extras
                .starts
                .push(ordinal, point.timestamp_ms, start_timestamp_ms);
        }
        grown + extras.bytes() as isize - before
    }

    fn of(&self, list: List) -> Option<&PointExtras> {
        match list {
            List::InOrder => Some(&self.in_order),
            List::Overflow => self.overflow.as_deref(),
        }
    }

    /// The histograms of the points in order and of the late ones, as they are.
    pub(super) fn histogram_parts(&self) -> [HistogramParts<'_>; 2] {
        LISTS.map(|list| {
            let histograms = self.histograms(list);
            histograms.map(HistogramList::parts).unwrap_or_default()
        })
    }

    /// The start timestamps of the points in order and of the late ones, as they are.
    pub(super) fn start_runs(&self) -> [&[StartRun]; 2] {
        LISTS.map(|list| self.of(list).map_or(&[][..], |extras| extras.starts.runs()))
    }

    /// The exemplars, as they are.
    pub(super) fn exemplar_blocks(&self) -> impl Iterator<Item = &[u8]> {
        let exemplars = self.exemplars.as_deref().into_iter();
        exemplars.flat_map(ExemplarList::blocks)
    }

    fn histograms(&self, list: List) -> Option<&HistogramList> {
        self.of(list)?.histograms.as_deref()
    }

    /// Whether any point is a histogram.
    pub(super) fn has_histograms(&self) -> bool {
        LISTS.iter().any(|&list| self.histograms(list).is_some())
    }

    /// Whether the point with that ordinal is a histogram.
    pub(super) fn is_histogram(&self, list: List, ordinal: u64) -> bool {
        self.histograms(list)
            .is_some_and(|histograms| histograms.contains(ordinal))
    }

    /// The histogram that the point with that ordinal is.
    pub(super) fn histogram(
        &self,
        list: List,
        ordinal: u64,
        cursor: &mut HistogramCursor,
    ) -> Result<Option<Histogram>, ChunkError> {
        match self.histograms(list) {
            Some(histograms) => histograms.read(ordinal, cursor),
            None => Ok(None),
        }
    }

    /// The start timestamp of the point with that ordinal and timestamp.
    pub(super) fn start(&self, list: List, ordinal: u64, timestamp_ms: i64) -> Option<i64> {
        self.of(list)?.starts.get(ordinal, timestamp_ms)
    }

    /// Adds an exemplar of the group `seq`. Returns by how many bytes this grew, if it is new.
    pub(super) fn push_exemplar(
        &mut self,
        seq: Seq,
        exemplar: &Exemplar,
    ) -> Result<Option<isize>, ChunkError> {
        let before = match &self.exemplars {
            Some(exemplars) => size_of::<ExemplarList>() + exemplars.bytes(),
            None => 0,
        };
        let exemplars = self.exemplars.get_or_insert_default();
        let is_new = exemplars.push(seq, exemplar)?;
        let after = size_of::<ExemplarList>() + exemplars.bytes();
        Ok(is_new.then_some(after as isize - before as isize))
    }

    /// Adds the exemplars in `range` that a reader at `seq` sees to `out`, as they came.
    pub(super) fn exemplars(
        &self,
        seq: Seq,
        range: TimeRange,
        out: &mut Vec<Exemplar>,
    ) -> Result<(), ChunkError> {
        match &self.exemplars {
            Some(exemplars) => exemplars.read(seq, range, out),
            None => Ok(()),
        }
    }
}
