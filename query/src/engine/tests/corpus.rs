//! Prometheus's own scripts, where they lie beside the project; they are no part of it.

use std::path::PathBuf;

use super::script::{Outcome, Runner};
use crate::{Engine, EngineOptions, parse};

/// Where the scripts are, if they are.
fn scripts() -> Option<Vec<PathBuf>> {
    let corpus = crate::conformance::folder()?.join("corpus");
    let entries = std::fs::read_dir(&corpus).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    Some(paths)
}

/// Evaluations that end otherwise here, and why.
const KNOWN: [(&str, &str); 2] = [
    // Bytes of a string that are not UTF-8 become U+FFFD: the name is a valid one here.
    ("functions.test", r#"label_replace(testmetric, "\xff""#),
    ("aggregators.test", r#"count_values("a\xc5z""#),
];

/// How many evaluations agree; the rest is what this version cannot do, or is about native
/// histograms and start timestamps, for which the source has no place.
const AGREED_MIN: usize = 1173;

#[test]
fn scripts_of_prometheus_agree() {
    let Some(paths) = scripts() else { return };
    let mut failed = Vec::new();
    let mut total = [0; 4];
    for path in paths {
        let mut runner = Runner::new(Engine::new(EngineOptions {
            parse: parse::Options::ALL,
            delayed_name_removal: true,
            ..EngineOptions::default()
        }));
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let script = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        let mut counts = [0; 4];
        for (line, outcome) in runner.run(&script) {
            let at = match outcome {
                Outcome::Agreed => 0,
                Outcome::Unsupported => 1,
                Outcome::Foreign => 2,
                Outcome::Failed(why)
                    if KNOWN
                        .iter()
                        .any(|(script, query)| *script == name && why.starts_with(query)) =>
                {
                    0
                }
                Outcome::Failed(why) => {
                    failed.push(format!("{name}:{line}: {why}"));
                    3
                }
            };
            counts[at] += 1;
            total[at] += 1;
        }
        println!("{name}: agreed, unsupported, foreign, failed: {counts:?}");
    }
    println!("all: {total:?}");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(total[0] >= AGREED_MIN, "only {} agreed", total[0]);
}
