//! What the compiler does not check: which layer knows which, how long files get, what lies
//! around unused. Each test lists all that is wrong at once.

mod files;
mod paths;

use std::collections::BTreeSet;

use files::{SourceFile, SourceTree};

/// Longest Rust file, in lines. One that grows beyond it has more than one reason to exist.
const LINES_MAX: usize = 600;

/// Modules of storage from the top down. A module may know those of lower ranks and of its own.
const STORAGE_RANKS: &[&[&str]] = &[
    &["db"],
    &["maintenance"],
    &["manifest", "wal", "head", "segment", "block"],
    &["immutable"],
    &["chunk", "column", "index"],
    &["codec", "section"],
    &["model", "sys"],
];

/// Modules of storage that must not know each other though they share a rank: `db` and
/// `maintenance` join them.
const STORAGE_STRANGERS: &[&str] = &["wal", "head", "segment", "block"];

fn assert_none(rule: &str, wrong: &[String]) {
    assert!(wrong.is_empty(), "{rule}:\n  {}", wrong.join("\n  "));
}

#[test]
fn files_are_short() {
    let tree = SourceTree::read();
    let long = tree.rust().filter(|file| file.lines() > LINES_MAX);
    let wrong: Vec<String> = long
        .map(|file| format!("{}: {} lines", file.path, file.lines()))
        .collect();
    assert_none(
        &format!("Rust files have at most {LINES_MAX} lines"),
        &wrong,
    );
}

#[test]
fn every_rust_file_is_compiled() {
    let tree = SourceTree::read();
    let compiled = tree.compiled();
    let wrong: Vec<String> = tree
        .rust()
        .filter(|file| !compiled.contains(file.path.as_str()))
        .map(|file| file.path.clone())
        .collect();
    assert_none("no `mod` leads to these files", &wrong);
}

#[test]
fn crates_know_only_those_below() {
    let mut wrong = Vec::new();
    for file in SourceTree::read().rust() {
        let forbidden: &[&str] = if file.path.starts_with("storage/src/") {
            &["silverback_query", "axum", "hyper", "tokio"]
        } else if file.path.starts_with("query/src/source/silverback") {
            &["axum", "hyper", "tokio"]
        } else if file.path.starts_with("query/src/") {
            &["silverback_storage", "axum", "hyper", "tokio"]
        } else if file.path.starts_with("server/src/") {
            &["silverback_tests"]
        } else {
            &[]
        };
        let words: BTreeSet<&str> = paths::words(&file.code).collect();
        let known = forbidden.iter().filter(|name| words.contains(**name));
        wrong.extend(known.map(|name| format!("{}: {name}", file.path)));
    }
    assert_none("these must not be known there", &wrong);
}

#[test]
fn storage_modules_know_only_those_below() {
    let tree = SourceTree::read();
    let wrong: Vec<String> = tree.rust().flat_map(storage_violations).collect();
    assert_none("storage's modules are layered", &wrong);
}

fn storage_violations(file: &SourceFile) -> Vec<String> {
    let rank = |name: &str| STORAGE_RANKS.iter().position(|rank| rank.contains(&name));
    let inner = file.path.strip_prefix("storage/src/");
    let own = inner.and_then(|path| path.split(['/', '.']).next());
    let Some((own, own_rank)) = own.and_then(|own| Some((own, rank(own)?))) else {
        return Vec::new();
    };
    let strange = |name: &str| {
        name != own && STORAGE_STRANGERS.contains(&name) && STORAGE_STRANGERS.contains(&own)
    };
    file.top_modules()
        .into_iter()
        .filter(|name| rank(name).is_some_and(|rank| rank < own_rank) || strange(name))
        .map(|name| format!("{}: {own} knows {name}", file.path))
        .collect()
}

#[test]
fn only_sys_touches_files() {
    let tree = SourceTree::read();
    let storage = tree.rust().filter(|file| {
        file.path.starts_with("storage/src/") && !file.path.starts_with("storage/src/sys/")
    });
    let wrong: Vec<String> = storage.flat_map(file_access).collect();
    assert_none("files are reached through `sys` alone", &wrong);
}

fn file_access(file: &SourceFile) -> Vec<String> {
    let mut found = Vec::new();
    if paths::heads(&file.code, "std::").contains("fs") {
        found.push(format!("{}: std::fs", file.path));
    }
    if paths::words(&file.code).any(|word| word == "rustix") {
        found.push(format!("{}: rustix", file.path));
    }
    found
}

#[test]
fn what_is_left_to_do_has_an_issue() {
    let tree = SourceTree::read();
    let mut wrong = Vec::new();
    for file in tree.files.iter().filter(|file| !file.is_prose()) {
        for (number, line) in file.text.lines().enumerate() {
            // Put together here, or this file would be the first one found.
            for mark in [concat!("TO", "DO"), concat!("FIX", "ME")] {
                if paths::marks(line, mark).any(|rest| !names_issue(rest)) {
                    wrong.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
                }
            }
        }
    }
    assert_none("write the issue's number: MARK(#12)", &wrong);
}

/// Whether the text after a mark begins with `(#12)`.
fn names_issue(rest: &str) -> bool {
    let number = rest
        .strip_prefix("(#")
        .and_then(|rest| rest.split_once(')'));
    number
        .is_some_and(|(number, _)| !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()))
}

#[test]
fn no_paths_of_one_machine() {
    let tree = SourceTree::read();
    let mut wrong = Vec::new();
    for file in &tree.files {
        for (number, line) in file.text.lines().enumerate() {
            let homes = [
                concat!("/wo", "rk/"),
                concat!("/ho", "me/"),
                concat!("/ro", "ot/"),
                concat!("/Us", "ers/"),
            ];
            // In `$dir/root/x` it is no more than a name.
            let absolute = |(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric());
            if homes
                .iter()
                .any(|home| line.match_indices(home).any(absolute))
            {
                wrong.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
            }
        }
    }
    assert_none("paths that exist on one machine alone", &wrong);
}

#[test]
fn planted_violations_are_found() {
    let file = |path: &str, text: &str| SourceFile::new(path, text);
    let of = |path: &str, text: &str| storage_violations(&file(path, text)).len();
    assert_eq!(of("storage/src/wal/mod.rs", "use crate::head::Head;"), 1);
    assert_eq!(of("storage/src/wal.rs", "use crate::{model, head};"), 1);
    assert_eq!(of("storage/src/wal/a.rs", "use super::super::db;"), 1);
    assert_eq!(of("storage/src/wal/mod.rs", "use super::head::Head;"), 1);
    assert_eq!(
        of("storage/src/chunk/xor.rs", "fn f() { crate::wal::f() }"),
        1
    );
    assert_eq!(
        of("storage/src/model/ids.rs", "use crate::codec::varint;"),
        1
    );
    assert_eq!(of("storage/src/wal/mod.rs", "// use crate::head::Head;"), 0);
    assert_eq!(
        of("storage/src/wal/a.rs", "use crate::sys; use super::head;"),
        0
    );
    assert_eq!(of("storage/src/db/open.rs", "use crate::{wal, head};"), 0);
    let fs = |text: &str| file_access(&file("storage/src/db.rs", text)).len();
    assert_eq!(fs("use std::{io, fs::File};"), 1);
    assert_eq!(fs("std::fs::read(p)"), 1);
    assert_eq!(fs("use std::io; // not std::fs"), 0);
    assert_eq!(fs(r#"let text = "std::fs";"#), 0);
    assert!(names_issue("(#12): later") && !names_issue(": later") && !names_issue("(#)"));
}
