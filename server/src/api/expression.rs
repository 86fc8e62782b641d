//! `/api/v1/format_query` and `/api/v1/parse_query`: expressions that are read, not evaluated.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use silverback_query::parse::ast::Expr;
use silverback_query::parse::{parse, prettify};

use super::params::Params;
use super::response::{ApiError, success};
use super::run::run;
use super::{ast, json};
use crate::app::App;

/// The canonical text of an expression, over several lines where it is long.
pub(crate) async fn format_query(
    State(app): State<Arc<App>>,
    params: Params,
) -> Result<Response, ApiError> {
    with_expression(&app, &params, |expr| {
        let text = prettify(expr).map_err(|error| ApiError::parameter("query", error))?;
        let mut data = Vec::with_capacity(text.len() + 2);
        json::html_string(&mut data, &text);
        Ok(data)
    })
    .await
}

/// The tree of an expression.
pub(crate) async fn parse_query(
    State(app): State<Arc<App>>,
    params: Params,
) -> Result<Response, ApiError> {
    with_expression(&app, &params, |expr| {
        let mut data = Vec::new();
        ast::expression(&mut data, expr);
        Ok(data)
    })
    .await
}

/// Answers with what is made of the expression: on a thread where long texts hold nobody up.
async fn with_expression(
    app: &Arc<App>,
    params: &Params,
    data: impl FnOnce(&Expr) -> Result<Vec<u8>, ApiError> + Send + 'static,
) -> Result<Response, ApiError> {
    let query = params.get("query").to_owned();
    run(app, None, move |app, bounds| {
        let reading = bounds.reading(app);
        reading.hold_parsed(&query)?;
        let expr = parse(&query, app.engine.parse_options())
            .map_err(|error| ApiError::parameter("query", error))?;
        Ok(success(&data(&expr)?, &[]))
    })
    .await
}
