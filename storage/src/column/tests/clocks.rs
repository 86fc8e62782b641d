//! Durations by clocks that go in ticks.

use super::*;
use crate::column::values::{Encoding, encode_as};

/// Durations as a program measures them: two looks at a clock that shows whole nanoseconds and
/// goes in longer ticks. Each is some base and a tail, in seconds.
fn durations(tick_ns: f64, count: usize, seed: u64) -> Vec<f64> {
    let mut state = seed;
    let mut random = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let shown = |ticks: u64| (ticks as f64 * tick_ns) as u64;
    let mut duration = || {
        let start = random() % 100_000_000;
        let ticks = 1000 + random() % 400 + random() % 40 * (random() % 20);
        let tail = if random() % 50 == 0 {
            random() % 30_000
        } else {
            0
        };
        (shown(start + ticks + tail) - shown(start)) as f64 / 1e9
    };
    (0..count).map(|_| duration()).collect()
}

fn alone(values: &[f64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_values(values, &mut bytes);
    bytes
}

fn with(encoder: &mut ValuesEncoder, values: &[f64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encoder.encode(values, &mut bytes);
    let mut out = vec![-1.0; values.len()];
    assert_eq!(decode_values(&bytes, &mut out), Ok(()));
    assert_eq!(bits_of(&out), bits_of(values));
    bytes
}

fn is_by_clock(bytes: &[u8]) -> bool {
    bytes[0] & 0xe0 == 0x80
}

#[test]
fn the_ticks_of_a_clock_are_found() {
    for (tick_ns, saved) in [
        (1e9 / 121.875e6, 0.95),
        (10.014_85, 0.95),
        (1e9 / 54e6, 0.85),
        (1e9 / 24e6, 0.8),
    ] {
        let mut encoder = ValuesEncoder::default();
        for seed in 1..6 {
            let values = durations(tick_ns, 480, seed);
            let (bytes, before) = (with(&mut encoder, &values), alone(&values));
            assert!(is_by_clock(&bytes), "{tick_ns}, {seed}");
            assert!(!is_by_clock(&before));
            let part = bytes.len() as f64 / before.len() as f64;
            assert!(part < saved, "{tick_ns}, {seed}: {part}");
        }
    }
}

#[test]
fn two_clocks_are_remembered() {
    let mut encoder = ValuesEncoder::default();
    let found = (1..30).filter(|&seed| {
        let tick_ns = if seed % 2 == 0 { 18.52 } else { 41.667 };
        is_by_clock(&with(&mut encoder, &durations(tick_ns, 240, seed)))
    });
    assert_eq!(found.count(), 29);
}

#[test]
fn other_durations_are_what_they_were() {
    let mut encoder = ValuesEncoder::default();
    for seed in 1..40 {
        // Nanoseconds, whole microseconds, few values, integers.
        let precise = durations(1.0, 480, seed);
        let micros: Vec<f64> = precise.iter().map(|v| (v * 1e8).round() / 1e6).collect();
        let integers: Vec<f64> = precise.iter().map(|v| (v * 1e9).round()).collect();
        let few = &durations(41.667, 480, seed)[..40];
        for values in [&precise[..], &micros, &integers, few] {
            assert_eq!(with(&mut encoder, values), alone(values), "{seed}");
        }
    }
}

proptest! {
    #[test]
    fn one_encoder_takes_any_columns(columns in prop::collection::vec(values(0..500), 1..6)) {
        let mut encoder = ValuesEncoder::default();
        with(&mut encoder, &durations(18.52, 480, 1));
        for values in columns {
            with(&mut encoder, &values);
        }
    }

    #[test]
    fn cut_or_changed_ticks_decode_or_fail(
        seed: u64,
        count in 1..300usize,
        at in any::<prop::sample::Index>(),
        flip in 1..=255u8,
    ) {
        let values = durations(10.5, count, seed);
        let mut bytes = Vec::new();
        prop_assert!(encode_as(Encoding::Ticks(10.5), &values, &mut bytes));
        let mut out = vec![0.0; count];
        for length in 0..bytes.len() {
            prop_assert!(decode_values(&bytes[..length], &mut out).is_err(), "{length}");
        }
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Err(error) = decode_values(&bytes, &mut out) {
            prop_assert!(error.offset <= bytes.len());
        }
    }
}
