//! Numbers in parameters, as Go's `strconv` reads them.

use super::go_text::quote;

/// Reads a float as `strconv.ParseFloat` does, hexadecimal ones apart: decimal, exponent,
/// single underscores between digits; `inf` and `nan` in any case. None where Go has an error,
/// and so for numbers beyond the largest float.
pub(super) fn parse_float(text: &str) -> Option<f64> {
    let without_underscores;
    let plain = if text.contains('_') {
        let bytes = text.as_bytes();
        let is_digit = |at: Option<usize>| {
            at.and_then(|at| bytes.get(at))
                .is_some_and(u8::is_ascii_digit)
        };
        let between_digits = |(at, _)| is_digit(at_before(at)) && is_digit(Some(at + 1));
        if !text.match_indices('_').all(between_digits) {
            return None;
        }
        without_underscores = text.replace('_', "");
        &without_underscores
    } else {
        text
    };
    let value: f64 = plain.parse().ok()?;
    let out_of_range = value.is_infinite() && plain.bytes().any(|byte| byte.is_ascii_digit());
    (!out_of_range).then_some(value)
}

fn at_before(at: usize) -> Option<usize> {
    at.checked_sub(1)
}

/// Reads the `limit` parameter: how many elements an answer may have. An empty text and 0 mean
/// no limit.
///
/// # Errors
/// Go's `strconv.Atoi` and Prometheus's words for what is wrong.
pub(super) fn parse_limit(text: &str) -> Result<Option<usize>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let failed = |why: &str| Err(format!("strconv.Atoi: parsing {}: {why}", quote(text)));
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return failed("invalid syntax");
    }
    match text.parse::<i64>() {
        Err(_) => failed("value out of range"),
        Ok(0) => Ok(None),
        Ok(limit) => match usize::try_from(limit) {
            Ok(limit) => Ok(Some(limit)),
            Err(_) => Err("limit must be non-negative".to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_as_go_reads_them() {
        for (text, value) in [
            ("1", 1.0),
            ("-1.5", -1.5),
            ("+.5", 0.5),
            ("1.", 1.0),
            ("1e3", 1000.0),
            ("1_000.2_5", 1000.25),
            ("Inf", f64::INFINITY),
            ("-infinity", f64::NEG_INFINITY),
        ] {
            assert_eq!(parse_float(text), Some(value), "{text}");
        }
        assert!(parse_float("NaN").unwrap().is_nan());
        for text in [
            "", "x", "1e400", "-1e400", "1__0", "_1", "1_", "1_.5", "1 ", "0x10", ".",
        ] {
            assert_eq!(parse_float(text), None, "{text}");
        }
    }

    #[test]
    fn limits() {
        assert_eq!(parse_limit(""), Ok(None));
        assert_eq!(parse_limit("0"), Ok(None));
        assert_eq!(parse_limit("+7"), Ok(Some(7)));
        for (text, error) in [
            ("-2", "limit must be non-negative"),
            ("x\"", "strconv.Atoi: parsing \"x\\\"\": invalid syntax"),
            ("1.5", "strconv.Atoi: parsing \"1.5\": invalid syntax"),
            (
                "99999999999999999999",
                "strconv.Atoi: parsing \"99999999999999999999\": value out of range",
            ),
        ] {
            assert_eq!(parse_limit(text), Err(error.to_owned()));
        }
    }
}
