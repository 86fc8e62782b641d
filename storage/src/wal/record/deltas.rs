//! A column of integers as their differences, in stretches: runs of one difference, and
//! differences one by one.
//!
//! Ids of a request mostly rise by one, and timestamps of a scrape are mostly equal: a run of
//! any length takes a few bytes.

use super::{DecodeError, Input};
use crate::codec::varint::{put_i64, put_u64};

/// A run must be this long to be worth the bytes that end the stretch before it.
const RUN_MIN: usize = 4;

/// Appends the column `value(0)..value(count - 1)`. Differences wrap around, so any i64 goes.
pub(super) fn put(out: &mut Vec<u8>, count: usize, value: impl Fn(usize) -> i64) {
    let delta = |place: usize| match place {
        0 => value(0),
        _ => value(place).wrapping_sub(value(place - 1)),
    };
    let put_singles = |out: &mut Vec<u8>, from: usize, to: usize| {
        if from < to {
            put_u64(out, ((to - from) as u64) << 1);
            for place in from..to {
                put_i64(out, delta(place));
            }
        }
    };
    let mut singles_from = 0;
    let mut at = 0;
    while at < count {
        let step = delta(at);
        let mut end = at + 1;
        while end < count && delta(end) == step {
            end += 1;
        }
        if end - at >= RUN_MIN {
            put_singles(out, singles_from, at);
            put_u64(out, ((end - at) as u64) << 1 | 1);
            put_i64(out, step);
            singles_from = end;
        }
        at = end;
    }
    put_singles(out, singles_from, count);
}

/// Reads a column of `count` integers and hands each to `emit`, which may refuse it.
pub(super) fn take(
    input: &mut Input<'_>,
    count: usize,
    mut emit: impl FnMut(i64) -> Result<(), &'static str>,
) -> Result<(), DecodeError> {
    let mut left = count as u64;
    let mut value = 0i64;
    while left > 0 {
        let head = input.number("a column cut short")?;
        let (length, is_run) = (head >> 1, head & 1 == 1);
        if length == 0 || length > left {
            return Err(input.corrupt("a column of the wrong length"));
        }
        left -= length;
        let mut step = 0;
        for place in 0..length {
            if place == 0 || !is_run {
                step = input.signed("a column cut short")?;
            }
            value = value.wrapping_add(step);
            emit(value).map_err(|what| input.corrupt(what))?;
        }
    }
    Ok(())
}
