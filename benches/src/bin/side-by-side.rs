//! Sends the same load to Silverback and to real peers, one after the other, and says what it
//! cost each. `benches/README.md` explains the figures.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, SystemTime};

use clap::Parser;
use silverback_benches::error::{About, Error, Result};
use silverback_benches::load::fleet::{self, FleetOptions};
use silverback_benches::load::new_series::{self, NewSeriesOptions};
use silverback_benches::load::{Load, Output, Recording};
use silverback_benches::measure::disk;
use silverback_benches::peer::{Peer, Programs};
use silverback_benches::report;
use silverback_benches::run::{Pace, Setup, run};

/// Measures Silverback beside real VictoriaMetrics and Prometheus.
#[derive(Debug, Parser)]
#[command(name = "side-by-side")]
struct Cli {
    /// Programs to measure, in this order.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "silverback,victoriametrics,prometheus"
    )]
    peer: Vec<Peer>,
    /// How often to run each.
    #[arg(long, default_value_t = 1)]
    repeat: usize,
    /// Connections that send, each with one request on its way.
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Targets of the fleet: 70 % node exporters, 15 % Prometheus, 15 % VictoriaMetrics.
    #[arg(long, default_value_t = 100)]
    targets: usize,
    /// Scrapes of each target; samples of each series with --new-series. [default: 480, or 6]
    #[arg(long)]
    scrapes: Option<usize>,
    /// Milliseconds between scrapes.
    #[arg(long, default_value_t = 15_000)]
    interval_ms: u32,
    /// Take each Nth recorded scrape: 15 shows of the recording what a 15-second interval sees.
    #[arg(long, default_value_t = 1)]
    every: usize,
    /// Give each target's pod another name every N scrapes.
    #[arg(long, value_name = "N")]
    churn_scrapes: Option<usize>,
    /// Share of the scrapes, from 0 to 1, that is sent late.
    #[arg(long, default_value_t = 0.0)]
    late_share: f64,
    /// By how many scrapes these are late at most: 240 are an hour of 15-second scrapes.
    #[arg(long, value_name = "N", default_value_t = 40)]
    late_scrapes: usize,
    /// Send requests by a schedule of so many samples a second, whether those before are answered
    /// or not (an open loop). Latency counts from when a request was due.
    #[arg(long, value_name = "SAMPLES_PER_S", conflicts_with = "rate_share", value_parser = positive)]
    rate: Option<f64>,
    /// The same at this share of full speed, which is measured just before.
    #[arg(long, value_name = "SHARE", value_parser = positive)]
    rate_share: Option<f64>,
    /// Send the load again and again, its time going on, for so long; the last round is ended.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    duration_s: Option<u64>,
    /// Bare syncs a second beside an open loop, to compare with; 0 for none.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(..=1_000))]
    sync_probes: u32,
    /// In place of a fleet: N distinct series with label sets of 290 bytes, opened one after the
    /// other.
    #[arg(long, value_name = "N", conflicts_with_all = ["targets", "every", "churn_scrapes", "late_share", "late_scrapes", "synthetic"])]
    new_series: Option<usize>,
    /// What the random orders of the fleet begin with.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Seconds after the last answer at which idle memory is looked at.
    #[arg(long, default_value_t = 60)]
    settle_s: u64,
    /// Directory of the recording of real exporters. [default: ../shared/data]
    #[arg(long, env = "SILVERBACK_DATA_DIR_RECORDING")]
    recording: Option<PathBuf>,
    /// Make the recording up: to see that all works where there is none. Figures from it say
    /// nothing about real data.
    #[arg(long)]
    synthetic: bool,
    /// Directory that scripts/peers.sh was given. [default: target/peers]
    #[arg(long, env = "SILVERBACK_PEERS")]
    peers: Option<PathBuf>,
    /// The program silverback. [default: built from this source, with --release]
    #[arg(long, env = "SILVERBACK_BIN")]
    silverback: Option<PathBuf>,
    /// A further argument of silverback, such as --silverback-arg=--wal-size=1GiB.
    #[arg(long, allow_hyphen_values = true)]
    silverback_arg: Vec<String>,
    /// Where requests and data are kept while it runs; on disk. [default: target/side-by-side]
    #[arg(long)]
    work_dir: Option<PathBuf>,
    /// File that gets a line of JSON per run. [default: benches/results.jsonl]
    #[arg(long)]
    results: Option<PathBuf>,
}

/// Scrapes of a recording that is made up.
const SYNTHETIC_SCRAPES: usize = 200;

