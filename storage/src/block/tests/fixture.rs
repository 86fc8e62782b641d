//! Blocks as versions of the format wrote them: what once was written must be read for ever. That the
//! last one is also what is written today may change; then the file stays, and is only read.
//!
//! `SILVERBACK_FIXTURE_DIR=<dir> cargo test -p silverback-storage --lib -- --ignored
//! a_fixture_is_written` writes one.

use super::*;
use crate::model::{BucketSpan, HistogramCounts, Labels, MetricType, ResetHint, Samples};

const V1: &[u8] = include_bytes!("fixture-v1.blk");
const V2: &[u8] = include_bytes!("fixture-v2.blk");

fn histogram(n: i64) -> Histogram {
    Histogram {
        schema: 2,
        zero_threshold: 0.001,
        sum: n as f64 * 1.5,
        reset_hint: ResetHint::Unknown,
        positive_spans: vec![BucketSpan {
            offset: -3,
            length: 3,
        }],
        negative_spans: vec![],
        custom_bounds: vec![],
        counts: HistogramCounts::Integer {
            count: n as u64 * 3,
            zero_count: 0,
            positive_deltas: vec![n, 0, n % 3],
            negative_deltas: vec![],
        },
    }
}

/// A constant, a counter of three slices, decimals, stale markers, histograms among floats with
/// start timestamps, and exemplars alone.
fn rows() -> Vec<Row> {
    let floats = |count: i64, value: fn(i64) -> f64| {
        Row::floats((0..count).map(|i| (1_700_000_000_000 + i * 15_000, value(i).to_bits())))
    };
    let stale = |i| match i % 10 {
        9 => f64::from_bits(crate::model::STALE_NAN_BITS),
        _ => i as f64,
    };
    let mut mixed = floats(40, |i| i as f64 / 4.0);
    for (i, point) in (0..).zip(&mut mixed.points) {
        if i % 8 > 2 {
            point.value = Value::Histogram(Box::new(histogram(i)));
            point.start_timestamp_ms = Some(1_600_000_000_000);
        }
    }
    let exemplar = |i: i64| Exemplar {
        labels: Labels::from_pairs([("trace_id", format!("{i:04x}").as_str())]).unwrap(),
        timestamp_ms: 1_700_000_000_000 + i,
        value: i as f64 / 8.0,
    };
    let alone = Row {
        points: Vec::new(),
        exemplars: (0..20).map(exemplar).collect(),
    };
    vec![
        floats(480, |_| 7.25),
        floats(1000, |i| (i * i) as f64),
        floats(480, |i| (i % 17) as f64 / 10.0),
        floats(100, stale),
        mixed,
        alone,
    ]
}

/// Those, and durations by a clock whose ticks have 125/3 ns.
fn rows_v2() -> Vec<Row> {
    let shown = |ticks: i64| ticks * 125 / 3;
    let duration = |i: i64| (shown(i * 7_919 + 500 + i * i % 397) - shown(i * 7_919)) as f64 / 1e9;
    let durations = (0..480).map(|i| (1_700_000_000_000 + i * 15_000, duration(i).to_bits()));
    let mut rows = rows();
    rows.push(Row::floats(durations));
    rows
}

fn families() -> Vec<(String, Metadata)> {
    let metadata = Metadata {
        metric_type: MetricType::Counter,
        unit: "seconds".to_owned(),
        help: "What it counts.".to_owned(),
    };
    vec![("00001".to_owned(), metadata)]
}

#[test]
fn a_block_of_version_1_is_read() {
    is_read(V1, &rows());
}

#[test]
fn a_block_of_version_2_is_read() {
    is_read(V2, &rows_v2());
}

fn is_read(fixture: &[u8], rows: &[Row]) {
    let sys = SimDisk::new(1).sys(0);
    let path = path(Path::new(DIR), 5);
    sys.disk.create_dir_all(Path::new(DIR)).unwrap();
    let file = sys.disk.create_new(&path).unwrap();
    file.write_all_at(fixture, 0).unwrap();
    let block = Block::open(&sys, &path).unwrap();
    let samples = rows.iter().map(|row| row.points.len() as u64).sum();
    let expected = BlockInfo {
        number: 5,
        seqs: origin().seqs,
        range: Some(TimeRange::new(1_700_000_000_000, 1_700_014_985_000)),
        rows: rows.len() as u32,
        samples,
        bytes: fixture.len() as u64,
        inputs: origin().inputs,
        outputs: origin().outputs,
    };
    assert_eq!(block.info(), &expected);
    let mut reader = block.reader();
    let (mut floats, mut points) = (Samples::default(), Vec::new());
    for (number, row) in (0..).zip(rows) {
        reader.read(number, TimeRange::ALL, &mut floats).unwrap();
        let read: Vec<_> = floats.iter().map(|(t, v)| (t, v.to_bits())).collect();
        assert_eq!(read, row.expected(TimeRange::ALL), "row {number}");
        reader.points(number, TimeRange::ALL, &mut points).unwrap();
        assert_eq!(points.len(), row.points.len());
        let histograms = |points: &[Sample]| -> Vec<Sample> {
            let is_histogram = |point: &&Sample| matches!(point.value, Value::Histogram(_));
            points.iter().filter(is_histogram).cloned().collect()
        };
        assert_eq!(histograms(&points), histograms(&row.points), "row {number}");
    }
    let exemplars = reader.exemplars(&[4, 5], TimeRange::ALL).unwrap();
    assert_eq!(exemplars, [(5, rows[5].exemplars.clone())]);
    assert_eq!(block.metadata(None).unwrap(), families());
    let names = block.with_index(|index| index.label_values("__name__", None));
    let last = format!("{:05}", rows.len() - 1);
    assert_eq!(names.unwrap().last(), Some(&last));
}

#[test]
#[ignore = "writes a file"]
fn a_fixture_is_written() {
    let dir = std::env::var("SILVERBACK_FIXTURE_DIR").unwrap();
    write(&Sys::real(), Path::new(&dir), &rows_v2(), &families());
}
