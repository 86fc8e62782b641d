//! Endpoints that change data, behind `--enable-admin-api`.

use axum::extract::State;
use axum::http::StatusCode;
use silverback_storage::ErrorKind;

use super::response::{ApiError, ErrorType};
use crate::app::AppRef;

/// `POST /api/v1/admin/tsdb/flush`: answers when everything that was acknowledged before is in
/// segments, so that nothing has to be replayed from the WAL.
pub(crate) async fn flush(State(app): State<AppRef>) -> Result<StatusCode, ApiError> {
    check_enabled(&app)?;
    let db = app.db.clone();
    let flushed = tokio::task::spawn_blocking(move || db.flush()).await;
    match flushed {
        Ok(Ok(())) => Ok(StatusCode::NO_CONTENT),
        Ok(Err(error)) => Err(match error.kind() {
            ErrorKind::Full | ErrorKind::Poisoned | ErrorKind::Closed => {
                ApiError::new(ErrorType::Unavailable, error.to_string())
            }
            _ => ApiError::storage(&error),
        }),
        // Only a panic: nothing cancels this task.
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

/// # Errors
/// The flag is not set: in Prometheus's words.
fn check_enabled(app: &AppRef) -> Result<(), ApiError> {
    if app.config.enable_admin_api {
        return Ok(());
    }
    Err(ApiError::new(ErrorType::Unavailable, "admin APIs disabled"))
}
