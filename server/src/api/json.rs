//! JSON as Prometheus writes it (`web/api/v1/json_codec.go`, `util/jsonutil`).
//!
//! Two forms of strings and two of timestamps are in use there, and clients compare bytes:
//! label sets of results are written without HTML escapes and all else with them; timestamps of
//! samples have three decimals or none, those of scalars and strings as few as they need.

use std::io::Write;

use silverback_query::{write_plain_float, write_scientific_float};

/// Writes a string with the escapes of JSON alone: label sets of results.
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    escaped(out, text, |byte| {
        byte < 0x20 || matches!(byte, b'"' | b'\\')
    });
}

/// Writes a string with the escapes that make it safe inside HTML: everything else.
pub(super) fn html_string(out: &mut Vec<u8>, text: &str) {
    // U+2028 and U+2029 begin with this byte in UTF-8, and few other characters do.
    const E2: u8 = 0xe2;
    escaped(out, text, |byte| {
        byte < 0x20 || matches!(byte, b'"' | b'\\' | b'<' | b'>' | b'&' | E2)
    });
}

/// Writes bytes as [`html_string`] does; Go escapes U+FFFD where it stands for a byte that is no
/// UTF-8.
pub(super) fn broken_string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    for chunk in bytes.utf8_chunks() {
        let mut quoted = Vec::new();
        html_string(&mut quoted, chunk.valid());
        out.extend_from_slice(quoted.get(1..quoted.len() - 1).unwrap_or_default());
        for _ in chunk.invalid() {
            out.extend_from_slice(b"\\ufffd");
        }
    }
    out.push(b'"');
}

fn escaped(out: &mut Vec<u8>, text: &str, special: impl Fn(u8) -> bool) {
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(&special) {
        let (plain, from) = rest.split_at(at);
        out.extend_from_slice(plain.as_bytes());
        let mut chars = from.chars();
        match chars.next() {
            Some('"') => out.extend_from_slice(b"\\\""),
            Some('\\') => out.extend_from_slice(b"\\\\"),
            Some('\n') => out.extend_from_slice(b"\\n"),
            Some('\r') => out.extend_from_slice(b"\\r"),
            Some('\t') => out.extend_from_slice(b"\\t"),
            Some(c @ (..'\u{20}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}')) => {
                infallible(write!(out, "\\u{:04x}", u32::from(c)));
            }
            Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            None => {}
        }
        rest = chars.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
    out.push(b'"');
}

/// Writes a sample's value: a string, with an exponent below 1e-6 and from 1e21 on.
pub(super) fn float(out: &mut Vec<u8>, value: f64) {
    let magnitude = value.abs();
    let plain = magnitude == 0.0 || (1e-6..1e21).contains(&magnitude) || !magnitude.is_finite();
    if !plain {
        out.push(b'"');
        write_scientific_float(out, value);
        out.push(b'"');
    } else {
        plain_float(out, value);
    }
}

/// Writes a scalar's value: a string, never with an exponent.
pub(super) fn plain_float(out: &mut Vec<u8>, value: f64) {
    const EXACT_MAX: f64 = 9e15;
    let whole = value as i64;
    out.push(b'"');
    if value.abs() < EXACT_MAX && whole as f64 == value && (whole != 0 || value.is_sign_positive())
    {
        integer(out, whole);
    } else {
        write_plain_float(out, value);
    }
    out.push(b'"');
}

/// Writes a sample's timestamp: seconds, with three decimals unless they are all zero.
pub(super) fn timestamp(out: &mut Vec<u8>, timestamp_ms: i64) {
    if timestamp_ms < 0 {
        out.push(b'-');
    }
    let ms = timestamp_ms.unsigned_abs();
    unsigned(out, ms / 1000);
    let fraction = ms % 1000;
    if fraction != 0 {
        let digit = |place: u64| b'0' + (fraction / place % 10) as u8;
        out.extend_from_slice(&[b'.', digit(100), digit(10), digit(1)]);
    }
}

/// Writes the timestamp of a scalar or a string: seconds as a float.
pub(super) fn float_timestamp(out: &mut Vec<u8>, timestamp_ms: i64) {
    write_plain_float(out, timestamp_ms as f64 / 1000.0);
}

fn integer(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    unsigned(out, value.unsigned_abs());
}

fn unsigned(out: &mut Vec<u8>, mut value: u64) {
    let start = out.len();
    loop {
        out.push(b'0' + (value % 10) as u8);
        value /= 10;
        if value == 0 {
            break;
        }
    }
    if let Some(digits) = out.get_mut(start..) {
        digits.reverse();
    }
}

/// Writes labels as an object, in the order they come.
pub(super) fn labels<'a>(out: &mut Vec<u8>, labels: impl Iterator<Item = (&'a str, &'a str)>) {
    out.push(b'{');
    for (i, (name, value)) in labels.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        string(out, name);
        out.push(b':');
        string(out, value);
    }
    out.push(b'}');
}

