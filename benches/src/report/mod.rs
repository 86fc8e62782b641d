//! What a run found: a line of JSON to keep, tables to read.

pub mod course;
mod table;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::error::{About, Result};
use crate::measure::disk::DiskUsage;
use crate::measure::machine::Machine;
use crate::measure::noise::NoiseRecord;
use crate::measure::process::Rss;
use crate::measure::sampler::Peak;
use crate::peer::Background;
use crate::send::Latencies;
use course::Course;
pub use table::{costs, latencies};

/// One run of one peer. The names are the keys of `results.jsonl`.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// When it began, in seconds since the Unix epoch.
    pub unix_s: u64,
    /// Commit of this project, with `-dirty` where the files differ from it; empty where there
    /// is no git.
    pub commit: String,
    /// Where it ran.
    pub machine: Machine,
    /// What was sent.
    pub load: LoadRecord,
    /// Which program.
    pub peer: String,
    /// Its version.
    pub version: String,
    /// When its requests were sent.
    pub pace: PaceRecord,
    /// What else the machine did meanwhile.
    pub noise: NoiseRecord,
    /// Further arguments of it.
    pub args: Vec<String>,
    /// Which repetition, from 1.
    pub run: usize,
    /// Seconds from the first request to the last answer.
    pub send_s: f64,
    /// Seconds that flush and merge took, until the process was idle.
    pub end_s: f64,
    /// What was done for that.
    pub end: String,
    /// CPU seconds from ready until flush and merge had returned and the process was idle.
    pub cpu_s: f64,
    /// Of these, until the last answer.
    pub cpu_send_s: f64,
    /// Samples that were sent and acknowledged.
    pub samples_sent: u64,
    /// These by `cpu_s`.
    pub samples_per_cpu_s: f64,
    /// Time until a request was acknowledged, since it was sent (closed loop) or due (open loop).
    pub latency: LatencyRecord,
    /// Requests that were sent again after 429 or 5xx.
    pub retries: u64,
    /// The bare sync beside it, in an open loop.
    pub sync: Option<SyncRecord>,
    /// How it went on, where the load was sent again and again.
    pub course: Option<Course>,
    /// What the program did behind the requests, until the last answer.
    pub background: Background,
    /// Resident memory `settle_s` after the last answer.
    pub rss_idle: Rss,
    /// Pause after the last answer, in seconds.
    pub settle_s: u64,
    /// Highest resident memory until flush and merge had returned, sampled every 100 ms.
    pub rss_peak: Peak,
    /// The data directory at the end.
    pub disk: DiskUsage,
    /// The compacted copy, where the end made one.
    pub disk_compacted: Option<DiskUsage>,
    /// Samples that queries counted at the end.
    pub samples_read_back: u64,
    /// Samples that should have been.
    pub samples_expected: u64,
    /// Where they differ, in words.
    pub wrong: Vec<String>,
}

/// What a load was, sent once.
#[derive(Clone, Debug, Serialize)]
pub struct LoadRecord {
    /// The options that made it.
    pub options: String,
    /// Connections that sent it.
    pub connections: usize,
    /// Distinct series.
    pub series: u64,
    /// Samples in all.
    pub samples: u64,
    /// Requests in all.
    pub requests: u64,
    /// Bytes of their bodies, compressed.
    pub request_bytes: u64,
}

/// When requests were sent.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct PaceRecord {
    /// Samples a second for which requests were due; none in a closed loop, where each connection
    /// sends once its last request was answered.
    pub asked_samples_per_s: Option<f64>,
    /// What the program took in a closed loop just before, where a share of that was asked for.
    pub full_samples_per_s: Option<f64>,
    /// That share.
    pub share: Option<f64>,
    /// Samples by time, from the first request to the last answer.
    pub sent_samples_per_s: f64,
    /// For how long the load was to be sent again and again, in seconds.
    pub duration_s: Option<u64>,
    /// How often it was sent.
    pub rounds: u64,
}

/// Quantiles, in milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct LatencyRecord {
    /// The median.
    pub p50_ms: f64,
    /// The 99th percentile.
    pub p99_ms: f64,
    /// The 99.9th percentile.
    pub p999_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// How many took longer than a second.
    pub above_1s: usize,
    /// Of the time by which the sender itself was late, in an open loop, the 99th percentile.
    pub sender_p99_ms: f64,
}

