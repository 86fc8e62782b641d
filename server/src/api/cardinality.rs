//! `/api/v1/status/tsdb`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use silverback_storage::{Cardinality, Count, TimeRange};

use super::json;
use super::params::Params;
use super::query_body::{List, QueryBody};
use super::response::{ApiError, warnings};
use super::run::{GiveBack, run};
use super::series::ALLOCATED_BYTES;
use crate::app::App;

/// How many elements a list has unless the request says.
const LIMIT_DEFAULT: usize = 10;
/// How many it may ask for.
const LIMIT_MAX: usize = 10_000;
/// How far back sources count, from the newest sample on, in milliseconds. What Prometheus tells of is
/// its head, which has two to three hours.
const SPAN_MS: i64 = 3 * 3_600_000;

/// How many series there are, and of which names and values most.
pub(crate) async fn tsdb_status(
    State(app): State<Arc<App>>,
    params: Params,
) -> Result<Response, ApiError> {
    let limit = limit(params.get("limit"))?;
    let give_back = GiveBack::new(&app);
    let body = run(&app, None, move |app, bounds| {
        let view = app.db.view();
        let stats = app.db.stats();
        let newest_ms = stats.max_timestamp_ms.unwrap_or(i64::MIN);
        let range = TimeRange::new(newest_ms.saturating_sub(SPAN_MS), i64::MAX);
        let reading = bounds.reading(app);
        let found = reading.ask(|allowance| view.bounded(allowance).cardinality(range, limit))?;
        let parts = parts(found, stats.series);
        let memory = reading.answer(parts.iter().map(Part::bytes).sum())?;
        let list = List::object(parts, |out, part| part.write(out));
        let warnings = warnings(&view, false);
        let body = QueryBody::of_list(list, &warnings, memory, bounds.into_turn());
        Ok(body.giving_back(give_back))
    })
    .await?;
    Ok(body.into_response())
}

fn limit(text: &str) -> Result<usize, ApiError> {
    if text.is_empty() {
        return Ok(LIMIT_DEFAULT);
    }
    let limit = text.parse::<i64>().ok();
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    match limit {
        None | Some(0) => Err(ApiError::bad_data("limit must be a positive number")),
        Some(limit) if limit > LIMIT_MAX => Err(ApiError::bad_data(format!(
            "limit must not exceed {LIMIT_MAX}"
        ))),
        Some(limit) => Ok(limit),
    }
}

/// A piece of the answer, up to the next comma.
#[derive(Debug)]
enum Part {
    Head(String),
    /// An element of a list, with the list's name where it is the first, and whether it is the last.
    Element(Option<&'static str>, Count, bool),
    EmptyList(&'static str),
}

/// The answer, of a head that has `chunks` open chunks.
fn parts(found: Cardinality, chunks: u64) -> Vec<Part> {
    // Without a sample Prometheus has the ends of all time the other way round.
    let (min, max) = match found.range {
        Some(range) => (range.start_ms, range.end_ms),
        None => (i64::MAX, i64::MIN),
    };
    let mut parts = vec![Part::Head(format!(
        "{{\"numSeries\":{},\"numLabelPairs\":{},\"chunkCount\":{chunks},\"minTime\":{min},\
         \"maxTime\":{max}}}",
        found.series, found.label_pairs
    ))];
    for (name, counts) in [
        ("seriesCountByMetricName", found.series_by_metric),
        ("labelValueCountByLabelName", found.values_by_label),
        ("memoryInBytesByLabelName", found.bytes_by_label),
        ("seriesCountByLabelValuePair", found.series_by_pair),
    ] {
        if counts.is_empty() {
            parts.push(Part::EmptyList(name));
        }
        let mut name = Some(name);
        let mut counts = counts.into_iter();
        while let Some(count) = counts.next() {
            parts.push(Part::Element(name.take(), count, counts.len() == 0));
        }
    }
    parts
}

impl Part {
    fn bytes(&self) -> usize {
        let text = match self {
            Self::Head(text) => text.len(),
            Self::Element(_, count, _) => count.name.len(),
            Self::EmptyList(_) => 0,
        };
        size_of::<Self>() + text + ALLOCATED_BYTES
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Head(text) => out.extend_from_slice(format!("\"headStats\":{text}").as_bytes()),
            Self::EmptyList(name) => out.extend_from_slice(format!("\"{name}\":[]").as_bytes()),
            Self::Element(first_of, count, is_last) => {
                if let Some(name) = first_of {
                    out.extend_from_slice(format!("\"{name}\":[").as_bytes());
                }
                out.extend_from_slice(br#"{"name":"#);
                json::html_string(out, &count.name);
                out.extend_from_slice(format!(",\"value\":{}}}", count.count).as_bytes());
                if *is_last {
                    out.push(b']');
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits() {
        for (given, expected) in [("", 10), ("1", 1), ("+7", 7), ("10000", 10_000)] {
            assert_eq!(limit(given), Ok(expected), "{given}");
        }
        for given in ["0", "-1", "x", "1.5", "99999999999999999999"] {
            let error = ApiError::bad_data("limit must be a positive number");
            assert_eq!(limit(given), Err(error), "{given}");
        }
        let error = ApiError::bad_data("limit must not exceed 10000");
        assert_eq!(limit("10001"), Err(error));
    }
}
