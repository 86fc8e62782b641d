//! `/-/healthy`, `/-/ready` and `/metrics`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;

/// 200 while the server can do all its work. 503 once the database refuses writes, so that a
/// supervisor starts the server anew.
pub(crate) async fn healthy(State(app): State<Arc<App>>) -> Response {
    match app.db.stats().poisoned {
        None => "Silverback is Healthy.\n".into_response(),
        Some(cause) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!(
                "Silverback refuses writes since a write or sync failed: {cause}. \
                 Queries go on. Check the disk, then restart.\n"
            ),
        )
            .into_response(),
    }
}

/// 200 from the first moment on that the server listens: it listens once the data is open.
pub(crate) async fn ready() -> &'static str {
    "Silverback is Ready.\n"
}

/// The metrics in the text format.
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> Response {
    match app.metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("metrics cannot be written: {error}\n"),
        )
            .into_response(),
    }
}
