//! Where Prometheus's own test data is, for the tests that run it.

use std::io::Write;
use std::path::{Path, PathBuf};

/// The folder named by `SILVERBACK_PROMQL_DIR`, or `shared/promql` beside the project.
///
/// Where it is missing the tests pass without it, and say so past the capture of their output:
/// a run without them must not look like one with them.
pub(crate) fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("SILVERBACK_PROMQL_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/promql"),
        PathBuf::from,
    );
    if folder.is_dir() {
        return Some(folder);
    }
    let said = writeln!(
        std::io::stderr(),
        "\n!!! SKIPPED: no PromQL test data in {}; SILVERBACK_PROMQL_DIR names its folder !!!\n",
        folder.display()
    );
    said.ok().and(None)
}
