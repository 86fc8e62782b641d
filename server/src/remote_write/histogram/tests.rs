use proptest::prelude::*;
use silverback_storage::model::HistogramError;

use super::super::test_encoder::{bytes_field, fixed64_field, histogram as encoded, varint_field};
use super::*;

fn decoded(body: &[u8]) -> HistogramSample {
    read(Reader::new(body)).unwrap()
}

fn floats() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(any::<u64>().prop_map(f64::from_bits), 0..6)
}

fn span_lists() -> impl Strategy<Value = Vec<BucketSpan>> {
    let span = (any::<i32>(), any::<u32>());
    prop::collection::vec(
        span.prop_map(|(offset, length)| BucketSpan { offset, length }),
        0..4,
    )
}

fn counts() -> impl Strategy<Value = HistogramCounts> {
    let deltas = || prop::collection::vec(any::<i64>(), 0..6);
    let integer = (any::<u64>(), any::<u64>(), deltas(), deltas()).prop_map(
        |(count, zero_count, positive_deltas, negative_deltas)| HistogramCounts::Integer {
            count,
            zero_count,
            positive_deltas,
            negative_deltas,
        },
    );
    let float = (any::<f64>(), any::<f64>(), floats(), floats()).prop_map(
        |(count, zero_count, positive, negative)| HistogramCounts::Float {
            count,
            zero_count,
            positive,
            negative,
        },
    );
    prop_oneof![integer, float]
}

fn histograms() -> impl Strategy<Value = Histogram> {
    let hints = prop::sample::select(
        &[
            ResetHint::Unknown,
            ResetHint::Reset,
            ResetHint::NoReset,
            ResetHint::Gauge,
        ][..],
    );
    let numbers = (any::<i8>(), any::<u64>(), any::<u64>(), hints);
    (numbers, span_lists(), span_lists(), floats(), counts()).prop_map(
        |(
            (schema, zero, sum, reset_hint),
            positive_spans,
            negative_spans,
            custom_bounds,
            counts,
        )| {
            Histogram {
                schema,
                zero_threshold: f64::from_bits(zero),
                sum: f64::from_bits(sum),
                reset_hint,
                positive_spans,
                negative_spans,
                custom_bounds,
                counts,
            }
        },
    )
}

/// An integer histogram of three observations in two buckets.
fn simple() -> Histogram {
    Histogram {
        schema: 1,
        zero_threshold: 0.0,
        sum: 4.5,
        reset_hint: ResetHint::Unknown,
        positive_spans: vec![BucketSpan {
            offset: -1,
            length: 2,
        }],
        negative_spans: vec![],
        custom_bounds: vec![],
        counts: HistogramCounts::Integer {
            count: 3,
            zero_count: 0,
            positive_deltas: vec![2, -1],
            negative_deltas: vec![],
        },
    }
}

#[test]
fn an_empty_message_is_an_integer_histogram_of_nothing() {
    let sample = decoded(b"");
    assert_eq!((sample.timestamp_ms, sample.start_timestamp_ms), (0, None));
    let histogram = sample.histogram.unwrap();
    assert_eq!(histogram.validate(), Ok(()));
    assert!(matches!(
        histogram.counts,
        HistogramCounts::Integer { count: 0, .. }
    ));
}

#[test]
fn lists_may_come_element_by_element() {
    let body = [
        varint_field(1, 3),
        fixed64_field(3, 4.5f64.to_bits()),
        varint_field(4, 2),
        bytes_field(11, &[varint_field(1, 1), varint_field(2, 2)].concat()),
        varint_field(12, 4),
        varint_field(12, 1),
    ];
    assert_eq!(decoded(&body.concat()).histogram, Ok(simple()));
    let bounds = [
        varint_field(4, 105),
        fixed64_field(16, 1f64.to_bits()),
        bytes_field(16, &2f64.to_le_bytes()),
    ];
    let histogram = decoded(&bounds.concat()).histogram.unwrap();
    assert_eq!(
        (histogram.schema, histogram.custom_bounds),
        (-53, vec![1.0, 2.0])
    );
}

