//! What the tests of several files use.

mod fixture;
mod measure;
mod weigh;

use std::borrow::Cow;
use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};

use roaring::RoaringBitmap;

use super::*;
use crate::index::stored::{IndexInput, InputRows};
use crate::model::{Exemplar, Histogram, Metadata, Sample, Seq, SymbolId, Value};
use crate::sys::Sys;
use crate::sys::sim::{Fault, SimDisk};

pub(super) const DIR: &str = "/data/blocks";

/// Rows with a metric name each, the number of the row in five digits.
pub(super) struct Names(pub(super) u32);

impl Names {
    fn row(symbol: SymbolId) -> u32 {
        symbol.0 - 1
    }
}

impl IndexInput for Names {
    fn symbols_end(&self) -> u32 {
        self.0 + 1
    }

    fn for_each_symbol(
        &self,
        each: &mut dyn FnMut(SymbolId, &str) -> io::Result<()>,
    ) -> io::Result<()> {
        for row in 0..self.0 {
            each(SymbolId(row + 1), &format!("{row:05}"))?;
        }
        each(SymbolId(0), "__name__")
    }

    fn rows(&self) -> u32 {
        self.0
    }

    fn all(&self) -> io::Result<Cow<'_, RoaringBitmap>> {
        Ok(Cow::Owned((0..self.0).collect()))
    }

    fn labels(&self, row: u32, out: &mut Vec<(SymbolId, SymbolId)>) -> io::Result<()> {
        out.push((SymbolId(0), SymbolId(row + 1)));
        Ok(())
    }

    fn names(&self) -> io::Result<Vec<SymbolId>> {
        Ok(if self.0 > 0 {
            vec![SymbolId(0)]
        } else {
            vec![]
        })
    }

    fn values(&self, _: SymbolId) -> io::Result<Vec<SymbolId>> {
        Ok((0..self.0).map(|row| SymbolId(row + 1)).collect())
    }

    fn present(&self, _: SymbolId) -> io::Result<Cow<'_, RoaringBitmap>> {
        self.all()
    }

    fn postings(&self, _: SymbolId, value: SymbolId) -> io::Result<InputRows<'_>> {
        Ok(InputRows::One(Self::row(value)))
    }
}

/// A row as a test writes it.
#[derive(Clone, Default, Debug)]
pub(super) struct Row {
    pub(super) points: Vec<Sample>,
    pub(super) exemplars: Vec<Exemplar>,
}

impl Row {
    /// A row of floats, with their bits.
    pub(super) fn floats(samples: impl IntoIterator<Item = (i64, u64)>) -> Self {
        let point = |(timestamp_ms, bits)| Sample {
            timestamp_ms,
            start_timestamp_ms: None,
            value: Value::Float(f64::from_bits(bits)),
        };
        Self {
            points: samples.into_iter().map(point).collect(),
            exemplars: Vec::new(),
        }
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        self.try_write(writer).unwrap();
    }

    fn try_write(&self, writer: &mut Writer) -> Result<(), BlockError> {
        let times: Vec<i64> = self.points.iter().map(|point| point.timestamp_ms).collect();
        let (mut values, mut histograms): (_, Vec<(usize, Histogram)>) = (Vec::new(), Vec::new());
        let mut starts = Vec::new();
        for (place, point) in self.points.iter().enumerate() {
            match &point.value {
                Value::Float(value) => values.push(*value),
                Value::Histogram(histogram) => {
                    values.push(-1.0);
                    histograms.push((place, (**histogram).clone()));
                }
            }
            starts.extend(point.start_timestamp_ms.map(|start_ms| (place, start_ms)));
        }
        let input = RowInput {
            times: &times,
            values: &values,
            histograms: &histograms,
            starts: &starts,
            exemplars: &self.exemplars,
        };
        writer.row(&input, &|| ())
    }

