//! `/api/v1/labels` and `/api/v1/label/<name>/values`.

use std::sync::Arc;

use axum::extract::FromRequest;
use axum::extract::{Request, State};
use axum::response::Response;
use silverback_storage::{Bounded, Error, TimeRange};

use super::form::{Plus, percent_decode};
use super::go_text::{quote, quote_bytes, unescape_name};
use super::json;
use super::matchers::MatcherSet;
use super::params::{Params, cut, one_more};
use super::query_body::{List, QueryBody};
use super::response::{ApiError, warnings};
use super::run::{GiveBack, run};
use super::series::ALLOCATED_BYTES;
use crate::app::{App, AppRef};

/// The names of the labels of the series that match.
pub(crate) async fn label_names(
    State(app): State<Arc<App>>,
    params: Params,
) -> Result<Response, ApiError> {
    let limit = params.limit()?;
    respond(&app, &params, limit, |view, sets, range, limit| {
        view.label_names(sets, range, limit)
    })
    .await
}

/// The values of one label of the series that match.
pub(crate) async fn label_values(
    State(app): State<AppRef>,
    request: Request,
) -> Result<Response, ApiError> {
    let name = label_of_path(request.uri().path())?;
    let params = Params::from_request(request, &app).await?;
    let limit = params.limit()?;
    respond(&app, &params, limit, move |view, sets, range, limit| {
        view.label_values(&name, sets, range, limit)
    })
    .await
}

/// The `<name>` of `/api/v1/label/<name>/values`.
fn label_of_path(path: &str) -> Result<String, ApiError> {
    let encoded = path.rsplit('/').nth(1).unwrap_or_default();
    let bytes = percent_decode(encoded.as_bytes(), Plus::IsPlus).map_err(ApiError::bad_data)?;
    let invalid = |shown: String| ApiError::bad_data(format!("invalid label name: {shown}"));
    let name = match String::from_utf8(bytes) {
        Ok(name) => unescape_name(&name),
        Err(error) => return Err(invalid(quote_bytes(error.as_bytes()))),
    };
    if name.is_empty() {
        return Err(invalid(quote(&name)));
    }
    Ok(name)
}

/// Answers with a list of strings.
async fn respond(
    app: &Arc<App>,
    params: &Params,
    limit: Option<usize>,
    ask: impl FnOnce(&Bounded<'_, '_>, &[MatcherSet], TimeRange, usize) -> Result<Vec<String>, Error>
    + Send
    + 'static,
) -> Result<Response, ApiError> {
    let range = params.time_range()?;
    let mut sets = params.matcher_sets().map_err(ApiError::bad_data)?;
    if sets.is_empty() {
        sets.push(MatcherSet::new());
    }
    let give_back = GiveBack::new(app);
    let body = run(app, None, move |app, bounds| {
        let view = app.db.view();
        let reading = bounds.reading(app);
        let mut texts = reading
            .ask(|allowance| ask(&view.bounded(allowance), &sets, range, one_more(limit)))?;
        let is_cut = cut(&mut texts, limit);
        let bytes = |text: &String| size_of::<String>() + text.len() + ALLOCATED_BYTES;
        let memory = reading.answer(texts.iter().map(bytes).sum())?;
        let list = List::array(texts, |out, text| json::html_string(out, text));
        let warnings = warnings(&view, is_cut);
        let body = QueryBody::of_list(list, &warnings, memory, bounds.into_turn());
        Ok(body.giving_back(give_back))
    })
    .await?;
    Ok(body.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_names_in_paths() {
        let name = |path: &str| label_of_path(path).map_err(|error| format!("{error:?}"));
        assert_eq!(name("/api/v1/label/job/values").unwrap(), "job");
        assert_eq!(name("/api/v1/label/a%2Fb+c/values").unwrap(), "a/b+c");
        assert_eq!(name("/api/v1/label/U__la_2e_bel/values").unwrap(), "la.bel");
        for (path, text) in [
            (
                "/api/v1/label/%ff/values",
                r#"invalid label name: \"\\xff\""#,
            ),
            ("/api/v1/label/U__/values", r#"invalid label name: \"\""#),
            ("/api/v1/label/%zz/values", "invalid URL escape"),
        ] {
            let error = name(path).unwrap_err();
            assert!(error.contains(text), "{error}");
        }
    }
}
