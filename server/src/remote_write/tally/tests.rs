use silverback_storage::{Db, Labels, Options, RejectReason, Rejected, Rejection};

use super::super::receive::fill;
use super::super::test_encoder::{self, TestSeries, bytes_field, varint_field, write_request};

use super::*;
use crate::config::LabelLimits;

fn tally(series: &[TestSeries], more: &[u8], row_bytes_max: usize) -> (Tally, WriteBatch) {
    let rules = Rules::new(LabelLimits::default(), row_bytes_max);
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), Options::default()).unwrap();
    let mut batch = WriteBatch::new();
    let body = [&write_request(series, 0)[..], more].concat();
    let mut tally = Tally::default();
    fill(&db, &rules, Version::V1, &body, &mut batch, &mut tally).unwrap();
    (tally, batch)
}

fn tallied(series: &[TestSeries]) -> (Tally, WriteBatch) {
    tally(series, &[], usize::MAX)
}

fn stored(accepted: u64) -> WriteReport {
    WriteReport {
        accepted,
        ..WriteReport::default()
    }
}

fn rejection(what: Rejected) -> Rejection {
    Rejection {
        what,
        labels: Labels::from_pairs([("__name__", "h")]).unwrap(),
        timestamp_ms: 9,
        reason: RejectReason::TooFarInFuture { latest_ms: 5 },
    }
}

#[test]
fn a_request_in_order_has_no_complaint() {
    let (tally, batch) = tallied(&[TestSeries::new(
        &[("__name__", "up"), ("a", "1")],
        &[(1, 1.0), (2, 2.0)],
    )]);
    assert_eq!(batch.sample_count(), 2);
    assert_eq!(tally.complaint(&stored(2), Version::V2), None);
}

#[test]
fn broken_labels_refuse_their_series_alone() {
    let mut not_utf8 = TestSeries::new(&[("__name__", "up")], &[(1, 1.0)]);
    not_utf8.labels.push((b"b".to_vec(), vec![0xff]));
    let long = "x".repeat(20_000);
    let (tally, batch) = tallied(&[
        TestSeries::new(
            &[("__name__", "up"), ("a", "1"), ("a", "2")],
            &[(1, 1.0), (2, 1.0)],
        ),
        TestSeries::new(&[("__name__", "up")], &[(1, 1.0)]),
        TestSeries::new(&[("job", "nameless")], &[(1, 1.0)]),
        not_utf8,
        TestSeries::new(&[("__name__", "up"), ("text", &long)], &[(1, 1.0)]),
    ]);
    assert_eq!(batch.sample_count(), 1);
    let left_out = tally.left_out;
    assert_eq!((left_out.label_samples, left_out.limit_samples), (4, 1));
    assert_eq!(
        tally.complaint(&stored(1), Version::V1).unwrap(),
        "4 series with 5 samples refused for their labels, the first one \
         {__name__=\"up\", a=\"1\", a=\"2\"}: label name \"a\" is not unique; \
         the other 1 samples were stored"
    );
}

#[test]
fn histograms_and_samples_out_of_bounds_are_named() {
    let mut series = TestSeries::new(&[("__name__", "h")], &[(1, 1.0)]);
    let bad_schema = [varint_field(4, 18), varint_field(15, 7)].concat();
    series.histograms = vec![bad_schema, varint_field(4, 2 * 203), Vec::new()];
    let (tally, batch) = tallied(&[series]);
    assert_eq!((batch.sample_count(), tally.left_out.histograms), (2, 2));
    let report = WriteReport {
        too_far_in_future: 2,
        first_rejected: Some(rejection(Rejected::Sample)),
        ..WriteReport::default()
    };
    assert_eq!(
        tally.complaint(&report, Version::V1).unwrap(),
        "2 native histograms refused, the first one of {__name__=\"h\"} at 7 ms: histogram has \
         schema 9: it must be from -4 to 8, or -53 for custom bucket bounds; 2 samples out of \
         bounds refused, the first one: sample of h at \
         9 ms is too far in the future: the latest taken is 5 ms; \
         the other 0 samples were stored"
    );
}

#[test]
fn exemplars_and_metadata_fail_a_request_of_2_0_alone() {
    let mut series = TestSeries::new(&[("__name__", "h")], &[(1, 1.0)]);
    series.exemplars = vec![
        test_encoder::exemplar(&[("trace_id", "1")], 1, 1.0),
        test_encoder::exemplar(&[("a", "1"), ("a", "2")], 1, 1.0),
    ];
    let nameless = bytes_field(3, &[]);
    let named = test_encoder::metadata("h", 3, "help", "seconds");
    let (tally, batch) = tally(&[series], &[named, nameless].concat(), usize::MAX);
    assert!(!batch.is_empty());
    assert_eq!((tally.left_out.exemplars, tally.left_out.metadata), (1, 1));
    let report = WriteReport {
        exemplars_rejected: 1,
        first_rejected: Some(rejection(Rejected::Exemplar)),
        ..stored(1)
    };
    assert_eq!(tally.complaint(&report, Version::V1), None);
    assert_eq!(
        tally.complaint(&report, Version::V2).unwrap(),
        "1 exemplars refused, the first one of {__name__=\"h\"}: label name \"a\" is not unique; \
         1 exemplars out of bounds refused, the first one: exemplar of h at 9 ms is too far in \
         the future: the latest taken is 5 ms; 1 metadata refused, the first one: metadata \
         without a metric name; the other 1 samples were stored"
    );
}

#[test]
fn rows_beyond_the_bound_are_not_read() {
    let many: Vec<TestSeries> = (0..100)
        .map(|i| TestSeries::new(&[("__name__", "m")], &[(i, 1.0); 10]))
        .collect();
    let rules = Rules::new(LabelLimits::default(), 5000);
    let (tally, batch) = tally(&many, &[], 5000);
    assert!(tally.is_too_large(&rules));
    assert!(batch.sample_count() < 100, "{}", batch.sample_count());
}

#[test]
fn long_labels_are_cut_between_characters() {
    let value = "é".repeat(SHOWN_BYTES_MAX * 1000);
    let text = shown(&[("a", &value), ("b", "c")]);
    assert!(
        text.len() <= SHOWN_BYTES_MAX + 3 && text.ends_with("é..."),
        "{text}"
    );
}
