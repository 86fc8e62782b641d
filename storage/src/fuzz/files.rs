//! Files of a database: what the inputs to begin with are made of.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::codec::fuzz::some_histograms;
use crate::immutable::FileError;
use crate::model::{Exemplar, Labels, Metadata, MetricType, Sample, Samples, TimeRange, Value};
use crate::sys::Sys;
use crate::sys::sim::SimDisk;
use crate::{Db, Error, Options, WriteBatch};

/// Where the database is.
pub(crate) const DIR: &str = "/data";
/// What time it is there.
pub(crate) const NOW_MS: i64 = 1_700_000_000_000;
/// Ranges that are read beside everything.
pub(crate) const RANGES: [TimeRange; 2] = [
    TimeRange {
        start_ms: 1_700_000_010_000,
        end_ms: 1_700_000_100_000,
    },
    TimeRange {
        start_ms: -1,
        end_ms: 7,
    },
];

pub(crate) fn options() -> Options {
    Options {
        retention: None,
        max_future: Some(Duration::from_secs(600)),
        ..Options::default()
    }
}

/// Puts a file that must not exist there, durably.
pub(crate) fn put(sys: &Sys, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(path);
    sys.disk.create_dir_all(dir)?;
    let file = sys.disk.create_new(path)?;
    file.write_all_at(bytes, 0)?;
    file.sync_data()?;
    sys.disk.sync_dir(dir)
}

/// What `open` makes of a file of those bytes; an error says which file it is about.
pub(crate) fn opened<T>(
    path: &Path,
    bytes: &[u8],
    open: impl FnOnce(&Sys, &Path) -> Result<T, FileError>,
) -> Option<T> {
    let sys = SimDisk::new(0).sys(NOW_MS);
    put(&sys, path, bytes).ok()?;
    let opened = open(&sys, path);
    if let Err(error) = &opened {
        let name = path.display().to_string();
        assert!(error.to_string().contains(&name), "{error}");
    }
    opened.ok()
}

/// Some series of every kind from `at` on, in steps of 15 s.
fn some_writes(at: i64) -> WriteBatch {
    let mut batch = WriteBatch::new();
    let names = ["up", "http_requests_total", "temperature", "x"];
    for (place, name) in (0i32..).zip(names) {
        for instance in ["host-1:9100", "host-2:9100"] {
            let labels = [("__name__", name), ("instance", instance), ("job", "node")];
            let Ok(series) = batch.series(&labels) else {
                continue;
            };
            for i in 0..(20 + 40 * place) {
                let time = at + i64::from(i) * 15_000;
                let value = match place {
                    0 => 1.0,
                    1 => f64::from(i * 3),
                    2 => 20.5 + f64::from(i % 7) / 10.0,
                    _ => f64::from(i).sqrt(),
                };
                batch.float(series, time, value);
            }
            // Late ones.
            batch.float(series, at + 7, f64::from(place));
        }
    }
    if let Ok(series) = batch.series(&[("__name__", "rpc_seconds"), ("é", "\u{1f600}")]) {
        for (place, histogram) in (0..).zip(some_histograms()) {
            let _checked = batch.histogram(series, at + place * 15_000, Some(at), histogram);
        }
        batch.float_with_start(series, at + 100_000, at, 2.5);
        if let Ok(labels) = Labels::from_pairs([("trace_id", "abc")]) {
            batch.exemplar(
                series,
                Exemplar {
                    labels,
                    timestamp_ms: at,
                    value: 0.25,
                },
            );
        }
    }
    let metadata = Metadata {
        metric_type: MetricType::Histogram,
        unit: "seconds".to_owned(),
        help: "How long calls take.".to_owned(),
    };
    batch.metadata("rpc_seconds", metadata);
    batch
}

