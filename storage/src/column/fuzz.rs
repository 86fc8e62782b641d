//! What holds of columns of any bytes, and of columns of any samples.

use super::{
    decode_timestamps, decode_timestamps_range, decode_values, decode_values_range,
    encode_timestamps, encode_values,
};
use crate::fuzz::{Input, bits};

/// The most samples that an input asks for: a few chunks and a part of one.
const SAMPLES_MAX: u16 = 2000;

/// Two bytes say how many values, two where a range of them begins, two how long it is; the rest
/// is a column. What is read whole and what is read as a range is the same, and what was read comes
/// back from what it is encoded to.
pub(crate) fn values(data: &[u8]) -> bool {
    let mut input = Input(data);
    let [count, start, length] = sizes(&mut input);
    let mut whole = vec![0.0; count];
    let decoded = decode_values(input.0, &mut whole);
    let mut part = vec![0.0; length];
    let ranged = decode_values_range(input.0, count, start, &mut part);
    if decoded.is_err() {
        return false;
    }
    if let Some(expected) = whole.get(start..start + length) {
        // Of fewer chunks less can be wrong.
        assert!(ranged.is_ok(), "{ranged:?}");
        assert_eq!(bits(&part), bits(expected));
    } else {
        assert!(ranged.is_err());
    }
    values_come_back(&whole);
    true
}

fn values_come_back(values: &[f64]) {
    let mut encoded = Vec::new();
    let stats = encode_values(values, &mut encoded);
    // Stale markers do not count.
    assert!(stats.count as usize <= values.len());
    let mut again = vec![0.0; values.len()];
    let decoded = decode_values(&encoded, &mut again);
    assert!(decoded.is_ok(), "{decoded:?}");
    assert_eq!(bits(&again), bits(values));
    // Raw, the tag of each chunk and the lengths of the chunks.
    assert!(encoded.len() <= 8 * values.len() + 8 * values.len().div_ceil(480) + 1);
}

/// The same of timestamps.
pub(crate) fn times(data: &[u8]) -> bool {
    let mut input = Input(data);
    let [count, start, length] = sizes(&mut input);
    let mut whole = vec![0; count];
    let decoded = decode_timestamps(input.0, &mut whole);
    let mut part = vec![0; length];
    let ranged = decode_timestamps_range(input.0, count, start, &mut part);
    if decoded.is_err() {
        return false;
    }
    if let Some(expected) = whole.get(start..start + length) {
        assert!(ranged.is_ok(), "{ranged:?}");
        assert_eq!(part, expected);
    } else {
        assert!(ranged.is_err());
    }
    times_come_back(&whole);
    true
}

fn times_come_back(times: &[i64]) {
    let mut encoded = Vec::new();
    encode_timestamps(times, &mut encoded);
    let mut again = vec![0; times.len()];
    let decoded = decode_timestamps(&encoded, &mut again);
    assert!(decoded.is_ok(), "{decoded:?}");
    assert_eq!(again, times);
}

fn sizes(input: &mut Input<'_>) -> [usize; 3] {
    [(); 3].map(|()| usize::from(input.u16() % (SAMPLES_MAX + 1)))
}

/// Instructions for a column: each of a byte that says what comes next and how often, and what
/// that takes. Whatever the samples are, they come back from what they are encoded to.
pub(crate) fn encode(data: &[u8]) -> bool {
    let mut input = Input(data);
    let (mut values, mut times) = (Vec::new(), Vec::new());
    let (mut value, mut time) = (0.0f64, 0i64);
    while !input.is_empty() && values.len() < usize::from(SAMPLES_MAX) {
        let what = input.byte();
        let step = i64::from(i16::from_le_bytes(input.array()));
        for _ in 0..1 + (what >> 3) {
            value = next(what & 7, value, step, &mut input);
            values.push(value);
            time = time.wrapping_add(step << (what & 31));
            times.push(time);
        }
    }
    values_come_back(&values);
    times_come_back(&times);
    true
}

fn next(kind: u8, value: f64, step: i64, input: &mut Input<'_>) -> f64 {
    match kind {
        0 => value,
        1 => value + step as f64,
        2 => (value * 10.0 + step as f64).round() / 10.0,
        3 => value * step as f64,
        4 => (value * 1000.0 + step as f64).round() / 1000.0,
        5 => f64::from_bits(value.to_bits().wrapping_add(step as u64)),
        6 => f64::from_bits(crate::model::STALE_NAN_BITS),
        _ => f64::from_bits(input.u64()),
    }
}

fn some_values() -> Vec<Vec<f64>> {
    let of = |value: fn(i32) -> f64, count: i32| (0..count).map(value).collect();
    vec![
        vec![],
        of(|_| 1.5, 7),
        of(|_| -0.0, 600),
        of(f64::from, 50),
        of(|i| f64::from(i * i % 97) / 10.0, 490),
        of(|i| f64::from(i) / 3.0, 30),
        of(|i| f64::from(i).sqrt() * 1e-3, 20),
        of(
            |i| {
                if i % 9 == 0 {
                    f64::NAN
                } else {
                    f64::from(i / 4)
                }
            },
            60,
        ),
        of(|i| f64::from(i) * 0.1, 40),
        of(
            |i| f64::from_bits((i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            12,
        ),
        of(
            |i| f64::from_bits(0x3ff0_0000_0000_0000 + (i * i) as u64),
            70,
        ),
    ]
}

fn seed(count: usize, column: &[u8]) -> Vec<u8> {
    let half = (count / 2) as u16;
    let mut data = Vec::new();
    for size in [count as u16, half / 2, half] {
        data.extend(size.to_le_bytes());
    }
    data.extend_from_slice(column);
    data
}

pub(crate) fn values_seeds() -> Vec<Vec<u8>> {
    let seeds = some_values().into_iter().map(|values| {
        let mut encoded = Vec::new();
        encode_values(&values, &mut encoded);
        seed(values.len(), &encoded)
    });
    seeds.collect()
}

pub(crate) fn times_seeds() -> Vec<Vec<u8>> {
    let seeds = some_values().into_iter().map(|values| {
        let times: Vec<i64> = (0..)
            .zip(&values)
            .map(|(i, v)| (i * 15_000i64).wrapping_add(*v as i64))
            .collect();
        let mut encoded = Vec::new();
        encode_timestamps(&times, &mut encoded);
        seed(times.len(), &encoded)
    });
    seeds.collect()
}

pub(crate) fn encode_seeds() -> Vec<Vec<u8>> {
    let step = |what: u8, step: i16| [&[what][..], &step.to_le_bytes()].concat();
    (0..8)
        .map(|kind| {
            let steps = [step(0xf9, 10), step(0xf8 | kind, 7), step(0x30 | kind, -3)];
            [steps.concat(), 1.25f64.to_le_bytes().to_vec()].concat()
        })
        .collect()
}
