//! What the strings begin with that a regular expression matches.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::literal::{ExtractKind, Extractor};

/// Bytes that every match of `pattern`, which is anchored at both ends, begins with, one of them
/// each: sorted, none the beginning of another. None where nothing is known.
pub fn prefixes(pattern: &str) -> Option<Vec<Vec<u8>>> {
    let hir = ParserBuilder::new()
        .utf8(false)
        .dot_matches_new_line(true)
        .build()
        .parse(pattern)
        .ok()?;
    let found = Extractor::new().kind(ExtractKind::Prefix).extract(&hir);
    let mut prefixes: Vec<Vec<u8>> = found
        .literals()?
        .iter()
        .map(|literal| literal.as_bytes().to_vec())
        .collect();
    if prefixes.iter().any(Vec::is_empty) {
        return None;
    }
    prefixes.sort_unstable();
    // Sorted, so that what begins with a prefix follows it.
    prefixes.dedup_by(|later, kept| later.starts_with(kept));
    Some(prefixes)
}

/// The first string after all that begin with `prefix`; none where there is nothing after.
pub fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&byte| byte < u8::MAX)?;
    let mut after = prefix.get(..=last)?.to_vec();
    *after.last_mut()? += 1;
    Some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matches_begins_with_a_prefix() {
        let of = |pattern: &str| -> Option<Vec<String>> {
            let texts = prefixes(pattern)?.into_iter().map(String::from_utf8);
            Some(texts.map(Result::unwrap).collect())
        };
        let list = |texts: &[&str]| Some(texts.iter().map(|&text| text.to_owned()).collect());
        assert_eq!(of("node-1.*"), list(&["node-1"]));
        assert_eq!(of("^node-1.*$"), list(&["node-1"]));
        assert_eq!(of("(b|a).+"), list(&["a", "b"]));
        assert_eq!(of("a.*|ab|c"), list(&["a", "c"]));
        assert_eq!(of("[ab]1"), list(&["a1", "b1"]));
        assert_eq!(of("(?i)k"), list(&["K", "k", "\u{212a}"]));
        assert_eq!(of(".*a"), None);
        assert_eq!(of("a?"), None);
        assert_eq!(of("a*b?c?"), None);
        assert_eq!(of("a|"), None);
        assert_eq!(of("(?:a|b"), None);
        // Nothing matches, nothing is begun with.
        assert_eq!(of("[a&&b]"), list(&[]));
    }

    #[test]
    fn after_a_prefix_comes_nothing_that_begins_with_it() {
        assert_eq!(after_prefix(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(after_prefix(&[7, 255, 255]), Some(vec![8]));
        assert_eq!(after_prefix(&[255]), None);
        assert_eq!(after_prefix(&[]), None);
    }
}
