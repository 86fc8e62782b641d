//! The side-by-side run in a short form, so that it cannot rot: numbers that are made up, a few
//! targets, all programs, a closed loop and an open one. No time is asserted, but that what was
//! acknowledged is read back, and that results and tables say what `benches/README.md` says they
//! do.
//!
//! It needs the programs of others (`scripts/peers.sh`, named by `SILVERBACK_PEERS`), so it is
//! ignored by default; `.ci/run` runs it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that fails may panic wherever it does"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const PEERS: [&str; 3] = ["silverback", "victoriametrics", "prometheus"];

/// What one call of the program gave.
struct Ran {
    stdout: String,
    stderr: String,
    /// A line of results by peer.
    results: Vec<Value>,
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The server: `SILVERBACK_BIN`, or built here in the profile of the tests.
fn silverback() -> PathBuf {
    if let Some(path) = std::env::var_os("SILVERBACK_BIN") {
        return path.into();
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args([
            "build",
            "--locked",
            "-p",
            "silverback",
            "--bin",
            "silverback",
        ])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(workspace());
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let output = command.output().unwrap();
    let messages = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{command:?}: {messages}");
    let messages = messages.lines().map(serde_json::from_str::<Value>);
    let mut programs = messages.filter_map(|message| {
        let message = message.ok()?;
        Some(PathBuf::from(message["executable"].as_str()?))
    });
    programs.next_back().unwrap()
}

fn side_by_side(args: &[&str]) -> Ran {
    let peers = std::env::var_os("SILVERBACK_PEERS");
    let peers = peers.expect("run scripts/peers.sh target/peers, set SILVERBACK_PEERS to that");
    // On the disk that the build is on: the usual place for temporary files may be in memory.
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let results = dir.path().join("results.jsonl");
    let mut command = Command::new(env!("CARGO_BIN_EXE_side-by-side"));
    command
        .arg("--synthetic")
        .args(["--settle-s", "0"])
        .arg("--silverback")
        .arg(silverback())
        // Tests run in their package's directory; the variable is meant from the workspace's.
        .arg("--peers")
        .arg(workspace().join(peers))
        .arg("--work-dir")
        .arg(dir.path().join("work"))
        .arg("--results")
        .arg(&results)
        .args(args);
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{stdout}\n{stderr}");
    let lines = fs::read_to_string(&results).unwrap();
    Ran {
        stdout,
        stderr,
        results: lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    }
}

/// What must hold of any run; returns the cells of both tables' heads.
fn check(ran: &Ran, samples: u64) -> Vec<String> {
    assert!(ran.stderr.contains("SYNTHETIC"), "{}", ran.stderr);
    let peers: Vec<_> = ran.results.iter().map(|r| &r["peer"]).collect();
    assert_eq!(peers, PEERS);
    for result in &ran.results {
        let rounds = result["pace"]["rounds"].as_u64().unwrap();
        assert!(rounds > 0, "{result}");
        assert_eq!(result["samples_sent"], samples * rounds);
        assert_eq!(result["wrong"], Value::Array(Vec::new()));
        assert_eq!(result["samples_read_back"], result["samples_expected"]);
        let stored = result["samples_expected"].as_u64().unwrap();
        // All, but for the NaNs that one program does not store.
        assert!(stored > samples * rounds / 2 && stored <= samples * rounds);
        let positive = |path: &str| {
            let value = result.pointer(path).and_then(Value::as_f64);
            assert!(value.is_some_and(|v| v > 0.0), "{path}: {result}");
        };
        positive("/samples_per_cpu_s");
        positive("/latency/p50_ms");
        positive("/latency/p999_ms");
        positive("/rss_peak/total_bytes");
        positive("/disk/allocated_bytes");
        positive("/pace/sent_samples_per_s");
        assert!(result["noise"]["others_cores"].is_number(), "{result}");
        let options = result["load"]["options"].as_str().unwrap();
        assert!(options.starts_with("--synthetic "), "{options}");
    }
    tables(&ran.stdout)
}

/// The heads of the two tables, whose rows must be as long as these and name the peers.
fn tables(text: &str) -> Vec<String> {
    let cells = |line: &str| -> Vec<String> {
        let line = line.trim_start_matches("| ").trim_end_matches(" |");
        line.split(" | ").map(str::to_owned).collect()
    };
    let tables: Vec<Vec<&str>> = text.split("\n\n").map(|t| t.lines().collect()).collect();
    assert_eq!(tables.len(), 2, "{text}");
    let mut heads = Vec::new();
    for table in tables {
        assert_eq!(table.len(), 2 + PEERS.len(), "{text}");
        let head = cells(table[0]);
        for (row, peer) in table[2..].iter().zip(PEERS) {
            assert!(row.starts_with(&format!("| {peer} ")), "{row}");
            assert_eq!(cells(row).len(), head.len(), "{row}");
            assert!(cells(row).iter().all(|cell| !cell.is_empty()), "{row}");
        }
        heads.extend(head);
    }
    heads
}

/// The columns that the README explains.
fn explained() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(path).unwrap();
    let (_, after) = text.split_once("### What the figures are").unwrap();
    let (table, _) = after.split_once("The end of a run differs").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| "));
    let firsts = rows.filter_map(|row| row.split(" | ").next());
    firsts.map(str::to_owned).collect()
}

#[test]
#[ignore = "needs the programs of others: see scripts/peers.sh"]
fn a_closed_loop_of_pods_that_change_and_scrapes_that_are_late() {
    let ran = side_by_side(&[
        "--targets=8",
        "--scrapes=20",
        "--churn-scrapes=10",
        "--late-share=0.1",
        "--late-scrapes=15",
    ]);
    let heads = check(&ran, 8 * 60 * 20);
    let explained = explained();
    for head in &heads {
        assert!(
            explained.contains(head),
            "README.md does not explain {head}"
        );
    }
    for result in &ran.results {
        assert_eq!(result["pace"]["asked_samples_per_s"], Value::Null);
        assert_eq!(
            (&result["sync"], &result["course"]),
            (&Value::Null, &Value::Null)
        );
        // Each of 8 targets has had two pods, or three.
        let series = result["load"]["series"].as_u64().unwrap();
        assert!((8 * 60 * 2..=8 * 60 * 3).contains(&series), "{series}");
    }
}

#[test]
#[ignore = "needs the programs of others: see scripts/peers.sh"]
fn an_open_loop_whose_time_goes_on() {
    let ran = side_by_side(&[
        "--targets=4",
        "--scrapes=10",
        "--connections=2",
        "--rate=10000",
        "--duration-s=1",
    ]);
    check(&ran, 4 * 60 * 10);
    for result in &ran.results {
        assert_eq!(result["pace"]["asked_samples_per_s"], 10_000.0);
        // 10,000 samples are due in a second: four rounds and a part of one, which is ended.
        assert_eq!(result["pace"]["rounds"], 5);
        let windows = result["course"]["windows"].as_array().unwrap();
        let requests = windows.iter().map(|w| w["requests"].as_u64().unwrap());
        assert_eq!(requests.sum::<u64>() % 5, 0, "{result}");
        for at in ["alone", "beside"] {
            let syncs = &result["sync"][at];
            assert!(syncs["syncs"].as_u64().unwrap() > 0, "{result}");
            assert!(syncs["p99_ms"].as_f64().unwrap() > 0.0, "{result}");
        }
    }
    let own = &ran.results[0]["background"];
    assert!(own["syncs"].as_f64().unwrap() > 0.0, "{own}");
    assert!(
        own["flushes"].is_number() && own["merges"].is_number(),
        "{own}"
    );
}

#[test]
#[ignore = "needs the programs of others: see scripts/peers.sh"]
fn half_of_full_speed() {
    let ran = side_by_side(&[
        "--peer=silverback,victoriametrics,prometheus",
        "--targets=4",
        "--scrapes=10",
        "--rate-share=0.5",
    ]);
    check(&ran, 4 * 60 * 10);
    for result in &ran.results {
        let full = result["pace"]["full_samples_per_s"].as_f64().unwrap();
        let asked = result["pace"]["asked_samples_per_s"].as_f64().unwrap();
        assert!((asked - full / 2.0).abs() <= 1.0, "{full} {asked}");
    }
}
