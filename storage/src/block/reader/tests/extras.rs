//! What stands beside the floats.

use proptest::prelude::*;

use super::*;
use crate::codec::histogram::tests::histograms;
use crate::model::{Exemplar, Histogram, Labels, Metadata, MetricType, Sample, Value};

fn exemplar(place: i64) -> Exemplar {
    Exemplar {
        labels: Labels::from_pairs([("trace_id", place.to_string().as_str())]).unwrap(),
        timestamp_ms: place * 500,
        value: place as f64,
    }
}

pub(super) fn families() -> Vec<(String, Metadata)> {
    let family = |n: u8| {
        let metadata = Metadata {
            metric_type: MetricType::from_number(n % 8).unwrap(),
            unit: String::new(),
            help: format!("help of {n}"),
        };
        (format!("m{n:02}"), metadata)
    };
    (0..40).map(family).collect()
}

/// Rows of points of all kinds, made of these histograms.
pub(super) fn mixed_rows(histograms: &[Histogram], rows: u32) -> Vec<Row> {
    let point = |row: u32, place: i64| {
        let timestamp_ms = place * 1000;
        let is_histogram = row % 3 == 1 && place % 7 != 0 || row % 5 == 4;
        let value = match is_histogram {
            true => Value::Histogram(Box::new(
                histograms[place as usize % histograms.len()].clone(),
            )),
            false => Value::Float((place / 9) as f64),
        };
        Sample {
            timestamp_ms,
            start_timestamp_ms: match (row % 2, place) {
                (1, 3..40) => Some(5),
                (1, 40..90) => Some(timestamp_ms - 10),
                _ => None,
            },
            value,
        }
    };
    let row = |row: u32| Row {
        points: match row {
            // With nothing but exemplars.
            6 => Vec::new(),
            _ => {
                let places = 0..1 + i64::from(row * 119 % 900);
                places.map(|place| point(row, place)).collect()
            }
        },
        exemplars: match row % 4 {
            2 => (0..20).map(exemplar).collect(),
            _ => Vec::new(),
        },
    };
    (0..rows).map(row).collect()
}

/// A block reads as these rows.
fn check_all(block: &Block, rows: &[Row]) {
    let mut reader = block.reader();
    let (mut points, mut floats) = (Vec::new(), Samples::default());
    let all: Vec<u32> = (0..rows.len() as u32 + 2).collect();
    for range in [
        TimeRange::ALL,
        TimeRange::new(4000, 20_000),
        TimeRange::new(479_000, 481_000),
        TimeRange::new(3001, 3002),
        TimeRange::new(1, 0),
    ] {
        for (number, row) in (0u32..).zip(rows) {
            let is_in = |point: &&Sample| range.contains(point.timestamp_ms);
            let expected: Vec<&Sample> = row.points.iter().filter(is_in).collect();
            reader.points(number, range, &mut points).unwrap();
            assert_eq!(points.len(), expected.len(), "row {number}, {range:?}");
            for (read, wrote) in points.iter().zip(expected) {
                assert!(
                    is_same(read, wrote),
                    "row {number}: {read:?}, not {wrote:?}"
                );
            }
            reader.read(number, range, &mut floats).unwrap();
            assert_eq!(
                bits(&floats),
                row.expected(range),
                "row {number}, {range:?}"
            );
            let is_histogram = |point: &Sample| matches!(point.value, Value::Histogram(_));
            let has = row.points.iter().any(is_histogram);
            assert_eq!(reader.has_histograms(number).unwrap(), has);
        }
        let expected = (0u32..).zip(rows).filter_map(|(number, row)| {
            let exemplars = row.exemplars.iter().cloned();
            let mut exemplars: Vec<_> = exemplars
                .filter(|one| range.contains(one.timestamp_ms))
                .collect();
            Exemplar::sort(&mut exemplars);
            (!exemplars.is_empty()).then_some((number, exemplars))
        });
        let expected: Vec<_> = expected.collect();
        assert_eq!(reader.exemplars(&all, range).unwrap(), expected);
    }
}

fn is_same(read: &Sample, wrote: &Sample) -> bool {
    let same_value = match (&read.value, &wrote.value) {
        (Value::Float(one), Value::Float(other)) => one.to_bits() == other.to_bits(),
        (Value::Histogram(one), Value::Histogram(other)) => one.is_identical(other),
        _ => false,
    };
    same_value
        && (read.timestamp_ms, read.start_timestamp_ms)
            == (wrote.timestamp_ms, wrote.start_timestamp_ms)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn what_stands_beside_the_floats_is_read(
        histograms in histograms(1..80),
        rows in 1..30u32,
    ) {
        let rows = mixed_rows(&histograms, rows);
        let block = block(&SimDisk::new(1), &rows);
        let samples: usize = rows.iter().map(|row| row.points.len()).sum();
        prop_assert_eq!(block.info().samples, samples as u64);
        prop_assert_eq!(block.has_exemplars(), rows.len() > 2);
        check_all(&block, &rows);
    }
}

#[test]
fn metadata_is_read() {
    let sys = SimDisk::new(1).sys(0);
    let path = write(&sys, Path::new(DIR), &some_rows(), &families());
    let block = Block::open(&sys, &path).unwrap();
    assert_eq!(block.metadata(None).unwrap(), families());
    assert_eq!(block.metadata(Some("m17")).unwrap(), families()[17..18]);
    let none = Block::open(&sys, &write(&sys, Path::new("/data/none"), &[], &[])).unwrap();
    assert!(none.metadata(None).unwrap().is_empty() && !none.has_exemplars());
    check_floats(&block, &some_rows(), &[TimeRange::ALL]);
}
