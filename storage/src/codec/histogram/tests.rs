use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn bits() -> impl Strategy<Value = f64> {
    prop_oneof![
        3 => (0..1000u32).prop_map(f64::from),
        1 => any::<u64>().prop_map(f64::from_bits),
        1 => Just(f64::from_bits(crate::model::STALE_NAN_BITS)),
    ]
}

fn integer() -> impl Strategy<Value = i64> {
    prop_oneof![3 => -5..100i64, 1 => any::<i64>()]
}

fn spans() -> impl Strategy<Value = Vec<BucketSpan>> {
    let offset = prop_oneof![3 => 0..4i32, 1 => any::<i32>()];
    let length = prop_oneof![3 => 0..4u32, 1 => any::<u32>()];
    let span = (offset, length).prop_map(|(offset, length)| BucketSpan { offset, length });
    vec(span, 0..3)
}

fn counts() -> impl Strategy<Value = HistogramCounts> {
    let integers = (
        integer(),
        integer(),
        vec(integer(), 0..12),
        vec(integer(), 0..3),
    );
    let floats = (bits(), bits(), vec(bits(), 0..12), vec(bits(), 0..3));
    prop_oneof![
        integers.prop_map(|(count, zero_count, positive_deltas, negative_deltas)| {
            HistogramCounts::Integer {
                count: count as u64,
                zero_count: zero_count as u64,
                positive_deltas,
                negative_deltas,
            }
        }),
        floats.prop_map(
            |(count, zero_count, positive, negative)| HistogramCounts::Float {
                count,
                zero_count,
                positive,
                negative,
            }
        ),
    ]
}

/// Any histogram at all, valid or not.
pub(crate) fn any_histogram() -> impl Strategy<Value = Histogram> {
    let scale = (any::<i8>(), bits(), vec(bits(), 0..4));
    let spans = (spans(), spans());
    (scale, spans, bits(), any::<u8>(), counts()).prop_map(
        |((schema, zero_threshold, custom_bounds), spans, sum, hint, counts)| Histogram {
            schema,
            zero_threshold,
            sum,
            reset_hint: ResetHint::from_bits(hint),
            positive_spans: spans.0,
            negative_spans: spans.1,
            custom_bounds,
            counts,
        },
    )
}

/// Histograms that follow each other: some repeat all of the one before, some parts of it.
pub(crate) fn histograms(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Histogram>> {
    vec((any_histogram(), 0..6u8), count).prop_map(|list| {
        let mut made: Vec<Histogram> = Vec::new();
        for (mut histogram, keep) in list {
            if let Some(before) = made.last().cloned() {
                if keep >= 1 {
                    histogram.schema = before.schema;
                    histogram.zero_threshold = before.zero_threshold;
                    histogram.custom_bounds = before.custom_bounds.clone();
                }
                if keep >= 2 {
                    histogram.positive_spans = before.positive_spans.clone();
                    histogram.negative_spans = before.negative_spans.clone();
                }
                if keep >= 3 {
                    histogram.counts = before.counts.clone();
                }
                match &mut histogram.counts {
                    HistogramCounts::Integer { count, .. } if keep == 4 => *count ^= 1,
                    HistogramCounts::Float { positive, .. } if keep == 4 => {
                        positive.iter_mut().for_each(|count| *count += 1.0);
                    }
                    _ => {}
                }
                if keep == 5 {
                    histogram = before;
                }
            }
            made.push(histogram);
        }
        made
    })
}

fn encode(histograms: &[Histogram]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut before = None;
    for histogram in histograms {
        put_histogram(&mut out, histogram, before);
        before = Some(histogram);
    }
    out
}

fn decode(mut bytes: &[u8], count: usize) -> Result<Vec<Histogram>, &'static str> {
    let mut read: Vec<Histogram> = Vec::new();
    for _ in 0..count {
        let histogram = take_histogram(&mut bytes, read.last(), &mut 100_000)?;
        read.push(histogram);
    }
    match bytes {
        [] => Ok(read),
        _ => Err("bytes are left"),
    }
}

