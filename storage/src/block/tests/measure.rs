//! What a block takes, and what it costs to write and to read.
//!
//! `SILVERBACK_DATA_DIR_RECORDING=<dir> cargo test --release -p silverback-storage --lib -- --ignored
//! --nocapture blocks_are_measured`

mod fleet;

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use self::fleet::Fleet;
use super::{Names, origin};
use crate::block::{Block, BlockInfo, RowInput, Writer, path};
use crate::index::stored;
use crate::model::{BucketSpan, Histogram, HistogramCounts, ResetHint, Samples, TimeRange};
use crate::section::FileWriter;
use crate::sys::sim::Rng;
use crate::sys::{Clock, RealDisk, Sys};

fn per(time: Duration, count: u64) -> f64 {
    time.as_nanos() as f64 / count as f64
}

fn write(sys: &Sys, dir: &Path, number: u64, fleet: &Fleet) -> BlockInfo {
    let mut writer = Writer::create(sys, dir, number).unwrap();
    for row in 0..fleet.rows() {
        let (times, values) = fleet.row(row);
        let input = RowInput {
            times,
            values,
            ..RowInput::default()
        };
        writer.row(&input, &|| ()).unwrap();
    }
    writer.index(fleet).unwrap();
    writer.finish(origin()).unwrap()
}

/// Reads rows; says how many samples there were.
fn read(block: &Block, rows: impl Iterator<Item = u32>, range: TimeRange) -> u64 {
    let (mut reader, mut out, mut samples) = (block.reader(), Samples::default(), 0);
    for row in rows {
        reader.read(row, range, &mut out).unwrap();
        samples += black_box(&out).len() as u64;
    }
    samples
}

/// Rows of native histograms, some two dozen buckets each, of requests that come at random.
fn measure_histograms(sys: &Sys, dir: &Path) {
    const ROWS: u32 = 200;
    const COUNT: usize = 480;
    let mut rng = Rng::new(5);
    let times: Vec<i64> = (0..COUNT as i64).map(|i| i * 15_000).collect();
    let row = |rng: &mut Rng| -> Vec<(usize, Histogram)> {
        let (mut buckets, mut sum) = ([0i64; 24], 0.0);
        let mut step = |place| {
            for (bucket, count) in buckets.iter_mut().enumerate() {
                let rate = 40 >> (bucket as u32).abs_diff(12).min(5);
                let more = rng.below(rate + 1) as i64;
                *count += more;
                sum += more as f64 * 1.09f64.powi(bucket as i32);
            }
            (place, histogram(&buckets, sum))
        };
        (0..COUNT).map(&mut step).collect()
    };
    let rows: Vec<_> = (0..ROWS).map(|_| row(&mut rng)).collect();
    let start = sys.clock.monotonic();
    let mut writer = Writer::create(sys, dir, 1).unwrap();
    for histograms in &rows {
        let input = RowInput {
            times: &times,
            values: &[0.0; COUNT],
            histograms,
            ..RowInput::default()
        };
        writer.row(&input, &|| ()).unwrap();
    }
    writer.index(&Names(ROWS)).unwrap();
    let info = writer.finish(origin()).unwrap();
    let written = sys.clock.monotonic() - start;
    let block = Block::open(sys, &path(dir, 1)).unwrap();
    let (read, _) = best(sys, 5, || {
        let (mut reader, mut points) = (block.reader(), Vec::new());
        for row in 0..ROWS {
            reader.points(row, TimeRange::ALL, &mut points).unwrap();
            black_box(&points);
        }
        info.samples
    });
    println!(
        "histograms: {:.1} B each, written at {:.0} ns, read at {:.0} ns",
        info.bytes as f64 / info.samples as f64,
        per(written, info.samples),
        per(read, info.samples),
    );
}

fn histogram(buckets: &[i64; 24], sum: f64) -> Histogram {
    let mut before = 0;
    let delta = |&bucket: &i64| bucket - std::mem::replace(&mut before, bucket);
    Histogram {
        schema: 3,
        zero_threshold: 1e-128,
        sum,
        reset_hint: ResetHint::Unknown,
        positive_spans: vec![BucketSpan {
            offset: -4,
            length: 24,
        }],
        negative_spans: vec![],
        custom_bounds: vec![],
        counts: HistogramCounts::Integer {
            count: buckets.iter().sum::<i64>() as u64,
            zero_count: 0,
            positive_deltas: buckets.iter().map(delta).collect(),
            negative_deltas: vec![],
        },
    }
}

/// The shortest of some times.
fn best(sys: &Sys, times: usize, mut each: impl FnMut() -> u64) -> (Duration, u64) {
    let mut best = (Duration::MAX, 0);
    for _ in 0..times {
        let start = sys.clock.monotonic();
        let samples = each();
        best = best.min((sys.clock.monotonic() - start, samples));
    }
    best
}

