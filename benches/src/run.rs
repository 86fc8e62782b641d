//! One run of one peer: start it fresh, send it the load, let it settle, make it finish, measure,
//! read back, kill it. Where the load is to be sent at a share of full speed, that is measured
//! just before, with another fresh one.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tempfile::TempDir;

use crate::error::{About, Result};
use crate::http::Client;
use crate::load::Load;
use crate::measure::machine::Machine;
use crate::measure::noise::{Noise, load_average};
use crate::measure::sampler::Sampler;
use crate::measure::sync_probe::{self, Beside, SYNC_BYTES};
use crate::measure::{disk, process};
use crate::peer::child::{Child, free_address};
use crate::peer::{END_MAX, Peer, Programs};
use crate::report::course::course;
use crate::report::{LatencyRecord, LoadRecord, PaceRecord, Record, SyncRecord, SyncTimes, round};
use crate::send::{Latencies, Plan, Repeat, Sent, send};
use crate::verify::{Written, read_back, round_s};
use crate::watch::Watch;

/// A process is idle once it took less than [`IDLE_SHARE`] of a core for so many of these.
const IDLE_WINDOW: Duration = Duration::from_secs(1);
const IDLE_WINDOWS: u32 = 3;
/// What garbage collectors and tickers take all the time is below this.
const IDLE_SHARE: f64 = 0.03;
/// How long is waited for that; after it, what is measured is measured.
const IDLE_MAX: Duration = Duration::from_secs(120);

/// For how long full speed is measured where the load can be sent again and again; otherwise the
/// load is sent once.
const FULL_SPEED: Duration = Duration::from_secs(60);
/// Samples a second that a closed loop does not reach, for how far back its time has to begin.
const SAMPLES_PER_S_MAX: f64 = 2e7;
/// Syncs of the probe before a run, and for how long at most.
const SYNCS_ALONE: usize = 2_000;
const SYNCS_ALONE_MAX: Duration = Duration::from_secs(5);

/// When requests are sent.
#[derive(Clone, Copy, Debug, Default)]
pub enum Pace {
    /// As soon as the connection's last one was answered.
    #[default]
    Full,
    /// By a schedule of so many samples a second.
    Rate(f64),
    /// By a schedule of this share of full speed, which is measured just before.
    Share(f64),
}

/// What the runs of a session share.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Where the programs are.
    pub programs: Programs,
    /// Where data directories are made; each goes with its run.
    pub work_dir: PathBuf,
    /// When requests are sent.
    pub pace: Pace,
    /// For how long the load is sent again and again; once where there is none.
    pub duration: Option<Duration>,
    /// Syncs a second of the probe beside an open loop; none for 0.
    pub sync_probes_per_s: u32,
    /// Seconds between the last answer and the look at idle memory.
    pub settle_s: u64,
    /// The options that made the load, for the record.
    pub load_options: String,
    /// Commit of this project, for the record.
    pub commit: String,
}

/// A peer that was started fresh.
struct Started {
    dir: TempDir,
    address: SocketAddr,
    child: Child,
}

