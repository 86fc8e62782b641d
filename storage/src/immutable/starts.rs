//! The start timestamps of a list of points: runs of them.

use crate::chunk::StartRun;
use crate::codec::varint::{put_i64, put_u64, take_i64, take_u64};

const CUT: &str = "a run is cut short";
/// Least bytes of a run.
const RUN_BYTES_MIN: u64 = 3;

/// Appends the runs of a list.
pub fn put_starts(out: &mut Vec<u8>, runs: &[StartRun]) {
    put_u64(out, runs.len() as u64);
    let (mut end, mut before) = (0, [0i64; 2]);
    for run in runs {
        let before = &mut before[usize::from(run.is_distance)];
        put_u64(out, run.ordinal - end);
        put_u64(out, u64::from(run.count) << 1 | u64::from(run.is_distance));
        put_i64(out, run.value.wrapping_sub(*before));
        (end, *before) = (run.end(), run.value);
    }
}

/// Takes what [`put_starts`] wrote off the front. Says what is wrong with the bytes.
pub fn take_starts(input: &mut &[u8]) -> Result<Vec<StartRun>, &'static str> {
    let runs = take_u64(input).ok_or(CUT)?;
    if runs > input.len() as u64 / RUN_BYTES_MIN {
        return Err("a bad number of runs");
    }
    let mut list = Vec::with_capacity(runs as usize);
    let (mut end, mut before) = (0u64, [0i64; 2]);
    for _ in 0..runs {
        let (gap, form, step) = (take_u64(input), take_u64(input), take_i64(input));
        let (Some(gap), Some(form), Some(step)) = (gap, form, step) else {
            return Err(CUT);
        };
        let is_distance = form & 1 != 0;
        let before = &mut before[usize::from(is_distance)];
        *before = before.wrapping_add(step);
        let count = u32::try_from(form >> 1).ok().filter(|&count| count > 0);
        let count = count.ok_or("a bad number of points in a run")?;
        let ordinal = end.checked_add(gap);
        let ordinal = ordinal.filter(|ordinal| ordinal.checked_add(count.into()).is_some());
        let run = StartRun {
            ordinal: ordinal.ok_or("a run of points above 2^64")?,
            value: *before,
            count,
            is_distance,
        };
        end = run.end();
        list.push(run);
    }
    Ok(list)
}
