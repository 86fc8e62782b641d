//! Every error, in Prometheus's words and at Prometheus's place.

use crate::parse::{Options, parse};
use crate::{Error, ErrorKind};

/// The error of a text, everything enabled.
fn error(text: &str) -> String {
    match parse(text, &Options::ALL) {
        Ok(expr) => panic!("{text}: accepted as {expr}"),
        Err(errors) => errors.to_string(),
    }
}

fn check(cases: &[(&str, &str)]) {
    for (text, wanted) in cases {
        let (position, message) = wanted.split_once(' ').unwrap();
        assert_eq!(
            error(text),
            format!("{position}: parse error: {message}"),
            "{text}"
        );
    }
}

#[test]
fn of_the_lexer() {
    check(&[
        ("a $", "1:3 unexpected character: '$'"),
        ("a\n ü", "2:2 unexpected character: 'ü'"),
        ("a !", "1:3 unexpected character after '!': '\u{fffd}'"),
        ("a !~ b", "1:3 unexpected character after '!': '~'"),
        ("a =~ b", "1:3 unexpected character after '=': '~'"),
        ("(a", "1:3 unclosed left parenthesis"),
        ("a)", "1:3 unexpected right parenthesis ')'"),
        ("a]", "1:2 unexpected right bracket ']'"),
        ("a[5m[", "1:5 unexpected left bracket '['"),
        ("a[5m", "1:5 unclosed left bracket"),
        ("a[", "1:3 unexpected end of input in duration expression"),
        (
            "a[!]",
            "1:3 unexpected character in duration expression: '!'",
        ),
        (
            "a[minutes]",
            "1:3 unexpected character in duration expression: 'm'",
        ),
        (
            "a[:5m]",
            "1:4 unexpected colon before duration in duration expression",
        ),
        ("a[5m:1m:]", "1:8 unexpected colon ':'"),
        (
            "a[5m:] + a[step():step():]",
            "1:26 unexpected repeated colon in duration expression",
        ),
        ("a[5m b]", "1:6 unexpected character: 'b', expected ':'"),
        (
            "a[5m step]",
            "1:6 unexpected \"step\" in subquery or range, expected \":\" or \"]\"",
        ),
        ("{", "1:2 unexpected end of input inside braces"),
        ("{a=\"b\" {", "1:8 unexpected left brace '{'"),
        (
            "{a ! b}",
            "1:4 unexpected character after '!' inside braces: ' '",
        ),
        ("{a + b}", "1:4 unexpected character inside braces: '+'"),
        ("\"a", "1:1 unterminated quoted string"),
        ("'a\n'", "1:1 unterminated quoted string"),
        ("`a", "1:1 unterminated raw string"),
        ("\"\u{fffd}\"", "1:1 invalid UTF-8 rune"),
        (r#""\"#, "1:1 escape sequence not terminated"),
        (r#""\x4"#, "1:1 escape sequence not terminated"),
        (r#""\z""#, "1:1 unknown escape sequence U+007A 'z'"),
        (r#"'\"'"#, "1:1 unknown escape sequence U+0022 '\"'"),
        (
            r#""\xg0""#,
            "1:1 illegal character U+0067 'g' in escape sequence",
        ),
        (
            r#""\400""#,
            "1:1 escape sequence is an invalid Unicode code point",
        ),
        (
            r#""\ud800""#,
            "1:1 escape sequence is an invalid Unicode code point",
        ),
        ("1.2.3", "1:1 bad number or duration syntax: \"1.2.\""),
        ("5mm", "1:1 bad number or duration syntax: \"5mm\""),
        ("1x", "1:1 bad number or duration syntax: \"1\""),
    ]);
}

#[test]
fn of_numbers_and_durations() {
    check(&[
        (
            "0x",
            "1:1 error parsing number: strconv.ParseFloat: parsing \"0x\": invalid syntax",
        ),
        (
            "1e400",
            "1:1 error parsing number: strconv.ParseFloat: parsing \"1e400\": value out of range",
        ),
        ("a[1m1h]", "1:3 not a valid duration string: \"1m1h\""),
        ("a[5hs]", "1:3 unknown unit \"hs\" in duration \"5hs\""),
        ("a[300y]", "1:3 duration out of range"),
        ("a[0s]", "1:3 duration must be greater than 0"),
        ("a[5m:-1m]", "1:6 duration must be greater than 0"),
        ("a[1e10]", "1:3 duration out of range"),
        ("a offset -1e10", "1:10 duration out of range"),
        ("a[5m / 0]", "1:6 division by zero"),
        ("a[5m % 0s]", "1:6 modulo by zero"),
    ]);
}

#[test]
fn of_unexpected_tokens() {
    check(&[
        ("a b", "1:3 unexpected identifier \"b\""),
        ("a b:c", "1:3 unexpected metric identifier \"b:c\""),
        ("a 5m", "1:3 unexpected duration \"5m\""),
        ("a 'a long text'", "1:3 unexpected string \"'a long te\"..."),
        ("a,", "1:2 unexpected \",\""),
        ("+", "1:2 unexpected end of input"),
        ("* a", "1:1 unexpected <op:*>"),
        ("a BY (b)", "1:3 unexpected <BY>"),
        ("a sum", "1:3 unexpected <aggr:sum>"),
        ("a start", "1:3 unexpected \"start\""),
        ("a + atan2", "1:5 unexpected <op:atan2>"),
        ("()", "1:2 unexpected \")\""),
        ("f(,)", "1:3 unexpected \",\""),
        ("sum(a b)", "1:7 unexpected identifier \"b\" in aggregation"),
        (
            "f(sum(a + rate(b c)))",
            "1:18 unexpected identifier \"c\" in aggregation",
        ),
        ("sum(a) + (b c)", "1:13 unexpected identifier \"c\""),
        (
            "sum by (a) b",
            "1:12 unexpected identifier \"b\" in aggregation",
        ),
        (
            "sum by a",
            "1:8 unexpected identifier \"a\" in grouping opts, expected \"(\"",
        ),
        (
            "sum by (1)",
            "1:9 unexpected number \"1\" in grouping opts, expected label",
        ),
        (
            "sum by (without) (a)",
            "1:9 unexpected <without> in grouping opts, expected label",
        ),
        (
            "sum by (a b)",
            "1:11 unexpected identifier \"b\" in grouping opts, expected \",\" or \")\"",
        ),
        (
            "a + on(b) group_left == c",
            "1:22 unexpected <op:==> in grouping opts, expected \"(\"",
        ),
        ("a + fill(b) c", "1:10 unexpected identifier \"b\""),
    ]);
}

#[test]
fn of_unexpected_tokens_behind_operands_and_in_braces() {
    check(&[
        (
            "a[]",
            "1:3 unexpected \"]\" in subquery or range selector, expected number, duration, step(), or range()",
        ),
        ("a[5m)", "1:6 unexpected right parenthesis ')'"),
        (
            "(a[5m))",
            "1:6 unexpected \")\" in subquery or range, expected \":\" or \"]\"",
        ),
        (
            "a[5m:(]",
            "1:7 unexpected \"]\" in subquery selector, expected number, duration, step(), range(), or \"]\"",
        ),
        (
            "a[5m:1m 2m]",
            "1:9 unexpected duration \"2m\" in subquery selector, expected \"]\"",
        ),
        (
            "a offset b",
            "1:10 unexpected identifier \"b\" in offset, expected number, duration, step(), or range()",
        ),
        (
            "a offset (5m) + b",
            "1:17 unexpected identifier \"b\" in offset, expected number, duration, step(), or range()",
        ),
        (
            "a @ b",
            "1:5 unexpected identifier \"b\" in @, expected timestamp",
        ),
        (
            "a @ start",
            "1:10 unexpected end of input in @, expected timestamp",
        ),
        (
            "{,}",
            "1:2 unexpected \",\" in label matching, expected identifier or \"}\"",
        ),
        (
            "{a}",
            "1:3 unexpected \"}\" in label matching, expected label matching operator",
        ),
        (
            "{a=b}",
            "1:4 unexpected identifier \"b\" in label matching, expected string",
        ),
        (
            "{a='b' c='d'}",
            "1:8 unexpected identifier \"c\" in label matching, expected \",\" or \"}\"",
        ),
    ]);
}

#[test]
fn of_empty_texts() {
    assert_eq!(
        error(""),
        "unknown position: parse error: no expression found in input"
    );
    assert_eq!(
        error(" # empty"),
        "1:1: parse error: no expression found in input"
    );
}

#[test]
fn of_modifiers() {
    let offset = "offset modifier must be preceded by an instant vector selector or range vector \
                  selector or a subquery";
    assert_eq!(
        error("(a) offset 5m"),
        format!("1:1: parse error: {offset}")
    );
    check(&[
        (
            "a offset 1m offset 2m",
            "1:1 offset may not be set multiple times",
        ),
        (
            "a[5m] offset 1m offset 2m",
            "1:1 offset may not be set multiple times",
        ),
        (
            "a @ 1 @ start()",
            "1:1 @ <timestamp> may not be set multiple times",
        ),
        (
            "a @ Inf",
            "1:1 timestamp out of bounds for @ modifier: +Inf",
        ),
        (
            "a @ -1e19",
            "1:1 timestamp out of bounds for @ modifier: -10000000000000000000.000000",
        ),
        ("f(a)[5m]", "1:1 unknown function with name \"f\""),
        ("abs(a)[5m]", "1:7 ranges only allowed for vector selectors"),
        (
            "a offset 1m [5m]",
            "1:13 no offset modifiers allowed before range",
        ),
        ("a @ 1 [5m]", "1:7 no @ modifiers allowed before range"),
        (
            "a anchored smoothed",
            "1:1 anchored and smoothed modifiers cannot be used together",
        ),
        (
            "a[5m:] smoothed",
            "1:1 smoothed modifier is not supported for subqueries",
        ),
        ("abs(a) anchored", "1:1 anchored modifier not implemented"),
    ]);
}

#[test]
fn of_calls_and_aggregations() {
    check(&[
        ("nope(a)", "1:1 unknown function with name \"nope\""),
        ("RATE(a[5m])", "1:1 unknown function with name \"RATE\""),
        (
            "abs(a,)",
            "1:6 trailing commas not allowed in function call args",
        ),
        (
            "abs(a,,a)",
            "1:6 trailing commas not allowed in function call args",
        ),
        (
            "sum()",
            "1:1 no arguments for aggregate expression provided",
        ),
        (
            "sum(a, b)",
            "1:1 wrong number of arguments for aggregate expression provided, expected 1, got 2",
        ),
        (
            "topk(a)",
            "1:1 wrong number of arguments for aggregate expression provided, expected 2, got 1",
        ),
        (
            "sum by (\"\") (a)",
            "1:9 invalid label name for grouping: \"\"",
        ),
        (
            "sum(1)",
            "1:5 expected type instant vector in aggregation expression, got scalar",
        ),
        (
            "topk(a, a)",
            "1:6 expected type scalar in aggregation parameter, got instant vector",
        ),
        (
            "count_values(1, a)",
            "1:14 expected type string in aggregation parameter, got scalar",
        ),
        (
            "abs()",
            "1:1 expected 1 argument(s) in call to \"abs\", got 0",
        ),
        (
            "label_join(a)",
            "1:1 expected at least 3 argument(s) in call to \"label_join\", got 1",
        ),
        (
            "round(a, 1, 2)",
            "1:1 expected at most 2 argument(s) in call to \"round\", got 3",
        ),
        (
            "abs(a[5m])",
            "1:5 expected type instant vector in call to function \"abs\", got range vector",
        ),
        (
            "label_join(a, 'b', 'c', 1)",
            "1:25 expected type string in call to function \"label_join\", got scalar",
        ),
        (
            "info(a, b)",
            "1:9 expected label selectors only, got vector selector instead",
        ),
        ("info(a, ({b='c'}))", "1:9 expected label selectors only"),
        (
            "info(a, 1)",
            "1:1 expected type instant vector in call to function \"info\", got scalar",
        ),
    ]);
}

#[test]
fn of_operators() {
    check(&[
        (
            "1 == 1",
            "1:3 comparisons between scalars must use BOOL modifier",
        ),
        (
            "a + bool b",
            "1:3 bool modifier can only be used on comparison operators",
        ),
        (
            "a and 1",
            "1:1 set operator \"and\" not allowed in binary scalar expression",
        ),
        (
            "a + on(x) 1",
            "1:1 vector matching only allowed between instant vectors",
        ),
        (
            "a + fill(0) 1",
            "1:1 filling in missing series only allowed between instant vectors",
        ),
        (
            "a or fill(0) b",
            "1:1 filling in missing series not allowed for set operators",
        ),
        (
            "a or on(x) group_left b",
            "1:1 no grouping allowed for \"or\" operation",
        ),
        (
            "a * on(x) group_left(x) b",
            "1:3 label \"x\" must not occur in ON and GROUP clause at once",
        ),
        (
            "a + 'b'",
            "1:5 binary expression must contain only scalar and instant vector types",
        ),
        (
            "a[5m] + b",
            "1:1 binary expression must contain only scalar and instant vector types",
        ),
        (
            "-'a'",
            "1:1 unary expression only allowed on expressions of type scalar or instant vector, got \"string\"",
        ),
    ]);
}

#[test]
fn of_subqueries_and_selectors() {
    check(&[
        (
            "1[5m:]",
            "1:1 subquery is only allowed on instant vector, got scalar instead",
        ),
        (
            "{}",
            "1:1 vector selector must contain at least one non-empty matcher",
        ),
        (
            "a + {b!='c'}",
            "1:5 vector selector must contain at least one non-empty matcher",
        ),
        (
            "{b=~'x?'}",
            "1:1 vector selector must contain at least one non-empty matcher",
        ),
        (
            "{b!~'x+'}",
            "1:1 vector selector must contain at least one non-empty matcher",
        ),
        (
            "a{__name__=~'b'}",
            "1:1 metric name must not be set twice: \"a\" or \"b\"",
        ),
        (
            "{b=~'('}",
            "1:2 error parsing regexp: missing closing ): `(`",
        ),
    ]);
}

#[test]
fn of_what_is_not_enabled() {
    let plain = Options {
        duration_expr: false,
        ..Options::default()
    };
    for (text, wanted) in [
        (
            "sort_by_label(a, 'b')",
            "1:1: parse error: function \"sort_by_label\" is not enabled",
        ),
        (
            "step()",
            "1:1: parse error: function \"step\" is not enabled",
        ),
        (
            "1 + limitk(1, a)",
            "1:5: parse error: limitk() is experimental and must be enabled with \
             --enable-feature=promql-experimental-functions",
        ),
        (
            "a[1m + 1]",
            "1:3: parse error: experimental duration expression is not enabled",
        ),
        (
            "a[step()]",
            "1:3: parse error: experimental duration expression is not enabled",
        ),
        (
            "a offset (5m)",
            "1:11: parse error: experimental duration expression is not enabled",
        ),
        (
            "a offset +step()",
            "1:10: parse error: experimental duration expression is not enabled",
        ),
        (
            "a smoothed",
            "1:1: parse error: smoothed modifier is experimental and not enabled",
        ),
        (
            "a + fill(1) b",
            "1:1: parse error: binop fill modifiers are experimental and not enabled",
        ),
    ] {
        assert_eq!(parse(text, &plain).unwrap_err().to_string(), wanted);
        assert!(parse(text, &Options::ALL).is_ok(), "{text}");
    }
    // Prometheus does not ask for the flag here.
    assert!(parse("a offset -(5m)", &plain).is_ok());
}

#[test]
fn come_in_order_and_stop_at_the_first_of_syntax() {
    let errors = parse("abs(1) + sum('x') + {}", &Options::ALL).unwrap_err();
    let starts: Vec<u32> = errors.iter().map(|error| error.span.start).collect();
    assert_eq!(starts, [4, 13, 20]);
    let errors = parse("nope(a @ Inf) )", &Options::ALL).unwrap_err();
    let messages: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "timestamp out of bounds for @ modifier: +Inf",
            "unknown function with name \"nope\"",
            "unexpected right parenthesis ')'"
        ]
    );
}

#[test]
fn are_bad_data() {
    let errors = parse("a\n\n  +", &Options::ALL).unwrap_err();
    let error = Error::from(errors);
    assert_eq!(error.kind(), ErrorKind::BadData);
    assert_eq!(
        error.to_string(),
        "3:4: parse error: unexpected end of input"
    );
}
