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
use super::query_body::{List, QueryBody};
use super::response::ApiError;
use super::run::{GiveBack, Reading, run};
use super::series::bytes;
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
    let give_back = GiveBack::new(&app);
    let body = run(&app, None, move |app, bounds| {
        let reading = bounds.reading(app);
        reading.hold_parsed(&query)?;
        let expr = parse(&query, app.engine.parse_options())
            .map_err(|error| ApiError::bad_data(error.to_string()))?;
        let found = select(app, &expr, range, &reading)?;
        drop(expr);
        let bytes = found.iter().map(|(labels, them)| taken(labels, them));
        let memory = reading.answer(bytes.sum())?;
        let found: Vec<_> = found.into_iter().collect();
        let list = List::array(found, |out, (labels, exemplars)| {
            write_series(out, labels, exemplars);
        });
        let body = QueryBody::of_list(list, &[], memory, bounds.into_turn());
        Ok(body.giving_back(give_back))
    })
    .await?;
    Ok(body.into_response())
}

/// What a series with its exemplars takes, about.
fn taken(labels: &Labels, exemplars: &[Exemplar]) -> usize {
    let own = exemplars.iter().map(|one| 16 + bytes(&one.labels));
    2 * bytes(labels) + own.sum::<usize>()
}

/// The series with their exemplars, each once, in order of their labels.
fn select(
    app: &App,
    expr: &Expr,
    range: TimeRange,
    reading: &Reading<'_>,
) -> Result<BTreeMap<Labels, Vec<Exemplar>>, ApiError> {
    let view = app.db.view();
    let mut found = BTreeMap::new();
    for selector in selectors(expr) {
        let matchers = selector.matchers.iter().map(Matcher::try_from);
        let matchers = matchers
            .collect::<Result<Vec<Matcher>, _>>()
            .map_err(|error| ApiError::query(&error))?;
        let series =
            reading.ask(|allowance| view.bounded(allowance).exemplars(&matchers, range))?;
        let bytes = series.iter().map(|one| taken(&one.labels, &one.exemplars));
        reading.hold(bytes.sum())?;
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
