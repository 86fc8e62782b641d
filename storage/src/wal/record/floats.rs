//! Section 2: float samples without a start timestamp, as columns of ids, timestamps and values.

use super::{DecodeError, FLOATS_MAX, Input, deltas, values};
use crate::codec::varint::put_u64;
use crate::model::{FloatRow, SeriesId};

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
