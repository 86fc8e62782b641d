//! What a merge costs.
//!
//! `cargo test --release -p silverback-storage --lib -- --ignored --nocapture merge_is_measured`

use std::path::Path;
use std::sync::Arc;

use crate::block::{self, Block, BlockInfo};
use crate::head::Head;
use crate::maintenance::flush::write_segment;
use crate::maintenance::merge::labels::OrderedRows;
use crate::maintenance::merge::pass::{self, Part, Row, Sink, Wanted};
use crate::maintenance::merge::source::Input;
use crate::maintenance::merge::symbols::Symbols;
use crate::maintenance::merge::{MergeError, Source, merge};
use crate::model::{Batch, FloatRow, Labels, Seq, SeriesDefinition, SeriesId, TimeRange};
use crate::segment::{self, Segment, SeqRange};
use crate::sys::sim::Rng;
use crate::sys::{RealDisk, Sys};

const TARGETS: u32 = 32;
/// Series of a target.
const SERIES: u32 = 1687;
const HOUR_MS: i64 = 3_600_000;
/// The first scrape: the beginning of two hours.
const START_MS: i64 = 236_112 * 2 * HOUR_MS;

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

/// A head with some scrapes of a fleet, target by target, with some milliseconds of jitter.
fn fleet(scrapes: std::ops::Range<i64>) -> Head {
    let head = Head::new();
    let mut rng = Rng::new(7);
    let mut seq = 0;
    for scrape in scrapes.clone() {
        for target in 0..TARGETS {
            seq += 1;
            let mut batch = Batch {
                seq: Seq(seq),
                ..Batch::default()
            };
            let jitter_ms = i64::from(target * 431) + rng.below(4) as i64;
            for series in 0..SERIES {
                let id = SeriesId(target * SERIES + series);
                if scrape == scrapes.start {
                    let labels = labels(target, series);
                    head.define(id, &labels).unwrap();
                    batch.definitions.push(SeriesDefinition { id, labels });
                }
                batch.floats.push(FloatRow {
                    series: id,
                    timestamp_ms: START_MS + 15_000 * scrape + jitter_ms,
                    value: value(series, scrape, &mut rng),
                });
            }
            head.apply(&[batch]);
        }
    }
    head
}

fn flushed(sys: &Sys, dir: &Path, number: u64, head: &Head) -> Source {
    let seqs = SeqRange {
        first: Seq(number * 1000 + 1),
        last: Seq(number * 1000 + 999),
    };
    write_segment(sys, dir, number, head, seqs, number, &|| ()).unwrap();
    Source::Segment(Arc::new(
        Segment::open(sys, &segment::path(dir, number)).unwrap(),
    ))
}

/// What the process used, as the system counts it: the machine may have other things to do.
#[derive(Clone, Copy)]
struct Used {
    cpu_ns: u64,
}

/// The first number behind `name` in a file of the system.
fn number(sys: &Sys, path: &str, name: &str) -> u64 {
    let file = sys.disk.open_read(Path::new(path)).unwrap();
    let mut text = vec![0; 4096];
    let length = file.read_at(&mut text, 0).unwrap();
    let text = String::from_utf8_lossy(&text[..length]);
    let (_, rest) = text.split_once(name).unwrap();
    rest.split_whitespace().next().unwrap().parse().unwrap()
}

impl Used {
    fn now(sys: &Sys) -> Self {
        Self {
            cpu_ns: number(sys, "/proc/thread-self/schedstat", ""),
        }
    }

    fn per(self, sys: &Sys, samples: u64) -> f64 {
        (Self::now(sys).cpu_ns - self.cpu_ns) as f64 / samples as f64
    }
}

#[derive(Default)]
struct Counted(u64);

impl Sink for Counted {
    fn row(&mut self, row: Row<'_>) -> Result<(), MergeError> {
        if let Part::Floats { values, .. } = row.samples {
            self.0 += values.len() as u64;
        }
        Ok(())
    }
}

fn ranges(width_hours: i64, count: i64) -> Vec<TimeRange> {
    let start = |i: i64| START_MS + i * width_hours * HOUR_MS;
    let range = |i| TimeRange::new(start(i), start(i + 1) - 1);
    (0..count).map(range).collect()
}

