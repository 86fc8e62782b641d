//! `/api/v1/series`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use silverback_storage::Labels;

use super::json;
use super::params::{Params, cut, one_more};
use super::query_body::{List, QueryBody};
use super::response::{ApiError, warnings};
use super::run::{GiveBack, run};
use crate::app::App;

/// What the allocator adds to a piece of memory, at most.
pub(super) const ALLOCATED_BYTES: usize = 24;

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
    let give_back = GiveBack::new(&app);
    let body = run(&app, None, move |app, bounds| {
        let view = app.db.view();
        let reading = bounds.reading(app);
        let mut found = reading.ask(|allowance| {
            let bounded = view.bounded(allowance);
            bounded.series(&sets, range, one_more(limit))
        })?;
        let is_cut = cut(&mut found, limit);
        let memory = reading.answer(found.iter().map(bytes).sum())?;
        let list = List::array(found, |out, labels| json::labels(out, labels.iter()));
        let warnings = warnings(&view, is_cut);
        let body = QueryBody::of_list(list, &warnings, memory, bounds.into_turn());
        Ok(body.giving_back(give_back))
    })
    .await?;
    Ok(body.into_response())
}

/// What a label set takes, about.
pub(super) fn bytes(labels: &Labels) -> usize {
    const OF_LABEL: usize = 8;
    size_of::<Labels>() + labels.text_bytes() + OF_LABEL * labels.len() + 2 * ALLOCATED_BYTES
}
