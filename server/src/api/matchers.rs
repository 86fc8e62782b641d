//! `match[]`: from the query language's matchers to the storage's.

use silverback_query::source::MatchOp as QueryOp;
use silverback_storage::{MatchOp, Matcher};

/// Matchers of which all must hold.
pub(super) type MatcherSet = Vec<Matcher>;

/// Reads one selector.
///
/// # Errors
/// The parser's text, or Prometheus's where every matcher takes the empty value: it would
/// select everything.
pub(super) fn parse(selector: &str) -> Result<MatcherSet, String> {
    let parsed = silverback_query::parse_matchers(selector).map_err(|error| error.to_string())?;
    let matchers = parsed
        .into_iter()
        .map(|matcher| {
            let op = match matcher.op {
                QueryOp::Equal => MatchOp::Equal,
                QueryOp::NotEqual => MatchOp::NotEqual,
                QueryOp::Regex => MatchOp::Regex,
                QueryOp::NotRegex => MatchOp::NotRegex,
            };
            Matcher::new(op, matcher.name, matcher.value).map_err(|error| error.to_string())
        })
        .collect::<Result<MatcherSet, String>>()?;
    if matchers.iter().all(|matcher| matcher.matches("")) {
        return Err("match[] must contain at least one non-empty matcher".to_owned());
    }
    Ok(matchers)
}
