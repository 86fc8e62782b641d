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
    take_runs(input, count, |run| run.values().try_for_each(&mut emit))
}

/// Values that follow each other at the same distance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) first: i64,
    /// From one to the next, which may wrap around.
    pub(super) step: i64,
    /// How many values, from 1.
    pub(super) length: usize,
}

impl Run {
    pub(super) fn values(self) -> impl Iterator<Item = i64> {
        let mut next = self.first;
        (0..self.length).map(move |_| {
            let value = next;
            next = next.wrapping_add(self.step);
            value
        })
    }

    /// The last value.
    pub(super) fn last(self) -> i64 {
        let steps = self.length as i64 - 1;
        self.first.wrapping_add(self.step.wrapping_mul(steps))
    }
}

/// Reads a column of `count` integers and hands its runs to `emit`, which may refuse one.
#[inline]
pub(super) fn take_runs(
    input: &mut Input<'_>,
    count: usize,
    mut emit: impl FnMut(Run) -> Result<(), &'static str>,
) -> Result<(), DecodeError> {
    let mut left = count;
    let mut value = 0i64;
    while left > 0 {
        let head = input.number("a column cut short")?;
        let is_run = head & 1 == 1;
        let length = usize::try_from(head >> 1)
            .ok()
            .filter(|&length| 0 < length && length <= left);
        let length = length.ok_or_else(|| input.corrupt("a column of the wrong length"))?;
        left -= length;
        let (runs, length) = if is_run { (1, length) } else { (length, 1) };
        for _ in 0..runs {
            let step = input.signed("a column cut short")?;
            let run = Run {
                first: value.wrapping_add(step),
                step,
                length,
            };
            value = run.last();
            emit(run).map_err(|what| input.corrupt(what))?;
        }
    }
    Ok(())
}
