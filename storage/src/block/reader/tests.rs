//! Blocks that are read as they were written.

mod damage;
mod extras;

use proptest::prelude::*;

use super::*;
use crate::block::tests::{DIR, Row, origin, some_rows, write};
use crate::sys::sim::SimDisk;

pub(super) fn bits(samples: &Samples) -> Vec<(i64, u64)> {
    samples.iter().map(|(t, v)| (t, v.to_bits())).collect()
}

pub(super) fn block(disk: &SimDisk, rows: &[Row]) -> Block {
    let sys = disk.sys(0);
    let path = write(&sys, Path::new(DIR), rows, &[]);
    Block::open(&sys, &path).unwrap()
}

/// Whether a block reads as those rows, in these ranges.
fn check_floats(block: &Block, rows: &[Row], ranges: &[TimeRange]) {
    let mut reader = block.reader();
    let mut out = Samples::default();
    let all: Vec<u32> = (0..rows.len() as u32 + 2).collect();
    for &range in ranges {
        let mut with_samples = Vec::new();
        for (number, row) in (0u32..).zip(rows) {
            let expected = row.expected(range);
            reader.read(number, range, &mut out).unwrap();
            assert_eq!(bits(&out), expected, "row {number}, {range:?}");
            if !expected.is_empty() {
                with_samples.push(number);
            }
        }
        assert_eq!(
            reader.with_samples(&all, range).unwrap(),
            with_samples,
            "{range:?}"
        );
    }
    reader
        .read(rows.len() as u32, TimeRange::ALL, &mut out)
        .unwrap();
    assert!(out.is_empty());
}

fn some_ranges() -> Vec<TimeRange> {
    let ends = [
        i64::MIN,
        0,
        1,
        3001,
        479_500,
        480_003,
        481_000,
        700_123,
        i64::MAX,
    ];
    let pairs = ends
        .iter()
        .flat_map(|&start| ends.iter().map(move |&end| (start, end)));
    pairs
        .map(|(start, end)| TimeRange::new(start, end))
        .collect()
}

#[test]
fn what_was_written_is_read() {
    let rows = some_rows();
    let block = block(&SimDisk::new(1), &rows);
    let samples: usize = rows.iter().map(|row| row.points.len()).sum();
    let info = block.info().clone();
    assert_eq!(
        (info.samples, info.rows as usize),
        (samples as u64, rows.len())
    );
    assert_eq!((info.seqs, info.inputs), (origin().seqs, origin().inputs));
    assert_eq!(info.outputs, origin().outputs);
    let times = || {
        rows.iter()
            .flat_map(|row| &row.points)
            .map(|point| point.timestamp_ms)
    };
    let range = TimeRange::new(times().min().unwrap(), times().max().unwrap());
    assert_eq!(block.range(), Some(range));
    assert_eq!(block.seqs(), origin().seqs);
    let all = block.with_index(|index| index.evaluate(&[])).unwrap();
    assert_eq!(all.len() as usize, rows.len());
    check_floats(&block, &rows, &some_ranges());
}

#[test]
fn a_block_of_nothing_is_read() {
    let block = block(&SimDisk::new(1), &[]);
    assert_eq!((block.info().samples, block.range()), (0, None));
    check_floats(&block, &[], &[TimeRange::ALL]);
}

#[test]
fn rows_in_several_groups_pages_and_slices_are_read() {
    // Values that compress badly, so that few rows make a group.
    let noise = |i: i64| (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 3;
    let row = |row: i64| {
        let count = [3000, 100, 481, 480][row as usize % 4];
        Row::floats((0..count).map(|i| (i * 10, noise(row * 5000 + i))))
    };
    let rows: Vec<Row> = (0..200).map(row).collect();
    let block = block(&SimDisk::new(1), &rows);
    assert!(block.groups.len() / ENTRY_BYTES as u64 > 2);
    assert_eq!(block.columns, 4);
    let ranges = [
        TimeRange::ALL,
        TimeRange::new(4790, 4800),
        TimeRange::new(9600, 20_000),
    ];
    check_floats(&block, &rows, &ranges);
    // In any order.
    let mut reader = block.reader();
    let mut out = Samples::default();
    for number in (0..200).rev().step_by(7) {
        reader.read(number, ranges[2], &mut out).unwrap();
        assert_eq!(bits(&out), rows[number as usize].expected(ranges[2]));
    }
}

#[test]
fn rows_with_timestamps_of_their_own_are_read() {
    // Twice, the second time after what was remembered of the first is forgotten.
    let row = |row: i64| {
        let of = row % 600;
        Row::floats((0..3 + of % 4 * 300).map(|i| (i * 10 + of * of, (i + of) as u64)))
    };
    let rows: Vec<Row> = (0..1200).map(row).collect();
    let block = block(&SimDisk::new(1), &rows);
    assert!((600..=1200).contains(&block.columns), "{}", block.columns);
    let ranges = [
        TimeRange::ALL,
        TimeRange::new(40_000, 41_000),
        TimeRange::new(5000, 9000),
    ];
    check_floats(&block, &rows, &ranges);
}

fn any_row() -> impl Strategy<Value = Row> {
    let time = prop_oneof![4 => -5000..5000i64, 1 => any::<i64>()];
    let value = prop_oneof![
        any::<u64>(),
        Just(crate::model::STALE_NAN_BITS),
        (-50..50i32).prop_map(|n| f64::from(n).to_bits()),
    ];
    let free = prop::collection::btree_map(time, value.clone(), 1..60);
    let even = (0..3i64, 1..2000usize, value, 0..4u64).prop_map(|(start, count, first, step)| {
        let bits = |i: usize| (f64::from_bits(first) + (i as u64 / 7 * step) as f64).to_bits();
        (0..count)
            .map(|i| (start + i as i64 * 15, bits(i)))
            .collect()
    });
    prop_oneof![free, even].prop_map(Row::floats)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_rows_come_back(
        rows in prop::collection::vec(any_row(), 1..20),
        ranges in prop::collection::vec(
            prop_oneof![(-100..30_000i64, -100..30_000i64), (any::<i64>(), any::<i64>())],
            1..5,
        ),
    ) {
        let block = block(&SimDisk::new(1), &rows);
        let ranges = ranges.into_iter().map(|(a, b)| TimeRange::new(a, b));
        let ranges: Vec<_> = ranges.chain([TimeRange::ALL]).collect();
        check_floats(&block, &rows, &ranges);
    }
}
