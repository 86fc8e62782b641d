//! Decimals that a clock counted: a difference of two looks at a clock that goes in ticks longer
//! than what it is printed in is a number of ticks, cut to the unit below or the one above. So of
//! durations in nanoseconds, by a clock of 24 MHz, five bits say nothing.
//!
//! The tick in units of 2^-24, a varint; then integers n, how many ticks; then integers u: a value
//! is (n ticks, cut to whole units, plus u) over a power of ten.

use super::clocks::Clock;
use super::decimal::{self, Decimals};
use super::tag;
use crate::codec::varint;
use crate::column::error::Fault;
use crate::column::integers::{self, Plan};

/// A tick is a multiple of 2^-24 units.
const FRACTION_BITS: u32 = 24;
/// Values that are looked at before all are.
const PROBES: usize = 32;
/// Of them so many have to be what the clock may show, at least: of other numbers, half are if a
/// tick has four units, which is the shortest.
const PROBES_MIN: usize = 28;

/// Values as ticks of a clock.
#[derive(Debug)]
pub(super) struct Ticks {
    clock: Clock,
    counts: Plan,
    rests: Plan,
}

impl Clock {
    /// A clock of ticks of so many units; none where they are too short or too long.
    pub(super) fn new(exponent: u8, units: f64) -> Option<Self> {
        let scaled = units * f64::from(1u32 << FRACTION_BITS);
        (1.0..1e18).contains(&scaled).then_some(Self {
            exponent,
            tick: scaled.round() as u64,
        })
    }

    /// Units to ticks.
    fn inverse(self) -> f64 {
        f64::from(1u32 << FRACTION_BITS) / self.tick as f64
    }
}

/// So many ticks, cut to whole units, modulo 2^64.
#[inline]
fn units(ticks: u64, tick: u64) -> u64 {
    ((u128::from(ticks) * u128::from(tick)) >> FRACTION_BITS) as u64
}

/// The nearest number of ticks, and what is left.
#[inline]
fn split(integer: i64, clock: Clock, inverse: f64) -> (i64, i64) {
    let count = (integer as f64 * inverse + 0.5) as i64;
    let rest = integer.wrapping_sub(units(count as u64, clock.tick) as i64);
    (count, rest)
}

impl Ticks {
    /// Decimals by a clock, if most of them are what it may show.
    pub(super) fn of(decimals: &Decimals, clock: Clock) -> Option<Self> {
        let inverse = clock.inverse();
        if decimals.exponent() != clock.exponent {
            return None;
        }
        let probes = decimals.integers().take(PROBES);
        let is_shown = |integer: &i64| matches!(split(*integer, clock, inverse).1, 0 | 1);
        if probes.filter(is_shown).count() < PROBES_MIN {
            return None;
        }
        Self::split_all(decimals, clock)
    }

    /// Decimals as ticks of any clock.
    pub(super) fn split_all(decimals: &Decimals, clock: Clock) -> Option<Self> {
        let inverse = clock.inverse();
        let (counts, rests) = decimals
            .integers()
            .map(|integer| split(integer, clock, inverse))
            .unzip();
        Some(Self {
            clock,
            counts: Plan::plain(counts)?,
            rests: Plan::plain(rests)?,
        })
    }

    /// About how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        6 + self.counts.bytes + self.rests.bytes
    }

    /// Appends the values.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(tag::TICKS | self.clock.exponent);
        varint::put_u64(out, self.clock.tick);
        self.counts.encode(out);
        self.rests.encode(out);
    }
}

/// Reads what stands after [`tag::TICKS`].
pub(super) fn decode(exponent: u8, input: &mut &[u8], out: &mut [f64]) -> Result<(), Fault> {
    let power = decimal::power(exponent)?;
    let tick = varint::take_u64(input).ok_or(Fault::Truncated)?;
    let count = out.len();
    let mut slots = out.iter_mut();
    // Integers in the place of values, until both parts are there.
    integers::decode(input, count, |block| {
        for (&ticks, slot) in block.iter().zip(&mut slots) {
            *slot = f64::from_bits(units(ticks as u64, tick));
        }
    })?;
    let mut slots = out.iter_mut();
    integers::decode(input, count, |block| {
        for (&rest, slot) in block.iter().zip(&mut slots) {
            let integer = slot.to_bits().wrapping_add(rest as u64);
            *slot = integer as i64 as f64 / power;
        }
    })
}
