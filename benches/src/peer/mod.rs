//! The programs that are measured, each with the flags it is run with and the way to make it
//! finish what it has begun.

pub(crate) mod child;
mod prometheus;
mod silverback;
mod victoriametrics;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;

use crate::error::{About, Error, Result};
use crate::http::{Client, Reply};

/// How long a flush, merge or snapshot may take.
pub(crate) const END_MAX: Duration = Duration::from_secs(600);

/// A program to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Peer {
    /// This project's server.
    #[value(name = "silverback")]
    Silverback,
    /// VictoriaMetrics, single node.
    #[value(name = "victoriametrics")]
    VictoriaMetrics,
    /// Prometheus as a remote-write receiver.
    #[value(name = "prometheus")]
    Prometheus,
}

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    /// What `scripts/peers.sh` was given.
    pub peers: PathBuf,
    /// The program `silverback`.
    pub silverback: PathBuf,
    /// Further arguments of it, such as `--wal-size=1GiB`.
    pub silverback_args: Vec<String>,
}

/// How a program was made to finish.
#[derive(Debug)]
pub(crate) struct End {
    /// In words.
    pub(crate) how: String,
    /// A directory with a compacted copy of the data, beside them.
    pub(crate) copy: Option<PathBuf>,
}

/// What a program did behind the requests since its start, as far as its metrics tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Background {
    /// Heads that were written to files.
    pub flushes: Option<f64>,
    /// Merges of files: compactions.
    pub merges: Option<f64>,
    /// Syncs of the log.
    pub syncs: Option<f64>,
    /// What one of these took on average, in milliseconds.
    pub sync_mean_ms: Option<f64>,
}

impl Peer {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Silverback => "silverback",
            Self::VictoriaMetrics => "victoriametrics",
            Self::Prometheus => "prometheus",
        }
    }

    /// What it is started with beside the flags that it always gets.
    pub(crate) fn further_args(self, programs: &Programs) -> &[String] {
        match self {
            Self::Silverback => &programs.silverback_args,
            Self::VictoriaMetrics | Self::Prometheus => &[],
        }
    }

    /// Whether it stores a NaN that is no stale marker.
    pub(crate) fn stores_nans(self) -> bool {
        self != Self::VictoriaMetrics
    }

    /// The path that answers 200 once it takes writes.
    pub(crate) fn ready_path(self) -> &'static str {
        match self {
            Self::Silverback | Self::Prometheus => "/-/ready",
            Self::VictoriaMetrics => "/health",
        }
    }

    /// Its program.
    ///
    /// # Errors
    /// It is not there.
    pub fn program(self, programs: &Programs) -> Result<PathBuf> {
        let (path, hint) = match self {
            Self::Silverback => (
                programs.silverback.clone(),
                "build it, or name it with --silverback",
            ),
            Self::VictoriaMetrics => (programs.peers.join("usr/bin/victoria-metrics"), PEERS_HINT),
            Self::Prometheus => (programs.peers.join("usr/bin/prometheus"), PEERS_HINT),
        };
        if path.is_file() {
            Ok(path)
        } else {
            Err(Error::new(format!("no program {}: {hint}", path.display())))
        }
    }

    /// What it calls its version; "unknown" where it tells none, as Debian's VictoriaMetrics.
    ///
    /// # Errors
    /// It is not there or does not run.
    pub fn version(self, programs: &Programs) -> Result<String> {
        let program = self.program(programs)?;
        let output = Command::new(&program)
            .arg("--version")
            .output()
            .about(program.display())?;
        // Some print it where errors go.
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        Ok(short_version(text.lines().next().unwrap_or_default()))
    }

    /// Starts it: on this loopback port, with data and configuration in `dir`, and with limits
    /// that the load and the reading back stay within.
    pub(crate) fn command(self, programs: &Programs, dir: &Path, port: u16) -> Result<Command> {
        let mut command = Command::new(self.program(programs)?);
        match self {
            Self::Silverback => {
                silverback::configure(&mut command, dir, port, &programs.silverback_args);
            }
            Self::VictoriaMetrics => victoriametrics::configure(&mut command, dir, port),
            Self::Prometheus => prometheus::configure(&mut command, dir, port)?,
        }
        Ok(command)
    }

    /// What it did behind the requests so far.
    ///
    /// # Errors
    /// Its metrics cannot be had.
    pub(crate) fn background(self, client: &mut Client) -> Result<Background> {
        let reply = expect_success("metrics", client.get("/metrics")?)?;
        let text = String::from_utf8_lossy(&reply.body);
        Ok(match self {
            Self::Silverback => silverback::background(&text),
            Self::VictoriaMetrics => victoriametrics::background(&text),
            Self::Prometheus => prometheus::background(&text),
        })
    }

    /// Where in `dir` it keeps its data.
    pub(crate) fn data_dir(dir: &Path) -> PathBuf {
        dir.join("data")
    }

    /// Makes it finish what it has begun, and waits until it says that it has.
    ///
    /// # Errors
    /// An answer that is an error.
    pub(crate) fn end(self, client: &mut Client, dir: &Path) -> Result<End> {
        match self {
            Self::Silverback => silverback::end(client),
            Self::VictoriaMetrics => victoriametrics::end(client),
            Self::Prometheus => prometheus::end(client, dir),
        }
    }
}

