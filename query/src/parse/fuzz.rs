//! What holds of expressions, literals and patterns of any text.

use super::ast::Expr;
use super::duration::{format_duration_ms, parse_duration_ms};
use super::normal::normalise;
use super::number::{format_general, format_plain, parse_number};
use super::pattern::{check, matches_empty, translate};
use super::strings::{quote, quote_bytes};
use super::{Options, ParseErrors, parse, parse_metric_selector, prettify};

/// An expression. It is a tree or errors, whose places lie in the text. The canonical text of a
/// tree, and the text over several lines, read back as the same tree.
pub(crate) fn expression(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    if let Err(errors) = parse_metric_selector(text) {
        check_errors(text, &errors);
    }
    if let Err(errors) = parse(text, &Options::default()) {
        check_errors(text, &errors);
    }
    let mut tree = match parse(text, &Options::ALL) {
        Ok(tree) => tree,
        Err(errors) => {
            check_errors(text, &errors);
            return false;
        }
    };
    check_spans(&tree, text);
    let again = read_back(text, &tree.to_string());
    let pretty = prettify(&tree).map(|pretty| read_back(text, &pretty));
    normalise(&mut tree);
    let tree = format!("{tree:?}");
    // The text over several lines may be longer than is given out.
    for mut again in [Ok(again), pretty].into_iter().flatten() {
        normalise(&mut again);
        // Not `==`: NaN is equal to itself here.
        assert_eq!(format!("{again:?}"), tree, "{text:?}");
    }
    true
}

fn read_back(text: &str, printed: &str) -> Expr {
    let again = parse(printed, &Options::ALL);
    assert!(again.is_ok(), "{text:?} -> {printed:?}: {again:?}");
    again.unwrap_or_else(|_| unreachable!("asserted"))
}

fn check_errors(text: &str, errors: &ParseErrors) {
    for error in errors.iter() {
        let (start, end) = (error.span.start as usize, error.span.end as usize);
        assert!(start <= end && end <= text.len(), "{error} of {text:?}");
        assert!(text.is_char_boundary(start), "{error} of {text:?}");
        assert!(!error.message.is_empty(), "{text:?}");
        assert_eq!(error.position.is_none(), text.is_empty(), "{text:?}");
        assert!(!error.to_string().is_empty());
    }
}

fn check_spans(tree: &Expr, text: &str) {
    let span = tree.span();
    assert!(
        text.get(span.start as usize..span.end as usize).is_some(),
        "{text:?}"
    );
}

/// Durations, numbers and strings. What is read comes back from what it is written as.
pub(crate) fn literals(data: &[u8]) -> bool {
    let quoted = quote_bytes(data);
    match parse(&quoted, &Options::ALL) {
        Ok(Expr::String(literal)) => {
            let bytes = literal.broken.as_deref();
            assert_eq!(bytes.unwrap_or(literal.value.as_bytes()), data, "{quoted}");
        }
        other => assert!(other.is_err(), "{quoted}: {other:?}"),
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return true;
    };
    let quoted = quote(text);
    let string = parse(&quoted, &Options::ALL);
    assert!(
        matches!(string, Ok(Expr::String(literal)) if literal.value == text),
        "{quoted}"
    );
    if let Ok(ms) = parse_duration_ms(text) {
        let canonical = format_duration_ms(ms);
        assert_eq!(
            parse_duration_ms(&canonical),
            Ok(ms),
            "{text:?} {canonical:?}"
        );
    }
    if let Ok(value) = parse_number(text) {
        number_comes_back(value);
    }
    if let Some(bits) = data.first_chunk() {
        number_comes_back(f64::from_bits(u64::from_le_bytes(*bits)));
    }
    if let Ok(Expr::Number(literal)) = parse(text, &Options::ALL) {
        let canonical = Expr::Number(literal.clone()).to_string();
        match parse(&canonical, &Options::ALL) {
            Ok(Expr::Number(again)) => assert_same(again.value, literal.value, text),
            // The sign is one of its own.
            Ok(Expr::Unary(_)) => assert!(canonical.starts_with(['+', '-']), "{canonical}"),
            other => assert!(
                other.is_err() && canonical.is_empty(),
                "{canonical}: {other:?}"
            ),
        }
    }
    true
}