#[test]
fn a_scrape_after_another_costs_few_bytes() {
    let bounds: Vec<f64> = (0..12).map(|i| 0.005 * f64::from(1 << i)).collect();
    let at = |scrape: i64| Histogram {
        schema: crate::model::CUSTOM_SCHEMA,
        zero_threshold: 0.0,
        sum: scrape as f64 * 0.137,
        reset_hint: ResetHint::Unknown,
        positive_spans: vec![BucketSpan {
            offset: 0,
            length: 12,
        }],
        negative_spans: vec![],
        custom_bounds: bounds.clone(),
        counts: HistogramCounts::Integer {
            count: 1000 + 3 * scrape as u64,
            zero_count: 0,
            // Two observations a scrape in bucket 3, one in bucket 4.
            positive_deltas: (0..12)
                .map(|i| match i {
                    3 => 900 + 2 * scrape,
                    4 => -800 - scrape,
                    5 => -100 - scrape,
                    _ => 0,
                })
                .collect(),
            negative_deltas: vec![],
        },
    };
    let (first, second) = (encode(&[at(1)]).len(), encode(&[at(1), at(2)]).len());
    assert!(first < 150, "{first}");
    // Flags, sum, mask and four small numbers.
    assert!(second - first <= 1 + 9 + 2 + 4, "{}", second - first);
    // Nothing observed: flags, sum, mask.
    assert_eq!(encode(&[at(1), at(1)]).len() - first, 1 + 1 + 2);
}

#[test]
fn what_repeats_is_paid_from_the_budget() {
    let histogram = Histogram {
        custom_bounds: vec![1.0; 1000],
        ..nothing()
    };
    let bytes = encode(&[histogram.clone(), histogram]);
    let mut input = &bytes[..];
    let mut budget = 1999;
    let first = take_histogram(&mut input, None, &mut budget).unwrap();
    assert_eq!(budget, 999);
    let error = take_histogram(&mut input, Some(&first), &mut budget).unwrap_err();
    assert_eq!(error, TOO_LARGE);
}

#[test]
fn bytes_that_promise_more_than_there_is_are_refused() {
    let histogram = nothing();
    let cases: [(&[u8], &str); 6] = [
        (&[], CUT),
        (&[0x20], "unknown flags"),
        (&[SAME_SCALE], "repeats none"),
        (&[0, 0, 0x80, 0xff, 0xff, 0xff, 0x0f], "custom bounds"),
        (&[0, 0, 0x80, 0, 0xff, 0xff, 0xff, 0x0f], "number of spans"),
        (
            &[0, 0, 0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0x0f],
            "number of buckets",
        ),
    ];
    for (bytes, want) in cases {
        let error = take_histogram(&mut &bytes[..], None, &mut 1000).unwrap_err();
        assert!(error.contains(want), "{error:?} lacks {want:?}");
    }
    let other_kind = [FLOAT | SAME_SPANS];
    let error = take_histogram(&mut &other_kind[..], Some(&histogram), &mut 1000).unwrap_err();
    assert!(error.contains("another kind"), "{error}");
}

proptest! {
    #[test]
    fn histograms_come_back_to_the_bit(list in histograms(0..8)) {
        let read = decode(&encode(&list), list.len()).unwrap();
        prop_assert_eq!(read.len(), list.len());
        for (read, wrote) in read.iter().zip(&list) {
            prop_assert!(read.is_identical(wrote), "{:?} is not {:?}", read, wrote);
        }
    }

    #[test]
    fn changed_bytes_are_read_or_refused(
        list in histograms(1..6),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = encode(&list);
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let _ = decode(&bytes, list.len());
        let _ = decode(&bytes[..cut.index(bytes.len())], list.len());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes, 5);
    }

    #[test]
    fn any_xor_comes_back(xor in any::<u64>(), up in 0..64u32, down in 0..64u32) {
        for xor in [xor, xor >> up << up, xor << down >> down, 0] {
            let mut out = Vec::new();
            put_xor(&mut out, xor);
            let mut input = &out[..];
            prop_assert_eq!(take_xor(&mut input), Some(xor));
            prop_assert!(input.is_empty());
        }
    }
}
