//! Column encodings: bytes and nanoseconds a sample, by encoding and overall.
//!
//! `SILVERBACK_DATA_DIR_RECORDING=<dir> cargo bench -p silverback-benches --bench column`
//!
//! Sizes are printed first: bytes of columns, then with zstd over pages of 64 KiB as a block has
//! them, each column preceded by its length. Without the recording there are synthetic columns
//! only, and it says so.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints what it finds, and has nothing to say without its columns"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use silverback_benches::columns::{recorded, recording_dir};
use silverback_storage::bench::{
    decode_timestamps, decode_values, decode_values_range, encode_timestamps, encode_values,
};

const PAGE_BYTES: usize = 64 << 10;

/// Columns that are measured together.
struct Load {
    name: String,
    columns: Vec<Vec<f64>>,
}

/// Encoded columns one after the other, and where each ends.
struct Encoded {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Load {
    fn samples(&self) -> usize {
        self.columns.iter().map(Vec::len).sum()
    }

    fn encode(&self) -> Encoded {
        let mut bytes = Vec::new();
        let mut ends = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            black_box(encode_values(column, &mut bytes));
            ends.push(bytes.len());
        }
        Encoded { bytes, ends }
    }

    fn decode(&self, encoded: &Encoded, out: &mut Vec<f64>) {
        for (column, bytes) in self.columns.iter().zip(encoded.columns()) {
            out.resize(column.len(), 0.0);
            decode_values(bytes, out).unwrap();
            black_box(&out);
        }
    }

    /// Prints what it takes, after a look at whether all of it comes back.
    fn print_sizes(&self) {
        let encoded = self.encode();
        let mut out = Vec::new();
        for (column, bytes) in self.columns.iter().zip(encoded.columns()) {
            out.resize(column.len(), 0.0);
            decode_values(bytes, &mut out).unwrap();
            let same = out
                .iter()
                .zip(column)
                .all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{}: a column does not come back", self.name);
        }
        let samples = self.samples() as f64;
        println!(
            "{:32} {:5} columns {:8} samples {:8.4} B/sample, zstd-1 {:8.4}, zstd-3 {:8.4}",
            self.name,
            self.columns.len(),
            self.samples(),
            (encoded.bytes.len() + self.columns.len()) as f64 / samples,
            encoded.page_bytes(1) as f64 / samples,
            encoded.page_bytes(3) as f64 / samples,
        );
    }
}

impl Encoded {
    fn columns(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, &end)| &self.bytes[start..end])
    }

    /// Bytes of zstd'ed pages, with four for each checksum.
    fn page_bytes(&self, level: i32) -> usize {
        let mut compressor = zstd::bulk::Compressor::new(level).unwrap();
        let mut page = Vec::new();
        let mut total = 0;
        let mut close = |page: &mut Vec<u8>| {
            total += compressor.compress(page).unwrap().len() + 4;
            page.clear();
        };
        for column in self.columns() {
            // As a varint: two bytes up to 16 KiB.
            let length = column.len();
            if length >= 128 {
                page.push(length as u8 | 128);
            }
            page.push((length >> 7) as u8);
            page.extend_from_slice(column);
            if page.len() >= PAGE_BYTES {
                close(&mut page);
            }
        }
        if !page.is_empty() {
            close(&mut page);
        }
        total
    }
}

/// What a column of one chunk is, by its first bytes (docs/format/column.md).
fn encoding_of(column: &[u8]) -> &'static str {
    let integers = |tag: Option<&u8>| match tag.map(|tag| tag & 7) {
        Some(0) => "decimal line",
        Some(1) => "decimal plain",
        Some(2) => "decimal delta",
        Some(3) => "decimal rise",
        _ => "decimal turn",
    };
    match column.first() {
        Some(0..0x20) | Some(0x60) => "constant",
        Some(0x20..0x40) => integers(column.get(1)),
        Some(0x40..0x60) => "near decimal",
        Some(0x61) => "ordered bits",
        Some(0x62) => "xor",
        Some(0x63) => "raw",
        _ => "with exceptions",
    }
}

