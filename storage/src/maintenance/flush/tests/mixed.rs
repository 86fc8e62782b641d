//! Heads that hold more than floats.

use super::*;
use crate::head::tests::mixed::{IDS, heads};
use crate::model::{Exemplar, Histogram, HistogramCounts, HistogramRow, ResetHint, Sample, Value};

fn is_same(one: &Sample, other: &Sample) -> bool {
    let is_same_value = match (&one.value, &other.value) {
        (Value::Float(one), Value::Float(other)) => one.to_bits() == other.to_bits(),
        (Value::Histogram(one), Value::Histogram(other)) => one.is_identical(other),
        _ => false,
    };
    is_same_value
        && one.timestamp_ms == other.timestamp_ms
        && one.start_timestamp_ms == other.start_timestamp_ms
}

/// Checks that a segment gives the samples of any kind of the head it was.
fn assert_same_points(head: &Head, segment: &Segment, range: TimeRange) {
    let pin = head.pin();
    let mut reader = segment.reader();
    let (mut from_head, mut from_segment) = (Vec::new(), Vec::new());
    let (mut head_floats, mut segment_floats) = (Samples::default(), Samples::default());
    let around = IDS.iter().flat_map(|&id| [id - 1, id, id + 1]);
    for row in around.chain([0, 1500, u32::MAX]) {
        let id = SeriesId(row);
        head.read_points(&pin, id, range, &mut from_head).unwrap();
        reader.points(row, range, &mut from_segment).unwrap();
        let same = from_head.len() == from_segment.len()
            && from_head
                .iter()
                .zip(&from_segment)
                .all(|(a, b)| is_same(a, b));
        assert!(same, "{row} {range:?}: {from_head:?} {from_segment:?}");
        head.read(&pin, id, range, &mut head_floats).unwrap();
        reader.read(row, range, &mut segment_floats).unwrap();
        assert_eq!(bits(&segment_floats), bits(&head_floats), "{row} {range:?}");
        let has = reader.has_histograms(row).unwrap();
        assert_eq!(has, head.has_histograms(id), "{row}");
    }
}

fn assert_same_extras(head: &Head, segment: &Segment, range: TimeRange) {
    let pin = head.pin();
    let rows: Vec<u32> = (0..segment.rows() + 2).collect();
    let read = segment.reader().exemplars(&rows, range).unwrap();
    let expected = head.exemplars(&pin, &[], range).unwrap();
    let expected: Vec<(u32, Vec<Exemplar>)> =
        expected.into_iter().map(|(id, own)| (id.0, own)).collect();
    assert_eq!(read, expected, "{range:?}");
    for metric in [None, Some("m1"), Some("m"), Some("m9")] {
        let read = segment.metadata(metric).unwrap();
        assert_eq!(read, head.metadata(&pin, metric), "{metric:?}");
    }
}

proptest! {
    #[test]
    fn a_segment_holds_all_that_its_head_did(
        head in heads(),
        from in -30..250i64,
        length in 0..150i64,
    ) {
        let sys = SimDisk::new(1).sys(0);
        let info = flush(&sys, &head).unwrap();
        prop_assert_eq!(info.samples, head.stats().rows.samples);
        prop_assert_eq!(info.range, head.time_range());
        let segment = Segment::open(&sys, &segment::path(Path::new(DIR), 7)).unwrap();
        for range in [
            TimeRange::ALL,
            TimeRange::new(from, from + length),
            TimeRange::new(from, from),
        ] {
            assert_same_points(&head, &segment, range);
            assert_same_extras(&head, &segment, range);
        }
    }
}

/// A histogram without buckets that is told by its sum.
fn histogram(sum: f64) -> Histogram {
    Histogram {
        schema: 0,
        zero_threshold: 0.0,
        sum,
        reset_hint: ResetHint::Gauge,
        positive_spans: vec![],
        negative_spans: vec![],
        custom_bounds: vec![],
        counts: HistogramCounts::Integer {
            count: 0,
            zero_count: 0,
            positive_deltas: vec![],
            negative_deltas: vec![],
        },
    }
}

#[test]
fn late_points_are_told_apart_where_chunks_before_them_are_passed_over() {
    let head = Head::new();
    let series = SeriesId(IDS[1]);
    let mut batch = Batch {
        seq: Seq(1),
        definitions: vec![define(&head, series.0)],
        ..Batch::default()
    };
    // All but the first are late, in chunks that follow each other in time.
    for timestamp_ms in [10_000].into_iter().chain(0..500) {
        let floats_before = batch.floats.len() as u32;
        match timestamp_ms % 3 {
            0 => batch.histograms.push(HistogramRow {
                series,
                timestamp_ms,
                start_timestamp_ms: (timestamp_ms % 2 > 0).then_some(7),
                floats_before,
                histogram: histogram(timestamp_ms as f64),
            }),
            _ => batch.floats.push(FloatRow {
                series,
                timestamp_ms,
                value: timestamp_ms as f64,
            }),
        }
    }
    head.apply(&[batch]);
    let sys = SimDisk::new(1).sys(0);
    flush(&sys, &head).unwrap();
    let segment = Segment::open(&sys, &segment::path(Path::new(DIR), 7)).unwrap();
    for start_ms in (0..500).step_by(50) {
        let range = TimeRange::new(start_ms, start_ms + 20);
        assert_same_points(&head, &segment, range);
    }
}