impl LatencyRecord {
    pub(crate) fn new(latencies: &Latencies, own_delays: &Latencies) -> Self {
        Self {
            p50_ms: millis(latencies.quantile(0.5)),
            p99_ms: millis(latencies.quantile(0.99)),
            p999_ms: millis(latencies.quantile(0.999)),
            max_ms: millis(latencies.quantile(1.0)),
            above_1s: latencies.above(Duration::from_secs(1)),
            sender_p99_ms: millis(own_delays.quantile(0.99)),
        }
    }
}

/// A bare sync on the same disk: a small write to a file that is reserved, and fdatasync.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SyncRecord {
    /// Bytes that each wrote.
    pub bytes: usize,
    /// Before the program was started.
    pub alone: SyncTimes,
    /// While the load was sent.
    pub beside: Option<SyncTimes>,
}

/// What syncs took, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SyncTimes {
    /// How many there were.
    pub syncs: usize,
    /// The median.
    pub p50_ms: f64,
    /// The 99th percentile.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl SyncTimes {
    pub(crate) fn new(times: &Latencies) -> Self {
        Self {
            syncs: times.count(),
            p50_ms: millis(times.quantile(0.5)),
            p99_ms: millis(times.quantile(0.99)),
            max_ms: millis(times.quantile(1.0)),
        }
    }
}

/// Milliseconds, to the microsecond.
pub(crate) fn millis(time: Duration) -> f64 {
    round(time.as_secs_f64() * 1e3)
}

/// To three decimals: more are noise.
pub(crate) fn round(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

impl Record {
    /// Whether queries counted what was written.
    pub fn is_whole(&self) -> bool {
        self.wrong.is_empty()
    }

    /// Appends it as a line of JSON.
    ///
    /// # Errors
    /// Those of the file.
    pub fn append_to(&self, path: &Path) -> Result<()> {
        let mut line = serde_json::to_string(self).about("results")?;
        line.push('\n');
        let file = OpenOptions::new().create(true).append(true).open(path);
        file.about(path.display())?
            .write_all(line.as_bytes())
            .about(path.display())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs;

    use serde_json::Value;

    use super::*;
    use crate::error::Error;

    /// A record of a closed loop.
    pub(crate) fn record() -> Result<Record> {
        Ok(Record {
            unix_s: 1,
            commit: String::new(),
            machine: Machine::here(Path::new("."))?,
            load: LoadRecord {
                options: "fleet".to_owned(),
                connections: 4,
                series: 10,
                samples: 1_000,
                requests: 1,
                request_bytes: 100,
            },
            peer: "prometheus".to_owned(),
            version: "3.5.3".to_owned(),
            pace: PaceRecord {
                sent_samples_per_s: 1_000.0,
                rounds: 1,
                ..PaceRecord::default()
            },
            noise: NoiseRecord {
                load_before: 1.5,
                others_cores: 0.25,
            },
            args: Vec::new(),
            run: 1,
            send_s: 1.0,
            end_s: 2.0,
            end: "snapshot".to_owned(),
            cpu_s: 0.5,
            cpu_send_s: 0.4,
            samples_sent: 1_000,
            samples_per_cpu_s: 2_000.0,
            latency: LatencyRecord {
                p50_ms: 1.0,
                p99_ms: 2.0,
                p999_ms: 2.5,
                max_ms: 3.0,
                ..LatencyRecord::default()
            },
            retries: 0,
            sync: None,
            course: None,
            background: Background::default(),
            rss_idle: Rss::default(),
            settle_s: 60,
            rss_peak: Peak::default(),
            disk: DiskUsage {
                apparent_bytes: 4 << 20,
                allocated_bytes: 8 << 20,
            },
            disk_compacted: Some(DiskUsage {
                apparent_bytes: 1_500,
                allocated_bytes: 4_096,
            }),
            samples_read_back: 1_000,
            samples_expected: 1_000,
            wrong: Vec::new(),
        })
    }

    #[test]
    fn lines_are_appended() -> Result<()> {
        let dir = tempfile::tempdir().about("temporary directory")?;
        let path = dir.path().join("results.jsonl");
        record()?.append_to(&path)?;
        record()?.append_to(&path)?;
        let text = fs::read_to_string(&path).about("read")?;
        let lines: Result<Vec<Value>, _> = text.lines().map(serde_json::from_str).collect();
        let lines = lines.map_err(|error| Error::new(error.to_string()))?;
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1]["latency"]["p99_ms"], 2.0);
        assert_eq!(lines[1]["disk"]["allocated_bytes"], 8 << 20);
        Ok(())
    }
}
