//! Just enough of Rust's grammar to see which names a file speaks of.

use std::collections::BTreeSet;

/// The text without comments and without what stands in strings; line breaks stay.
pub(super) fn code_only(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < chars.len() {
        let end = match (at(i), at(i + 1)) {
            ('/', '/') => line_end(&chars, i),
            ('/', '*') => comment_end(&chars, i),
            ('"', _) => string_end(&chars, i),
            ('r', '"' | '#') if i == 0 || !is_word(at(i - 1)) || at(i - 1) == 'b' => {
                raw_string_end(&chars, i)
            }
            ('\'', '\\') => char_end(&chars, i),
            // A lifetime has no second quote.
            ('\'', _) if at(i + 2) == '\'' => i + 3,
            _ => i,
        };
        if end == i {
            out.push(at(i));
            i += 1;
        } else {
            let skipped = chars[i..end.min(chars.len())].iter();
            out.extend(skipped.filter(|&&c| c == '\n'));
            // What stood on both sides must not become one word.
            out.push(' ');
            i = end;
        }
    }
    out
}

fn line_end(chars: &[char], start: usize) -> usize {
    let rest = chars[start..].iter().position(|&c| c == '\n');
    rest.map_or(chars.len(), |offset| start + offset)
}

fn comment_end(chars: &[char], start: usize) -> usize {
    let mut depth = 0;
    let mut i = start;
    while i + 1 < chars.len() {
        match (chars[i], chars[i + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                i += 1;
                continue;
            }
        }
        i += 2;
        if depth == 0 {
            return i;
        }
    }
    chars.len()
}

fn string_end(chars: &[char], start: usize) -> usize {
    let mut i = start + 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

/// The end of `r"..."` or `r#"..."#`; `start` itself where it is another thing (`r#type`).
fn raw_string_end(chars: &[char], start: usize) -> usize {
    let hashes = chars[start + 1..].iter().take_while(|&&c| c == '#').count();
    let open = start + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return start;
    }
    let close: Vec<char> = std::iter::once('"')
        .chain(std::iter::repeat_n('#', hashes))
        .collect();
    let rest = chars[open + 1..].windows(close.len());
    let offset = rest.into_iter().position(|window| window == close);
    offset.map_or(chars.len(), |offset| open + 1 + offset + close.len())
}

fn char_end(chars: &[char], start: usize) -> usize {
    // The character after the backslash may itself be a quote.
    let rest = chars.iter().skip(start + 3).position(|&c| c == '\'');
    rest.map_or(chars.len(), |offset| start + 3 + offset + 1)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The names and keywords of a text.
pub(super) fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c| !is_word(c)).filter(|word| !word.is_empty())
}

/// What follows each place where `mark` stands as a word of its own.
pub(super) fn marks<'a>(line: &'a str, mark: &str) -> impl Iterator<Item = &'a str> {
    line.match_indices(mark).filter_map(move |(at, found)| {
        let (before, after) = (&line[..at], &line[at + found.len()..]);
        let alone = !before.ends_with(is_word) && !after.starts_with(is_word);
        alone.then_some(after)
    })
}

/// The first names of the paths that begin with `prefix` (such as `crate::`), those in a
/// group (`crate::{a::b, c}`) included.
pub(super) fn heads(code: &str, prefix: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        if code[..at].ends_with(is_word) || code[..at].ends_with("::") {
            continue;
        }
        let rest = code[at + prefix.len()..].trim_start();
        match rest.strip_prefix('{') {
            Some(group) => found.extend(group_heads(group)),
            None => found.extend(words(rest).next().map(str::to_owned)),
        }
    }
    found
}

/// The first names in a group whose brace has been opened.
fn group_heads(group: &str) -> Vec<String> {
    let mut depth = 1;
    let mut outer = String::new();
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ if depth == 1 => outer.push(c),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    let first = |path: &str| words(path).next().map(str::to_owned);
    outer.split(',').filter_map(first).collect()
}

#[test]
fn comments_and_strings_go_and_the_rest_stays() {
    let code = r##"a /* b /* c */ d */ e // f
"g\"h" i 'j' '"' '\'' &'k str r#"l"m"# r#type br"n" /// o"##;
    let left: Vec<&str> = code_only(code).leak().split_whitespace().collect();
    assert_eq!(left, ["a", "e", "i", "&'k", "str", "r#type", "b"]);
}

#[test]
fn heads_of_groups_are_found() {
    let code = "use crate::{a::{x, y}, b, c as d}; use crate :: e; my_crate::f; crate::g::h()";
    let found = heads(code, "crate::");
    assert_eq!(Vec::from_iter(found), ["a", "b", "c", "g"]);
    let text = "x mark(#1) marked mark";
    assert_eq!(
        Vec::from_iter(marks(text, "mark")),
        ["(#1) marked mark", ""]
    );
}