fn measure(sys: &Sys, dir: &Path, name: &str, fleet: &Fleet) {
    let mut info = write(sys, dir, 1, fleet);
    let samples = info.samples;
    let (written, _) = best(sys, 2, || {
        info = write(sys, dir, info.number + 1, fleet);
        samples
    });
    let mut index = FileWriter::new(sys.disk.create_new(&dir.join("index")).unwrap());
    stored::write(fleet, &mut index).unwrap();
    let index = index.position();
    sys.disk.remove(&dir.join("index")).unwrap();
    println!(
        "{name}: {} rows, {samples} samples: {:.3} B a sample ({:.3} without the index), index \
         {:.1} B a series; written at {:.1} ns a sample",
        info.rows,
        info.bytes as f64 / samples as f64,
        (info.bytes - index) as f64 / samples as f64,
        index as f64 / f64::from(info.rows),
        per(written, samples),
    );
    let block = Block::open(sys, &path(dir, info.number)).unwrap();
    measure_reads(sys, &block, fleet);
}

fn measure_reads(sys: &Sys, block: &Block, fleet: &Fleet) {
    let info = block.info();
    let all = block.range().unwrap();
    let span = all.end_ms - all.start_ms;
    let last = TimeRange::new(all.end_ms - span / 10, all.end_ms);
    let rows = || 0..info.rows;
    let constant: Vec<u32> = rows().filter(|&row| fleet.is_constant(row)).collect();
    let others: Vec<u32> = rows().filter(|&row| !fleet.is_constant(row)).collect();
    let one_target: Vec<u32> = rows().filter(|&row| fleet.target(row) == 3).collect();
    let print = |what: &str, (time, samples): (Duration, u64)| {
        let rate = samples as f64 / time.as_secs_f64() / 1e6;
        let ns = per(time, samples.max(1));
        println!(
            "  {what:38} {rate:8.0} M samples/s, {ns:6.2} ns, {:8.2} ms",
            time.as_secs_f64() * 1e3
        );
    };
    print(
        "all of it",
        best(sys, 5, || read(block, rows(), TimeRange::ALL)),
    );
    print(
        "constant rows",
        best(sys, 5, || {
            read(block, constant.iter().copied(), TimeRange::ALL)
        }),
    );
    print(
        "other rows",
        best(sys, 5, || {
            read(block, others.iter().copied(), TimeRange::ALL)
        }),
    );
    print(
        "the last tenth of all rows",
        best(sys, 5, || read(block, rows(), last)),
    );
    print(
        "one target",
        best(sys, 5, || {
            read(block, one_target.iter().copied(), TimeRange::ALL)
        }),
    );
    let (time, _) = best(sys, 3, || {
        let some = rows().step_by(31).map(|row| row * 7919 % info.rows);
        some.map(|row| read(block, std::iter::once(row), last))
            .sum()
    });
    let readers = u64::from(info.rows.div_ceil(31));
    println!(
        "  a reader for one row, the last tenth: {:.1} us",
        per(time, readers) / 1e3
    );
    let all_rows: Vec<u32> = rows().collect();
    let (time, found) = best(sys, 5, || {
        let found = block.reader().with_samples(&all_rows, last);
        found.unwrap().len() as u64
    });
    println!("  with_samples {:.1} ns a row", per(time, found.max(1)));
}

pub(crate) fn measure_all(clock: Arc<dyn Clock>) {
    let dir = tempfile::tempdir().unwrap();
    let sys = Sys {
        disk: Arc::new(RealDisk::mapped()),
        clock,
    };
    measure_histograms(&sys, &dir.path().join("h"));
    let fleet = Fleet::new(60, 480, 1);
    measure(&sys, &dir.path().join("a"), "480 x 1 s", &fleet);
    let fleet = Fleet::new(60, 96, 15);
    measure(&sys, &dir.path().join("b"), "96 x 15 s", &fleet);
    let fleet = Fleet::new(60, 480, 15);
    measure(&sys, &dir.path().join("e"), "480 x 15 s", &fleet);
    let fleet = Fleet::new(12, 14_400, 1);
    measure(&sys, &dir.path().join("c"), "14,400 x 1 s", &fleet);
    let fleet = Fleet::new(3, 96, 15);
    let dir = dir.path().join("d");
    let numbers = 1..=1000u64;
    numbers.clone().for_each(|number| {
        write(&sys, &dir, number, &fleet);
    });
    let (time, _) = best(&sys, 3, || {
        let open = |number| Block::open(&sys, &path(&dir, number)).unwrap();
        numbers
            .clone()
            .map(open)
            .map(|block| block.info().samples)
            .sum()
    });
    println!(
        "1,000 blocks are opened in {:.1} ms",
        time.as_secs_f64() * 1e3
    );
}

#[test]
#[ignore = "measures: takes a release build and an idle machine"]
fn blocks_are_measured() {
    measure_all(Sys::real().clock);
}
