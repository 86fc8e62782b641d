//! What the tests of several files use.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use roaring::RoaringBitmap;

use super::*;
use crate::chunk::{CHUNK_SAMPLES_MAX, LateChunk, OpenChunk, OpenValues, OrderedChunk, TimeColumn};
use crate::index::stored::{IndexInput, InputRows};
use crate::model::{Seq, SymbolId};
pub(super) use crate::section::Raw;
use crate::sys::Sys;

/// The index of rows without a series.
struct NoSeries(u32);

impl IndexInput for NoSeries {
    fn symbols_end(&self) -> u32 {
        0
    }

    fn for_each_symbol(
        &self,
        _: &mut dyn FnMut(SymbolId, &str) -> io::Result<()>,
    ) -> io::Result<()> {
        Ok(())
    }

    fn rows(&self) -> u32 {
        self.0
    }

    fn all(&self) -> io::Result<Cow<'_, RoaringBitmap>> {
        Ok(Cow::default())
    }

    fn labels(&self, _: u32, _: &mut Vec<(SymbolId, SymbolId)>) -> io::Result<()> {
        Ok(())
    }

    fn names(&self) -> io::Result<Vec<SymbolId>> {
        Ok(Vec::new())
    }

    fn values(&self, _: SymbolId) -> io::Result<Vec<SymbolId>> {
        Ok(Vec::new())
    }

    fn present(&self, _: SymbolId) -> io::Result<Cow<'_, RoaringBitmap>> {
        Ok(Cow::default())
    }

    fn postings(&self, _: SymbolId, _: SymbolId) -> io::Result<InputRows<'_>> {
        Ok(InputRows::Many(Cow::default()))
    }
}

/// A row as a test writes it: samples in order, timestamps of late ones.
pub(super) type Row = (Vec<(i64, u64)>, Vec<i64>);

pub(super) const DIR: &str = "/data/segments";

/// Rows of several kinds, of which neighbours have timestamps of their own.
pub(super) fn some_rows() -> Vec<Row> {
    let value = |row: i64, i: i64| match row % 5 {
        0 => 1.0f64.to_bits(),
        1 => (i as f64 * 3.0).to_bits(),
        2 => (i as f64 / 10.0).to_bits(),
        3 => (i as f64).sqrt().to_bits(),
        _ => (i / 50 * 2) as u64,
    };
    let row = |row: i64| {
        let count = row * 37 % 300;
        let in_order = (0..count).map(|i| (i * 1000 + i * i % (row + 1), value(row, i)));
        let late = (0..row % 4 * 50).map(|i| 5000 - i * i % 777 * 10);
        (in_order.collect(), late.collect())
    };
    (0..20).map(row).collect()
}

/// Writes rows as segment 5 in `dir`, each with time columns of its own.
pub(super) fn write(sys: &Sys, dir: &Path, rows: &[Row]) -> PathBuf {
    write_with(sys, dir, rows, |_| {})
}

/// As [`write`], and what `beside` writes after the rows.
pub(super) fn write_with(
    sys: &Sys,
    dir: &Path,
    rows: &[Row],
    beside: impl FnOnce(&mut Writer),
) -> PathBuf {
    let mut writer = Writer::create(sys, dir, 5).unwrap();
    let full = usize::from(CHUNK_SAMPLES_MAX);
    let columns: Vec<Vec<TimeColumn>> = rows
        .iter()
        .map(|(in_order, _)| in_order.chunks(full).map(column_of).collect())
        .collect();
    let mut places = Vec::new();
    let mut times = writer.times();
    for column in columns.iter().flatten() {
        places.push(times.put(column).unwrap());
    }
    times.finish().unwrap();
    let mut number = 0;
    let mut rows_writer = writer.rows();
    for (row, ((in_order, late), columns)) in (0u32..).zip(rows.iter().zip(&columns)) {
        let sealed: Vec<_> = in_order.chunks(full).map(values_of).collect();
        let mut late_chunk = OpenChunk::default();
        late.iter().for_each(|&t| late_chunk.push(t, t as f64));
        let ordered = sealed.iter().zip(columns).map(|(values, times)| {
            number += 1;
            OrderedChunk {
                column: number - 1,
                times,
                start: 0,
                count: times.count() as u8,
                values: values.values(),
            }
        });
        let range = late.iter().min().zip(late.iter().max());
        let late = range.map(|(&min_ms, &max_ms)| LateChunk {
            range: TimeRange::new(min_ms, max_ms),
            count: late_chunk.count(),
            samples: late_chunk.samples(),
        });
        rows_writer
            .put(row, &places, ordered, late.into_iter())
            .unwrap();
    }
    rows_writer.finish().unwrap();
    beside(&mut writer);
    writer.index(&NoSeries(rows.len() as u32)).unwrap();
    let info = writer.finish(origin()).unwrap();
    assert_eq!(info.number, 5);
    path(dir, 5)
}

pub(super) fn origin() -> Origin {
    Origin {
        epoch: 2,
        seqs: SeqRange {
            first: Seq(10),
            last: Seq(90),
        },
        series: 18,
        inputs: vec![3, 4],
    }
}

fn column_of(samples: &[(i64, u64)]) -> TimeColumn {
    let mut column = TimeColumn::new(samples[0].0);
    for &(timestamp_ms, _) in &samples[1..] {
        assert!(column.push(timestamp_ms));
    }
    column
}

fn values_of(samples: &[(i64, u64)]) -> OpenValues {
    let mut values = OpenValues::default();
    for &(_, bits) in samples {
        values.push(f64::from_bits(bits));
    }
    values
}