    /// Timestamps and bits of the floats in a range.
    pub(super) fn expected(&self, range: TimeRange) -> Vec<(i64, u64)> {
        let floats = self.points.iter().filter_map(|point| match point.value {
            Value::Float(value) => Some((point.timestamp_ms, value.to_bits())),
            Value::Histogram(_) => None,
        });
        floats.filter(|&(t, _)| range.contains(t)).collect()
    }
}

/// Rows of several kinds, of which some share timestamps.
pub(super) fn some_rows() -> Vec<Row> {
    let value = |row: i64, i: i64| match row % 6 {
        0 => 1.0f64.to_bits(),
        1 => (i as f64 * 3.0).to_bits(),
        2 => (i as f64 / 10.0).to_bits(),
        3 => (i as f64).sqrt().to_bits(),
        4 => crate::model::STALE_NAN_BITS,
        _ => (i / 50 * 2) as u64,
    };
    let row = |row: i64| {
        let count = 1 + row * 37 % 200 * (1 + row % 8);
        Row::floats((0..count).map(|i| (i * 1000 + i * i % (row % 5 + 1), value(row, i))))
    };
    (0..40).map(row).collect()
}

pub(super) fn origin() -> Origin {
    let input = |kind, number| Input { kind, number };
    Origin {
        seqs: SeqRange {
            first: Seq(10),
            last: Seq(90),
        },
        inputs: vec![input(InputKind::Segment, 3), input(InputKind::Block, 4)],
        outputs: vec![5, 7],
    }
}

/// Writes rows as block 5 in `dir`.
pub(super) fn write(
    sys: &Sys,
    dir: &Path,
    rows: &[Row],
    families: &[(String, Metadata)],
) -> PathBuf {
    let mut writer = Writer::create(sys, dir, 5).unwrap();
    rows.iter().for_each(|row| row.write(&mut writer));
    for (metric, metadata) in families {
        writer.metadata(metric, metadata).unwrap();
    }
    writer.index(&Names(rows.len() as u32)).unwrap();
    let info = writer.finish(origin()).unwrap();
    assert_eq!((info.number, info.rows as usize), (5, rows.len()));
    path(dir, 5)
}

#[test]
fn names_are_those_of_blocks() {
    let path = path(Path::new(DIR), 12);
    assert_eq!(path.to_str(), Some("/data/blocks/00000000000000000012.blk"));
    assert_eq!(number_of("00000000000000000012.blk"), Some(12));
    assert_eq!(number_of("00000000000000000012.seg"), None);
    assert!(is_file_name("00000000000000000012.blk.tmp"));
    assert!(!is_file_name("00000000000000000012.seg.tmp"));
}

#[test]
fn a_writer_that_is_not_finished_leaves_nothing() {
    let sys = SimDisk::new(1).sys(0);
    let dir = Path::new(DIR);
    let mut writer = Writer::create(&sys, dir, 5).unwrap();
    some_rows().iter().for_each(|row| row.write(&mut writer));
    assert_eq!(
        sys.disk.list(dir).unwrap(),
        ["00000000000000000005.blk.tmp"]
    );
    drop(writer);
    assert!(sys.disk.list(dir).unwrap().is_empty());
    let path = write(&sys, dir, &some_rows(), &[]);
    let block = Block::open(&sys, &path).unwrap();
    assert_eq!(block.path(), path);
    let mut reader: Reader<'_> = block.reader();
    assert_eq!(reader.with_samples(&[3, 99], TimeRange::ALL).unwrap(), [3]);
    let again = Writer::create(&sys, dir, 5).unwrap_err();
    assert!(matches!(again, BlockError::Io { .. }), "{again}");
}