const PEERS_HINT: &str =
    "run scripts/peers.sh target/peers, or name such a directory with --peers or SILVERBACK_PEERS";

/// The part of a version line that tells the version: the first number with a dot in it.
fn short_version(line: &str) -> String {
    let number = |word: &str| {
        let begin = word.find(|c: char| c.is_ascii_digit())?;
        let digits = &word[begin..];
        let end = digits
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(digits.len());
        let number = digits[..end].trim_end_matches('.');
        number.contains('.').then(|| number.to_owned())
    };
    // As in "victoria-metrics-20240101-0-tags-v1.2.3-0-gabc".
    let found = line.split([' ', ',', '-']).find_map(number);
    found.unwrap_or_else(|| "unknown".to_owned())
}

/// The sum of a metric's series whose labels begin so, in the text format; none where there is
/// no such series.
fn metric(text: &str, name: &str, labels: &str) -> Option<f64> {
    let values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let value = if labels.is_empty() {
            rest.strip_prefix(' ')?
        } else {
            rest.strip_prefix(labels)?.rsplit_once(' ')?.1
        };
        value.trim().parse::<f64>().ok()
    });
    values.reduce(|a, b| a + b)
}

/// The reply, where it is a success.
fn expect_success(what: &str, reply: Reply) -> Result<Reply> {
    if reply.is_success() {
        return Ok(reply);
    }
    let (status, text) = (reply.status, reply.text());
    Err(Error::new(format!(
        "{what} was answered with {status}: {text}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(short_version("silverback 0.1.0"), "0.1.0");
        assert_eq!(
            short_version("prometheus, version 3.5.3+ds1 (branch: x, revision: y)"),
            "3.5.3"
        );
        assert_eq!(
            short_version("victoria-metrics-20260101-000000-tags-v1.145.0-0-gabc"),
            "1.145.0"
        );
        assert_eq!(short_version(""), "unknown");
    }

    #[test]
    fn metrics_are_summed() {
        let text =
            "# TYPE a counter\na 2\na_b 3\nb{x=\"1\",y=\"2\"} 4\nb{x=\"12\"} 1e1\nb{z=\"1\"} 5\n";
        assert_eq!(metric(text, "a", ""), Some(2.0));
        assert_eq!(metric(text, "b", "{x=\"1"), Some(14.0));
        assert_eq!(metric(text, "c", ""), None);
        let own = silverback::background(
            "silverback_wal_syncs_total 4\nsilverback_wal_sync_duration_seconds_total 0.002\n",
        );
        assert_eq!(own.sync_mean_ms, Some(0.5));
        let merged =
            "vm_merges_total{type=\"storage/small\"} 2\nvm_merges_total{type=\"indexdb/file\"} 9\n";
        assert_eq!(victoriametrics::background(merged).merges, Some(2.0));
        let compacted =
            "prometheus_tsdb_head_truncations_total 1\nprometheus_tsdb_compactions_total 3\n";
        assert_eq!(prometheus::background(compacted).flushes, Some(1.0));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let programs = Programs {
            peers: "nowhere".into(),
            silverback: "nothing".into(),
            silverback_args: Vec::new(),
        };
        let error = |peer: Peer| peer.version(&programs).unwrap_err().to_string();
        assert!(
            error(Peer::Prometheus).contains("nowhere/usr/bin/prometheus: run scripts/peers.sh")
        );
        assert!(error(Peer::Silverback).contains("no program nothing"));
    }
}
