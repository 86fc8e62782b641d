//! A small client of the Prometheus HTTP API, for Silverback and Prometheus alike.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value as Json;
use ureq::Agent;
use ureq::http::Response;

use crate::{Error, Result};

/// Longest time a request may take.
const REQUEST_MAX: Duration = Duration::from_secs(60);
/// Largest answer that is read, in bytes.
const REPLY_BYTES_MAX: u64 = 1 << 30;

/// Where to ask.
#[derive(Clone, Debug)]
pub struct Api {
    agent: Agent,
    base: String,
}

/// An answer as it came, whatever its status.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status code.
    pub status: u16,
    /// Names (in lower case) and values.
    pub headers: BTreeMap<String, String>,
    /// The body; what is not UTF-8 in it is replaced.
    pub body: String,
}

/// The data of a query's answer.
#[derive(Clone, PartialEq, Debug)]
pub enum Data {
    /// A number.
    Scalar(Point),
    /// A text.
    String(Point),
    /// Series of one point each, in the order of the answer.
    Vector(Vec<Series>),
    /// Series of any number of points, in the order of the answer.
    Matrix(Vec<Series>),
}

/// A series of an answer.
#[derive(Clone, PartialEq, Debug)]
pub struct Series {
    /// Its labels, the metric name as `__name__`.
    pub labels: BTreeMap<String, String>,
    /// Its points, in the order of the answer.
    pub points: Vec<Point>,
}

/// A value at a time.
#[derive(Clone, PartialEq, Debug)]
pub struct Point {
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// The value as the answer wrote it. Both programs write the shortest decimal that reads
    /// back as the same float, so that equal texts are equal bits (but for NaN, which has one
    /// text and many bits).
    pub value: String,
}

