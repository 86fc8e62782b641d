//! Timestamps: integers, mostly a line or nearly one.

use super::chunks;
use super::error::{ColumnError, Fault};
use super::integers::{self, Plan};

/// Appends timestamps.
pub(super) fn encode(timestamps_ms: &[i64], out: &mut Vec<u8>) {
    chunks::encode(timestamps_ms, out, |chunk, out| {
        if let Some(plan) = Plan::best(chunk.to_vec()) {
            plan.encode(out);
        }
    });
}

/// Reads timestamps from `start` on, as many as `out` takes, of the `count` in `bytes`.
pub(super) fn decode(
    bytes: &[u8],
    count: usize,
    start: usize,
    out: &mut [i64],
) -> Result<(), ColumnError> {
    chunks::decode(bytes, count, start, out, decode_chunk)
}

fn decode_chunk(input: &mut &[u8], out: &mut [i64]) -> Result<(), Fault> {
    let count = out.len();
    let mut rest = out;
    integers::decode(input, count, |block| {
        let (slots, after) = std::mem::take(&mut rest).split_at_mut(block.len());
        slots.copy_from_slice(block);
        rest = after;
    })
}
