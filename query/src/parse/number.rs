//! The text of numbers: what they mean, and how Go prints them.

use super::strings::quote;

/// The value of a number token: decimal, `0x` hexadecimal, octal after a leading zero, with
/// underscores between digits, `inf` and `nan`.
///
/// # Errors
/// The text of Go's `strconv.ParseFloat`, which is what Prometheus shows.
pub(super) fn parse_number(text: &str) -> Result<f64, String> {
    let error = |reason| {
        Err(format!(
            "strconv.ParseFloat: parsing {}: {reason}",
            quote(text)
        ))
    };
    let digits = text.replace('_', "");
    if digits.len() < text.len() && !underscores_separate_digits(text) {
        return error("invalid syntax");
    }
    if let Some(hex) = digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        return match i64::from_str_radix(hex, 16) {
            Ok(value) if !hex.starts_with(['+', '-']) => Ok(value as f64),
            _ => error("invalid syntax"),
        };
    }
    if digits.len() > 1
        && digits.starts_with('0')
        && digits.bytes().all(|digit| (b'0'..=b'7').contains(&digit))
        && let Ok(value) = i64::from_str_radix(&digits, 8)
    {
        return Ok(value as f64);
    }
    match digits.parse::<f64>() {
        Ok(value) if value.is_infinite() && !digits.eq_ignore_ascii_case("inf") => {
            error("value out of range")
        }
        Ok(value) => Ok(value),
        Err(_) => error("invalid syntax"),
    }
}

/// Go's rule: each underscore stands between digits, or between the base prefix and a digit.
fn underscores_separate_digits(text: &str) -> bool {
    let (is_hex, body) = match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let is_digit = |c: char| c.is_ascii_digit() || (is_hex && c.is_ascii_hexdigit());
    let mut before = is_hex;
    let mut chars = body.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '_' && !(before && chars.peek().is_some_and(|&next| is_digit(next))) {
            return false;
        }
        before = is_digit(c);
    }
    true
}

/// As Go's `strconv.FormatFloat(value, 'f', -1, 64)`: the fewest digits that read back the same,
/// never an exponent.
pub(super) fn format_plain(value: f64) -> String {
    match format_special(value) {
        Some(text) => text.to_owned(),
        None => value.to_string(),
    }
}

/// As Go's `%v`: an exponent below 1e-4 and from 1e21.
pub(super) fn format_general(value: f64) -> String {
    if let Some(text) = format_special(value) {
        return text.to_owned();
    }
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-4..1e21).contains(&magnitude) {
        return value.to_string();
    }
    // Rust writes 1e-7 where Go writes 1e-07.
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let (sign, digits) = match exponent.strip_prefix('-') {
                Some(digits) => ('-', digits),
                None => ('+', exponent),
            };
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        None => text,
    }
}

/// As Go's `%f`: six digits behind the point.
pub(super) fn format_fixed(value: f64) -> String {
    match format_special(value) {
        Some(text) => text.to_owned(),
        None => format!("{value:.6}"),
    }
}

fn format_special(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value == f64::INFINITY {
        Some("+Inf")
    } else if value == f64::NEG_INFINITY {
        Some("-Inf")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_mean_what_they_mean_in_go() {
        for (text, value) in [
            ("0", 0.0),
            ("17", 17.0),
            ("010", 8.0),
            ("08", 8.0),
            ("0_7", 7.0),
            ("0x1F", 31.0),
            ("0X_1f", 31.0),
            ("1_000.5", 1000.5),
            (".5", 0.5),
            ("5.", 5.0),
            ("1e3", 1000.0),
            ("1.e-2", 0.01),
            ("9223372036854775807", 9_223_372_036_854_775_807.0),
            ("Inf", f64::INFINITY),
            // Too large for octal in 64 bits, so decimal.
            ("07777777777777777777777", 7_777_777_777_777_777_777_777.0),
        ] {
            assert_eq!(parse_number(text), Ok(value), "{text}");
        }
        assert!(parse_number("NaN").unwrap().is_nan());
    }

    #[test]
    fn bad_numbers_have_gos_error() {
        for (text, error) in [
            ("0x", "strconv.ParseFloat: parsing \"0x\": invalid syntax"),
            (
                "0xffffffffffffffff",
                "strconv.ParseFloat: parsing \"0xffffffffffffffff\": invalid syntax",
            ),
            ("1e", "strconv.ParseFloat: parsing \"1e\": invalid syntax"),
            ("1_", "strconv.ParseFloat: parsing \"1_\": invalid syntax"),
            (
                "1e999",
                "strconv.ParseFloat: parsing \"1e999\": value out of range",
            ),
        ] {
            assert_eq!(parse_number(text), Err(error.to_owned()), "{text}");
        }
    }

    #[test]
    fn prints_as_go_does() {
        assert_eq!(format_plain(1e21), "1000000000000000000000");
        assert_eq!(format_plain(-0.0), "-0");
        assert_eq!(format_plain(f64::NEG_INFINITY), "-Inf");
        assert_eq!(format_general(1e21), "1e+21");
        assert_eq!(format_general(-2.5e-7), "-2.5e-07");
        assert_eq!(format_general(1e-100), "1e-100");
        assert_eq!(format_general(0.0001), "0.0001");
        assert_eq!(format_fixed(i64::MAX as f64), "9223372036854775808.000000");
        assert_eq!(format_fixed(f64::INFINITY), "+Inf");
    }
}