impl Started {
    fn start(peer: Peer, setup: &Setup) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix(peer.name())
            .tempdir_in(&setup.work_dir);
        let dir = dir.about(setup.work_dir.display())?;
        let address = free_address()?;
        let mut command = peer.command(&setup.programs, dir.path(), address.port())?;
        let mut child = Child::start(peer.name(), &mut command, &dir.path().join("log"))?;
        child.wait_ready(address, peer.ready_path())?;
        Ok(Self {
            dir,
            address,
            child,
        })
    }

    /// The result, with the end of the program's log where it is an error.
    fn explain<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| self.child.failed(&error.to_string()))
    }
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
    let now = SystemTime::UNIX_EPOCH.elapsed().about("the clock")?;
    let load_before = load_average()?;
    let pace = pace(peer, load, setup)?;
    let plan = plan(load, &pace, setup, now);
    let alone = sync_alone(setup)?;

    let started = Started::start(peer, setup)?;
    let pid = started.child.pid();
    let mut client = Client::new(started.address, END_MAX);
    let noise = Noise::start(pid, load_before)?;
    let cpu_ready = process::cpu(pid)?;
    let sampler = Sampler::start(pid);
    let watch = plan.repeat.map(|_| Watch::start(peer, started.address));
    let (sent, beside) = started.explain(send_beside_syncs(&started, load, &plan, setup))?;
    let events = watch.map(Watch::stop).transpose()?;
    let cpu_sent = process::cpu(pid)?;
    let noise = noise.stop()?;
    let background = started.explain(peer.background(&mut client))?;
    thread::sleep(Duration::from_secs(setup.settle_s));
    let rss_idle = process::rss(pid)?;

    let began = Instant::now();
    let end = started.explain(peer.end(&mut client, started.dir.path()))?;
    let ended = began.elapsed() + wait_idle(pid)?;
    let costs = Costs {
        cpu_send: cpu_sent.saturating_sub(cpu_ready),
        cpu: process::cpu(pid)?.saturating_sub(cpu_ready),
        end: ended,
    };
    let seen = sampler.stop()?;
    let copy = end.copy.as_deref();
    let disk = disk::usage(&Peer::data_dir(started.dir.path()), copy)?;
    let disk_compacted = copy.map(|copy| disk::usage(copy, None)).transpose()?;
    let written = written(load, &plan, &sent);
    let found = started.explain(read_back(&mut client, peer, &written))?;

    Ok(Record {
        unix_s: now.as_secs(),
        commit: setup.commit.clone(),
        machine: Machine::here(&setup.work_dir)?,
        load: describe(load, setup),
        peer: peer.name().to_owned(),
        version: peer.version(&setup.programs)?,
        pace: PaceRecord {
            sent_samples_per_s: sent.samples_per_s().round(),
            rounds: sent.rounds,
            ..pace
        },
        noise,
        args: peer.further_args(&setup.programs).to_vec(),
        run: number,
        send_s: seconds(sent.wall),
        end_s: seconds(costs.end),
        end: end.how,
        cpu_s: seconds(costs.cpu),
        cpu_send_s: seconds(costs.cpu_send),
        samples_sent: sent.samples,
        samples_per_cpu_s: (sent.samples as f64 / costs.cpu.as_secs_f64().max(0.01)).round(),
        latency: LatencyRecord::new(&sent.latencies(), &sent.own_delays()),
        retries: sent.retries,
        sync: sync_record(alone.as_ref(), beside.as_ref()),
        course: events.map(|events| course(&sent, &seen.windows, events)),
        background,
        rss_idle,
        settle_s: setup.settle_s,
        rss_peak: seen.peak,
        disk,
        disk_compacted,
        samples_read_back: found.samples,
        samples_expected: found.expected,
        wrong: found.wrong,
    })
}

/// The pace that is asked for; measures full speed where it is a share of that.
fn pace(peer: Peer, load: &Load, setup: &Setup) -> Result<PaceRecord> {
    let mut pace = PaceRecord {
        duration_s: setup.duration.map(|duration| duration.as_secs()),
        ..PaceRecord::default()
    };
    match setup.pace {
        Pace::Full => {}
        Pace::Rate(rate) => pace.asked_samples_per_s = Some(rate),
        Pace::Share(share) => {
            let full = full_speed(peer, load, setup)?;
            pace.share = Some(share);
            pace.full_samples_per_s = Some(full.round());
            pace.asked_samples_per_s = Some((full * share).round());
        }
    }
    Ok(pace)
}

/// Samples a second of a closed loop, with a program that is thrown away after it: by all the time
/// until flush and merge have returned, as what is put off cannot be kept up.
fn full_speed(peer: Peer, load: &Load, setup: &Setup) -> Result<f64> {
    let now = SystemTime::UNIX_EPOCH.elapsed().about("the clock")?;
    let setup = Setup {
        duration: setup.duration.map(|duration| duration.min(FULL_SPEED)),
        ..setup.clone()
    };
    let plan = plan(load, &PaceRecord::default(), &setup, now);
    let started = Started::start(peer, &setup)?;
    let sent = started.explain(send(started.address, load, &plan))?;
    let began = Instant::now();
    let mut client = Client::new(started.address, END_MAX);
    started.explain(peer.end(&mut client, started.dir.path()))?;
    let all = sent.wall + began.elapsed();
    Ok(sent.samples as f64 / all.as_secs_f64().max(1e-3))
}