/// A series or two of one kind, so few that compression does not pay: the pages of a block of them
/// stand there as they are.
fn few_writes(kind: u64, at: i64) -> WriteBatch {
    let mut batch = WriteBatch::new();
    let Ok(series) = batch.series(&[("__name__", "x"), ("kind", &kind.to_string())]) else {
        return batch;
    };
    let Ok(other) = batch.series(&[("__name__", "y")]) else {
        return batch;
    };
    for (place, histogram) in (0..5i32).zip(some_histograms()) {
        let time = at + i64::from(place) * 15_013;
        match kind {
            0 => batch.float(series, time, f64::from(place).sqrt()),
            1 => batch.float(series, time, f64::from(place * 3)),
            2 => {
                let _checked = batch.histogram(series, time, None, histogram);
            }
            _ => {
                batch.float_with_start(series, time, at - 1, 0.5);
                if let Ok(labels) = Labels::from_pairs([("id", place.to_string().as_str())]) {
                    let value = f64::from(place);
                    let exemplar = Exemplar {
                        labels,
                        timestamp_ms: time,
                        value,
                    };
                    batch.exemplar(series, exemplar);
                }
            }
        }
        batch.float(other, time + i64::from(place % 2), 1.0);
    }
    batch
}

/// Directories of a database: with a log alone, with a segment, with two and a log, with a block
/// and a log, and with blocks of few series.
pub(crate) fn some_directories() -> Result<Vec<SimDisk>, Error> {
    let mut disks = Vec::new();
    for steps in 0..8 {
        let disk = SimDisk::new(steps);
        let db = Db::open_with(disk.sys(NOW_MS), DIR, options())?;
        for round in 0..=steps.min(3) {
            let at = NOW_MS - 4_000_000 + round as i64 * 1_000_000;
            match steps.checked_sub(4) {
                Some(kind) => db.write(&few_writes(kind, at))?,
                None => db.write(&some_writes(at))?,
            };
            if round > 0 {
                db.flush()?;
            }
        }
        if steps >= 3 {
            db.compact()?;
        }
        if steps == 2 || steps == 3 {
            db.write(&some_writes(NOW_MS - 20_000_000))?;
        }
        db.close()?;
        drop(db);
        disks.push(disk);
    }
    Ok(disks)
}

/// The files of [`some_directories`] in that folder whose names end so.
pub(crate) fn some_files(folder: &str, end: &str) -> Vec<Vec<u8>> {
    let disks = some_directories().unwrap_or_default();
    let files = disks
        .iter()
        .flat_map(|disk| files_of(&disk.sys(NOW_MS), folder));
    let files = files.filter(|(path, _)| path.to_string_lossy().ends_with(end));
    files.map(|(_, bytes)| bytes).collect()
}

/// The files of a folder of the database.
pub(crate) fn files_of(sys: &Sys, folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let dir = Path::new(DIR).join(folder);
    let names = sys.disk.list(&dir).unwrap_or_default();
    let read = |name: String| {
        let path = dir.join(name);
        let file = sys.disk.open_read(&path).ok()?;
        let bytes = file.bytes(0, file.len().ok()? as usize).ok()?.into_owned();
        // Room of a log that was not used.
        let used = bytes
            .iter()
            .rposition(|&byte| byte != 0)
            .map_or(0, |last| last + 1);
        let bytes = bytes
            .get(..used.next_multiple_of(8).min(bytes.len()))?
            .to_vec();
        Some((path, bytes))
    };
    names.into_iter().filter_map(read).collect()
}

/// What was read of a range lies in it; of times that do not rise, as nobody writes them, no more is
/// said.
pub(crate) fn assert_within(range: TimeRange, points: &[Sample], samples: &Samples) {
    assert_eq!(samples.timestamps_ms.len(), samples.values.len());
    if !rise(points, samples) {
        return;
    }
    let times = points.iter().map(|point| point.timestamp_ms);
    let mut times = times.chain(samples.timestamps_ms.iter().copied());
    assert!(
        times.all(|time| range.contains(time)),
        "{points:?} {samples:?}"
    );
}

/// The floats among the points are the samples.
pub(crate) fn assert_floats(points: &[Sample], samples: &Samples) {
    if !rise(points, samples) {
        return;
    }
    let of_points: Vec<(i64, u64)> = points
        .iter()
        .filter_map(|point| match &point.value {
            Value::Float(value) => Some((point.timestamp_ms, value.to_bits())),
            Value::Histogram(_) => None,
        })
        .collect();
    let alone: Vec<(i64, u64)> = samples.iter().map(|(t, v)| (t, v.to_bits())).collect();
    assert_eq!(of_points, alone);
}

fn rise(points: &[Sample], samples: &Samples) -> bool {
    points.is_sorted_by(|one, other| one.timestamp_ms < other.timestamp_ms)
        && samples.timestamps_ms.is_sorted_by(|one, other| one < other)
}
