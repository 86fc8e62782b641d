//! Endpoints that change data, behind `--enable-admin-api`.

use axum::extract::State;
use axum::http::StatusCode;
use silverback_storage::{Db, ErrorKind};

use super::response::{ApiError, ErrorType};
use crate::app::AppRef;

/// `POST /api/v1/admin/tsdb/flush`: answers when everything that was acknowledged before is in
/// segments, so that nothing has to be replayed from the WAL.
pub(crate) async fn flush(State(app): State<AppRef>) -> Result<StatusCode, ApiError> {
    run(&app, Db::flush).await
}

/// `POST /api/v1/admin/tsdb/compact`: answers when everything that was flushed before is in blocks
/// and nothing is left to merge.
pub(crate) async fn compact(State(app): State<AppRef>) -> Result<StatusCode, ApiError> {
    run(&app, Db::compact).await
}

async fn run(
    app: &AppRef,
    work: impl FnOnce(&Db) -> Result<(), silverback_storage::Error> + Send + 'static,
) -> Result<StatusCode, ApiError> {
    check_enabled(app)?;
    let db = app.db.clone();
    let done = app.tasks.spawn_blocking(move || work(&db)).await;
    match done {
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
