//! What a flush costs, and what it leaves on the disk.
//!
//! `cargo test --release -p silverback-storage --lib -- --ignored --nocapture flush_is_measured`

use std::time::Duration;

use super::*;
use crate::model::{BucketSpan, Histogram, HistogramCounts, HistogramRow, ResetHint};
use crate::sys::RealDisk;
use crate::sys::sim::Rng;

const TARGETS: u32 = 32;
/// Series of a target.
const SERIES: u32 = 1687;
const SCRAPES: i64 = 480;

fn labels(target: u32, series: u32) -> Labels {
    let instance = format!("10.0.{}.{}:9100", target / 8, target % 8);
    let (name, device) = (format!("node_metric_{}_total", series / 4), series % 4);
    Labels::from_pairs([
        ("__name__", name.as_str()),
        ("device", format!("device-{device}").as_str()),
        ("instance", instance.as_str()),
        ("job", "node"),
    ])
    .unwrap()
}

/// The value of a series at a scrape: 70 % are constant, 20 % counters, 8 % decimals, 2 % raw.
fn value(series: u32, scrape: i64, rng: &mut Rng) -> f64 {
    match series * 37 % 100 {
        0..70 => f64::from(series),
        70..90 => (scrape * 15 * i64::from(series) + rng.below(40) as i64) as f64,
        90..98 => (scrape * 100 + rng.below(1000) as i64) as f64 / 1000.0,
        _ => 1.0 + rng.next_u64() as f64 / u64::MAX as f64,
    }
}

/// A head after hours of scrapes, target by target, with some milliseconds of jitter.
fn fleet() -> Head {
    let head = Head::new();
    let mut rng = Rng::new(7);
    let mut seq = 0;
    for scrape in 0..SCRAPES {
        for target in 0..TARGETS {
            seq += 1;
            let mut batch = Batch {
                seq: Seq(seq),
                ..Batch::default()
            };
            let timestamp_ms =
                1_700_000_000_000 + 15_000 * scrape + i64::from(target * 431) + rng.below(4) as i64;
            for series in 0..SERIES {
                let id = SeriesId(target * SERIES + series);
                if scrape == 0 {
                    let labels = labels(target, series);
                    head.define(id, &labels).unwrap();
                    batch.definitions.push(SeriesDefinition { id, labels });
                }
                batch.floats.push(FloatRow {
                    series: id,
                    timestamp_ms,
                    value: value(series, scrape, &mut rng),
                });
            }
            head.apply(&[batch]);
        }
    }
    head
}

fn per(time: Duration, count: u64) -> f64 {
    time.as_nanos() as f64 / count as f64
}

#[test]
#[ignore = "measures: takes a release build and an idle machine"]
fn flush_is_measured() {
    let head = fleet();
    let samples = head.stats().rows.samples;
    let dir = tempfile::tempdir().unwrap();
    for mapped in [false, true] {
        let disk = match mapped {
            true => RealDisk::mapped(),
            false => RealDisk::new(),
        };
        let sys = Sys {
            disk: std::sync::Arc::new(disk),
            ..Sys::real()
        };
        let now = || sys.clock.monotonic();
        let number = u64::from(mapped);
        let start = now();
        let info = write_segment(&sys, dir.path(), number, &head, seqs(), 1, &|| ()).unwrap();
        println!(
            "flush: {:.2} ns a sample, {:.3} B a sample, {:.1} B a series",
            per(now() - start, samples),
            info.bytes as f64 / samples as f64,
            info.bytes as f64 / f64::from(info.rows),
        );
        let path = segment::path(dir.path(), number);
        let start = now();
        let segment = Segment::open(&sys, &path).unwrap();
        println!("mapped {mapped}: open {:?}", now() - start);
        let rows: Vec<u32> = (0..info.rows).collect();
        let mut out = Samples::default();
        let last_ms = info.range.unwrap().end_ms;
        for (what, range) in [
            (
                "the last hour",
                TimeRange::new(last_ms - 3_600_000, last_ms),
            ),
            ("all", TimeRange::ALL),
            (
                "a minute within",
                TimeRange::new(last_ms - 900_000, last_ms - 840_000),
            ),
        ] {
            let start = now();
            let found = segment.reader().with_samples(&rows, range).unwrap();
            let select = per(now() - start, rows.len() as u64);
            let (start, mut reader, mut read) = (now(), segment.reader(), 0);
            for &row in &found {
                reader.read(row, range, &mut out).unwrap();
                read += out.len() as u64;
            }
            let reading = now() - start;
            println!(
                "  {what}: select {select:.0} ns a row, read {:.1} ns a sample, {:.0} ns a row",
                per(reading, read),
                per(reading, found.len() as u64),
            );
        }
        // As a query does that selects one metric of all targets.
        let start = now();
        let mut read = 0;
        for row in (0..info.rows).step_by(SERIES as usize) {
            segment.read(row, TimeRange::ALL, &mut out).unwrap();
            read += 1;
        }
        println!("  rows far apart: {:.0} ns a row", per(now() - start, read));
    }
}

