//! `/api/v1/query_exemplars`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use silverback_query::parse::ast::{Expr, VectorSelector};
use silverback_query::parse::parse;
use silverback_storage::model::Exemplar;
use silverback_storage::{Labels, Matcher, TimeRange};

use super::json;
use super::params::Params;
use super::response::{ApiError, success};
use super::run::{Bounds, run};
use crate::app::App;

/// The exemplars of every series that a selector of the expression selects.
///
/// Prometheus answers an expression without a selector with 204 and no body; Grafana's data source
/// wants JSON, so here the list is empty.
pub(crate) async fn query_exemplars(
    State(app): State<Arc<App>>,
    params: Params,
) -> Result<Response, ApiError> {
    let range = params.time_range()?;
    if range.end_ms < range.start_ms {
        return Err(ApiError::bad_data(
            "end timestamp must not be before start timestamp",
        ));
    }
    let query = params.get("query").to_owned();
    run(&app, None, move |app, bounds| {
        let expr = parse(&query, app.engine.parse_options())
            .map_err(|error| ApiError::bad_data(error.to_string()))?;
        let found = select(app, &expr, range, &bounds)?;
        let mut data = vec![b'['];
        for (i, (labels, exemplars)) in found.iter().enumerate() {
            separate(&mut data, i);
            write_series(&mut data, labels, exemplars);
        }
        data.push(b']');
        Ok(success(&data, &[]))
    })
    .await
}

/// The series with their exemplars, each once, in order of their labels.
fn select(
    app: &App,
    expr: &Expr,
    range: TimeRange,
    bounds: &Bounds,
) -> Result<BTreeMap<Labels, Vec<Exemplar>>, ApiError> {
    let view = app.db.view();
    let mut found = BTreeMap::new();
    for selector in selectors(expr) {
        bounds.check()?;
        let matchers = selector.matchers.iter().map(Matcher::try_from);
        let matchers = matchers
            .collect::<Result<Vec<Matcher>, _>>()
            .map_err(|error| ApiError::query(&error))?;
        let series = view
            .exemplars(&matchers, range)
            .map_err(|error| ApiError::storage(&error))?;
        found.extend(series.into_iter().map(|one| (one.labels, one.exemplars)));
    }
    Ok(found)
}

/// The selectors of an expression, whose tree may be thousands deep.
fn selectors(expr: &Expr) -> Vec<&VectorSelector> {
    let (mut found, mut left) = (Vec::new(), vec![expr]);
    while let Some(expr) = left.pop() {
        match expr {
            Expr::Number(_) | Expr::String(_) => {}
            Expr::Vector(selector) => found.push(selector),
            Expr::Matrix(matrix) => found.push(&matrix.selector),
            Expr::Subquery(subquery) => left.push(&subquery.expr),
            Expr::Call(call) => left.extend(&call.args),
            Expr::Aggregate(aggregate) => {
                left.push(&aggregate.expr);
                left.extend(&aggregate.param);
            }
            Expr::Binary(binary) => left.extend([&binary.lhs, &binary.rhs]),
            Expr::Unary(unary) => left.push(&unary.expr),
            Expr::Paren(paren) => left.push(&paren.expr),
        }
    }
    found
}

fn write_series(out: &mut Vec<u8>, labels: &Labels, exemplars: &[Exemplar]) {
    out.extend_from_slice(br#"{"seriesLabels":"#);
    json::labels(out, labels.iter());
    out.extend_from_slice(br#","exemplars":["#);
    for (i, exemplar) in exemplars.iter().enumerate() {
        separate(out, i);
        out.extend_from_slice(br#"{"labels":"#);
        json::labels(out, exemplar.labels.iter());
        out.extend_from_slice(br#","value":"#);
        json::float(out, exemplar.value);
        out.extend_from_slice(br#","timestamp":"#);
        json::timestamp(out, exemplar.timestamp_ms);
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
}

fn separate(out: &mut Vec<u8>, before: usize) {
    if before > 0 {
        out.push(b',');
    }
}

#[cfg(test)]
mod tests {
    use silverback_query::parse::Options;

    use super::*;

    #[test]
    fn selectors_are_found_wherever_they_stand() {
        let text = "sum by (a) (rate(one[5m])) / -(two offset 1m) + topk(scalar(three), four) \
                    > max_over_time(five[1h:1m])";
        let expr = parse(text, &Options::default()).unwrap();
        let mut names: Vec<_> = selectors(&expr)
            .iter()
            .map(|selector| selector.name.clone().unwrap())
            .collect();
        names.sort_unstable();
        assert_eq!(names, ["five", "four", "one", "three", "two"]);
        assert!(selectors(&parse("1 + 1", &Options::default()).unwrap()).is_empty());
    }
}