fn number_comes_back(value: f64) {
    for text in [format_plain(value), format_general(value)] {
        match text.strip_prefix(['+', '-']) {
            Some(digits) => assert_same(
                parse_number(digits).unwrap_or(f64::EPSILON),
                value.abs(),
                &text,
            ),
            None => assert_same(parse_number(&text).unwrap_or(f64::EPSILON), value, &text),
        }
    }
}

fn assert_same(one: f64, other: f64, text: &str) {
    let same = one.to_bits() == other.to_bits() || (one.is_nan() && other.is_nan());
    assert!(same, "{one} {other} {text:?}");
}

/// A line with a pattern in Go's syntax, then lines of texts. One that is taken compiles once it is
/// translated, and is known to match the empty text where it does; one that is plain names
/// matches what it looks like.
pub(crate) fn pattern(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let mut lines = text.split('\n');
    let pattern = lines.next().unwrap_or_default();
    if let Err(why) = check(pattern) {
        assert!(!why.is_empty());
        return false;
    }
    let translated = translate(pattern);
    assert!(translated.is_ok(), "{pattern:?} {translated:?}");
    // What repeats itself may take seconds to compile, up to its limit.
    if pattern.len() > 100 || pattern.matches('{').count() > 2 {
        return true;
    }
    let anchored = format!("^(?s:{})$", translated.unwrap_or_default());
    let mut builder = regex::bytes::RegexBuilder::new(&anchored);
    let Ok(regex) = builder.size_limit(1 << 17).build() else {
        return true;
    };
    assert_eq!(regex.is_match(b""), matches_empty(pattern), "{pattern:?}");
    let escaped = regex::escape(pattern);
    if escaped == pattern {
        for text in lines.take(8).chain([pattern]) {
            let is_match = regex.is_match(text.as_bytes());
            assert_eq!(is_match, text == pattern, "{pattern:?} {text:?}");
        }
    }
    true
}

pub(crate) fn expression_seeds() -> Vec<Vec<u8>> {
    [
        "1",
        "-(1 + 2) * 3 ^ -2",
        "up",
        "{__name__=~\"up|down\", job!=\"\"}",
        "{\"q.m\", 'a b'!~`x.*`}",
        "sum by (job, instance) (rate(http_requests_total{code=~\"5..\"}[5m] offset 1h))",
        "topk(3, a) and on (x) b unless ignoring (y) c",
        "a / on (x) group_left (y) b > bool 1",
        "histogram_quantile(0.9, sum without (pod) (rate(rpc_seconds_bucket[1m])))",
        "max_over_time(rate(a[5m])[1h:30s] @ end() offset -1m)",
        "rate(a[step() * 2]) + rate(a[max_of(1m, range())])",
        "count_values(\"v\", a) or vector(0x1f)",
        "rate(a[5m] anchored) + rate(b[5m] smoothed)",
        "label_replace(a, \"dst\", \"$1\", \"src\", \"(.*)\\\\.x\")",
        "a + on (x) group_right fill_left(1) fill_right(2) b",
        "'\\u20ac\\x41\\101\\n'",
        "info(a, {k=\"v\"}) + b @ 1609746000.5",
        "1h30m15ms + 1_000.5e-3 + Inf + NaN + 010",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

pub(crate) fn literals_seeds() -> Vec<Vec<u8>> {
    [
        "5m",
        "1y2w3d4h5m6s7ms",
        "0",
        "0x1F",
        "1e300",
        "0.1",
        "1_000",
        "010",
        "inf",
        "\u{20ac}\n\"\\x",
        ".5",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

pub(crate) fn pattern_seeds() -> Vec<Vec<u8>> {
    [
        "a|b\na\nb",
        "node.*",
        "(?i:get|post)",
        "[[:alpha:]_]+\\d{2,3}",
        "\\Qa.b\\E(?P<name>x)?",
        "^(a|(b|c)*)$",
        "\\p{Greek}\\x{1f600}\\pL",
        "(?U)a+?b{1,}",
        "\\bx\\B",
        "[^\\s-z]",
        "",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
