//! `/api/v1/query` and `/api/v1/query_range`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use silverback_query::{Error, QueryOptions, QueryResult, Value};

use super::params::{Params, StatsWanted};
use super::query_body::QueryBody;
use super::response::ApiError;
use super::run::{Bounds, GiveBack, run};
use super::{stats, time};
use crate::app::App;
use crate::clock;

/// How many points a series of a range query may have, less one.
const STEPS_MAX: i128 = 11_000;
const NS_PER_MS: i64 = 1_000_000;

/// What a truncated answer says.
pub(super) const TRUNCATED: &str = "results truncated due to limit";

/// Evaluates an expression at one time.
pub(crate) async fn instant(
    State(app): State<Arc<App>>,
    params: Params,
) -> Result<Response, ApiError> {
    let limit = params.limit()?;
    let time_ms = params.time_or("time", clock::now_ms())?;
    let request = Request::read(&params, limit)?;
    request
        .evaluate(&app, move |app, query, options| {
            app.engine.instant(&app.db, query, time_ms, options)
        })
        .await
}

/// Evaluates an expression over a range of time.
pub(crate) async fn range(
    State(app): State<Arc<App>>,
    params: Params,
) -> Result<Response, ApiError> {
    let limit = params.limit()?;
    let Steps {
        start_ms,
        end_ms,
        step_ms,
    } = Steps::read(&params)?;
    let request = Request::read(&params, limit)?;
    request
        .evaluate(&app, move |app, query, options| {
            app.engine
                .range(&app.db, query, start_ms, end_ms, step_ms, options)
        })
        .await
}

/// `start`, `end` and `step` of a range query, in milliseconds.
#[derive(PartialEq, Debug)]
struct Steps {
    start_ms: i64,
    end_ms: i64,
    step_ms: i64,
}

impl Steps {
    fn read(params: &Params) -> Result<Self, ApiError> {
        let start_ms = params.time("start")?;
        let end_ms = params.time("end")?;
        if end_ms < start_ms {
            return Err(ApiError::parameter(
                "end",
                "end timestamp must not be before start time",
            ));
        }
        let step_ns = time::parse_duration_ns(params.get("step"))
            .map_err(|error| ApiError::parameter("step", error))?;
        // Steps are whole milliseconds; below one, Prometheus fails with a division by zero.
        if step_ns < NS_PER_MS {
            return Err(ApiError::parameter(
                "step",
                "zero or negative query resolution step widths are not accepted. Try a positive integer",
            ));
        }
        let span_ns = (i128::from(end_ms) - i128::from(start_ms)) * i128::from(NS_PER_MS);
        if span_ns / i128::from(step_ns) > STEPS_MAX {
            return Err(ApiError::bad_data(
                "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
            ));
        }
        Ok(Self {
            start_ms,
            end_ms,
            step_ms: step_ns / NS_PER_MS,
        })
    }
}

/// What both kinds of query have in common.
#[derive(Debug)]
struct Request {
    query: String,
    limit: Option<usize>,
    timeout: Option<Duration>,
    lookback_delta_ms: Option<i64>,
    stats: StatsWanted,
    stats_warning: Option<String>,
    explain: bool,
}

impl Request {
    fn read(params: &Params, limit: Option<usize>) -> Result<Self, ApiError> {
        let timeout = match params.get("timeout") {
            "" => None,
            text => {
                let nanoseconds = time::parse_duration_ns(text)
                    .map_err(|error| ApiError::parameter("timeout", error))?;
                // Prometheus notices while it parses the query.
                Some(
                    time::positive(nanoseconds)
                        .ok_or_else(|| ApiError::parameter("query", "context deadline exceeded"))?,
                )
            }
        };
        let lookback_delta_ms = match params.get("lookback_delta") {
            "" => None,
            text => {
                let nanoseconds = time::parse_duration_ns(text).map_err(|error| {
                    ApiError::bad_data(format!("error parsing lookback delta duration: {error}"))
                })?;
                // Zero and less mean the default, as in Prometheus.
                Some(nanoseconds / NS_PER_MS).filter(|&ms| ms > 0)
            }
        };
        Ok(Self {
            query: params.get("query").to_owned(),
            limit,
            timeout,
            lookback_delta_ms,
            stats: params.stats(),
            stats_warning: params.stats_warning(),
            explain: params.get("explain") == "true",
        })
    }

