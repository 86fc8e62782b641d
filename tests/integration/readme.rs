//! What README.md says of the program is so.

use std::collections::BTreeSet;

use silverback_tests::Result;
use silverback_tests::server;

const README: &str = include_str!("../../README.md");

/// The flags in a text: words that begin with two dashes.
fn flags(text: &str) -> BTreeSet<&str> {
    let is_flag = |c: char| c.is_ascii_alphanumeric() || c == '-';
    text.split(|c| !is_flag(c))
        .filter(|word| word.len() > 2 && word.starts_with("--"))
        .filter(|word| !word.trim_matches('-').is_empty())
        .collect()
}

#[test]
fn the_table_of_flags_is_complete() -> Result<()> {
    let help = server::help()?;
    let mut there = flags(&help);
    // Of every program's, not of this one.
    there.retain(|flag| !["--help", "--version"].contains(flag));
    let rows = README.lines().filter(|line| line.starts_with("| `--"));
    let listed: BTreeSet<&str> = rows.filter_map(|row| row.split('`').nth(1)).collect();
    assert_eq!(listed, there);
    Ok(())
}

#[test]
fn defaults_in_the_table_are_the_program_s() -> Result<()> {
    let help = server::help()?;
    for row in README.lines().filter(|line| line.starts_with("| `--")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let (flag, default) = (cells[1].trim_matches('`'), cells[2].trim_matches('`'));
        let is_flag = |line: &str| line.trim_start().starts_with("--");
        let mut lines = help
            .lines()
            .skip_while(|line| !is_flag(line) || line.split_whitespace().next() != Some(flag));
        let first = lines.next().unwrap();
        let own: Vec<&str> = std::iter::once(first)
            .chain(lines.take_while(|line| !is_flag(line)))
            .collect();
        let own = own.join(" ");
        let told = own
            .split_once("[default: ")
            .and_then(|(_, rest)| rest.split_once(']'));
        assert_eq!(told.map_or("off", |(told, _)| told), default, "{flag}");
    }
    Ok(())
}
