//! Fuzz targets: what holds of any bytes whatever that a client sends. The fuzzer (`tests/fuzz`)
//! calls them with bytes of its own, an ordinary test with the corpus that is kept: see
//! `docs/fuzzing.md`.

mod eval;

use crate::api::fuzz as api;
use crate::remote_write::fuzz as remote_write;

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
    target(
        "compression",
        remote_write::compression,
        remote_write::compression_seeds,
    ),
    target("http_params", api::parameters, api::parameters_seeds),
    target("promql_eval", eval::run, eval::seeds),
    target(
        "relabel",
        remote_write::relabel,
        remote_write::relabel_seeds,
    ),
    target("write_v1", remote_write::v1, remote_write::v1_seeds),
    target("write_v2", remote_write::v2, remote_write::v2_seeds),
];

const fn target(name: &'static str, run: fn(&[u8]) -> bool, seeds: fn() -> Vec<Vec<u8>>) -> Target {
    Target { name, run, seeds }
}