#[test]
fn others_have_their_turn_between_the_pages_of_a_group() {
    let sys = SimDisk::new(1).sys(0);
    let mut writer = Writer::create(&sys, Path::new(DIR), 1).unwrap();
    // Rows of 16 slices and some 60 KiB that do not become less: 17 in a group of a mebibyte.
    let samples = 16 * SLICE_SAMPLES as u64;
    let times: Vec<i64> = (0..samples as i64).collect();
    let noise = |place: u64| f64::from_bits(place.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let calls: Vec<usize> = (0..40)
        .map(|row| {
            let values: Vec<f64> = (0..samples).map(|at| noise(row * samples + at)).collect();
            let input = RowInput {
                times: &times,
                values: &values,
                ..RowInput::default()
            };
            let calls = Cell::new(0);
            let between = || calls.set(calls.get() + 1);
            writer.row(&input, &between).unwrap();
            calls.get()
        })
        .collect();
    let groups: Vec<usize> = calls.into_iter().filter(|&calls| calls > 0).collect();
    assert!(
        groups.len() == 2 && groups.iter().all(|&pages| pages >= 15),
        "{groups:?}"
    );
}

#[test]
fn a_writer_refuses_what_it_cannot_write() {
    let sys = SimDisk::new(1).sys(0);
    let new = |number| Writer::create(&sys, Path::new(DIR), number).unwrap();
    let refused = |error: BlockError, what: &str| {
        assert!(error.to_string().ends_with(what), "{error}");
    };
    let mut writer = new(1);
    let input = |times, values| RowInput {
        times,
        values,
        ..RowInput::default()
    };
    let row = writer.row(&input(&[1, 1], &[0.0; 2]), &|| ());
    refused(row.unwrap_err(), "timestamps of a row do not rise");
    let row = writer.row(&input(&[1, 2], &[0.0; 3]), &|| ());
    refused(
        row.unwrap_err(),
        "another number of values than of timestamps",
    );
    refused(
        writer.row(&input(&[], &[]), &|| ()).unwrap_err(),
        "a row has nothing in it",
    );
    let beyond = RowInput {
        starts: &[(2, 5)],
        ..input(&[1, 2], &[0.0; 2])
    };
    refused(
        writer.row(&beyond, &|| ()).unwrap_err(),
        "a row has no such points",
    );
    writer.row(&input(&[1, 2], &[0.0; 2]), &|| ()).unwrap();
    refused(
        writer.index(&Names(2)).unwrap_err(),
        "the index is one of other rows",
    );
    refused(
        writer.row(&input(&[1], &[0.0]), &|| ()).unwrap_err(),
        "rows come first",
    );
    refused(new(2).finish(origin()).unwrap_err(), "there is no index");
    drop(writer);
    assert!(sys.disk.list(Path::new(DIR)).unwrap().is_empty());
}

#[test]
fn a_failed_write_leaves_nothing_and_a_crash_no_part_of_a_block() {
    let rows = some_rows();
    let dir = Path::new(DIR);
    let write = |sys: &Sys| {
        let mut writer = Writer::create(sys, dir, 5)?;
        for row in &rows {
            row.try_write(&mut writer)?;
        }
        writer.index(&Names(rows.len() as u32))?;
        writer.finish(origin())
    };
    let disk = SimDisk::new(0);
    write(&disk.sys(0)).unwrap();
    let ops = disk.ops();
    for op in 0..ops {
        for fault in [Fault::Crash, Fault::Eio, Fault::Enospc] {
            let disk = SimDisk::new(op);
            let sys = disk.sys(0);
            disk.fail_at(op, fault);
            let result = write(&sys);
            if fault == Fault::Crash {
                assert!(result.is_err(), "{op}");
                disk.crash();
                sys.disk.create_dir_all(dir).unwrap();
            }
            let names = sys.disk.list(dir).unwrap();
            assert!(names.iter().all(|name| is_file_name(name)), "{names:?}");
            if let Err(error) = &result {
                assert_eq!(error.is_full(), fault == Fault::Enospc, "{op} {error}");
                assert!(names.is_empty() || fault == Fault::Crash, "{op} {names:?}");
            }
            let is_there = names.iter().any(|name| number_of(name).is_some());
            if !is_there {
                disk.set_full(false);
                write(&sys).unwrap();
            }
            disk.crash();
            let block = Block::open(&sys, &path(dir, 5)).unwrap();
            assert_eq!(block.info().rows as usize, rows.len());
        }
    }
}
