//! What careless and hostile queries may use, and what they leave to others.

mod ends;
mod histograms;
mod stats;
mod worst;

use std::path::PathBuf;

use silverback_tests::remote_write::TimeSeries;
use silverback_tests::server::Server;
use silverback_tests::{Error, Result};

/// How many series there are, of how many metrics, and how many samples each has.
const SERIES: usize = 4_000;
const METRICS: usize = 40;
const SAMPLES: i64 = 900;
const INTERVAL_MS: i64 = 40_000;
/// Bytes of the samples of all when they are read: more than any query may hold here.
const MAX_BYTES: u64 = 32 << 20;

/// A server with series that are too many for one query, and the time of the last sample, in
/// milliseconds.
fn crowded(args: &[&str]) -> Result<(Server, i64)> {
    let max_bytes = MAX_BYTES.to_string();
    let limits = ["--query-max-bytes", &max_bytes, "--enable-feature"];
    let features = "promql-experimental-functions,promql-extended-range-selectors";
    let server = Server::start_with(&[&limits, &[features][..], args].concat())?;
    let last_ms = super::http::base_ms();
    let numbers: Vec<usize> = (0..SERIES).collect();
    for chunk in numbers.chunks(100) {
        let request: Vec<TimeSeries> = chunk.iter().map(|&n| series(n, last_ms)).collect();
        let reply = server.write(&request)?;
        if reply.status != 204 {
            return Err(Error::new(format!("{}: {}", reply.status, reply.body)));
        }
    }
    Ok((server, last_ms))
}

fn series(number: usize, last_ms: i64) -> TimeSeries {
    let name = format!("metric_{}", number % METRICS);
    let n = number.to_string();
    let job = format!("job-{}", number % 7);
    let labels = [("__name__", &*name), ("job", &job), ("n", &n)];
    let mut series = TimeSeries::new(&labels);
    for at in 0..SAMPLES {
        let value = (number as i64 * 1_000_003 + at * 7) as f64;
        series = series.sample(last_ms - (SAMPLES - 1 - at) * INTERVAL_MS, value);
    }
    series
}

/// A figure of `/proc/<pid>/status`, in bytes.
fn memory(server: &Server, name: &str) -> Result<u64> {
    let text = std::fs::read_to_string(proc_file(server, "status")?)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line
        .and_then(|line| line.trim_start_matches(':').trim().strip_suffix("kB"))
        .and_then(|number| number.trim().parse::<u64>().ok());
    let kibibytes = kibibytes.ok_or_else(|| Error::new(format!("no {name} in {text}")))?;
    Ok(kibibytes * 1024)
}

/// Makes the peak of the resident memory what it is now.
fn forget_peak(server: &Server) -> Result<()> {
    Ok(std::fs::write(proc_file(server, "clear_refs")?, "5")?)
}

fn proc_file(server: &Server, name: &str) -> Result<PathBuf> {
    let pid = server
        .pid()
        .ok_or_else(|| Error::new("the server is down"))?;
    Ok(PathBuf::from(format!("/proc/{pid}/{name}")))
}

/// What queries hold, by the server's own account.
fn held_bytes(server: &Server) -> Result<u64> {
    let text = server.api().get("/metrics", &[])?.body;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("silverback_queries_memory_bytes "));
    let bytes = line.and_then(|number| number.trim().parse::<f64>().ok());
    bytes
        .map(|bytes| bytes as u64)
        .ok_or_else(|| Error::new("no silverback_queries_memory_bytes"))
}