fn main() -> ExitCode {
    match measure(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("side-by-side: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs everything; whether all that was written was read back.
fn measure(cli: &Cli) -> Result<bool> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let or =
        |path: &Option<PathBuf>, default: &str| path.clone().unwrap_or_else(|| root.join(default));
    let work_dir = or(&cli.work_dir, "target/side-by-side");
    fs::create_dir_all(&work_dir).about(work_dir.display())?;
    disk::must_be_on_disk(&work_dir)?;
    let silverback = match (&cli.silverback, cli.peer.contains(&Peer::Silverback)) {
        (Some(path), _) => path.clone(),
        (None, true) => build(&root)?,
        (None, false) => PathBuf::new(),
    };
    let programs = Programs {
        peers: or(&cli.peers, "target/peers"),
        silverback,
        silverback_args: cli.silverback_arg.clone(),
    };
    for peer in &cli.peer {
        say(&format!("{} {}", peer.name(), peer.version(&programs)?));
    }

    let load_dir = tempfile::Builder::new()
        .prefix("load")
        .tempdir_in(&work_dir);
    let load_dir = load_dir.about(work_dir.display())?;
    let load = write_load(cli, &or(&cli.recording, "../shared/data"), load_dir.path())?;
    say(&format!(
        "load: {} series, {} samples, {} requests, {} MiB",
        load.series,
        load.samples,
        load.requests,
        load.request_bytes >> 20
    ));
    let setup = Setup {
        programs,
        work_dir,
        pace: match (cli.rate, cli.rate_share) {
            (Some(rate), _) => Pace::Rate(rate),
            (None, Some(share)) => Pace::Share(share),
            (None, None) => Pace::Full,
        },
        duration: cli.duration_s.map(Duration::from_secs),
        sync_probes_per_s: cli.sync_probes,
        settle_s: cli.settle_s,
        load_options: describe(cli),
        commit: commit(&root),
    };
    let results = or(&cli.results, "benches/results.jsonl");
    let mut records = Vec::new();
    for number in 1..=cli.repeat {
        for peer in &cli.peer {
            say(&format!("run {number}: {}", peer.name()));
            let record = run(*peer, number, &load, &setup)?;
            for wrong in &record.wrong {
                say(&format!("{}: {wrong}", peer.name()));
            }
            record.append_to(&results)?;
            records.push(record);
        }
    }
    let tables = [report::costs(&records), report::latencies(&records)];
    std::io::stdout()
        .write_all(tables.join("\n").as_bytes())
        .about("standard output")?;
    Ok(records.iter().all(report::Record::is_whole))
}

/// A number above 0.
fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if number.is_finite() && number > 0.0 {
        Ok(number)
    } else {
        Err("a number above 0".to_owned())
    }
}

/// A line on standard error: how far it is.
fn say(text: &str) {
    // Nobody to tell where that fails.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn scrapes(cli: &Cli) -> usize {
    cli.scrapes
        .unwrap_or(if cli.new_series.is_some() { 6 } else { 480 })
}

/// The load ends now: what is older than a head's range would be another load.
fn write_load(cli: &Cli, recording: &Path, dir: &Path) -> Result<Load> {
    let now = SystemTime::UNIX_EPOCH.elapsed().about("the clock")?;
    let span_ms = (scrapes(cli) as i64 + 1) * i64::from(cli.interval_ms);
    let start_ms = i64::try_from(now.as_millis()).about("the clock")? - span_ms;
    let output = Output {
        dir,
        connections: cli.connections,
        movable: cli.duration_s.is_some(),
    };
    if let Some(series) = cli.new_series {
        let options = NewSeriesOptions {
            series,
            scrapes: scrapes(cli),
            interval_ms: cli.interval_ms,
            start_ms,
        };
        return new_series::write(&options, &output);
    }
    let recording = if cli.synthetic {
        say("SYNTHETIC: the recording is made up, and what is measured with it says nothing");
        Recording::synthetic(SYNTHETIC_SCRAPES)
    } else {
        Recording::read(recording, cli.every)?
    };
    let options = FleetOptions {
        targets: cli.targets,
        scrapes: scrapes(cli),
        interval_ms: cli.interval_ms,
        start_ms,
        churn_scrapes: cli.churn_scrapes,
        late_share: cli.late_share,
        late_scrapes: cli.late_scrapes,
        seed: cli.seed,
    };
    fleet::write(&recording, &options, &output)
}

/// The load's options, as they would be written on the command line.
fn describe(cli: &Cli) -> String {
    let mut text = match cli.new_series {
        Some(series) => format!("--new-series {series}"),
        None => format!(
            "{}--targets {} --every {} --seed {}",
            if cli.synthetic { "--synthetic " } else { "" },
            cli.targets,
            cli.every,
            cli.seed
        ),
    };
    text.push_str(&format!(
        " --scrapes {} --interval-ms {}",
        scrapes(cli),
        cli.interval_ms
    ));
    if let Some(scrapes) = cli.churn_scrapes {
        text.push_str(&format!(" --churn-scrapes {scrapes}"));
    }
    if cli.late_share > 0.0 {
        let (share, scrapes) = (cli.late_share, cli.late_scrapes);
        text.push_str(&format!(" --late-share {share} --late-scrapes {scrapes}"));
    }
    text
}

/// Builds the server and returns its program.
fn build(root: &Path) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args([
            "build",
            "--release",
            "-p",
            "silverback",
            "--bin",
            "silverback",
        ])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(root)
        .stderr(Stdio::inherit());
    let output = command
        .output()
        .about(format_args!("cannot start {command:?}"))?;
    if !output.status.success() {
        return Err(Error::new(format!("{command:?}: {}", output.status)));
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| Some(PathBuf::from(message["executable"].as_str()?)))
        .next_back()
        .ok_or_else(|| Error::new(format!("{command:?} named no executable")))
}

/// The commit of this source, with `-dirty` where files other than results differ from it; empty
/// where git does not tell.
fn commit(root: &Path) -> String {
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).current_dir(root).output();
        let text = output.map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&text).trim().to_owned()
    };
    let mut commit = git(&["rev-parse", "--short", "HEAD"]);
    let changes = [
        "status",
        "--porcelain",
        "--untracked-files=no",
        "--",
        ".",
        ":!benches/results.jsonl",
    ];
    if !git(&changes).is_empty() {
        commit.push_str("-dirty");
    }
    commit
}
