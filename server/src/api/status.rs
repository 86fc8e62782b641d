//! `/api/v1/status/buildinfo`.

use axum::response::Response;

use super::json;
use super::response::success;
use crate::version;

/// What clients choose their requests by. There is no `features` here: it would make Grafana
/// take the server for a Mimir.
pub(crate) async fn build_info() -> Response {
    let fields = [
        ("version", version::API_VERSION),
        ("revision", version::REVISION),
        ("branch", ""),
        ("buildUser", ""),
        ("buildDate", ""),
        ("goVersion", ""),
    ];
    let mut data = Vec::new();
    json::labels(&mut data, fields.into_iter());
    success(&data, &[])
}
