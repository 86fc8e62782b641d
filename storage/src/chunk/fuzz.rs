//! What holds of chunks of any bytes.

use std::ops::ControlFlow;

use super::{
    CHUNK_SAMPLES_MAX, OpenValues, TIMES_BYTES_MAX, TimeColumn, ValuesRef, XorChunk, XorReader,
    decode_times, times_within,
};
use crate::fuzz::Input;

/// A XOR chunk. Read one by one and all at once it gives the same samples; these are the same
/// after they were pushed to a chunk of their own.
pub(crate) fn xor(data: &[u8]) -> bool {
    let Ok(mut reader) = XorReader::new(data) else {
        return false;
    };
    let count = reader.left();
    let mut one_by_one = Vec::new();
    let end = loop {
        match reader.next_sample() {
            Ok(Some((timestamp_ms, value))) => one_by_one.push((timestamp_ms, value.to_bits())),
            Ok(None) => break Ok(ControlFlow::Continue(())),
            Err(error) => break Err(error),
        }
    };
    let (all, end_of_all) = read_xor(data);
    assert_eq!((&all, &end_of_all), (&one_by_one, &end));
    if end.is_ok() {
        assert_eq!(all.len(), usize::from(count));
    }
    let mut chunk = XorChunk::default();
    for &(timestamp_ms, bits) in &all {
        chunk.push(timestamp_ms, f64::from_bits(bits));
    }
    let (mut again, read) = (Vec::new(), chunk.reader());
    let end_again = read.for_each(u16::MAX, |timestamp_ms, value| {
        again.push((timestamp_ms, value.to_bits()));
        ControlFlow::Continue(())
    });
    assert_eq!(end_again, Ok(ControlFlow::Continue(())));
    assert_eq!(again, all);
    end.is_ok()
}

type XorEnd = Result<ControlFlow<()>, super::ChunkError>;

fn read_xor(bytes: &[u8]) -> (Vec<(i64, u64)>, XorEnd) {
    let mut samples = Vec::new();
    let end = XorReader::new(bytes).and_then(|reader| {
        reader.for_each(u16::MAX, |timestamp_ms, value| {
            samples.push((timestamp_ms, value.to_bits()));
            ControlFlow::Continue(())
        })
    });
    (samples, end)
}

/// A byte that says how many samples, and a stream of values. What is read, as far as it can be,
/// is the same after it was pushed to a chunk of its own, open and sealed.
pub(crate) fn values(data: &[u8]) -> bool {
    let mut input = Input(data);
    let count = u16::from(input.byte()) % (CHUNK_SAMPLES_MAX + 1);
    let (values, end) = read_values(ValuesRef::Stream(input.0), count);
    if end.is_ok() {
        assert_eq!(values.len(), usize::from(count));
    }
    for fewer in [count / 2, 1] {
        let (some, _) = read_values(ValuesRef::Stream(input.0), fewer.min(count));
        assert!(values.starts_with(&some), "{some:?} of {values:?}");
    }
    let mut open = OpenValues::default();
    for &bits in &values {
        open.push(f64::from_bits(bits));
    }
    let read = values.len() as u16;
    assert_eq!(u16::from(open.count()), read);
    assert_eq!(read_values(open.values(), read), (values.clone(), Ok(())));
    let sealed = open.seal();
    if read > 0 {
        assert_eq!(read_values(sealed.values(), read), (values, Ok(())));
    }
    end.is_ok()
}

fn read_values(values: ValuesRef<'_>, count: u16) -> (Vec<u64>, Result<(), super::ChunkError>) {
    let mut read = Vec::new();
    let end = values.for_each(count, |value| {
        read.push(value.to_bits());
        ControlFlow::Continue(())
    });
    (read, end.map(|_| ()))
}

/// A stored time column. What is read rises, lies within what is known without reading it, and is
/// the same after it was pushed to a column and encoded again, unless a step was too long for one.
pub(crate) fn times(data: &[u8]) -> bool {
    let mut times = Vec::new();
    let range = times_within(data, 0, CHUNK_SAMPLES_MAX as u8);
    if decode_times(data, &mut times).is_none() {
        return false;
    }
    assert!(times.is_sorted_by(|one, other| one < other), "{times:?}");
    assert!((1..=usize::from(CHUNK_SAMPLES_MAX)).contains(&times.len()));
    for (start, count) in [(0, times.len()), (times.len() / 2, 1), (times.len() - 1, 1)] {
        let within = times_within(data, start as u8, count as u8);
        let part = times.get(start..start + count).unwrap_or_default();
        assert!(
            part.iter()
                .all(|&time| within.is_some_and(|range| range.contains(time))),
            "{part:?} in {within:?}"
        );
    }
    assert!(
        times
            .iter()
            .all(|&time| range.is_some_and(|range| range.contains(time)))
    );
    let mut column = TimeColumn::new(times.first().copied().unwrap_or_default());
    for &time in times.iter().skip(1) {
        if !column.push(time) {
            return true;
        }
    }
    let (mut encoded, mut again) = (Vec::new(), Vec::new());
    column.encode(&mut encoded);
    assert!(encoded.len() <= TIMES_BYTES_MAX);
    assert_eq!(decode_times(&encoded, &mut again), Some(()));
    assert_eq!(again, times);
    true
}

fn some_values() -> [Vec<f64>; 6] {
    let of = |value: fn(i32) -> f64| (0..i32::from(CHUNK_SAMPLES_MAX)).map(value).collect();
    [
        of(|i| f64::from(i / 60)),
        of(|i| f64::from(i * i)),
        of(|i| f64::from(i) / 10.0),
        of(|i| f64::from(i).sqrt()),
        of(|i| {
            if i % 7 == 0 {
                f64::NAN
            } else {
                f64::from(i) / 100.0
            }
        }),
        of(|i| {
            if i > 50 {
                f64::from(i).sin()
            } else {
                f64::from(i)
            }
        }),
    ]
}

pub(crate) fn values_seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for values in some_values() {
        for count in [5, values.len()] {
            let mut open = OpenValues::default();
            let taken = values.iter().rev().take(count);
            taken.for_each(|&value| open.push(value));
            // A constant is no stream.
            if let ValuesRef::Stream(bytes) = open.seal().values() {
                seeds.push([&[count as u8], bytes].concat());
            }
        }
    }
    seeds
}

pub(crate) fn xor_seeds() -> Vec<Vec<u8>> {
    let seeds = some_values().into_iter().map(|values| {
        let mut chunk = super::OpenChunk::default();
        for (time, value) in (0i64..).zip(values) {
            chunk.push(
                time * 15_000 + time * time % 7 - 1_000_000 * (time % 11 / 10),
                value,
            );
        }
        chunk.seal(0, 0).bytes().to_vec()
    });
    seeds.collect()
}

pub(crate) fn times_seeds() -> Vec<Vec<u8>> {
    let step = |kind: i64, i: i64| match kind {
        0 => i * 15_000,
        1 => i * 15_000 + i * i % 13,
        2 => i * 86_400_000 * 7,
        _ => i * 100 + i * i * i,
    };
    let seeds = (0..4).flat_map(|kind| {
        [1, 2, 20, i64::from(CHUNK_SAMPLES_MAX)].map(|count| {
            let mut column = TimeColumn::new(-5_000);
            for i in 1..count {
                let _too_far = column.push(-5_000 + step(kind, i));
            }
            let mut encoded = Vec::new();
            column.encode(&mut encoded);
            encoded
        })
    });
    seeds.collect()
}
