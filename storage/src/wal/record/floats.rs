//! Section 2: float samples as columns of ids, timestamps and values. Section 3: the start
//! timestamps of those that have one, as columns of their rows and of the timestamps.

use super::{DecodeError, FLOATS_MAX, Input, deltas, values};
use crate::codec::varint::put_u64;
use crate::model::{FloatRow, FloatRun, FloatRuns, FloatStart, SeriesId};

pub(super) fn put(out: &mut Vec<u8>, rows: &[FloatRow]) {
    put_u64(out, rows.len() as u64);
    deltas::put(out, rows.len(), |place| i64::from(rows[place].series.0));
    deltas::put(out, rows.len(), |place| rows[place].timestamp_ms);
    values::put(out, rows.iter().map(|row| row.value));
}

/// Adds the samples to `floats`.
pub(super) fn take(input: &mut Input<'_>, floats: &mut FloatRuns) -> Result<(), DecodeError> {
    // Each has half a byte of value code.
    let count = input.count(2, "a bad number of samples")?;
    if count > FLOATS_MAX {
        return Err(input.corrupt("more samples than a record may hold"));
    }
    let mut ids = IdRuns::default();
    deltas::take_runs(input, count, |run| ids.push(run))?;
    let mut ids = ids.0.into_iter();
    let mut left = IdRun::default();
    deltas::take_runs(input, count, |run| {
        let (stretches, length) = match run.step {
            0 => (1, run.length),
            _ => (run.length, 1),
        };
        for timestamp_ms in run.values().take(stretches) {
            let mut length = length as u32;
            while length > 0 {
                if left.count == 0 {
                    left = ids.next().ok_or("more timestamps than series")?;
                }
                let count = length.min(left.count);
                floats.push_run(FloatRun {
                    first: SeriesId(left.first),
                    count,
                    timestamp_ms,
                });
                // Past the last u32 only where nothing is left.
                left.first = left.first.wrapping_add(count);
                left.count -= count;
                length -= count;
            }
        }
        Ok(())
    })?;
    values::take(input, floats.add_values(count))
}

/// Ids that follow each other.
#[derive(Clone, Copy, Default, Debug)]
struct IdRun {
    first: u32,
    count: u32,
}

#[derive(Default)]
struct IdRuns(Vec<IdRun>);

impl IdRuns {
    fn push(&mut self, run: deltas::Run) -> Result<(), &'static str> {
        let id = |id: i64| u32::try_from(id).map_err(|_| "a series id that is no u32");
        if run.step == 1 || run.length == 1 {
            let first = id(run.first)?;
            // There are fewer than 2^25.
            let count = run.length as u32;
            id(run.last())?;
            self.0.push(IdRun { first, count });
            return Ok(());
        }
        for one in run.values() {
            let first = id(one)?;
            self.0.push(IdRun { first, count: 1 });
        }
        Ok(())
    }
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
