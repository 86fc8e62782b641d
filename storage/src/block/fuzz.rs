//! What holds of blocks of any bytes whose checksums are right.

use std::path::Path;

use super::{Block, FORMAT, path};
use crate::fuzz::files::{RANGES, assert_floats, assert_within, opened, some_files};
use crate::immutable::fuzz::{Footing, assemble, take_apart};
use crate::index::fuzz::ask;
use crate::model::{Samples, TimeRange};

const FOOTING: Footing = Footing {
    count_at: 56,
    list_at: 76,
};
const NUMBER: u64 = 5;
const DIR: &str = "/blocks";
/// How many rows are read.
const ROWS_MAX: u32 = 64;

/// Sections and a footer, as [`assemble`] takes them. All of it is read, or there is an error; what
/// is read of a range lies in it, and the ways to read floats agree.
pub(crate) fn run(data: &[u8]) -> bool {
    let file = file(NUMBER, data);
    let path = path(Path::new(DIR), NUMBER);
    opened(&path, &file, Block::open).is_some_and(|block| read(&block))
}

/// The block of that number out of an input.
pub(crate) fn file(number: u64, data: &[u8]) -> Vec<u8> {
    assemble(&FORMAT, number, FOOTING, data)
}

/// The input that a block is put together from.
pub(crate) fn apart(file: &[u8]) -> Option<Vec<u8>> {
    take_apart(FOOTING, file)
}

fn read(block: &Block) -> bool {
    let mut is_whole = block.with_index(|index| Ok(ask(index))).unwrap_or(false);
    is_whole &= block.metadata(None).is_ok();
    let rows: Vec<u32> = (0..block.info().rows.min(ROWS_MAX)).collect();
    let mut reader = block.reader();
    is_whole &= reader.with_samples(&rows, TimeRange::ALL).is_ok();
    is_whole &= reader.exemplars(&rows, TimeRange::ALL).is_ok();
    let (mut points, mut samples) = (Vec::new(), Samples::default());
    let mut values = Vec::new();
    for &row in &rows {
        for range in [RANGES[0], RANGES[1], TimeRange::ALL] {
            let read = reader.points(row, range, &mut points);
            let floats = reader.read(row, range, &mut samples);
            is_whole &= read.is_ok() && floats.is_ok();
            assert_within(range, &points, &samples);
            if read.is_ok() && floats.is_ok() {
                assert_floats(&points, &samples);
            }
        }
        is_whole &= reader.has_histograms(row).is_ok();
        let facts = reader.facts(row);
        is_whole &= facts.is_ok();
        if let Some(times) = facts.ok().and_then(|facts| facts.times) {
            // As a merge reads a row of floats alone.
            values.clear();
            let read = reader.values(row, &mut values);
            assert!(read.is_err() || values.len() == times.count as usize);
            let mut all = Vec::new();
            is_whole &= reader.times(row, times.column, &mut all).is_ok();
        }
    }
    is_whole
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut files = some_files("blocks", ".blk");
    files.push(include_bytes!("tests/fixture-v1.blk").to_vec());
    files.iter().filter_map(|file| apart(file)).collect()
}
