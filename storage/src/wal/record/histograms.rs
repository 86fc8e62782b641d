//! Section 4: histogram samples. The histograms come first, row by row, then columns of ids,
//! timestamps, places among the float samples, and start timestamps.

use super::{DecodeError, HISTOGRAM_ELEMENTS_MAX, Input, deltas};
use crate::codec::histogram::{self, put_histogram, take_histogram};
use crate::codec::varint::put_u64;
use crate::model::{HistogramRow, SeriesId};

/// Bounds, spans and buckets of all.
pub(super) fn elements(rows: &[HistogramRow]) -> usize {
    rows.iter()
        .map(|row| histogram::elements(&row.histogram))
        .sum()
}

pub(super) fn put(out: &mut Vec<u8>, rows: &[HistogramRow]) {
    put_u64(out, rows.len() as u64);
    let mut before = None;
    for row in rows {
        put_histogram(out, &row.histogram, before);
        before = Some(&row.histogram);
    }
    deltas::put(out, rows.len(), |place| i64::from(rows[place].series.0));
    deltas::put(out, rows.len(), |place| rows[place].timestamp_ms);
    deltas::put(out, rows.len(), |place| rows[place].floats_before.into());
    let starts: Vec<(usize, i64)> = rows
        .iter()
        .enumerate()
        .filter_map(|(place, row)| Some((place, row.start_timestamp_ms?)))
        .collect();
    put_u64(out, starts.len() as u64);
    deltas::put(out, starts.len(), |place| starts[place].0 as i64);
    deltas::put(out, starts.len(), |place| starts[place].1);
}

/// Reads the rows of a batch that has so many float samples.
pub(super) fn take(
    input: &mut Input<'_>,
    floats: usize,
    rows: &mut Vec<HistogramRow>,
) -> Result<(), DecodeError> {
    let count = input.rows("a bad number of histograms")?;
    let mut budget = HISTOGRAM_ELEMENTS_MAX;
    for _ in 0..count {
        let before = rows.last().map(|row| &row.histogram);
        let histogram = take_histogram(&mut input.rest, before, &mut budget)
            .map_err(|what| input.corrupt(what))?;
        rows.push(HistogramRow {
            series: SeriesId(0),
            timestamp_ms: 0,
            start_timestamp_ms: None,
            floats_before: 0,
            histogram,
        });
    }
    let mut row = rows.iter_mut();
    deltas::take(input, count, |id| {
        let id = u32::try_from(id).map_err(|_| "a series id that is no u32")?;
        if let Some(row) = row.next() {
            row.series = SeriesId(id);
        }
        Ok(())
    })?;
    let mut row = rows.iter_mut();
    deltas::take(input, count, |timestamp_ms| {
        if let Some(row) = row.next() {
            row.timestamp_ms = timestamp_ms;
        }
        Ok(())
    })?;
    let mut row = rows.iter_mut();
    let mut at_least = 0;
    deltas::take(input, count, |floats_before| {
        if floats_before < at_least || floats_before > floats as i64 {
            return Err("a histogram out of the order of the samples");
        }
        at_least = floats_before;
        if let Some(row) = row.next() {
            row.floats_before = floats_before as u32;
        }
        Ok(())
    })?;
    take_starts(input, rows)
}

fn take_starts(input: &mut Input<'_>, rows: &mut [HistogramRow]) -> Result<(), DecodeError> {
    let count = input.number("a bad number of start timestamps")?;
    if count > rows.len() as u64 {
        return Err(input.corrupt("more start timestamps than samples"));
    }
    let count = count as usize;
    let mut places: Vec<usize> = Vec::with_capacity(count);
    deltas::take(input, count, |place| {
        let place = usize::try_from(place).ok().filter(|&place| {
            place < rows.len() && places.last().is_none_or(|&before| before < place)
        });
        places.push(place.ok_or("a start timestamp of no sample")?);
        Ok(())
    })?;
    let mut places = places.into_iter();
    deltas::take(input, count, |start_timestamp_ms| {
        if let Some(row) = places.next().and_then(|place| rows.get_mut(place)) {
            row.start_timestamp_ms = Some(start_timestamp_ms);
        }
        Ok(())
    })
}
