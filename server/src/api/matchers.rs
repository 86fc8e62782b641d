//! `match[]`: from the query language's matchers to the storage's.

use silverback_query::parse::parse_metric_selector;
use silverback_storage::Matcher;

/// Matchers of which all must hold.
pub(super) type MatcherSet = Vec<Matcher>;

/// Reads one selector.
///
/// # Errors
/// The parser's text, or Prometheus's where every matcher takes the empty value: it would
/// select everything.
pub(super) fn parse(selector: &str) -> Result<MatcherSet, String> {
    let parsed = parse_metric_selector(selector).map_err(|error| error.to_string())?;
    let matchers = parsed
        .iter()
        .map(|matcher| Matcher::try_from(matcher).map_err(|error| error.to_string()))
        .collect::<Result<MatcherSet, String>>()?;
    if matchers.iter().all(|matcher| matcher.matches("")) {
        return Err("match[] must contain at least one non-empty matcher".to_owned());
    }
    Ok(matchers)
}
