//! What `label_replace` puts into a label.

use regex::{Captures, Regex};

/// Puts groups of a match into a template, as Go's `Regexp.Expand` does: `$1`, `${1}`, `$name`,
/// `${name}`, `$$`. A name is as long as it can be; a group that is not there is empty; a `$`
/// without a name stays. None where that is longer than `bytes_max`.
pub(crate) fn expand(
    template: &str,
    regex: &Regex,
    captures: &Captures<'_>,
    bytes_max: usize,
) -> Option<String> {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = reference(after) {
            out.push_str(group(name, regex, captures));
            rest = after;
        } else {
            out.push('$');
            rest = after;
        }
        if out.len() > bytes_max {
            return None;
        }
    }
    out.push_str(rest);
    (out.len() <= bytes_max).then_some(out)
}

/// The name behind a `$` and what follows it.
fn reference(text: &str) -> Option<(&str, &str)> {
    let braced = text.strip_prefix('{');
    let text = braced.unwrap_or(text);
    let end = text
        .find(|c: char| !(c.is_alphanumeric() || c == '_'))
        .unwrap_or(text.len());
    let (name, after) = text.split_at(end);
    if name.is_empty() {
        return None;
    }
    if braced.is_some() {
        return Some((name, after.strip_prefix('}')?));
    }
    Some((name, after))
}

fn group<'t>(name: &str, regex: &Regex, captures: &Captures<'t>) -> &'t str {
    // A number has no leading zeros: `$01` is a name, of no group.
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit())
        && (name.len() == 1 || !name.starts_with('0'));
    let found = if is_number {
        name.parse().ok().and_then(|number| captures.get(number))
    } else {
        // Go lets groups share a name; the first that took part counts.
        regex
            .capture_names()
            .enumerate()
            .filter(|(_, known)| *known == Some(name))
            .find_map(|(number, _)| captures.get(number))
    };
    found.map_or("", |found| found.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_put_into_templates_as_in_go() {
        let regex = Regex::new("^(?s:(a+)(?P<rest>b*)(c)?)$").unwrap();
        let captures = regex.captures("aabb").unwrap();
        let cases = [
            ("$1-$2", "aa-bb"),
            ("${1}x", "aax"),
            ("$1x", ""),
            ("$rest!", "bb!"),
            ("${rest}", "bb"),
            ("$3$9", ""),
            ("$0", "aabb"),
            ("$01.${01}.$00", ".."),
            ("$$1", "$1"),
            ("$", "$"),
            ("${1", "${1"),
            ("${1-2}", "${1-2}"),
            ("$-$1", "$-aa"),
        ];
        for (template, expected) in cases {
            let expanded = expand(template, &regex, &captures, 10);
            assert_eq!(expanded.as_deref(), Some(expected), "{template}");
        }
        assert_eq!(expand("$1$1$1$1", &regex, &captures, 7), None);
        assert_eq!(expand("12345678", &regex, &captures, 7), None);
    }
}
