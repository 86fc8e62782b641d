//! What holds of segments of any bytes whose checksums are right.

use std::path::Path;

use super::{FORMAT, Segment, path};
use crate::fuzz::files::{RANGES, assert_floats, assert_within, opened, some_files};
use crate::immutable::fuzz::{Footing, assemble, take_apart};
use crate::index::fuzz::ask;
use crate::model::{Samples, TimeRange};

const FOOTING: Footing = Footing {
    count_at: 60,
    list_at: 72,
};
const NUMBER: u64 = 5;
const DIR: &str = "/segments";
/// How many rows are read.
const ROWS_MAX: u32 = 64;

/// Sections and a footer, as [`assemble`] takes them. All of it is read, or there is an error; what
/// is read of a range lies in it, and the two ways to read floats agree.
pub(crate) fn run(data: &[u8]) -> bool {
    let file = file(NUMBER, data);
    let path = path(Path::new(DIR), NUMBER);
    opened(&path, &file, Segment::open).is_some_and(|segment| read(&segment))
}

/// The segment of that number out of an input.
pub(crate) fn file(number: u64, data: &[u8]) -> Vec<u8> {
    assemble(&FORMAT, number, FOOTING, data)
}

/// The input that a segment is put together from.
pub(crate) fn apart(file: &[u8]) -> Option<Vec<u8>> {
    take_apart(FOOTING, file)
}

fn read(segment: &Segment) -> bool {
    let mut is_whole = segment.with_index(|index| Ok(ask(index))).unwrap_or(false);
    is_whole &= segment.metadata(None).is_ok();
    is_whole &= segment.metadata(Some("rpc_seconds")).is_ok();
    let rows: Vec<u32> = (0..segment.info().rows.min(ROWS_MAX)).collect();
    let mut reader = segment.reader();
    is_whole &= reader.with_samples(&rows, TimeRange::ALL).is_ok();
    is_whole &= reader.exemplars(&rows, TimeRange::ALL).is_ok();
    let (mut points, mut samples) = (Vec::new(), Samples::default());
    for &row in &rows {
        for range in [TimeRange::ALL, RANGES[0], RANGES[1]] {
            let read = reader.points(row, range, &mut points);
            let floats = reader.read(row, range, &mut samples);
            is_whole &= read.is_ok() && floats.is_ok();
            assert_within(range, &points, &samples);
            if read.is_ok() && floats.is_ok() {
                assert_floats(&points, &samples);
            }
        }
    }
    is_whole & read_in_bulk(segment, &rows)
}

/// As a merge reads.
fn read_in_bulk(segment: &Segment, rows: &[u32]) -> bool {
    let mut reader = segment.reader();
    let (mut located, mut bytes) = (Vec::new(), Vec::new());
    let mut is_whole = reader.locate(rows, &mut located).is_ok();
    let (mut floats, mut times) = (super::Floats::default(), Vec::new());
    for row in &located {
        is_whole &= reader.fetch(std::iter::once(row), &mut bytes).is_ok();
        is_whole &= reader.floats(row, &bytes, &mut floats).is_ok();
        for &at in &floats.times {
            is_whole &= reader.times(row.row(), at, &mut times).is_ok();
        }
        times.clear();
    }
    is_whole
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let files = some_files("segments", ".seg");
    files.iter().filter_map(|file| apart(file)).collect()
}
