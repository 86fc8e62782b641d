//! Values that no arithmetic reaches, listed apart: stale markers, other NaNs, infinities, -0.0.
//! In their places stands the value before, so that the other encodings do not see them.
//!
//! How many runs of the same bits there are, a varint; for each run: a varint of the samples
//! since the end of the run before; a varint of its length less one, times four, plus its kind
//! (0 stale markers, 1 NaN as arithmetic makes it, 2 the bits of the run before, 3 the eight
//! bytes that follow, little endian). Then the other values, in an encoding of their own.

use super::tag;
use crate::codec::varint;
use crate::column::error::Fault;
use crate::model::STALE_NAN_BITS;

/// What Prometheus writes for a NaN that is no stale marker.
const NORMAL_NAN_BITS: u64 = 0x7ff8_0000_0000_0001;
const NEGATIVE_ZERO_BITS: u64 = 1 << 63;
/// More runs than one in so many samples are not listed.
const SAMPLES_A_RUN_MIN: usize = 4;

/// Exceptions of one bit pattern, one after the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Run {
    start: usize,
    length: usize,
    bits: u64,
}

/// Values without their exceptions, and those.
#[derive(Debug)]
pub(super) struct Split {
    runs: Vec<Run>,
    /// As many values as before, all of them finite.
    pub(super) others: Vec<f64>,
}

/// Whether a value is one that arithmetic does not reach.
#[inline]
pub(super) fn is_exception(value: f64) -> bool {
    !value.is_finite() || value.to_bits() == NEGATIVE_ZERO_BITS
}

impl Split {
    /// `None` where there are no exceptions, nothing else, or too many.
    pub(super) fn new(values: &[f64]) -> Option<Self> {
        let mut before = values.iter().copied().find(|&value| !is_exception(value))?;
        let mut runs: Vec<Run> = Vec::new();
        let mut others = Vec::with_capacity(values.len());
        for (start, &value) in values.iter().enumerate() {
            if !is_exception(value) {
                before = value;
            } else {
                let bits = value.to_bits();
                match runs.last_mut() {
                    Some(run) if run.start + run.length == start && run.bits == bits => {
                        run.length += 1;
                    }
                    _ => runs.push(Run {
                        start,
                        length: 1,
                        bits,
                    }),
                }
            }
            others.push(before);
        }
        let listed = (1..=1 + values.len() / SAMPLES_A_RUN_MIN).contains(&runs.len());
        listed.then_some(Self { runs, others })
    }

    /// Appends the exceptions; the other values must follow.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(tag::EXCEPTIONS);
        varint::put_u64(out, self.runs.len() as u64);
        let mut end = 0;
        let mut before = None;
        for run in &self.runs {
            varint::put_u64(out, (run.start - end) as u64);
            let kind = match run.bits {
                STALE_NAN_BITS => 0,
                NORMAL_NAN_BITS => 1,
                bits if before == Some(bits) => 2,
                _ => 3,
            };
            varint::put_u64(out, ((run.length - 1) as u64) << 2 | kind);
            if kind == 3 {
                out.extend_from_slice(&run.bits.to_le_bytes());
            }
            end = run.start + run.length;
            before = Some(run.bits);
        }
    }
}

/// Exceptions as they stand in a column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exceptions<'a> {
    runs: &'a [u8],
}

impl<'a> Exceptions<'a> {
    /// Reads what stands after [`tag::EXCEPTIONS`], up to the other values.
    pub(super) fn decode(input: &mut &'a [u8], count: usize) -> Result<Self, Fault> {
        let all = *input;
        each_run(input, count, |_, _, _| Ok(()))?;
        let length = all.len() - input.len();
        Ok(Self {
            runs: all.get(..length).ok_or(Fault::Truncated)?,
        })
    }

    /// Puts the exceptions in their places among the others.
    pub(super) fn apply(&self, out: &mut [f64]) -> Result<(), Fault> {
        let mut runs = self.runs;
        each_run(&mut runs, out.len(), |start, end, bits| {
            let slots = out.get_mut(start..end).ok_or(Fault::Position)?;
            slots.fill(f64::from_bits(bits));
            Ok(())
        })
    }
}

/// Calls `each` with the start, the end and the bits of every run.
fn each_run(
    input: &mut &[u8],
    count: usize,
    mut each: impl FnMut(usize, usize, u64) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let runs = varint::take_u64(input).ok_or(Fault::Truncated)?;
    let mut end = 0u64;
    let mut bits = 0;
    for _ in 0..runs {
        let gap = varint::take_u64(input).ok_or(Fault::Truncated)?;
        let shape = varint::take_u64(input).ok_or(Fault::Truncated)?;
        let start = end.checked_add(gap).ok_or(Fault::Position)?;
        end = start.checked_add((shape >> 2) + 1).ok_or(Fault::Position)?;
        if end > count as u64 {
            return Err(Fault::Position);
        }
        bits = match shape & 3 {
            0 => STALE_NAN_BITS,
            1 => NORMAL_NAN_BITS,
            2 => bits,
            _ => {
                let (bits, rest) = input.split_first_chunk::<8>().ok_or(Fault::Truncated)?;
                *input = rest;
                u64::from_le_bytes(*bits)
            }
        };
        each(start as usize, end as usize, bits)?;
    }
    Ok(())
}
