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

/// Prometheus's scripts of which every evaluation agrees. The others load or expect native
/// histograms or start timestamps.
const COMPLETE: [&str; 10] = [
    "at_modifier.test",
    "collision.test",
    "duration_expression.test",
    "fill-modifier.test",
    "literals.test",
    "name_label_dropping.test",
    "selectors.test",
    "staleness.test",
    "trig_functions.test",
    "type_and_unit.test",
];

/// How many evaluations agree in all.
const AGREED_MIN: usize = 1068;

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
    unsupported: usize,
    foreign: usize,
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
            Outcome::Unsupported(what) => {
                println!("{name}:{line}: {what}");
                tally.unsupported += 1;
            }
            Outcome::Foreign(why) => {
                println!("{name}:{line}: with histograms or start timestamps: {why}");
                tally.foreign += 1;
            }
            Outcome::Failed(why) => tally.failed.push(format!("{name}:{line}: {why}")),
        }
    }
    println!(
        "{name}: {} of {total} agree, {} unsupported, {} foreign, {} failed",
        tally.agreed,
        tally.unsupported,
        tally.foreign,
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
            let others = tally.unsupported + tally.foreign;
            assert!(tally.agreed > 0, "{}: nothing evaluated", path.display());
            wrong.extend(tally.failed);
            if others > 0 {
                wrong.push(format!("{}: {others} not evaluated", path.display()));
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
    for path in scripts(&folder) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let tally = run(&path, engine());
        let others = tally.unsupported + tally.foreign;
        if others > 0 && COMPLETE.contains(&name.as_str()) {
            wrong.push(format!("{name}: {others} not evaluated"));
        }
        total.agreed += tally.agreed;
        total.unsupported += tally.unsupported;
        total.foreign += tally.foreign;
        wrong.extend(tally.failed);
    }
    println!(
        "all: {} agree, {} unsupported, {} foreign, {} failed",
        total.agreed,
        total.unsupported,
        total.foreign,
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Of a folder named by hand it is not known how many there are.
    let is_known = std::env::var_os("SILVERBACK_PROMQL_CORPUS").is_none();
    assert!(
        !is_known || total.agreed >= AGREED_MIN,
        "only {} agree",
        total.agreed
    );
}
