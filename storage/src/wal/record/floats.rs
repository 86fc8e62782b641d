//! Section 2: float samples as columns of ids, timestamps and values. Section 3: the start
//! timestamps of those that have one, as columns of their rows and of the timestamps.

use super::{DecodeError, FLOATS_MAX, Input, deltas, values};
use crate::codec::varint::put_u64;
use crate::model::{FloatRow, FloatStart, SeriesId};

pub(super) fn put(out: &mut Vec<u8>, rows: &[FloatRow]) {
    put_u64(out, rows.len() as u64);
    deltas::put(out, rows.len(), |place| i64::from(rows[place].series.0));
    deltas::put(out, rows.len(), |place| rows[place].timestamp_ms);
    values::put(out, rows.iter().map(|row| row.value));
}

pub(super) fn take(input: &mut Input<'_>, rows: &mut Vec<FloatRow>) -> Result<(), DecodeError> {
    // Each has half a byte of value code.
    let count = input.count(2, "a bad number of samples")?;
    if count > FLOATS_MAX {
        return Err(input.corrupt("more samples than a record may hold"));
    }
    rows.reserve_exact(count);
    deltas::take(input, count, |id| {
        let id = u32::try_from(id).map_err(|_| "a series id that is no u32")?;
        rows.push(FloatRow {
            series: SeriesId(id),
            timestamp_ms: 0,
            value: 0.0,
        });
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
    values::take(input, count, |value| {
        if let Some(row) = row.next() {
            row.value = value;
        }
    })
}

pub(super) fn put_starts(out: &mut Vec<u8>, starts: &[FloatStart]) {
    put_u64(out, starts.len() as u64);
    deltas::put(out, starts.len(), |place| i64::from(starts[place].row));
    deltas::put(out, starts.len(), |place| starts[place].start_timestamp_ms);
}

/// Reads the start timestamps of `rows` rows at most.
pub(super) fn take_starts(
    input: &mut Input<'_>,
    rows: usize,
    starts: &mut Vec<FloatStart>,
) -> Result<(), DecodeError> {
    let count = input.number("a bad number of start timestamps")?;
    if count > rows as u64 {
        return Err(input.corrupt("more start timestamps than samples"));
    }
    let count = count as usize;
    starts.reserve_exact(count);
    deltas::take(input, count, |row| {
        let after = starts.last().map_or(-1, |start| i64::from(start.row));
        if row <= after || row >= rows as i64 {
            return Err("a start timestamp of no sample");
        }
        starts.push(FloatStart {
            row: row as u32,
            start_timestamp_ms: 0,
        });
        Ok(())
    })?;
    let mut start = starts.iter_mut();
    deltas::take(input, count, |start_timestamp_ms| {
        if let Some(start) = start.next() {
            start.start_timestamp_ms = start_timestamp_ms;
        }
        Ok(())
    })
}
