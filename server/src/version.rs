//! What this program calls itself.

/// The version of the package.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit it was built from, where the build said so in `SILVERBACK_REVISION`.
pub(crate) const REVISION: &str = match option_env!("SILVERBACK_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

/// The version that the API reports to clients that choose their requests by it.
///
/// Grafana sends different requests to a Prometheus older than 2.24. So the number is that of
/// the Prometheus whose API and PromQL this program follows; its own stands behind the plus
/// sign, where a semantic version has its build.
pub(crate) const API_VERSION: &str = concat!("3.14.0+silverback.", env!("CARGO_PKG_VERSION"));
