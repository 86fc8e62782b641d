//! Fuzz targets: what holds of any text whatever. The fuzzer (`tests/fuzz`) calls them with texts
//! of its own, an ordinary test with the corpus that is kept: see `docs/fuzzing.md`.

use crate::parse::fuzz;

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What it is called, in `tests/fuzz` too.
    pub name: &'static str,
    /// Runs it; whether the bytes were taken.
    pub run: fn(&[u8]) -> bool,
    /// Inputs to begin with, all of which are taken.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of this crate.
pub const TARGETS: &[Target] = &[
    Target {
        name: "promql_literals",
        run: fuzz::literals,
        seeds: fuzz::literals_seeds,
    },
    Target {
        name: "promql_parse",
        run: fuzz::expression,
        seeds: fuzz::expression_seeds,
    },
    Target {
        name: "promql_pattern",
        run: fuzz::pattern,
        seeds: fuzz::pattern_seeds,
    },
];
