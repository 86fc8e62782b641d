//! Reading what is not a float: histograms, start timestamps, exemplars.

use parking_lot::RwLock;

use super::read::{READ_CHUNKS, between};
use super::series::List;
use super::shard::{FoundPoint, SeriesReader, Shard, shard_of};
use super::{Head, Pin, ReadError};
use crate::chunk::{ChunkError, HistogramCursor};
use crate::index::evaluate;
use crate::model::{
    Exemplar, Histogram, HistogramPoint, Matcher, ReadBounds, Sample, SeriesId, Tally, TimeRange,
    Value,
};

/// How many histograms are decoded while a shard is locked once.
const READ_HISTOGRAMS: usize = 256;
/// How many series and exemplars are looked at from one check to the next.
const EXEMPLARS_PACE: usize = 256;

impl Head {
    /// Reads all samples of a series in `range` that the pin sees into `out`, which is emptied
    /// first: floats and histograms, with their start timestamps. Of several at one timestamp
    /// the one that came last counts, whatever its kind.
    ///
    /// # Errors
    /// A chunk that cannot be read: only a bug makes one.
    pub fn read_points(
        &self,
        pin: &Pin,
        id: SeriesId,
        range: TimeRange,
        out: &mut Vec<Sample>,
    ) -> Result<(), ChunkError> {
        out.clear();
        let Some(shard) = self.shards.get(shard_of(id)) else {
            return Ok(());
        };
        let Some(reader) = shard.read().reader(id, pin.seq()) else {
            return Ok(());
        };
        let found = find_points(shard, reader, range)?;
        let mut histograms = read_histograms(shard, id, &found)?.into_iter();
        let guard = shard.read();
        let extras = guard.extras(id);
        out.reserve(found.len());
        for point in &found {
            let value = match point.is_histogram {
                false => Value::Float(point.value),
                true => match histograms.next() {
                    Some(histogram) => Value::Histogram(Box::new(histogram)),
                    None => continue,
                },
            };
            out.push(Sample {
                timestamp_ms: point.timestamp_ms,
                start_timestamp_ms: extras
                    .and_then(|extras| extras.start(point.list, point.ordinal, point.timestamp_ms)),
                value,
            });
        }
        Ok(())
    }

    /// Reads the histograms of a series in `range` that the pin sees into `out`, which is emptied
    /// first; those that a float came over are not among them. Costs little for a series that
    /// has none.
    ///
    /// # Errors
    /// A chunk that cannot be read: only a bug makes one.
    pub fn read_histograms(
        &self,
        pin: &Pin,
        id: SeriesId,
        range: TimeRange,
        out: &mut Vec<HistogramPoint>,
    ) -> Result<(), ChunkError> {
        out.clear();
        let Some(shard) = self.shards.get(shard_of(id)) else {
            return Ok(());
        };
        let reader = {
            let shard = shard.read();
            match shard.has_histograms(id) {
                true => shard.reader(id, pin.seq()),
                false => None,
            }
        };
        let Some(reader) = reader else {
            return Ok(());
        };
        let mut found = find_points(shard, reader, range)?;
        found.retain(|point| point.is_histogram);
        let histograms = read_histograms(shard, id, &found)?;
        let guard = shard.read();
        let extras = guard.extras(id);
        out.extend(found.iter().zip(histograms).map(|(point, histogram)| {
            HistogramPoint {
                timestamp_ms: point.timestamp_ms,
                start_timestamp_ms: extras
                    .and_then(|extras| extras.start(point.list, point.ordinal, point.timestamp_ms)),
                histogram,
            }
        }));
        Ok(())
    }

    /// Whether a series has a histogram, seen by some pin or not. Cheap.
    pub fn has_histograms(&self, id: SeriesId) -> bool {
        self.shards
            .get(shard_of(id))
            .is_some_and(|shard| shard.read().has_histograms(id))
    }

