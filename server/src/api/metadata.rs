//! `/api/v1/metadata`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use silverback_storage::model::{Metadata, MetricType};

use super::json;
use super::params::Params;
use super::query_body::{List, QueryBody};
use super::response::ApiError;
use super::run::{GiveBack, run};
use super::series::ALLOCATED_BYTES;
use crate::app::App;

/// What senders said of metric families. One metadata is kept of each, so `limit_per_metric` only
/// has to be a number.
pub(crate) async fn metadata(
    State(app): State<Arc<App>>,
    params: Params,
) -> Result<Response, ApiError> {
    let limit = number(&params, "limit")?;
    number(&params, "limit_per_metric")?;
    let metric = params.get("metric").to_owned();
    let give_back = GiveBack::new(&app);
    let body = run(&app, None, move |app, bounds| {
        let metric = (!metric.is_empty()).then_some(metric.as_str());
        let view = app.db.view();
        let reading = bounds.reading(app);
        let mut families = reading.ask(|allowance| view.bounded(allowance).metadata(metric))?;
        families.truncate(limit);
        let bytes = |(name, metadata): &(String, Metadata)| {
            let texts = name.len() + metadata.unit.len() + metadata.help.len();
            size_of::<(String, Metadata)>() + texts + 3 * ALLOCATED_BYTES
        };
        let memory = reading.answer(families.iter().map(bytes).sum())?;
        let list = List::object(families, |out, (name, metadata)| {
            json::html_string(out, name);
            out.push(b':');
            write_metadata(out, metadata);
        });
        let body = QueryBody::of_list(list, &[], memory, bounds.into_turn());
        Ok(body.giving_back(give_back))
    })
    .await?;
    Ok(body.into_response())
}

/// A limit; negative ones, like none, let everything through.
fn number(params: &Params, name: &str) -> Result<usize, ApiError> {
    match params.get(name) {
        "" => Ok(usize::MAX),
        text => match text.parse::<i64>() {
            Ok(limit) => Ok(usize::try_from(limit).unwrap_or(usize::MAX)),
            Err(_) => Err(ApiError::bad_data(format!("{name} must be a number"))),
        },
    }
}

fn write_metadata(out: &mut Vec<u8>, metadata: &Metadata) {
    for (key, value) in [
        (r#"[{"type":"#, type_name(metadata.metric_type)),
        (r#","unit":"#, metadata.unit.as_str()),
        (r#","help":"#, metadata.help.as_str()),
    ] {
        out.extend_from_slice(key.as_bytes());
        json::html_string(out, value);
    }
    out.extend_from_slice(b"}]");
}

/// The type as OpenMetrics names it.
fn type_name(metric_type: MetricType) -> &'static str {
    match metric_type {
        MetricType::Unknown => "unknown",
        MetricType::Counter => "counter",
        MetricType::Gauge => "gauge",
        MetricType::Histogram => "histogram",
        MetricType::GaugeHistogram => "gaugehistogram",
        MetricType::Summary => "summary",
        MetricType::Info => "info",
        MetricType::StateSet => "stateset",
    }
}
