//! The fuzz targets over what is kept of their work, without a fuzzer: see `docs/fuzzing.md`.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use silverback_tests::corpus::unpack;

/// A target of any crate: its name, what runs it, what it begins with.
type Target = (&'static str, fn(&[u8]) -> bool, fn() -> Vec<Vec<u8>>);

fn storage() -> Vec<Target> {
    let targets = silverback_storage::fuzz::TARGETS.iter();
    targets
        .map(|target| (target.name, target.run, target.seeds))
        .collect()
}

fn query() -> Vec<Target> {
    let targets = silverback_query::fuzz::TARGETS.iter();
    targets
        .map(|target| (target.name, target.run, target.seeds))
        .collect()
}

fn server() -> Vec<Target> {
    let targets = silverback::fuzz::TARGETS.iter();
    targets
        .map(|target| (target.name, target.run, target.seeds))
        .collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// Runs a target over what is kept for it, and says what it broke on.
fn replay((name, run, seeds): Target) -> Vec<String> {
    let mut broken = Vec::new();
    let mut try_one = |what: &str, input: &[u8]| {
        let taken = catch_unwind(AssertUnwindSafe(|| run(input)));
        if taken.is_err() {
            broken.push(format!("{name}: {what}"));
        }
        taken.unwrap_or(true)
    };
    // Of the format that is written now, so that a target that gets no further is noticed.
    for (number, seed) in seeds().iter().enumerate() {
        assert!(
            try_one("a seed", seed),
            "{name} does not take seed {number}"
        );
    }
    let corpus = fs::read(folder().join("corpus").join(name)).unwrap();
    let corpus = unpack(&corpus).unwrap();
    for (number, input) in corpus.iter().enumerate() {
        try_one(&format!("input {number} of its corpus"), input);
    }
    let regressions = folder().join("regressions").join(name);
    for entry in fs::read_dir(regressions).into_iter().flatten() {
        let path = entry.unwrap().path();
        try_one(&path.display().to_string(), &fs::read(&path).unwrap());
    }
    broken
}

fn replay_all(targets: Vec<Target>) {
    let broken: Vec<String> = targets.into_iter().flat_map(replay).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn storage_stands_what_was_found() {
    replay_all(storage());
}

#[test]
fn query_stands_what_was_found() {
    replay_all(query());
}

#[test]
fn server_stands_what_was_found() {
    replay_all(server());
}

#[test]
fn every_target_has_a_program_a_corpus_and_a_line() {
    let targets = [storage(), query(), server()].concat();
    let names: BTreeSet<String> = targets.iter().map(|target| target.0.to_owned()).collect();
    assert_eq!(names.len(), targets.len(), "two targets of one name");
    // Git keeps no folder without files: there may have been no finding.
    let list = |folder: &Path| -> BTreeSet<String> {
        let entries = fs::read_dir(folder).into_iter().flatten();
        let entries = entries.map(|entry| entry.unwrap().path());
        entries
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(list(&folder().join("fuzz_targets")), names);
    assert_eq!(list(&folder().join("corpus")), names);
    assert!(list(&folder().join("regressions")).is_subset(&names));
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    let page = fs::read_to_string(folder().join("../../docs/fuzzing.md")).unwrap();
    for name in &names {
        assert!(
            manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")),
            "{name}"
        );
        assert!(page.contains(&format!("| `{name}` |")), "{name}");
    }
}
