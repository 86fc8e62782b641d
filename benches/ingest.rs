//! Requests of remote write from memory through the receiver to acknowledged, without a network:
//! what a profiler looks at.
//!
//! `SILVERBACK_DATA_DIR_RECORDING=<dir> cargo bench -p silverback-benches --bench ingest -- --targets 20 --scrapes 60`
//!
//! With `--requests DIR` the requests are kept there and taken from there the next time, so that
//! making them is no part of the profile.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use clap::{Parser, ValueEnum};
use silverback::bench::Receiver;
use silverback_benches::error::{About, Error, Result};
use silverback_benches::load::fleet::{self, FleetOptions};
use silverback_benches::load::new_series::{self, NewSeriesOptions};
use silverback_benches::load::{Output, Recording, read_requests};
use silverback_benches::measure::process;
use silverback_storage::{Db, Options, WalSync};

/// Milliseconds between scrapes.
const INTERVAL_MS: u32 = 15_000;

/// Measures the receiver and the database without a network.
#[derive(Debug, Parser)]
struct Cli {
    /// Targets of the fleet.
    #[arg(long, default_value_t = 20)]
    targets: usize,
    /// Scrapes of each target, or samples of each new series.
    #[arg(long, default_value_t = 60)]
    scrapes: usize,
    /// In place of a fleet: so many distinct series.
    #[arg(long)]
    new_series: Option<usize>,
    /// Requests that are on their way at once.
    #[arg(long, default_value_t = 4)]
    depth: usize,
    /// How far to go with each request.
    #[arg(long, value_enum, default_value = "all")]
    part: Part,
    /// Sync before acknowledging.
    #[arg(long)]
    sync: bool,
    /// Write everything to segments at the end.
    #[arg(long)]
    flush: bool,
    /// Directory of the requests: made there if it has none.
    #[arg(long)]
    requests: Option<PathBuf>,
    /// Directory of real exporters' recording.
    #[arg(
        long,
        env = "SILVERBACK_DATA_DIR_RECORDING",
        default_value = "../shared/data"
    )]
    recording: PathBuf,
    /// What cargo passes to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Part {
    /// Nothing: what reading the requests costs.
    None,
    /// Decompress.
    Snappy,
    /// Walk what was decompressed before.
    Decode,
    /// Everything up to the acknowledgement.
    All,
}

/// A request and how many samples it has.
type Request = (usize, Vec<u8>);

fn main() -> Result<()> {
    let cli = Cli::parse();
    let temporary;
    let dir = match &cli.requests {
        Some(dir) => dir,
        None => {
            temporary = tempfile::tempdir().about("temporary directory")?;
            temporary.path()
        }
    };
    if !dir.join("requests-0").exists() {
        make(&cli, dir)?;
    }
    let lanes: Result<Vec<Vec<Request>>> = (0..4)
        .map(|lane| read_requests(&dir.join(format!("requests-{lane}"))))
        .collect();
    let requests = interleave(lanes?);
    let samples: usize = requests.iter().map(|(samples, _)| samples).sum();
    let (cpu, wall) = measure(&cli, &requests)?;
    let per_sample = |time: Duration| time.as_secs_f64() * 1e9 / samples as f64;
    say(&format!(
        "{:?}: {samples} samples, {:.1} ns of CPU and {:.1} ns of time a sample",
        cli.part,
        per_sample(cpu),
        per_sample(wall),
    ));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what a bench is for")]
fn say(text: &str) {
    println!("{text}");
}

/// Writes the requests of the load to files of four connections.
fn make(cli: &Cli, dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).about(dir.display())?;
    let now = SystemTime::UNIX_EPOCH.elapsed().about("the clock")?;
    let span_ms = (cli.scrapes as i64 + 1) * i64::from(INTERVAL_MS);
    let start_ms = i64::try_from(now.as_millis()).about("the clock")? - span_ms;
    let output = Output {
        dir,
        connections: 4,
        movable: false,
    };
    if let Some(series) = cli.new_series {
        let options = NewSeriesOptions {
            series,
            scrapes: cli.scrapes,
            interval_ms: INTERVAL_MS,
            start_ms,
        };
        new_series::write(&options, &output)?;
        return Ok(());
    }
    let recording = Recording::read(&cli.recording, 1)?;
    let options = FleetOptions {
        targets: cli.targets,
        scrapes: cli.scrapes,
        interval_ms: INTERVAL_MS,
        start_ms,
        churn_scrapes: None,
        late_share: 0.0,
        late_scrapes: 1,
        seed: 1,
    };
    fleet::write(&recording, &options, &output)?;
    Ok(())
}

/// One request of each connection after the other.
fn interleave(lanes: Vec<Vec<Request>>) -> Vec<Request> {
    let mut lanes: Vec<_> = lanes.into_iter().map(Vec::into_iter).collect();
    let mut all = Vec::new();
    loop {
        let before = all.len();
        all.extend(lanes.iter_mut().filter_map(Iterator::next));
        if all.len() == before {
            return all;
        }
    }
}

/// CPU time of all threads, and time passed.
fn measure(cli: &Cli, requests: &[Request]) -> Result<(Duration, Duration)> {
    let dir = tempfile::tempdir_in(cli.requests.as_deref().unwrap_or(Path::new(".")));
    let dir = dir.about("directory of the database")?;
    let options = Options {
        wal_sync: match cli.sync {
            true => WalSync::Always,
            false => WalSync::Never,
        },
        max_future: None,
        retention: None,
        ..Options::default()
    };
    let db = Db::open(dir.path(), options).about("open")?;
    let mut receiver = Receiver::new(db.clone());
    let mut decoded = Vec::new();
    if cli.part == Part::Decode {
        // What is decoded is known then.
        write(cli, &mut receiver, requests)?;
        for (_, body) in requests {
            decoded.push(receiver.decompressed(body).map_err(Error::new)?.to_vec());
        }
    }
    let (cpu, began) = (process::cpu(std::process::id())?, Instant::now());
    match cli.part {
        Part::None => {}
        Part::Snappy => {
            for (_, body) in requests {
                receiver.decompressed(body).map_err(Error::new)?;
            }
        }
        Part::Decode => {
            for body in &decoded {
                receiver.decode(body).map_err(Error::new)?;
            }
        }
        Part::All => {
            write(cli, &mut receiver, requests)?;
            if cli.flush {
                db.flush().about("flush")?;
            }
        }
    }
    let cpu = process::cpu(std::process::id())?.saturating_sub(cpu);
    Ok((cpu, began.elapsed()))
}

fn write(cli: &Cli, receiver: &mut Receiver, requests: &[Request]) -> Result<()> {
    for group in requests.chunks(cli.depth.max(1)) {
        let mut on_their_way = Vec::new();
        for (_, body) in group {
            on_their_way.push(receiver.submit(body).map_err(Error::new)?);
        }
        for submitted in on_their_way {
            submitted.commit.wait().about("commit")?;
        }
    }
    Ok(())
}
