//! Scripts of PromQL over the real storage: our own in `tests/promql`, and Prometheus's where
//! they lie beside the project.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test: its set-up may fail where it stands, and it prints how scripts went"
)]

mod promqltest;

use std::io::Write;
use std::path::{Path, PathBuf};

use silverback_query::{Engine, EngineOptions, Feature};

use self::promqltest::{Outcome, Runner};

/// Prometheus's scripts of which every evaluation agrees.
const COMPLETE: [&str; 20] = [
    "aggregators.test",
    "at_modifier.test",
    "collision.test",
    "duration_expression.test",
    "extended_vectors.test",
    "fill-modifier.test",
    "functions.test",
    "histograms.test",
    "info.test",
    "limit.test",
    "literals.test",
    "name_label_dropping.test",
    "native_histograms.test",
    "operators.test",
    "range_queries.test",
    "selectors.test",
    "staleness.test",
    "subquery.test",
    "trig_functions.test",
    "type_and_unit.test",
];

/// How many evaluations agree in all.
const AGREED_MIN: usize = 1755;

/// The engine that Prometheus's own tests run with.
fn engine() -> Engine {
    let mut options = EngineOptions::default();
    for feature in Feature::ALL {
        // `__type__` says nothing there.
        if feature != Feature::TypeAndUnitLabels {
            options.enable(feature);
        }
    }
    Engine::new(options)
}

fn scripts(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "test"))
        .collect();
    paths.sort();
    paths
}

#[derive(Default)]
struct Tally {
    agreed: usize,
    /// Those that read start timestamps and do not agree, and those of native histograms that
    /// this version cannot do.
    excepted: usize,
    /// What else this version cannot do.
    unsupported: Vec<String>,
    failed: Vec<String>,
}

/// Runs a script and prints how it went, with every difference.
fn run(path: &Path, engine: Engine) -> Tally {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let script = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    let mut tally = Tally::default();
    let outcomes = match Runner::new(engine).run(&script) {
        Ok(outcomes) => outcomes,
        Err(error) => {
            tally.failed.push(format!("{name}: {error}"));
            return tally;
        }
    };
    let total = outcomes.len();
    for (line, outcome) in outcomes {
        match outcome {
            Outcome::Agreed => tally.agreed += 1,
            Outcome::Foreign(why) => {
                println!("{name}:{line}: left out: {why}");
                tally.excepted += 1;
            }
            Outcome::Unsupported(what) => {
                tally.unsupported.push(format!("{name}:{line}: {what}"));
            }
            Outcome::Failed(why) => tally.failed.push(format!("{name}:{line}: {why}")),
        }
    }
    for what in &tally.unsupported {
        println!("{what}");
    }
    println!(
        "{name}: {} of {} agree; {} left out, {} unsupported, {} failed",
        tally.agreed,
        total - tally.excepted,
        tally.excepted,
        tally.unsupported.len(),
        tally.failed.len()
    );
    tally
}

#[test]
fn our_own_scripts_agree() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/promql");
    let mut wrong = Vec::new();
    // Without flags, then with all of them.
    for (folder, engine) in [
        (folder.join("plain"), Engine::default()),
        (folder, engine()),
    ] {
        let scripts = scripts(&folder);
        assert!(!scripts.is_empty(), "no scripts in {}", folder.display());
        for path in scripts {
            let tally = run(&path, engine.clone());
            assert!(tally.agreed > 0, "{}: nothing evaluated", path.display());
            wrong.extend(tally.failed);
            wrong.extend(tally.unsupported);
            if tally.excepted > 0 {
                let count = tally.excepted;
                wrong.push(format!("{}: {count} not evaluated", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `SILVERBACK_PROMQL_CORPUS` names the folder of Prometheus's scripts; without it they are
/// looked for beside the project.
fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("SILVERBACK_PROMQL_CORPUS").map_or_else(
        || match std::env::var_os("SILVERBACK_PROMQL_DIR") {
            Some(folder) => PathBuf::from(folder).join("corpus"),
            None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/promql/corpus"),
        },
        PathBuf::from,
    );
    if folder.is_dir() {
        return Some(folder);
    }
    let said = writeln!(
        std::io::stderr(),
        "\n!!! SKIPPED: no scripts in {}; SILVERBACK_PROMQL_CORPUS names their folder !!!\n",
        folder.display()
    );
    said.ok().and(None)
}

#[test]
fn scripts_of_prometheus_agree() {
    let Some(folder) = corpus() else { return };
    let (mut total, mut wrong) = (Tally::default(), Vec::new());
    let mut missing = COMPLETE.to_vec();
    for path in scripts(&folder) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let tally = run(&path, engine());
        if COMPLETE.contains(&name.as_str()) {
            missing.retain(|other| *other != name);
            assert!(tally.agreed > 0, "{name}: nothing evaluated");
            wrong.extend_from_slice(&tally.unsupported);
            if tally.excepted > 0 {
                wrong.push(format!("{name}: {} left out", tally.excepted));
            }
        }
        total.agreed += tally.agreed;
        total.excepted += tally.excepted;
        total.unsupported.extend(tally.unsupported);
        wrong.extend(tally.failed);
    }
    println!(
        "all: {} agree; {} left out, {} unsupported, {} failed",
        total.agreed,
        total.excepted,
        total.unsupported.len(),
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Of a folder named by hand it is not known what there is.
    if std::env::var_os("SILVERBACK_PROMQL_CORPUS").is_none() {
        assert!(missing.is_empty(), "not there: {missing:?}");
        assert!(total.agreed >= AGREED_MIN, "only {} agree", total.agreed);
    }
}
