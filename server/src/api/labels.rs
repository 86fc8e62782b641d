//! `/api/v1/labels` and `/api/v1/label/<name>/values`.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::FromRequest;
use axum::extract::{Request, State};
use axum::response::Response;
use silverback_storage::{Error, Matcher, TimeRange, View};

use super::form::{Plus, percent_decode};
use super::go_text::{quote, quote_bytes, unescape_name};
use super::json;
use super::params::Params;
use super::response::{ApiError, success, warnings};
use super::run::run;
use crate::app::{App, AppRef};

/// The names of the labels of the series that match.
pub(crate) async fn label_names(
    State(app): State<Arc<App>>,
    params: Params,
) -> Result<Response, ApiError> {
    let limit = params.limit()?;
    respond(&app, &params, limit, |view, matchers, range| {
        view.label_names(matchers, range)
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
    respond(&app, &params, limit, move |view, matchers, range| {
        view.label_values(&name, matchers, range)
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

/// Asks once for each selector and joins the answers.
async fn respond(
    app: &Arc<App>,
    params: &Params,
    limit: Option<usize>,
    ask: impl Fn(&View, &[Matcher], TimeRange) -> Result<Vec<String>, Error> + Send + 'static,
) -> Result<Response, ApiError> {
    let range = params.time_range()?;
    let sets = params.matcher_sets().map_err(ApiError::bad_data)?;
    run(app, None, move |app, bounds| {
        let view = app.db.view();
        let mut texts = match sets.as_slice() {
            [] => ask(&view, &[], range).map_err(|error| ApiError::storage(&error))?,
            sets => {
                let mut joined = BTreeSet::new();
                for set in sets {
                    bounds.check()?;
                    let some = ask(&view, set, range).map_err(|error| ApiError::storage(&error))?;
                    joined.extend(some);
                }
                joined.into_iter().collect()
            }
        };
        let truncated = limit.is_some_and(|limit| texts.len() > limit);
        texts.truncate(limit.unwrap_or(usize::MAX));
        let mut data = Vec::new();
        json::html_strings(&mut data, &texts);
        Ok(success(&data, &warnings(&view, truncated)))
    })
    .await
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