/// Recorded columns of so many samples, all of a time range one after the other; then the same
/// by encoding.
fn recorded_loads(every: usize, samples: usize) -> Vec<Load> {
    let targets = recorded(&recording_dir(), every).unwrap();
    let rows = targets[0][0].len();
    let mut columns = Vec::new();
    for start in (0..=rows - samples).step_by(samples) {
        let all = targets.iter().flatten();
        columns.extend(all.map(|column| column[start..start + samples].to_vec()));
    }
    let mut by_encoding: BTreeMap<&str, Vec<Vec<f64>>> = BTreeMap::new();
    for column in &columns {
        let mut bytes = Vec::new();
        encode_values(column, &mut bytes);
        let like = by_encoding.entry(encoding_of(&bytes)).or_default();
        like.push(column.clone());
    }
    let name = format!("every {every} x {samples}");
    let parts = by_encoding.into_iter().map(|(encoding, columns)| Load {
        name: format!("{name}: {encoding}"),
        columns,
    });
    let parts: Vec<Load> = parts.collect();
    let mut loads = vec![Load { name, columns }];
    loads.extend(parts);
    loads
}

/// Columns that need no recording; random doubles are what nothing shortens.
fn synthetic_loads() -> Vec<Load> {
    let mut state = 1u64;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state >> 11
    };
    let mut counter = 0;
    let mut load = |name: &str, value: &mut dyn FnMut(u64) -> f64| Load {
        name: format!("synthetic x 480: {name}"),
        columns: (0..200)
            .map(|_| (0..480).map(|_| value(random())).collect())
            .collect(),
    };
    vec![
        load("constant", &mut |_| 42.0),
        load("line", &mut |_| {
            counter += 15;
            f64::from(counter)
        }),
        load("counter", &mut |r| {
            counter += (r % 50) as i32;
            f64::from(counter)
        }),
        load("gauge of decimals", &mut |r| (r % 1000) as f64 / 100.0),
        load("random doubles", &mut |r| (r as f64).sqrt()),
    ]
}

fn columns(c: &mut Criterion) {
    let mut loads = synthetic_loads();
    if recording_dir().is_dir() {
        loads.extend(recorded_loads(1, 480));
        loads.extend(recorded_loads(15, 96));
        loads.push(recorded_loads(1, 120).swap_remove(0));
        loads.push(recorded_loads(1, 1440).swap_remove(0));
    } else {
        println!(
            "SKIPPED: no recording of exporters in {}: synthetic columns only",
            recording_dir().display()
        );
    }
    loads.iter().for_each(Load::print_sizes);
    for work in ["encode", "decode"] {
        let mut group = c.benchmark_group(format!("column/{work}"));
        group.sample_size(10);
        group.warm_up_time(Duration::from_millis(200));
        group.measurement_time(Duration::from_millis(800));
        for load in &loads {
            group.throughput(Throughput::Elements(load.samples() as u64));
            let encoded = load.encode();
            let mut out = Vec::new();
            group.bench_function(&load.name, |b| match work {
                "encode" => b.iter(|| load.encode()),
                _ => b.iter(|| load.decode(&encoded, &mut out)),
            });
        }
        group.finish();
    }
}

/// One sample in the middle of the longest column.
fn point(c: &mut Criterion) {
    let values: Vec<f64> = (0..65_535).map(|i| f64::from(i * i % 9973)).collect();
    let mut bytes = Vec::new();
    encode_values(&values, &mut bytes);
    let mut group = c.benchmark_group("column/range");
    for samples in [1, 480, 4_800] {
        let mut out = vec![0.0; samples];
        group.bench_function(format!("{samples} of 65535"), |b| {
            b.iter(|| decode_values_range(&bytes, values.len(), 30_000, &mut out).unwrap());
        });
    }
    group.finish();
}

fn timestamps(c: &mut Criterion) {
    let mut group = c.benchmark_group("column/timestamps");
    group.throughput(Throughput::Elements(480));
    for (name, jitter) in [("even", 0), ("jitter", 10)] {
        let time = |i: i64| 1_700_000_000_000 + i * 15_000 + i * i % 97 * jitter / 97;
        let times: Vec<i64> = (0..480).map(time).collect();
        let mut bytes = Vec::new();
        encode_timestamps(&times, &mut bytes);
        println!("timestamps, {name}: {} bytes for 480", bytes.len());
        group.bench_function(format!("encode {name}"), |b| {
            b.iter(|| {
                bytes.clear();
                encode_timestamps(&times, &mut bytes);
            });
        });
        let mut out = vec![0; 480];
        group.bench_function(format!("decode {name}"), |b| {
            b.iter(|| decode_timestamps(&bytes, &mut out).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, columns, point, timestamps);
criterion_main!(benches);
