//! The envelope of every answer, and how failures map to HTTP.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use silverback_query::ErrorKind;
use silverback_storage::View;

use super::json;
use super::query::TRUNCATED;

/// How many warnings and how many infos an answer has at most.
const NOTES_MAX: usize = 10;

/// The kinds of failure of the API (`errorType`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ErrorType {
    BadData,
    Execution,
    Canceled,
    Timeout,
    Internal,
    NotFound,
    /// The method is not one of the endpoint's; Prometheus answers this in plain text.
    MethodNotAllowed,
    /// A body beyond the limit.
    TooLarge,
    /// The server is busy or stopping.
    Unavailable,
}

impl ErrorType {
    fn as_str(self) -> &'static str {
        match self {
            Self::BadData | Self::MethodNotAllowed | Self::TooLarge => "bad_data",
            Self::Execution => "execution",
            Self::Canceled => "canceled",
            Self::Timeout => "timeout",
            Self::Internal => "internal",
            Self::NotFound => "not_found",
            Self::Unavailable => "unavailable",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::BadData => StatusCode::BAD_REQUEST,
            Self::Execution => StatusCode::UNPROCESSABLE_ENTITY,
            // 499 is nginx's code for a client that went away; it is a valid status code.
            Self::Canceled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
            Self::Timeout | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }
}

/// A failure that the client is told of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ApiError {
    kind: ErrorType,
    message: String,
}

impl ApiError {
    pub(crate) fn new(kind: ErrorType, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// The request is wrong.
    pub(super) fn bad_data(message: impl Into<String>) -> Self {
        Self::new(ErrorType::BadData, message)
    }

    /// A parameter is wrong.
    pub(super) fn parameter(name: &str, error: impl std::fmt::Display) -> Self {
        Self::bad_data(format!("invalid parameter \"{name}\": {error}"))
    }

    /// A query failed: its text is wrong, or its evaluation.
    pub(super) fn query(error: &silverback_query::Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::BadData | ErrorKind::Unsupported => return Self::parameter("query", error),
            ErrorKind::Execution => ErrorType::Execution,
            ErrorKind::Canceled => ErrorType::Canceled,
            ErrorKind::Timeout => ErrorType::Timeout,
            _ => ErrorType::Internal,
        };
        Self::new(kind, error.to_string())
    }

    /// The database failed.
    pub(super) fn storage(error: &silverback_storage::Error) -> Self {
        Self::new(ErrorType::Internal, error.to_string())
    }

    /// The body of the answer.
    fn to_json(&self) -> Vec<u8> {
        let mut out = br#"{"status":"error","errorType":"#.to_vec();
        json::html_string(&mut out, self.kind.as_str());
        out.extend_from_slice(br#","error":"#);
        json::html_string(&mut out, &self.message);
        out.push(b'}');
        out
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = self.to_json();
        (
            self.kind.status(),
            [(header::CONTENT_TYPE, "application/json")],
            body,
        )
            .into_response()
    }
}

/// What stands before the data of a successful answer.
pub(super) const SUCCESS: &[u8] = br#"{"status":"success","data":"#;

/// Writes what stands after the data of a successful answer.
pub(super) fn finish(out: &mut Vec<u8>, warnings: &[String], infos: &[String]) {
    notes(out, "warnings", "warning", warnings);
    notes(out, "infos", "info", infos);
    out.push(b'}');
}

fn notes(out: &mut Vec<u8>, field: &str, kind: &str, texts: &[String]) {
    if texts.is_empty() {
        return;
    }
    let mut texts = texts.to_vec();
    if texts.len() > NOTES_MAX {
        let omitted = texts.split_off(NOTES_MAX).len();
        texts.push(format!("{omitted} more {kind} annotations omitted"));
    }
    out.push(b',');
    json::html_string(out, field);
    out.push(b':');
    json::html_strings(out, &texts);
}

/// The warnings of a list of names, values or series: what the view was without for damage, and
/// whether the list was cut to the limit.
pub(super) fn warnings(view: &View, is_cut: bool) -> Vec<String> {
    let damage = view.read_damage();
    let damage = damage.iter().map(ToString::to_string);
    damage.chain(is_cut.then(|| TRUNCATED.to_owned())).collect()
}

/// A successful answer whose data is already JSON.
pub(super) fn success(data: &[u8], warnings: &[String]) -> Response {
    let mut out = Vec::with_capacity(SUCCESS.len() + data.len() + 64);
    out.extend_from_slice(SUCCESS);
    out.extend_from_slice(data);
    finish(&mut out, warnings, &[]);
    ([(header::CONTENT_TYPE, "application/json")], out).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(error: &ApiError) -> String {
        String::from_utf8(error.to_json()).unwrap()
    }

    // As Prometheus 3.5.3 answered.
    #[test]
    fn errors() {
        let error = ApiError::parameter("query", "1:5: parse error: unclosed left parenthesis");
        assert_eq!(
            body(&error),
            r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:5: parse error: unclosed left parenthesis"}"#
        );
        assert_eq!(
            body(&ApiError::new(ErrorType::Execution, "a < b")),
            r#"{"status":"error","errorType":"execution","error":"a \u003c b"}"#
        );
    }

    #[test]
    fn query_errors_map_to_status_codes() {
        for (kind, status, error_type) in [
            (ErrorKind::BadData, 400, "bad_data"),
            (ErrorKind::Unsupported, 400, "bad_data"),
            (ErrorKind::Execution, 422, "execution"),
            (ErrorKind::Canceled, 499, "canceled"),
            (ErrorKind::Timeout, 503, "timeout"),
            (ErrorKind::Source, 500, "internal"),
        ] {
            let error = ApiError::query(&silverback_query::Error::new(kind, "why"));
            assert!(body(&error).contains(&format!("\"errorType\":\"{error_type}\"")));
            assert_eq!(error.into_response().status().as_u16(), status);
        }
    }

    #[test]
    fn warnings_and_infos_are_left_out_where_empty_and_cut_where_many() {
        let finished = |warnings: &[String], infos: &[String]| {
            let mut out = Vec::new();
            finish(&mut out, warnings, infos);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(finished(&[], &[]), "}");
        assert_eq!(
            finished(&["a".to_owned()], &["b".to_owned()]),
            r#","warnings":["a"],"infos":["b"]}"#
        );
        let many: Vec<String> = (0..12).map(|i| i.to_string()).collect();
        assert!(finished(&many, &[]).ends_with(r#""9","2 more warning annotations omitted"]}"#));
    }
}
