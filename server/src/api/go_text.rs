//! Texts as Go writes and reads them, where Prometheus shows them to its clients.

use std::fmt::Write;

/// A string as Go's `%q` quotes it.
pub(super) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        quote_char(&mut out, c);
    }
    out.push('"');
    out
}

/// The same for bytes that need not be UTF-8: a byte that is not is shown as `\xff`.
pub(super) fn quote_bytes(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            quote_char(&mut out, c);
        }
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out.push('"');
    out
}

fn quote_char(out: &mut String, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\u{7}' => out.push_str("\\a"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{b}' => out.push_str("\\v"),
        c if is_print(c) => out.push(c),
        c => {
            let code = u32::from(c);
            // Writing to a string cannot fail.
            let _ = match code {
                0..0x80 => write!(out, "\\x{code:02x}"),
                0x80..0x1_0000 => write!(out, "\\u{code:04x}"),
                _ => write!(out, "\\U{code:08x}"),
            };
        }
    }
}

/// Close to Go's `strconv.IsPrint`: Rust's own escape knows the same Unicode classes, and of
/// spaces Go prints the ASCII one alone.
fn is_print(c: char) -> bool {
    match c {
        ' ' => true,
        // Rust escapes these two for their own sake.
        '\'' => true,
        c if c.is_whitespace() => false,
        c => c.escape_debug().len() == 1,
    }
}

/// Undoes the escaping of UTF-8 label names (`U__`, the "values" scheme of Prometheus's
/// `model.UnescapeName`): `U__la_2e_bel` is `la.bel`, `__` is an underscore. A name that is not
/// escaped properly is returned as it is.
pub(super) fn unescape_name(name: &str) -> String {
    let unescaped = name.strip_prefix("U__").and_then(unescape_value);
    unescaped.unwrap_or_else(|| name.to_owned())
}

fn unescape_value(escaped: &str) -> Option<String> {
    const HEX_DIGITS_MAX: usize = 6;
    let mut out = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((before, after)) = rest.split_once('_') {
        out.push_str(before);
        let (code, after) = after.split_once('_')?;
        rest = after;
        if code.is_empty() {
            out.push('_');
            continue;
        }
        let is_hex = code.len() <= HEX_DIGITS_MAX && code.bytes().all(|b| b.is_ascii_hexdigit());
        let code = is_hex
            .then(|| u32::from_str_radix(code, 16).ok())
            .flatten()?;
        out.push(char::from_u32(code)?);
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted_as_go_does() {
        assert_eq!(quote("a\"b\\c\nd\té😀"), r#""a\"b\\c\nd\té😀""#);
        assert_eq!(
            quote("\u{0}\u{7f}\u{7}\u{a0}\u{2028}'"),
            r#""\x00\x7f\a\u00a0\u2028'""#
        );
        assert_eq!(quote_bytes(b"a\xffb"), r#""a\xffb""#);
    }

    #[test]
    fn names_are_unescaped() {
        assert_eq!(unescape_name("U__la_2e_bel"), "la.bel");
        assert_eq!(unescape_name("U__a__b_1F600_"), "a_b😀");
        assert_eq!(unescape_name("U__"), "");
        assert_eq!(unescape_name("plain__name"), "plain__name");
        for broken in [
            "U__a_2x_b",
            "U__a_2e",
            "U___",
            "U__a_1234567_",
            "U__a_d800_",
            "U__a_+1_",
        ] {
            assert_eq!(unescape_name(broken), broken);
        }
    }
}
