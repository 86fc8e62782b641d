//! Quoting and unquoting as Go does it: error texts and canonical printing show strings that way
//! (`strconv.Quote`, `strconv.QuoteRune`; the escapes a string may hold are those of Go).

use std::fmt::Write;

use super::ast::{Span, StringLiteral};

/// Whether Go prints a character as it is: letters, marks, numbers, punctuation, symbols, and
/// the plain space.
fn is_printable(c: char) -> bool {
    // The standard library knows the same classes. It escapes combining characters only where
    // they stand first, which Go does not do: hence the character before.
    let pair = String::from_iter(['a', c]);
    matches!(c, '\\' | '"' | '\'') || pair.escape_debug().nth(1) != Some('\\')
}

fn push_escaped(out: &mut String, c: char, mark: char) {
    match c {
        '\\' => out.push_str("\\\\"),
        c if c == mark => {
            out.push('\\');
            out.push(mark);
        }
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        c if is_printable(c) => out.push(c),
        c => {
            let code = u32::from(c);
            // Writing to a string cannot fail.
            let _ = match code {
                ..0x20 | 0x7f => write!(out, "\\x{code:02x}"),
                ..0x1_0000 => write!(out, "\\u{code:04x}"),
                _ => write!(out, "\\U{code:08x}"),
            };
        }
    }
}

/// In double quotes, with escapes.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        push_escaped(&mut out, c, '"');
    }
    out.push('"');
    out
}

/// As [`quote`], for text that the lexer reads again: it takes U+FFFD for a sign of broken UTF-8
/// and refuses it, unless it is escaped.
pub(super) fn quote_literal(text: &str) -> String {
    quote(text).replace(char::REPLACEMENT_CHARACTER, "\\ufffd")
}

/// One character in single quotes; the end of the text shows as U+FFFD.
pub(super) fn quote_char(c: Option<char>) -> String {
    let mut out = String::from("'");
    push_escaped(&mut out, c.unwrap_or(char::REPLACEMENT_CHARACTER), '\'');
    out.push('\'');
    out
}

/// As Go's `%#U`: `U+0063 'c'`, without the character where it does not print.
pub(super) fn unicode_name(c: char) -> String {
    let code = u32::from(c);
    if is_printable(c) {
        format!("U+{code:04X} '{c}'")
    } else {
        format!("U+{code:04X}")
    }
}

/// The first `count` characters.
pub(super) fn truncate_chars(text: &str, count: usize) -> &str {
    let end = text
        .char_indices()
        .nth(count)
        .map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or(text)
}

/// As [`quote`], of bytes: those that are no UTF-8 show as `\xff`.
pub(crate) fn quote_bytes(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            push_escaped(&mut out, c, '"');
        }
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out.push('"');
    out
}

/// What a string token means. `\xff` and `\377` stand for bytes, so that they can spell what is
/// not UTF-8; such bytes become U+FFFD here. No stored label holds them.
pub(super) fn unquote(token: &str) -> String {
    match String::from_utf8(unquote_bytes(token)) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    }
}

/// The string that a token stands for.
pub(super) fn literal(token: &str, span: Span) -> StringLiteral {
    let (value, broken) = match String::from_utf8(unquote_bytes(token)) {
        Ok(value) => (value, None),
        Err(error) => {
            let value = String::from_utf8_lossy(error.as_bytes()).into_owned();
            (value, Some(error.into_bytes()))
        }
    };
    StringLiteral {
        value,
        broken,
        span,
    }
}

/// The bytes of a string token, quotes included on the way in. The lexer has checked its
/// escapes.
fn unquote_bytes(token: &str) -> Vec<u8> {
    let mut chars = token.chars();
    let mark = chars.next();
    chars.next_back();
    let inner = chars.as_str();
    if mark == Some('`') || !inner.contains('\\') {
        return inner.as_bytes().to_vec();
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            unescape(&mut chars, &mut bytes);
        } else {
            push_char(&mut bytes, c);
        }
    }
    bytes
}

fn push_char(bytes: &mut Vec<u8>, c: char) {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Resolves one escape, its backslash already read.
fn unescape(chars: &mut std::str::Chars<'_>, bytes: &mut Vec<u8>) {
    let Some(c) = chars.next() else { return };
    let byte = match c {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        'x' => take_digits(chars, 0, 2, 16) as u8,
        '0'..='7' => take_digits(chars, c.to_digit(8).unwrap_or(0), 2, 8) as u8,
        'u' | 'U' => {
            let count = if c == 'u' { 4 } else { 8 };
            let code = take_digits(chars, 0, count, 16);
            return push_char(
                bytes,
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER),
            );
        }
        other => return push_char(bytes, other),
    };
    bytes.push(byte);
}

/// Reads `count` digits onto `value`.
fn take_digits(chars: &mut std::str::Chars<'_>, value: u32, count: u32, base: u32) -> u32 {
    (0..count).fold(value, |value, _| {
        let digit = chars.next().and_then(|c| c.to_digit(base)).unwrap_or(0);
        value.wrapping_mul(base).wrapping_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_as_go_does() {
        assert_eq!(quote("a\"b\\c\n\x07\x01\x7f'"), r#""a\"b\\c\n\a\x01\x7f'""#);
        assert_eq!(quote("ü€\u{301}𝄞"), "\"ü€\u{301}𝄞\"");
        assert_eq!(
            quote("\u{a0}\u{200b}\u{e0001}"),
            r#""\u00a0\u200b\U000e0001""#
        );
        assert_eq!(quote_char(Some('\'')), r"'\''");
        assert_eq!(quote_char(Some('"')), "'\"'");
        assert_eq!(quote_char(None), "'\u{fffd}'");
        assert_eq!(quote_literal("\u{fffd}"), r#""\ufffd""#);
    }

    #[test]
    fn names_characters_as_go_does() {
        assert_eq!(unicode_name('c'), "U+0063 'c'");
        assert_eq!(unicode_name('\n'), "U+000A");
        assert_eq!(unicode_name('\u{1F600}'), "U+1F600 '\u{1F600}'");
    }

    #[test]
    fn resolves_escapes() {
        assert_eq!(
            unquote(r#""a\tb\\\"\x41\101\u20ac\U0001F600""#),
            "a\tb\\\"AA€😀"
        );
        assert_eq!(unquote(r"'it\'s'"), "it's");
        assert_eq!(unquote(r"`a\n`"), r"a\n");
        assert_eq!(unquote(r#""\xe2\x82\xac""#), "€");
        assert_eq!(unquote(r#""a\xffb""#), "a\u{fffd}b");
        assert_eq!(unquote("\"\""), "");
    }
}