/// How the load is sent. One that is sent again and again ends about now: so it begins as long
/// ago as its rounds will take, and longer where nobody knows how many they will be.
fn plan(load: &Load, pace: &PaceRecord, setup: &Setup, now: Duration) -> Plan {
    let repeat = setup.duration.map(|duration| {
        let rate = pace.asked_samples_per_s.unwrap_or(SAMPLES_PER_S_MAX);
        let rounds = rate * duration.as_secs_f64() / load.samples.max(1) as f64;
        let span_s = (rounds.ceil() as i64).max(1) * round_s(load);
        let begin_s = now.as_secs().cast_signed() - span_s;
        Repeat {
            duration,
            first_shift_ms: (begin_s - load.start_ms.div_euclid(1_000)) * 1_000,
            round_ms: round_s(load) * 1_000,
        }
    });
    Plan {
        samples_per_s: pace.asked_samples_per_s,
        repeat,
    }
}

fn written<'a>(load: &'a Load, plan: &Plan, sent: &Sent) -> Written<'a> {
    let first_shift_ms = plan.repeat.map_or(0, |repeat| repeat.first_shift_ms);
    Written {
        load,
        rounds: sent.rounds,
        first_shift_s: first_shift_ms / 1_000,
        round_s: round_s(load),
    }
}

/// What a bare sync costs before anything else runs; asked of open loops alone.
fn sync_alone(setup: &Setup) -> Result<Option<Latencies>> {
    let dir = &setup.work_dir;
    match setup.pace {
        Pace::Full => Ok(None),
        Pace::Rate(_) | Pace::Share(_) => {
            sync_probe::alone(dir, SYNCS_ALONE, SYNCS_ALONE_MAX).map(Some)
        }
    }
}

fn sync_record(alone: Option<&Latencies>, beside: Option<&Latencies>) -> Option<SyncRecord> {
    Some(SyncRecord {
        bytes: SYNC_BYTES,
        alone: SyncTimes::new(alone?),
        beside: beside.map(SyncTimes::new),
    })
}

/// Sends the load; in an open loop with the probe beside it.
fn send_beside_syncs(
    started: &Started,
    load: &Load,
    plan: &Plan,
    setup: &Setup,
) -> Result<(Sent, Option<Latencies>)> {
    let probes = plan.samples_per_s.map_or(0, |_| setup.sync_probes_per_s);
    let beside = (probes > 0).then(|| Beside::start(started.dir.path(), probes));
    let beside = beside.transpose()?;
    let sent = send(started.address, load, plan)?;
    Ok((sent, beside.map(Beside::stop).transpose()?))
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

fn seconds(duration: Duration) -> f64 {
    round(duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_that_is_repeated_ends_about_now() {
        let load = Load {
            files: Vec::new(),
            lane_samples: Vec::new(),
            requests: 1,
            samples: 1_000,
            series: 1,
            request_bytes: 1,
            start_ms: 1_700_000_000_500,
            end_ms: 1_700_000_060_500,
            parts: Vec::new(),
        };
        let setup = Setup {
            programs: Programs {
                peers: PathBuf::new(),
                silverback: PathBuf::new(),
                silverback_args: Vec::new(),
            },
            work_dir: PathBuf::new(),
            pace: Pace::Rate(500.0),
            duration: Some(Duration::from_secs(20)),
            sync_probes_per_s: 0,
            settle_s: 0,
            load_options: String::new(),
            commit: String::new(),
        };
        let pace = pace(Peer::Silverback, &load, &setup).unwrap();
        assert_eq!(pace.asked_samples_per_s, Some(500.0));
        let now = Duration::from_secs(1_700_010_000);
        // Ten rounds of 64 seconds.
        let repeat = plan(&load, &pace, &setup, now).repeat.unwrap();
        assert_eq!(repeat.round_ms, 64_000);
        assert_eq!(repeat.first_shift_ms, (10_000 - 640) * 1_000);
        let once = Setup {
            duration: None,
            ..setup
        };
        assert!(plan(&load, &pace, &once, now).repeat.is_none());
    }
}
