//! Histograms, start timestamps, exemplars and metadata from a write batch to a view, across a
//! restart.

use std::time::Duration;

use crate::Options;
use crate::db::{Db, View, WriteBatch};
use crate::model::{
    Exemplar, Histogram, HistogramCounts, Labels, MatchOp, Matcher, Metadata, MetricType,
    ResetHint, Sample, SeriesExemplars, TimeRange, Value,
};
use crate::sys::sim::SimDisk;

const NOW_MS: i64 = 1_700_000_000_000;

fn open(disk: &SimDisk) -> Db {
    let options = Options {
        retention: Some(Duration::from_secs(1000)),
        ..Options::default()
    };
    Db::open_with(disk.sys(NOW_MS), "/data", options).unwrap()
}

/// A histogram with that sum, of values that are in no bucket.
fn histogram(sum: f64) -> Histogram {
    Histogram {
        schema: 0,
        zero_threshold: 0.0,
        sum,
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

fn exemplar(timestamp_ms: i64) -> Exemplar {
    Exemplar {
        labels: Labels::from_pairs([("trace_id", "abc")]).unwrap(),
        timestamp_ms,
        value: 0.25,
    }
}

fn metadata(help: &str) -> Metadata {
    Metadata {
        metric_type: MetricType::Histogram,
        unit: "seconds".to_owned(),
        help: help.to_owned(),
    }
}

fn sample(timestamp_ms: i64, start_timestamp_ms: Option<i64>, value: Value) -> Sample {
    Sample {
        timestamp_ms,
        start_timestamp_ms,
        value,
    }
}

/// All that a view shows: points of the one series, exemplars, metadata.
type Shown = (Vec<Sample>, Vec<SeriesExemplars>, Vec<(String, Metadata)>);

fn shown(view: &View) -> Shown {
    let matcher = Matcher::new(MatchOp::Equal, "__name__", "rpc_seconds").unwrap();
    let selection = view.select(&[matcher], TimeRange::ALL).unwrap();
    let mut points = Vec::new();
    if !selection.is_empty() {
        selection.points(0, &mut points).unwrap();
    }
    (
        points,
        view.exemplars(&[], TimeRange::ALL).unwrap(),
        view.metadata(None).unwrap(),
    )
}

#[test]
fn all_kinds_are_there_after_a_restart_and_not_in_views_before() {
    let disk = SimDisk::new(1);
    let labels = Labels::from_pairs([("__name__", "rpc_seconds")]).unwrap();
    let value = |sum| Value::Histogram(Box::new(histogram(sum)));
    let expected: Shown = (
        vec![
            sample(NOW_MS - 20, None, value(1.0)),
            sample(NOW_MS - 10, Some(5), Value::Float(2.0)),
            sample(NOW_MS, Some(6), value(4.0)),
        ],
        vec![SeriesExemplars {
            labels,
            exemplars: vec![exemplar(NOW_MS - 1)],
        }],
        vec![("rpc_seconds".to_owned(), metadata("new"))],
    );
    {
        let db = open(&disk);
        let empty = db.view();
        let mut batch = WriteBatch::new();
        let series = batch.series(&[("__name__", "rpc_seconds")]).unwrap();
        let put = |batch: &mut WriteBatch, at_ms, start_ms, sum| {
            batch
                .histogram(series, at_ms, start_ms, histogram(sum))
                .unwrap();
        };
        put(&mut batch, NOW_MS - 20, None, 1.0);
        // At the two other timestamps a sample of the other kind comes after the first one.
        put(&mut batch, NOW_MS - 10, None, 1.5);
        batch.float_with_start(series, NOW_MS - 10, 5, 2.0);
        batch.float(series, NOW_MS, 3.0);
        put(&mut batch, NOW_MS, Some(6), 4.0);
        batch.exemplar(series, exemplar(NOW_MS - 1));
        batch.exemplar(series, exemplar(NOW_MS - 1));
        batch.exemplar(series, exemplar(NOW_MS - 2_000_000));
        batch.metadata("rpc_seconds", metadata("old"));
        batch.metadata("rpc_seconds", metadata("new"));
        let report = db.write(&batch).unwrap();
        assert_eq!((report.accepted, report.rejected()), (5, 0));
        assert_eq!(report.histograms_accepted, 3);
        assert_eq!(
            (report.exemplars_accepted, report.exemplars_rejected),
            (2, 1)
        );
        assert_eq!(shown(&db.view()), expected);
        assert_eq!(shown(&empty), (vec![], vec![], vec![]));
    }
    let db = open(&disk);
    assert_eq!(shown(&db.view()), expected);
    assert_eq!(db.stats().replay_damage, 0);
}

#[test]
fn exemplars_and_metadata_can_be_written_alone() {
    let disk = SimDisk::new(1);
    {
        let db = open(&disk);
        let mut batch = WriteBatch::new();
        let series = batch.series(&[("__name__", "rpc_seconds")]).unwrap();
        batch.exemplar(series, exemplar(NOW_MS));
        db.write(&batch).unwrap();
        let mut batch = WriteBatch::new();
        batch.metadata("a", metadata("a"));
        db.write(&batch).unwrap();
    }
    let (points, exemplars, metadata) = shown(&open(&disk).view());
    assert_eq!((points.len(), exemplars.len(), metadata.len()), (0, 1, 1));
}