    /// The exemplars in `range` that the pin sees, of the series that pass all `matchers`, in
    /// rising order of id; those of a series in order of time, none twice.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn exemplars_within(
        &self,
        pin: &Pin,
        matchers: &[Matcher],
        range: TimeRange,
        bounds: ReadBounds<'_>,
    ) -> Result<Vec<(SeriesId, Vec<Exemplar>)>, ReadError> {
        let mut found = Vec::new();
        let candidates = evaluate(self, matchers, bounds)?;
        let mut pace = bounds.pace(EXEMPLARS_PACE);
        let mut tally = Tally::new(bounds);
        for id in candidates.into_iter().map(SeriesId) {
            let Some(shard) = self.shards.get(shard_of(id)) else {
                continue;
            };
            let mut exemplars = Vec::new();
            if let Some(extras) = shard.read().extras(id) {
                extras.exemplars(pin.seq(), range, &mut exemplars)?;
            }
            pace.step(1 + exemplars.len())?;
            tally.grow(exemplars.iter().map(Exemplar::bytes).sum())?;
            if !exemplars.is_empty() {
                Exemplar::sort(&mut exemplars);
                found.push((id, exemplars));
            }
        }
        Ok(found)
    }
}

/// The points of a series in `range`, in order of time, without what they have beside their
/// lists.
pub(super) fn find_points(
    lock: &RwLock<Shard>,
    mut reader: SeriesReader,
    range: TimeRange,
) -> Result<Vec<FoundPoint>, ChunkError> {
    let (mut in_order, mut late) = (Vec::new(), Vec::new());
    let mut shard = lock.read();
    while !reader.in_order_done() {
        reader.find_in_order(&shard, range, READ_CHUNKS, &mut in_order)?;
        shard = between(shard, || lock.read());
    }
    while !reader.overflow_done() {
        reader.find_overflow(&shard, range, READ_CHUNKS, &mut late)?;
        shard = between(shard, || lock.read());
    }
    drop(shard);
    if late.is_empty() {
        return Ok(in_order);
    }
    // Stable, and late ones behind, so that of equal timestamps the one that came last is last.
    in_order.append(&mut late);
    in_order.sort_by_key(|point| point.timestamp_ms);
    let mut points: Vec<FoundPoint> = Vec::with_capacity(in_order.len());
    for point in in_order {
        match points.last_mut() {
            Some(last) if last.timestamp_ms == point.timestamp_ms => *last = point,
            _ => points.push(point),
        }
    }
    Ok(points)
}

/// The histograms among the points, in their order.
fn read_histograms(
    shard: &RwLock<Shard>,
    id: SeriesId,
    points: &[FoundPoint],
) -> Result<Vec<Histogram>, ChunkError> {
    let mut wanted: Vec<(List, u64, usize)> = points
        .iter()
        .filter(|point| point.is_histogram)
        .zip(0..)
        .map(|(point, place)| (point.list, point.ordinal, place))
        .collect();
    // Each block is decoded once when ordinals rise; late points are in order of time here.
    wanted.sort_unstable_by_key(|&(list, ordinal, _)| (list, ordinal));
    let mut read = Vec::with_capacity(wanted.len());
    let mut cursors = [HistogramCursor::default(), HistogramCursor::default()];
    for wanted in wanted.chunks(READ_HISTOGRAMS) {
        let shard = shard.read();
        let extras = shard.extras(id);
        for &(list, ordinal, place) in wanted {
            let cursor = &mut cursors[list as usize];
            let histogram = match extras {
                Some(extras) => extras.histogram(list, ordinal, cursor)?,
                None => None,
            };
            // What was found to be a histogram stays one.
            let histogram = histogram.ok_or(ChunkError::Corrupt { sample: 0 })?;
            read.push((place, histogram));
        }
    }
    read.sort_unstable_by_key(|&(place, _)| place);
    Ok(read.into_iter().map(|(_, histogram)| histogram).collect())
}