/// Walks the sources and writes nothing.
fn walk(sys: &Sys, what: &str, sources: &[Source], ranges: &[TimeRange], samples: u64) {
    let used = Used::now(sys);
    let inputs: Vec<Input<'_>> = (0..)
        .zip(sources)
        .map(|(number, source)| Input { number, source })
        .collect();
    let symbols = Symbols::join(&inputs, &|| false).unwrap();
    let joined = used.per(sys, samples);
    let mut rows = 0;
    for &input in &inputs {
        let mut cursor = OrderedRows::new(input, symbols.numbers(input.number)).unwrap();
        while cursor.current().is_some() {
            cursor.advance().unwrap();
            rows += 1;
        }
    }
    let ordered = used.per(sys, samples) - joined;
    let used = Used::now(sys);
    let wanted = Wanted {
        ranges,
        span: TimeRange::ALL,
    };
    let open = |_| Ok(Counted::default());
    let outputs = pass::run(&inputs, &symbols, wanted, &|| false, open).unwrap();
    let counted: u64 = outputs.iter().flatten().map(|o| o.sink.0).sum();
    assert_eq!(counted, samples);
    println!(
        "  {what}: symbols {joined:.2}, labels of {rows} rows {ordered:.2}, all but writing {:.2} ns a sample",
        used.per(sys, samples)
    );
}

fn write(
    sys: &Sys,
    what: &str,
    dir: &Path,
    sources: &[Source],
    ranges: &[TimeRange],
    samples: u64,
) -> Vec<Source> {
    walk(sys, what, sources, ranges, samples);
    let used = Used::now(sys);
    let mut next_number = 0;
    let infos = merge(sys, dir, sources, ranges, &mut next_number, &|| false).unwrap();
    let bytes: u64 = infos.iter().map(|info| info.bytes).sum();
    println!(
        "  {what}: merged in {:.2} ns a sample of CPU, {} blocks, {:.3} B a sample; {} MiB at most",
        used.per(sys, samples),
        infos.len(),
        bytes as f64 / samples as f64,
        number(sys, "/proc/self/status", "VmHWM:") >> 10,
    );
    assert_eq!(infos.iter().map(|info| info.samples).sum::<u64>(), samples);
    let open = |info: &BlockInfo| Block::open(sys, &block::path(dir, info.number)).unwrap();
    let blocks = infos.iter().map(open);
    blocks.map(|own| Source::Block(Arc::new(own))).collect()
}

/// The memory is that of the whole process: to see that of a merge, run it a second time with the
/// segments of the first, `SILVERBACK_MERGE_DIR=<dir>`.
#[test]
#[ignore = "measures: takes a release build"]
fn merge_is_measured() {
    let own = tempfile::tempdir().unwrap();
    let kept = std::env::var("SILVERBACK_MERGE_DIR").ok();
    let dir = kept.as_ref().map_or(own.path(), Path::new);
    for (name, scrapes) in [
        ("one segment of 480 scrapes", vec![(0, 480)]),
        ("three of 320", vec![(0, 320), (320, 640), (640, 960)]),
    ] {
        for mapped in [false, true] {
            let disk = match mapped {
                true => RealDisk::mapped(),
                false => RealDisk::new(),
            };
            let sys = Sys {
                disk: Arc::new(disk),
                ..Sys::real()
            };
            println!("{name}, mapped {mapped}");
            let segments = dir.join(name);
            let sources: Vec<Source> = (0..)
                .zip(&scrapes)
                .map(|(number, scrapes)| {
                    let path = segment::path(&segments, number);
                    match Segment::open(&sys, &path) {
                        Ok(own) => Source::Segment(Arc::new(own)),
                        Err(_) => flushed(&sys, &segments, number, &fleet(scrapes.0..scrapes.1)),
                    }
                })
                .collect();
            let samples = sources.iter().map(|source| match source {
                Source::Segment(own) => own.info().samples,
                Source::Block(own) => own.info().samples,
            });
            let samples: u64 = samples.sum();
            let to = own.path().join(format!("{name} {mapped} 2"));
            let blocks = write(&sys, "to 2 h", &to, &sources, &ranges(2, 3), samples);
            let to = own.path().join(format!("{name} {mapped} 8"));
            write(&sys, "to 8 h", &to, &blocks, &ranges(8, 1), samples);
        }
    }
}