/// Writes strings as an array.
pub(super) fn html_strings(out: &mut Vec<u8>, texts: &[String]) {
    out.push(b'[');
    for (i, text) in texts.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        html_string(out, text);
    }
    out.push(b']');
}

/// Writing to a vector cannot fail.
fn infallible(result: std::io::Result<()>) {
    debug_assert!(result.is_ok());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    // The expected bytes of the tests below are what Prometheus 3.5.3 answered.

    #[test]
    fn values() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (1e-6, "0.000001"),
            (9.99e-7, "9.99e-07"),
            (1e-7, "1e-07"),
            (1.5e-9, "1.5e-09"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (-1.2345e22, "-1.2345e+22"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (0.1, "0.1"),
            (123_456_789.123_456_79, "123456789.12345679"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (1e-10, "1e-10"),
            (2.5e-100, "2.5e-100"),
        ] {
            assert_eq!(written(|out| float(out, value)), format!("\"{text}\""));
        }
    }

    #[test]
    fn scalars_have_no_exponent() {
        for (value, text) in [
            (1e21, "1000000000000000000000"),
            (1e-7, "0.0000001"),
            (2.0, "2"),
            (-0.0, "-0"),
            (f64::INFINITY, "+Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(
                written(|out| plain_float(out, value)),
                format!("\"{text}\"")
            );
        }
    }

    #[test]
    fn timestamps() {
        for (ms, sample, scalar) in [
            (0, "0", "0"),
            (4000, "4", "4"),
            (500, "0.500", "0.5"),
            (-1002, "-1.002", "-1.002"),
            (1_795_231_939_500, "1795231939.500", "1795231939.5"),
            (1_795_231_939_999, "1795231939.999", "1795231939.999"),
            (7, "0.007", "0.007"),
            (i64::MIN, "-9223372036854775.808", "-9223372036854776"),
        ] {
            assert_eq!(written(|out| timestamp(out, ms)), sample);
            assert_eq!(written(|out| float_timestamp(out, ms)), scalar);
        }
    }

    #[test]
    fn strings_of_labels_and_of_all_else() {
        let text = "a<b>&\"q\"\\ \n\t\r\u{1}\u{7f} \u{2028} \u{2029} é 😀 \u{8}\u{c}/'\u{2020}";
        assert_eq!(
            written(|out| string(out, text)),
            "\"a<b>&\\\"q\\\"\\\\ \\n\\t\\r\\u0001\u{7f} \u{2028} \u{2029} é 😀 \\u0008\\u000c/'\u{2020}\""
        );
        assert_eq!(
            written(|out| html_string(out, text)),
            "\"a\\u003cb\\u003e\\u0026\\\"q\\\"\\\\ \\n\\t\\r\\u0001\u{7f} \\u2028 \\u2029 é 😀 \\u0008\\u000c/'\u{2020}\""
        );
    }

    #[test]
    fn bytes_that_are_no_utf8_are_escaped() {
        let broken = |bytes: &[u8]| written(|out| broken_string(out, bytes));
        assert_eq!(
            broken(b"a<\xff\xe2\x82b"),
            r#""a\u003c\ufffd\ufffd\ufffdb""#
        );
        assert_eq!(broken("\u{fffd}".as_bytes()), "\"\u{fffd}\"");
    }

    proptest! {
        #[test]
        fn every_float_comes_back(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            for write in [float, plain_float] {
                let text = written(|out| write(out, value));
                let back: f64 = text.trim_matches('"').parse().unwrap();
                prop_assert!(back.to_bits() == bits || (back.is_nan() && value.is_nan()));
            }
        }

        #[test]
        fn every_string_comes_back(text in "\\PC*|[\\x00-\\x7f]*") {
            for write in [string, html_string] {
                let json = written(|out| write(out, &text));
                prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text.clone());
            }
        }
    }
}