    async fn evaluate(
        self,
        app: &Arc<App>,
        evaluate: impl FnOnce(&App, &str, &QueryOptions<'_>) -> Result<QueryResult, Error>
        + Send
        + 'static,
    ) -> Result<Response, ApiError> {
        let give_back = GiveBack::new(app);
        let body = run(app, self.timeout, move |app, bounds: Bounds| {
            let options = QueryOptions {
                lookback_delta_ms: self.lookback_delta_ms,
                timeout: Some(bounds.time_left()),
                cancel: Some(bounds.cancelled()),
                stats: self.stats != StatsWanted::None,
                explain: self.explain,
            };
            let mut result =
                evaluate(app, &self.query, &options).map_err(|error| ApiError::query(&error))?;
            if let Some(lost) = truncate(&mut result.value, self.limit) {
                app.engine.free_behind(lost);
                result.warnings.push(TRUNCATED.to_owned());
            }
            result.warnings.extend(self.stats_warning);
            let stats = result.stats.take();
            let stats = stats.map(|stats| stats::json(&stats, bounds.queued(), self.stats));
            let mut extras = Vec::new();
            extras.extend(stats.map(|stats| ("stats", stats)));
            if self.explain {
                extras.push(("explain", stats::explain(&result.plan)));
            }
            Ok(QueryBody::new(result, extras, bounds.into_turn()).giving_back(give_back))
        })
        .await?;
        Ok(body.into_response())
    }
}

/// Cuts a vector or a matrix to `limit` elements; gives what was lost, if anything was.
fn truncate(value: &mut Value, limit: Option<usize>) -> Option<Value> {
    let limit = limit?;
    match value {
        Value::Vector(samples) if samples.len() > limit => {
            Some(Value::Vector(samples.split_off(limit)))
        }
        Value::Matrix(series) if series.len() > limit => {
            Some(Value::Matrix(series.split_off(limit)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(query: &str) -> Result<Steps, String> {
        Steps::read(&Params::of(query)).map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn steps_of_a_range() {
        assert_eq!(
            steps("start=0&end=3&step=1500ms"),
            Ok(Steps {
                start_ms: 0,
                end_ms: 3000,
                step_ms: 1500
            })
        );
        assert!(steps("start=0&end=11000&step=1").is_ok());
        for (query, text) in [
            (
                "end=3&step=1",
                r#"invalid parameter \"start\": cannot parse \"\" to a valid"#,
            ),
            (
                "start=3&end=1&step=1",
                r#"invalid parameter \"end\": end timestamp must not be"#,
            ),
            (
                "start=3&end=4",
                r#"invalid parameter \"step\": cannot parse \"\" to a valid dura"#,
            ),
            (
                "start=3&end=4&step=0",
                r#"invalid parameter \"step\": zero or negative query"#,
            ),
            ("start=3&end=4&step=-1", "zero or negative"),
            ("start=3&end=4&step=0.0001", "zero or negative"),
            (
                "start=0&end=11001&step=1",
                "exceeded maximum resolution of 11,000 points",
            ),
            (
                "start=-1e12&end=1e12&step=1",
                "exceeded maximum resolution of 11,000 points",
            ),
        ] {
            let error = steps(query).unwrap_err();
            assert!(error.contains(text), "{query}: {error}");
        }
    }

    #[test]
    fn options_of_a_query() {
        let read = |query: &str| Request::read(&Params::of(query), None);
        let request = read("query=up&timeout=5s&lookback_delta=1m&stats=all").unwrap();
        assert_eq!(request.query, "up");
        assert_eq!(request.timeout, Some(Duration::from_secs(5)));
        assert_eq!(request.lookback_delta_ms, Some(60_000));
        assert_eq!(request.stats, StatsWanted::PerStep);
        assert_eq!(request.stats_warning, None);
        assert_eq!(read("lookback_delta=-5").unwrap().lookback_delta_ms, None);
        for (query, text) in [
            (
                "timeout=x",
                r#"invalid parameter \"timeout\": cannot parse \"x\""#,
            ),
            (
                "timeout=0",
                r#"invalid parameter \"query\": context deadline exceeded"#,
            ),
            (
                "lookback_delta=x",
                r#"\"error parsing lookback delta duration: cannot parse"#,
            ),
        ] {
            let error = format!("{:?}", read(query).unwrap_err());
            assert!(
                error.contains(text) || error.contains(&text.replace("\\\"error", "\"error")),
                "{error}"
            );
        }
    }

    #[test]
    fn limits_cut_vectors_and_matrices_alone() {
        let sample = silverback_query::InstantSample {
            labels: silverback_query::Labels::default(),
            timestamp_ms: 0,
            value: 0.0,
            histogram: None,
        };
        let mut value = Value::Vector(vec![sample; 3]);
        assert!(truncate(&mut value, None).is_none());
        assert!(truncate(&mut value, Some(3)).is_none());
        assert!(truncate(&mut value, Some(2)).is_some());
        assert!(matches!(value, Value::Vector(samples) if samples.len() == 2));
        let mut scalar = Value::Scalar {
            timestamp_ms: 0,
            value: 0.0,
        };
        assert!(truncate(&mut scalar, Some(1)).is_none());
    }
}