impl Api {
    /// A client of the server at `base`, such as `http://127.0.0.1:9090`.
    pub fn new(base: &str) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(REQUEST_MAX))
            .proxy(None)
            .build()
            .new_agent();
        Self {
            agent,
            base: base.to_owned(),
        }
    }

    /// GET of a path with parameters.
    ///
    /// # Errors
    /// No answer; an answer of any status is none.
    pub fn get(&self, path: &str, params: &[(&str, &str)]) -> Result<Reply> {
        let request = self.agent.get(self.url(path));
        let request = request.query_pairs(params.iter().copied());
        read(path, request.call())
    }

    /// POST of parameters as a form.
    ///
    /// # Errors
    /// No answer.
    pub fn post_form(&self, path: &str, params: &[(&str, &str)]) -> Result<Reply> {
        let request = self.agent.post(self.url(path));
        read(path, request.send_form(params.iter().copied()))
    }

    /// POST of a body.
    ///
    /// # Errors
    /// No answer.
    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Reply> {
        let mut request = self.agent.post(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(path, request.send(body))
    }

    /// An expression at one time, in milliseconds.
    ///
    /// # Errors
    /// No answer, or one that is not a success.
    pub fn query(&self, expr: &str, time_ms: i64) -> Result<Data> {
        let time = seconds(time_ms);
        let reply = self.post_form("/api/v1/query", &[("query", expr), ("time", &time)])?;
        data(&reply).map_err(|e| Error::about(format_args!("{expr} at {time}"), e))
    }

    /// An expression from one time to another, in milliseconds.
    ///
    /// # Errors
    /// No answer, or one that is not a success.
    pub fn query_range(&self, expr: &str, range: Range) -> Result<Data> {
        let (start, end) = (seconds(range.start_ms), seconds(range.end_ms));
        let step = seconds(range.step_ms);
        let params = [
            ("query", expr),
            ("start", &start),
            ("end", &end),
            ("step", &step),
        ];
        let reply = self.post_form("/api/v1/query_range", &params)?;
        data(&reply).map_err(|e| Error::about(format_args!("{expr} over {range:?}"), e))
    }

    /// The values of a label.
    ///
    /// # Errors
    /// No answer, or one that is not a success.
    pub fn label_values(&self, label: &str, start_ms: i64, end_ms: i64) -> Result<Vec<String>> {
        let path = format!("/api/v1/label/{label}/values");
        let (start, end) = (seconds(start_ms), seconds(end_ms));
        let reply = self.get(&path, &[("start", &start), ("end", &end)])?;
        let json = success(&reply)?;
        let values = json.as_array().ok_or_else(|| unexpected("list", &json))?;
        values.iter().map(text).collect()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// The steps of a range query, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// First evaluation.
    pub start_ms: i64,
    /// No evaluation after this.
    pub end_ms: i64,
    /// From one to the next.
    pub step_ms: i64,
}

/// Milliseconds as the API takes times and durations: decimal seconds.
pub fn seconds(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    format!("{sign}{}.{:03}", ms.abs() / 1000, ms.abs() % 1000)
}

/// Reads the data of a query's answer.
///
/// # Errors
/// An answer that is not a success, or has another form than the API's.
pub fn data(reply: &Reply) -> Result<Data> {
    let json = success(reply)?;
    let result = &json["result"];
    match json["resultType"].as_str() {
        Some("scalar") => Ok(Data::Scalar(point(result)?)),
        Some("string") => Ok(Data::String(point(result)?)),
        Some("vector") => Ok(Data::Vector(series_list(result)?)),
        Some("matrix") => Ok(Data::Matrix(series_list(result)?)),
        _ => Err(unexpected("resultType", &json)),
    }
}

fn read(
    path: &str,
    response: std::result::Result<Response<ureq::Body>, ureq::Error>,
) -> Result<Reply> {
    let mut response = response.map_err(|e| Error::about(path, e))?;
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.as_str().to_owned(), value.into_owned())
        })
        .collect();
    let body = response.body_mut().with_config().limit(REPLY_BYTES_MAX);
    let body = body.read_to_vec().map_err(|e| Error::about(path, e))?;
    Ok(Reply {
        status: response.status().as_u16(),
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

fn success(reply: &Reply) -> Result<Json> {
    let mut json: Json = serde_json::from_str(&reply.body).map_err(|e| {
        let what = format!("status {}, body {:?} is not JSON", reply.status, reply.body);
        Error::about(what, e)
    })?;
    if reply.status != 200 || json["status"] != "success" {
        return Err(Error::about(
            format_args!("status {}", reply.status),
            &reply.body,
        ));
    }
    Ok(json["data"].take())
}

fn series_list(json: &Json) -> Result<Vec<Series>> {
    let list = json.as_array().ok_or_else(|| unexpected("list", json))?;
    list.iter().map(series).collect()
}

fn series(json: &Json) -> Result<Series> {
    let metric = &json["metric"];
    let labels = metric
        .as_object()
        .ok_or_else(|| unexpected("labels", metric))?
        .iter()
        .map(|(name, value)| Ok((name.clone(), text(value)?)))
        .collect::<Result<_>>()?;
    let points = match (&json["value"], &json["values"]) {
        (Json::Null, Json::Array(values)) => values.iter().map(point).collect::<Result<_>>()?,
        (value, Json::Null) => vec![point(value)?],
        // Native histograms stand elsewhere: nothing here compares them.
        _ => return Err(unexpected("value or values", json)),
    };
    Ok(Series { labels, points })
}

fn point(json: &Json) -> Result<Point> {
    let (Some(time), value) = (json[0].as_f64(), &json[1]) else {
        return Err(unexpected("point", json));
    };
    Ok(Point {
        // Exact: milliseconds of our age need 41 of the 53 bits.
        timestamp_ms: (time * 1000.0).round() as i64,
        value: text(value)?,
    })
}

fn text(json: &Json) -> Result<String> {
    let text = json.as_str().ok_or_else(|| unexpected("string", json))?;
    Ok(text.to_owned())
}

fn unexpected(wanted: &str, json: &Json) -> Error {
    let mut got = json.to_string();
    if let Some((end, _)) = got.char_indices().nth(200) {
        got.truncate(end);
    }
    Error::new(format!("no {wanted} where there should be one: {got}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply {
            status,
            headers: BTreeMap::new(),
            body: body.to_owned(),
        }
    }

    #[test]
    fn times_are_written_in_decimal_seconds() {
        assert_eq!(seconds(1_435_781_430_781), "1435781430.781");
        assert_eq!(seconds(5), "0.005");
        assert_eq!(seconds(-1_500), "-1.500");
    }

    #[test]
    fn a_matrix_is_read_with_its_texts() -> Result<()> {
        let body = r#"{"status":"success","data":{"resultType":"matrix","result":[
            {"metric":{"__name__":"up"},"values":[[1435781430.781,"1"],[1435781431,"NaN"]]}]}}"#;
        let point = |timestamp_ms, value: &str| Point {
            timestamp_ms,
            value: value.to_owned(),
        };
        let expected = Data::Matrix(vec![Series {
            labels: BTreeMap::from([("__name__".to_owned(), "up".to_owned())]),
            points: vec![
                point(1_435_781_430_781, "1"),
                point(1_435_781_431_000, "NaN"),
            ],
        }]);
        assert_eq!(data(&reply(200, body))?, expected);
        Ok(())
    }

    #[test]
    fn an_error_answer_keeps_its_text() {
        let body = r#"{"status":"error","errorType":"bad_data","error":"no such thing"}"#;
        let error = data(&reply(400, body)).unwrap_err().to_string();
        assert!(error.contains("status 400") && error.contains("no such thing"));
        assert!(data(&reply(200, "<html>")).is_err());
        let histogram = r#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{},"histogram":[1,{}]}]}}"#;
        assert!(data(&reply(200, histogram)).is_err());
    }
}
