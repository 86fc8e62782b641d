//! One run of one peer: start it fresh, send it the load, let it settle, make it finish, measure,
//! read back, kill it.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::error::{About, Result};
use crate::http::Client;
use crate::load::Load;
use crate::measure::machine::Machine;
use crate::measure::sampler::Sampler;
use crate::measure::{disk, process};
use crate::peer::child::{Child, free_address};
use crate::peer::{END_MAX, Peer, Programs};
use crate::report::{LatencyRecord, LoadRecord, Record};
use crate::send::{Sent, send};
use crate::verify::read_back;

/// A process is idle once it took less than [`IDLE_SHARE`] of a core for so many of these.
const IDLE_WINDOW: Duration = Duration::from_secs(1);
const IDLE_WINDOWS: u32 = 3;
/// What garbage collectors and tickers take all the time is below this.
const IDLE_SHARE: f64 = 0.03;
/// How long is waited for that; after it, what is measured is measured.
const IDLE_MAX: Duration = Duration::from_secs(120);

/// What the runs of a session share.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Where the programs are.
    pub programs: Programs,
    /// Where data directories are made; each goes with its run.
    pub work_dir: PathBuf,
    /// Seconds between the last answer and the look at idle memory.
    pub settle_s: u64,
    /// The options that made the load, for the record.
    pub load_options: String,
    /// Commit of this project, for the record.
    pub commit: String,
}

/// CPU and time at the stages of a run.
#[derive(Clone, Copy, Debug)]
struct Costs {
    cpu_send: Duration,
    cpu: Duration,
    end: Duration,
}

/// Runs a peer once.
///
/// # Errors
/// A peer that does not start, refuses a request or dies. Samples that are missing at the end
/// are no error here, but stand in the record.
pub fn run(peer: Peer, number: usize, load: &Load, setup: &Setup) -> Result<Record> {
    let unix_s = SystemTime::UNIX_EPOCH
        .elapsed()
        .map_or(0, |since| since.as_secs());
    let dir = tempfile::Builder::new()
        .prefix(peer.name())
        .tempdir_in(&setup.work_dir);
    let dir = dir.about(setup.work_dir.display())?;
    let address = free_address()?;
    let mut command = peer.command(&setup.programs, dir.path(), address.port())?;
    let mut child = Child::start(peer.name(), &mut command, &dir.path().join("log"))?;
    child.wait_ready(address, peer.ready_path())?;
    let pid = child.pid();
    let mut client = Client::new(address, END_MAX);

    let sampler = Sampler::start(pid);
    let cpu_ready = process::cpu(pid)?;
    let sent = send(address, &load.files).map_err(|e| child.failed(&e.to_string()))?;
    let cpu_sent = process::cpu(pid)?;
    thread::sleep(Duration::from_secs(setup.settle_s));
    let rss_idle = process::rss(pid)?;

    let began = Instant::now();
    let end = peer
        .end(&mut client, dir.path())
        .map_err(|e| child.failed(&e.to_string()))?;
    let ended = began.elapsed() + wait_idle(pid)?;
    let costs = Costs {
        cpu_send: cpu_sent.saturating_sub(cpu_ready),
        cpu: process::cpu(pid)?.saturating_sub(cpu_ready),
        end: ended,
    };
    let rss_peak = sampler.stop()?;
    let data_dir = Peer::data_dir(dir.path());
    let disk = disk::usage(&data_dir, end.copy.as_deref())?;
    let disk_compacted = end
        .copy
        .as_deref()
        .map(|copy| disk::usage(copy, None))
        .transpose()?;
    let found = read_back(&mut client, peer, load).map_err(|e| child.failed(&e.to_string()))?;

    Ok(Record {
        unix_s,
        commit: setup.commit.clone(),
        machine: Machine::here(&setup.work_dir)?,
        load: describe(load, setup),
        peer: peer.name().to_owned(),
        version: peer.version(&setup.programs)?,
        args: match peer {
            Peer::Silverback => setup.programs.silverback_args.clone(),
            Peer::VictoriaMetrics | Peer::Prometheus => Vec::new(),
        },
        run: number,
        send_s: seconds(sent.wall),
        end_s: seconds(costs.end),
        end: end.how,
        cpu_s: seconds(costs.cpu),
        cpu_send_s: seconds(costs.cpu_send),
        samples_per_cpu_s: (sent.samples as f64 / costs.cpu.as_secs_f64().max(0.01)).round(),
        latency: latency(&sent),
        retries: sent.retries,
        rss_idle,
        settle_s: setup.settle_s,
        rss_peak,
        disk,
        disk_compacted,
        samples_read_back: found.samples,
        samples_expected: found.expected,
        wrong: found.wrong,
    })
}

/// Waits until the process is idle. Returns how long it was busy.
fn wait_idle(pid: u32) -> Result<Duration> {
    let began = Instant::now();
    let mut busy_until = began;
    let mut idle = 0;
    let mut before = process::cpu(pid)?;
    while idle < IDLE_WINDOWS && began.elapsed() < IDLE_MAX {
        thread::sleep(IDLE_WINDOW);
        let now = process::cpu(pid)?;
        if (now - before).as_secs_f64() < IDLE_SHARE * IDLE_WINDOW.as_secs_f64() {
            idle += 1;
        } else {
            idle = 0;
            busy_until = Instant::now();
        }
        before = now;
    }
    Ok(busy_until - began)
}

fn describe(load: &Load, setup: &Setup) -> LoadRecord {
    LoadRecord {
        options: setup.load_options.clone(),
        connections: load.files.len(),
        series: load.series,
        samples: load.samples,
        requests: load.requests,
        request_bytes: load.request_bytes,
    }
}

fn latency(sent: &Sent) -> LatencyRecord {
    let millis = |share| round(sent.latencies.quantile(share).as_secs_f64() * 1e3);
    LatencyRecord {
        p50_ms: millis(0.5),
        p99_ms: millis(0.99),
        max_ms: millis(1.0),
    }
}

fn seconds(duration: Duration) -> f64 {
    round(duration.as_secs_f64())
}

/// To three decimals: more are noise.
fn round(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}
