//! What a flush costs, and what it leaves on the disk.
//!
//! `cargo test --release -p silverback-storage --lib -- --ignored --nocapture flush_is_measured`

use std::time::Duration;

use super::*;
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
        let info = write_segment(&sys, dir.path(), number, &head, seqs(), 1).unwrap();
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