#[test]
fn of_the_two_counts_the_last_one_is_taken() {
    let float = fixed64_field(2, 2f64.to_bits());
    let body = [varint_field(1, 7), float.clone()].concat();
    let counts = decoded(&body).histogram.unwrap().counts;
    assert!(matches!(counts, HistogramCounts::Float { count: 2.0, .. }));
    let counts = decoded(&[float, varint_field(1, 7)].concat())
        .histogram
        .unwrap()
        .counts;
    assert!(matches!(counts, HistogramCounts::Integer { count: 7, .. }));
}

#[test]
fn mixtures_and_schemas_beyond_a_byte_are_no_histogram() {
    let float_count = fixed64_field(2, 2f64.to_bits());
    for (fields, text) in [
        (
            vec![bytes_field(13, &1f64.to_le_bytes())],
            "an integer count and float buckets",
        ),
        (
            vec![float_count.clone(), varint_field(9, 1)],
            "a float count and integer buckets",
        ),
        (
            vec![varint_field(1, 1), fixed64_field(7, 1f64.to_bits())],
            "an integer count and a float count of its zero bucket",
        ),
        (
            vec![float_count, varint_field(6, 1)],
            "a float count and an integer count of its zero bucket",
        ),
        (vec![varint_field(4, 2 * 203)], "schema 203"),
    ] {
        let why = decoded(&fields.concat()).histogram.unwrap_err();
        assert!(why.contains(text), "{why}");
    }
}

#[test]
fn a_schema_that_means_nothing_is_left_to_the_check() {
    let histogram = decoded(&varint_field(4, 18)).histogram.unwrap();
    assert_eq!(
        histogram.validate(),
        Err(HistogramError::Schema { schema: 9 })
    );
}

#[test]
fn what_does_not_fit_its_type_is_named() {
    let span = |fields: &[u8]| bytes_field(8, fields);
    for (body, text) in [
        (
            span(&varint_field(2, 1 << 32)),
            "BucketSpan.length at byte 2: a number does not fit",
        ),
        (
            span(&varint_field(1, 1 << 33)),
            "BucketSpan.offset at byte 2: a number does not fit",
        ),
        (
            bytes_field(16, &[0; 12]),
            "Histogram.custom_values at byte 0: it ends too early",
        ),
        (
            bytes_field(12, &[0x80]),
            "Histogram.positive_deltas at byte 2: it ends too early",
        ),
        (
            varint_field(3, 1),
            "Histogram.sum at byte 0: it has the wrong type",
        ),
        (
            bytes_field(9, &vec![0; LIST_MAX + 1]),
            "Histogram.negative_deltas at byte 0: there are more than 65536 elements",
        ),
        (
            span(b"").repeat(LIST_MAX + 1),
            "Histogram.negative_spans at byte 131072: there are more than 65536 elements",
        ),
        (
            bytes_field(10, &vec![0; 8 * (LIST_MAX + 1)]),
            "Histogram.negative_counts at byte 0: there are more than 65536 elements",
        ),
    ] {
        let error = read(Reader::new(&body)).unwrap_err().to_string();
        assert!(error.starts_with(text), "{error}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_to_the_bit(
        sent in histograms(),
        timestamp_ms in any::<i64>(),
        start_ms in any::<i64>(),
    ) {
        let sample = decoded(&encoded(&sent, timestamp_ms, start_ms));
        prop_assert_eq!(sample.timestamp_ms, timestamp_ms);
        prop_assert_eq!(sample.start_timestamp_ms.unwrap_or(0), start_ms);
        prop_assert!(sample.histogram.unwrap().is_identical(&sent));
    }

    #[test]
    fn damage_never_panics(
        sent in histograms(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut body = encoded(&sent, 1, 1);
        let at = at.index(body.len());
        body[at] = byte;
        let _ = read(Reader::new(&body));
        let _ = read(Reader::new(&body[..at]));
    }
}
