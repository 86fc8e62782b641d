mod clocks;
mod damage;
mod fixtures;
mod round_trip;

use proptest::prelude::*;

use super::*;
use crate::model::STALE_NAN_BITS;

/// Bits that arithmetic does not reach, and some at the edges of what it does.
const SPECIAL: [u64; 12] = [
    STALE_NAN_BITS,
    0x7ff8_0000_0000_0001,
    0x7ff8_0000_0000_0000,
    0xfff8_0000_dead_beef,
    0x7ff0_0000_0000_0000,
    0xfff0_0000_0000_0000,
    0x8000_0000_0000_0000,
    0,
    1,
    0x7fef_ffff_ffff_ffff,
    // 2^53 and the largest double below 2^63.
    0x4340_0000_0000_0000,
    0x43df_ffff_ffff_ffff,
];

fn bits_of(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// A column as a series may have it, now and then with something else in it.
fn values(samples: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<f64>> {
    let steps = prop::collection::vec((any::<u64>(), 0..64u32, 0..40u32), samples);
    let kind = (0..7u8, 0..19usize, any::<i32>(), 1..1000i64, 0..40u64);
    (steps, kind).prop_map(|(steps, (kind, exponent, start, common, special))| {
        let power = 10f64.powi(exponent as i32);
        let mut integer = i64::from(start);
        let mut sum = f64::from(start) / power;
        let mut value = |(random, shift, _): (u64, u32, u32)| {
            let small = (random >> shift.max(40)) as i64;
            match kind {
                0 => f64::from_bits(random),
                1 => f64::from(start),
                2 => (integer, integer += common).0 as f64 / power,
                3 => (integer, integer += small * common).0 as f64 / power,
                4 => (i64::from(start) + small % 100 * common) as f64 / power,
                5 => (sum, sum += small as f64 / power).0,
                _ => f64::from((random >> shift) as f32) * 0.1,
            }
        };
        let mut one = |step: (u64, u32, u32)| {
            if u64::from(step.2) < special / 20 {
                return f64::from_bits(SPECIAL[(step.0 % 12) as usize]);
            }
            value(step)
        };
        steps.into_iter().map(&mut one).collect()
    })
}

fn timestamps(samples: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<i64>> {
    let steps = prop::collection::vec((any::<i64>(), 0..100u32), samples);
    let kind = (0..5u8, 0..64u32, 1..100_000i64);
    (steps, any::<i64>(), kind).prop_map(|(steps, start, (kind, shift, interval))| {
        let mut time = start >> shift;
        let mut next = |(random, rare): (i64, u32)| {
            let step = match kind {
                0 => random,
                1 => interval,
                2 => interval + random % 10,
                3 if rare == 0 => interval * 7,
                3 => interval,
                _ => (random >> shift).wrapping_mul(interval),
            };
            time = time.wrapping_add(step);
            time
        };
        steps.into_iter().map(&mut next).collect()
    })
}
