//! The parameters of a request: form body first, then the query string, as in Go.

use axum::extract::{FromRequest, Request};
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use silverback_storage::TimeRange;

use super::form::Form;
use super::go_text::quote;
use super::matchers::{self, MatcherSet};
use super::response::{ApiError, ErrorType};
use super::{number, time};
use crate::app::AppRef;
use crate::remote_write::{Shortage, read_body};

/// Largest form body, in bytes (Go's own limit).
const FORM_BYTES_MAX: usize = 10 << 20;

/// What `stats` asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum StatsWanted {
    None,
    Totals,
    PerStep,
}

/// The parameters of one request.
#[derive(Debug, Default)]
pub(crate) struct Params(Form);

impl FromRequest<AppRef> for Params {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &AppRef) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let mut form = Form::default();
        if parts.method == Method::POST {
            let content_type = parts
                .headers
                .get(CONTENT_TYPE)
                .map_or("", |v| v.to_str().unwrap_or(""));
            let media = content_type.split(';').next().unwrap_or("").trim();
            if media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
                let held = read_body(&app.write_limits, body, FORM_BYTES_MAX).await?;
                form.add(&held.bytes);
            } else if media.eq_ignore_ascii_case("multipart/form-data") {
                return Err(ApiError::bad_data(
                    "multipart/form-data is not supported; send application/x-www-form-urlencoded",
                ));
            }
        }
        form.add(parts.uri.query().unwrap_or("").as_bytes());
        Ok(Self(form))
    }
}

impl From<Shortage> for ApiError {
    fn from(shortage: Shortage) -> Self {
        let kind = match shortage {
            Shortage::TooLarge(_) => ErrorType::TooLarge,
            Shortage::Late(_) => ErrorType::Timeout,
            Shortage::Busy(_) => ErrorType::Unavailable,
            Shortage::Broken(_) => ErrorType::BadData,
        };
        Self::new(kind, shortage.to_string())
    }
}

impl Params {
    /// The first value of a name; empty where it is not there.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name)
    }

    /// What is wrong with the form or the query string as such.
    pub(super) fn form_error(&self) -> Option<&str> {
        self.0.error()
    }

    /// How many elements the answer may have.
    pub(super) fn limit(&self) -> Result<Option<usize>, ApiError> {
        number::parse_limit(self.get("limit")).map_err(|error| ApiError::parameter("limit", error))
    }

    /// A time that must be there, in milliseconds.
    pub(super) fn time(&self, name: &str) -> Result<i64, ApiError> {
        time::parse_time(self.get(name)).map_err(|error| ApiError::parameter(name, error))
    }

    /// A time that may be left out, in milliseconds.
    pub(super) fn time_or(&self, name: &str, default_ms: i64) -> Result<i64, ApiError> {
        match self.get(name) {
            "" => Ok(default_ms),
            text => time::parse_time(text).map_err(|error| {
                ApiError::parameter(name, format!("invalid time value for '{name}': {error}"))
            }),
        }
    }

    /// `start` and `end`, all of time where they are left out.
    pub(super) fn time_range(&self) -> Result<TimeRange, ApiError> {
        let start_ms = self.time_or("start", time::MIN_TIME_MS)?;
        let end_ms = self.time_or("end", time::MAX_TIME_MS)?;
        Ok(TimeRange::new(start_ms, end_ms))
    }

    /// Whether there is a `match[]` at all.
    pub(super) fn has_matchers(&self) -> bool {
        self.0.all("match[]").next().is_some()
    }

    /// The selectors of `match[]`, each a set of matchers of which all must hold.
    ///
    /// # Errors
    /// The text of the parser, or Prometheus's where a selector would select everything.
    pub(super) fn matcher_sets(&self) -> Result<Vec<MatcherSet>, String> {
        self.0.all("match[]").map(matchers::parse).collect()
    }

    /// What the answer is to tell of the work for it. Values that Prometheus will refuse one day
    /// mean `true`, as there.
    pub(super) fn stats(&self) -> StatsWanted {
        match self.get("stats") {
            "" => StatsWanted::None,
            "all" => StatsWanted::PerStep,
            _ => StatsWanted::Totals,
        }
    }

    /// A warning about a value of `stats` that Prometheus will refuse one day.
    pub(super) fn stats_warning(&self) -> Option<String> {
        match self.get("stats") {
            "" | "true" | "all" => None,
            other => Some(format!(
                "value {} for parameter \"stats\" is deprecated and will be rejected in the next \
                 major release, use \"true\" or \"all\"",
                quote(other)
            )),
        }
    }
}

/// How many elements to ask for so that it shows whether there are more than the limit.
pub(super) fn one_more(limit: Option<usize>) -> usize {
    limit.map_or(usize::MAX, |limit| limit.saturating_add(1))
}

/// Cuts a list to its limit; says whether anything was lost.
pub(super) fn cut<T>(list: &mut Vec<T>, limit: Option<usize>) -> bool {
    let limit = limit.unwrap_or(usize::MAX);
    let is_cut = list.len() > limit;
    list.truncate(limit);
    is_cut
}

#[cfg(test)]
impl Params {
    /// The parameters of a query string, for tests.
    pub(super) fn of(query: &str) -> Self {
        let mut form = Form::default();
        form.add(query.as_bytes());
        Self(form)
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    #[test]
    fn errors_name_the_parameter() {
        let params = Params::of("start=x&limit=x&end=1");
        let message = |error: ApiError| format!("{error:?}");
        assert!(
            message(params.time("start").unwrap_err()).contains(
                r#"invalid parameter \"start\": cannot parse \"x\" to a valid timestamp"#
            )
        );
        assert!(message(params.time_range().unwrap_err()).contains(
            r#"invalid parameter \"start\": invalid time value for 'start': cannot parse \"x\""#
        ));
        assert!(message(params.limit().unwrap_err()).contains(r#"invalid parameter \"limit\""#));
        assert_eq!(params.time("end").unwrap(), 1000);
        assert_eq!(
            params
                .limit()
                .unwrap_err()
                .into_response()
                .status()
                .as_u16(),
            400
        );
    }

    #[test]
    fn times_left_out_mean_all_of_time() {
        let range = Params::of("").time_range().unwrap();
        assert_eq!(
            (range.start_ms, range.end_ms),
            (time::MIN_TIME_MS, time::MAX_TIME_MS)
        );
        assert_eq!(Params::of("time=").time_or("time", 7).unwrap(), 7);
    }

    #[test]
    fn odd_values_of_stats_are_warned_of() {
        assert_eq!(Params::of("stats=all").stats_warning(), None);
        assert!(
            Params::of("stats=foo")
                .stats_warning()
                .unwrap()
                .starts_with("value \"foo\" for")
        );
    }
}