/// A head of histograms with start timestamps, and as many series of floats.
fn histograms(series: u32, scrapes: i64) -> Head {
    let head = Head::new();
    let mut rng = Rng::new(7);
    let mut deltas = vec![vec![0i64; 24]; series as usize];
    for scrape in 0..scrapes {
        let mut batch = Batch {
            seq: Seq(scrape as u64 + 1),
            ..Batch::default()
        };
        let timestamp_ms = 1_700_000_000_000 + 15_000 * scrape;
        for id in (0..2 * series).map(SeriesId) {
            if scrape == 0 {
                let labels = labels(id.0 / SERIES, id.0 % SERIES);
                head.define(id, &labels).unwrap();
                batch.definitions.push(SeriesDefinition { id, labels });
            }
            if id.0 >= series {
                batch.floats.push(FloatRow {
                    series: id,
                    timestamp_ms,
                    value: f64::from(id.0),
                });
                continue;
            }
            // Some observations in a few of the buckets.
            let deltas = &mut deltas[id.0 as usize];
            for _ in 0..4 {
                let (place, more) = (rng.below(24) as usize, rng.below(20) as i64);
                deltas[place] += more;
                if let Some(next) = deltas.get_mut(place + 1) {
                    *next -= more;
                }
            }
            let histogram = latencies(deltas);
            batch.histograms.push(HistogramRow {
                series: id,
                timestamp_ms,
                start_timestamp_ms: Some(1_699_999_000_000),
                floats_before: 0,
                histogram,
            });
        }
        head.apply(&[batch]);
    }
    head
}

fn latencies(deltas: &[i64]) -> Histogram {
    let mut count = 0;
    let counts = deltas.iter().scan(0, |bucket, delta| {
        *bucket += delta;
        Some(*bucket)
    });
    counts.for_each(|bucket| count += bucket as u64);
    Histogram {
        schema: 3,
        zero_threshold: 1e-128,
        sum: count as f64 * 0.013,
        reset_hint: ResetHint::Unknown,
        positive_spans: vec![BucketSpan {
            offset: -20,
            length: deltas.len() as u32,
        }],
        negative_spans: Vec::new(),
        custom_bounds: Vec::new(),
        counts: HistogramCounts::Integer {
            count,
            zero_count: 0,
            positive_deltas: deltas.to_vec(),
            negative_deltas: Vec::new(),
        },
    }
}

#[test]
#[ignore = "measures: takes a release build and an idle machine"]
fn flush_of_histograms_is_measured() {
    let series = 5000;
    let head = histograms(series, 240);
    let stats = head.stats();
    let count = stats.rows.histograms;
    println!(
        "head: {count} histograms, {:.1} B each",
        stats.extras_bytes as f64 / count as f64
    );
    let dir = tempfile::tempdir().unwrap();
    for mapped in [false, true] {
        let disk = match mapped {
            true => RealDisk::mapped(),
            false => RealDisk::new(),
        };
        let sys = Sys {
            disk: std::sync::Arc::new(disk),
            ..Sys::real()
        };
        let now = || sys.clock.monotonic();
        let number = u64::from(mapped);
        let start = now();
        let info = write_segment(&sys, dir.path(), number, &head, seqs(), 1, &|| ()).unwrap();
        println!(
            "mapped {mapped}: flush {:.2} ns a sample, {:.1} B a histogram",
            per(now() - start, info.samples),
            info.bytes as f64 / count as f64,
        );
        let segment = Segment::open(&sys, &segment::path(dir.path(), number)).unwrap();
        let mut reader = segment.reader();
        let (mut points, mut floats) = (Vec::new(), Samples::default());
        let last_ms = info.range.unwrap().end_ms;
        for (what, range) in [
            ("all", TimeRange::ALL),
            ("20 minutes", TimeRange::new(last_ms - 1_200_000, last_ms)),
        ] {
            let (start, mut read) = (now(), 0);
            for row in 0..series {
                reader.points(row, range, &mut points).unwrap();
                read += points.len() as u64;
            }
            let reading = now() - start;
            println!("  {what}: {:.0} ns a histogram", per(reading, read));
            let start = now();
            for row in 0..series {
                reader.read(row, range, &mut floats).unwrap();
            }
            let none = per(now() - start, series.into());
            let start = now();
            for row in series..2 * series {
                reader.read(row, range, &mut floats).unwrap();
            }
            let others = per(now() - start, series.into());
            println!("  {what}: floats of such a row {none:.0} ns, of others {others:.0} ns");
        }
    }
}
