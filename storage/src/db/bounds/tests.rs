//! Which rows pass, and how the rest is told.

use super::*;
use crate::model::{BucketSpan, Exemplar, Histogram, HistogramCounts, Labels, Metadata, ResetHint};

fn histogram(count: u64) -> Histogram {
    Histogram {
        schema: 0,
        zero_threshold: 0.0,
        sum: 1.0,
        reset_hint: ResetHint::Unknown,
        positive_spans: vec![BucketSpan {
            offset: 0,
            length: 1,
        }],
        negative_spans: vec![],
        custom_bounds: vec![],
        counts: HistogramCounts::Integer {
            count,
            zero_count: 0,
            positive_deltas: vec![count as i64],
            negative_deltas: vec![],
        },
    }
}

fn exemplar(timestamp_ms: i64) -> Exemplar {
    Exemplar {
        labels: Labels::default(),
        timestamp_ms,
        value: 1.0,
    }
}

#[test]
fn rows_keep_their_order_when_others_are_refused() {
    let mut batch = WriteBatch::new();
    let series = batch.series(&[("__name__", "m")]).unwrap();
    let histogram_at = |batch: &mut WriteBatch, timestamp_ms, count| {
        batch
            .histogram(series, timestamp_ms, Some(count as i64), histogram(count))
            .unwrap();
    };
    histogram_at(&mut batch, 10, 1);
    batch.float_with_start(series, 5, 1, 1.0); // too old
    batch.float(series, 10, 2.0);
    histogram_at(&mut batch, 31, 2); // too new
    histogram_at(&mut batch, 20, 3);
    batch.float_with_start(series, 20, 2, 3.0);
    batch.float(series, 99, 4.0); // too new
    batch.float_with_start(series, 30, 3, 5.0);
    histogram_at(&mut batch, 30, 4);
    batch.exemplar(series, exemplar(9)); // too old
    batch.exemplar(series, exemplar(10));
    let (accepted, report) = sift(&batch, TimeRange::new(10, 30));
    let rows = accepted.rows(|_| Some(SeriesId(7)));
    let floats: Vec<_> = rows
        .floats
        .iter()
        .map(|row| (row.timestamp_ms, row.value))
        .collect();
    assert_eq!(floats, [(10, 2.0), (20, 3.0), (30, 5.0)]);
    let starts = rows.float_starts.iter();
    let starts: Vec<_> = starts
        .map(|start| (start.row, start.start_timestamp_ms))
        .collect();
    assert_eq!(starts, [(1, 2), (2, 3)]);
    let histograms = rows.histograms.iter();
    let histograms: Vec<_> = histograms
        .map(|row| (row.floats_before, row.timestamp_ms, row.start_timestamp_ms))
        .collect();
    assert_eq!(
        histograms,
        [(0, 10, Some(1)), (1, 20, Some(3)), (3, 30, Some(4))]
    );
    assert_eq!(rows.exemplars.len(), 1);
    assert_eq!((report.accepted, report.exemplars_accepted), (6, 1));
    assert_eq!(report.histograms_accepted, 3);
    assert_eq!((report.before_retention, report.too_far_in_future), (1, 2));
    assert_eq!((report.rejected(), report.exemplars_rejected), (3, 1));
    assert_eq!(
        report.first_rejected.unwrap().to_string(),
        "sample of m at 5 ms is before the retention: the earliest kept is 10 ms"
    );
}

#[test]
fn rows_of_series_without_an_id_are_left_out_and_the_others_keep_their_order() {
    let mut batch = WriteBatch::new();
    let [taken, refused] = ["a", "b"].map(|name| batch.series(&[("__name__", name)]).unwrap());
    for series in [refused, taken, refused, taken] {
        batch.float_with_start(series, 1, 10 + i64::from(series.0), 1.0);
        batch.histogram(series, 1, None, histogram(1)).unwrap();
        batch.exemplar(series, exemplar(1));
    }
    let (accepted, _) = sift(&batch, TimeRange::ALL);
    assert_eq!((accepted.sample_count(), accepted.exemplar_count()), (8, 4));
    let rows = accepted.rows(|series| (series == taken).then_some(SeriesId(7)));
    assert_eq!((rows.sample_count(), rows.exemplars.len()), (4, 2));
    let starts = rows.float_starts.iter();
    let starts: Vec<_> = starts
        .map(|start| (start.row, start.start_timestamp_ms))
        .collect();
    assert_eq!(starts, [(0, 10), (1, 10)]);
    let before: Vec<_> = rows
        .histograms
        .iter()
        .map(|row| row.floats_before)
        .collect();
    assert_eq!(before, [1, 2]);
    let (what, series, _) = accepted.first_of(&[refused]).unwrap();
    assert_eq!((what, series), (Rejected::Sample, refused));
    assert_eq!(accepted.first_of(&[]), None);
}

#[test]
fn what_is_refused_is_named() {
    let mut batch = WriteBatch::new();
    let series = batch.series(&[("__name__", "m")]).unwrap();
    batch.exemplar(series, exemplar(9));
    let first = |batch: &WriteBatch| {
        let (accepted, report) = sift(batch, TimeRange::new(10, 30));
        assert!(accepted.is_empty());
        report.first_rejected.unwrap().to_string()
    };
    assert_eq!(
        first(&batch),
        "exemplar of m at 9 ms is before the retention: the earliest kept is 10 ms"
    );
    // A sample is worth more words than an exemplar.
    batch.histogram(series, 31, None, histogram(1)).unwrap();
    assert_eq!(
        first(&batch),
        "histogram of m at 31 ms is too far in the future: the latest taken is 30 ms"
    );
    batch.metadata("m", Metadata::default());
    assert!(!sift(&batch, TimeRange::new(10, 30)).0.is_empty());
}
