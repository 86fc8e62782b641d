//! `/api/v1/series`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use silverback_storage::{Labels, TimeRange, View};

use super::json;
use super::matchers::MatcherSet;
use super::params::Params;
use super::response::{ApiError, success, warnings};
use super::run::{Bounds, run};
use crate::app::App;

/// How many series are read between two looks at the time limit.
const CHECK_EVERY: usize = 4096;

/// The label sets of the series that match, sorted.
pub(crate) async fn series(
    State(app): State<Arc<App>>,
    params: Params,
) -> Result<Response, ApiError> {
    if let Some(error) = params.form_error() {
        return Err(ApiError::bad_data(format!(
            "error parsing form values: {error}"
        )));
    }
    if !params.has_matchers() {
        return Err(ApiError::bad_data("no match[] parameter provided"));
    }
    let limit = params.limit()?;
    let range = params.time_range()?;
    let sets = params
        .matcher_sets()
        .map_err(|error| ApiError::parameter("match[]", error))?;
    run(&app, None, move |app, bounds| {
        let view = app.db.view();
        let mut found = select(&view, &sets, range, limit, &bounds)?;
        let truncated = limit.is_some_and(|limit| found.len() > limit);
        found.truncate(limit.unwrap_or(usize::MAX));
        let mut data = vec![b'['];
        for (i, labels) in found.iter().enumerate() {
            if i > 0 {
                data.push(b',');
            }
            json::labels(&mut data, labels.iter());
        }
        data.push(b']');
        Ok(success(&data, &warnings(&view, truncated)))
    })
    .await
}

/// The series of all selectors, each once. With a limit and one selector no more than the limit
/// and one are read.
fn select(
    view: &View,
    sets: &[MatcherSet],
    range: TimeRange,
    limit: Option<usize>,
    bounds: &Bounds,
) -> Result<Vec<Labels>, ApiError> {
    let mut found = Vec::new();
    for set in sets {
        let selection = view
            .select(set, range)
            .map_err(|error| ApiError::storage(&error))?;
        let count = match (limit, sets) {
            (Some(limit), [_]) => selection.len().min(limit.saturating_add(1)),
            _ => selection.len(),
        };
        for place in 0..count {
            if place % CHECK_EVERY == 0 {
                bounds.check()?;
            }
            found.push(selection.labels(place));
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}
