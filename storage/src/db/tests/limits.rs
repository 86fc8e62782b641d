//! How many series a database takes between two flushes, in all and of one metric.

use crate::Options;
use crate::db::{Db, RejectReason, WriteBatch, WriteReport};
use crate::model::{Histogram, HistogramCounts, ResetHint};
use crate::sys::sim::SimDisk;

const NOW_MS: i64 = 1_700_000_000_000;

fn open(disk: &SimDisk, series_max: Option<u64>, series_of_metric_max: Option<u64>) -> Db {
    let options = Options {
        series_max,
        series_of_metric_max,
        ..Options::default()
    };
    Db::open_with(disk.sys(NOW_MS), "/data", options).unwrap()
}

fn nothing() -> Histogram {
    Histogram {
        schema: 0,
        zero_threshold: 0.0,
        sum: 0.0,
        reset_hint: ResetHint::Unknown,
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

/// Writes a float and a histogram to each of these series.
fn write(db: &Db, series: &[(&str, &str)]) -> WriteReport {
    let mut batch = WriteBatch::new();
    for (metric, id) in series {
        let series = batch.series(&[("__name__", metric), ("id", id)]).unwrap();
        batch.float(series, NOW_MS, 1.0);
        batch
            .histogram(series, NOW_MS + 1, None, nothing())
            .unwrap();
    }
    db.write(&batch).unwrap()
}

#[test]
fn further_series_of_a_metric_are_refused_and_those_of_others_taken() {
    let disk = SimDisk::new(1);
    let check = |db: &Db, new: &str| {
        let report = write(db, &[("m", "1"), ("m", new), ("n", "1"), ("m", "2")]);
        assert_eq!((report.accepted, report.histograms_accepted), (6, 3));
        assert_eq!((report.too_many_of_metric, report.too_many_series), (2, 0));
        let first = report.first_rejected.unwrap();
        assert_eq!(
            first.reason,
            RejectReason::TooManySeriesOfMetric { series_max: 2 }
        );
        assert!(
            first
                .to_string()
                .ends_with("the most it may have (--max-series-per-metric)"),
            "{first}"
        );
    };
    {
        let db = open(&disk, None, Some(2));
        assert_eq!(write(&db, &[("m", "1"), ("m", "2")]).rejected(), 0);
        check(&db, "3");
    }
    // The series of the log count after a restart.
    let db = open(&disk, None, Some(2));
    check(&db, "4");
    // And those of a new head begin anew.
    db.flush().unwrap();
    assert_eq!(write(&db, &[("m", "5"), ("m", "6")]).rejected(), 0);
    check_refused(&write(&db, &[("m", "7")]), 0, 2);
}

#[test]
fn both_limits_are_told_apart() {
    let disk = SimDisk::new(1);
    let db = open(&disk, Some(3), Some(2));
    let report = write(
        &db,
        &[("m", "1"), ("m", "2"), ("m", "3"), ("n", "1"), ("n", "2")],
    );
    assert_eq!(report.accepted, 6);
    check_refused(&report, 2, 2);
}

fn check_refused(report: &WriteReport, series: u64, of_metric: u64) {
    let refused = (report.too_many_series, report.too_many_of_metric);
    assert_eq!(refused, (series, of_metric), "{report:?}");
}
