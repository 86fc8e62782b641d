//! What a run found: a line of JSON to keep, a table to read.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::error::{About, Result};
use crate::measure::disk::DiskUsage;
use crate::measure::machine::Machine;
use crate::measure::process::Rss;
use crate::measure::sampler::Peak;

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
    /// Samples by `cpu_s`.
    pub samples_per_cpu_s: f64,
    /// Time until a request was acknowledged.
    pub latency: LatencyRecord,
    /// Requests that were sent again after 429 or 5xx.
    pub retries: u64,
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

/// What a load was.
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

/// Quantiles, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LatencyRecord {
    /// The median.
    pub p50_ms: f64,
    /// The 99th percentile.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
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

    fn cells(&self) -> [String; COLUMNS.len()] {
        let compacted = self.disk_compacted.unwrap_or(self.disk);
        let samples = self.load.samples.max(1) as f64;
        let mib = |bytes: u64| format!("{:.0}", bytes as f64 / f64::from(1 << 20));
        [
            format!("{} {}", self.peer, self.version),
            format!("{:.2} M", self.samples_per_cpu_s / 1e6),
            format!("{:.2}", self.cpu_s),
            format!("{:.1} + {:.1}", self.send_s, self.end_s),
            format!("{:.1}", self.latency.p50_ms),
            format!("{:.1}", self.latency.p99_ms),
            format!("{:.0}", self.latency.max_ms),
            format!(
                "{} + {}",
                mib(self.rss_idle.anon_bytes),
                mib(self.rss_idle.file_bytes)
            ),
            format!(
                "{} + {}",
                mib(self.rss_peak.anon_bytes),
                mib(self.rss_peak.file_bytes)
            ),
            format!(
                "{} / {}",
                mib(self.disk.apparent_bytes),
                mib(self.disk.allocated_bytes)
            ),
            format!("{:.2}", compacted.apparent_bytes as f64 / samples),
            if self.is_whole() {
                "all".to_owned()
            } else {
                format!("{} of {}", self.samples_read_back, self.samples_expected)
            },
        ]
    }
}

const COLUMNS: [&str; 12] = [
    "peer",
    "samples / CPU s",
    "CPU s",
    "wall s, send + end",
    "p50 ms",
    "p99 ms",
    "max ms",
    "RSS idle MiB, anon + file",
    "RSS peak MiB, anon + file",
    "disk MiB, apparent / allocated",
    "B / sample, compacted",
    "read back",
];

/// The records as a table in Markdown, one a row.
pub fn table(records: &[Record]) -> String {
    let mut rows = vec![COLUMNS.map(str::to_owned)];
    rows.push(COLUMNS.map(|_| "---".to_owned()));
    rows.extend(records.iter().map(Record::cells));
    let lines = rows
        .iter()
        .map(|cells| format!("| {} |\n", cells.join(" | ")));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::Value;

    use super::*;
    use crate::error::Error;

    fn record() -> Result<Record> {
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
            args: Vec::new(),
            run: 1,
            send_s: 1.0,
            end_s: 2.0,
            end: "snapshot".to_owned(),
            cpu_s: 0.5,
            cpu_send_s: 0.4,
            samples_per_cpu_s: 2_000.0,
            latency: LatencyRecord {
                p50_ms: 1.0,
                p99_ms: 2.0,
                max_ms: 3.0,
            },
            retries: 0,
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
    fn a_table_has_a_row_a_record() -> Result<()> {
        let mut lost = record()?;
        lost.samples_read_back = 999;
        lost.wrong.push("{a=\"b\"}".to_owned());
        let table = table(&[record()?, lost]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(
            lines
                .iter()
                .all(|line| line.matches('|').count() == COLUMNS.len() + 1)
        );
        assert!(lines[2].starts_with("| prometheus 3.5.3 | 0.00 M | 0.50 | 1.0 + 2.0 |"));
        assert!(lines[2].ends_with("| 4 / 8 | 1.50 | all |"), "{}", lines[2]);
        assert!(lines[3].ends_with("| 999 of 1000 |"));
        Ok(())
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
