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

#[cfg(test)]
mod tests {
    use super::*;

    // The errors are what Prometheus 3.5.3 answered.
    #[test]
    fn selectors() {
        let matchers = parse(r#"up{job=~"a|b",zone!=""}"#).unwrap();
        assert_eq!(matchers.len(), 3);
        for (selector, error) in [
            ("foo(", "1:4: parse error: unexpected \"(\""),
            ("1", "1:1: parse error: unexpected number \"1\""),
            ("", "unknown position: parse error: unexpected end of input"),
            ("{}", "match[] must contain at least one non-empty matcher"),
            (
                r#"{a=""}"#,
                "match[] must contain at least one non-empty matcher",
            ),
        ] {
            assert_eq!(parse(selector).unwrap_err(), error, "{selector}");
        }
    }
}
