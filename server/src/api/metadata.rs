//! `/api/v1/metadata`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use silverback_storage::model::{Metadata, MetricType};

use super::json;
use super::params::Params;
use super::response::{ApiError, success};
use super::run::run;
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
    run(&app, None, move |app, _| {
        let metric = (!metric.is_empty()).then_some(metric.as_str());
        let families = app
            .db
            .view()
            .metadata(metric)
            .map_err(|error| ApiError::storage(&error))?;
        let mut data = vec![b'{'];
        for (i, (name, metadata)) in families.iter().take(limit).enumerate() {
            if i > 0 {
                data.push(b',');
            }
            json::html_string(&mut data, name);
            data.push(b':');
            write_metadata(&mut data, metadata);
        }
        data.push(b'}');
        Ok(success(&data, &[]))
    })
    .await
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
