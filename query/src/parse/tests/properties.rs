//! Random texts: never a panic, and canonical text that reads back as the same tree.

use proptest::prelude::*;

use super::normalise;
use crate::parse::{Options, parse, parse_metric_selector};

const TOKENS: &[&str] = &[
    "foo",
    "a:b",
    "sum",
    "topk",
    "count_values",
    "and",
    "or",
    "unless",
    "atan2",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "bool",
    "offset",
    "anchored",
    "smoothed",
    "fill",
    "fill_left",
    "fill_right",
    "start",
    "end",
    "step",
    "range",
    "max_of",
    "min_of",
    "inf",
    "nan",
    "rate",
    "info",
    "label_join",
    "1",
    "0",
    "5m",
    "0x1f",
    "1e3",
    ".5",
    "5m1h",
    "\"x\"",
    "'y'",
    "`z`",
    "\"\\xff\"",
    "\"",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "=",
    "!=",
    "=~",
    "!~",
    "==",
    "<",
    "<=",
    ">",
    ">=",
    "</",
    ">/",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "@",
    "#",
    "\n",
    " ",
    "ü",
    "\\",
    "{a=\"b\"}",
    "[5m]",
    "[5m:]",
    "offset 5m",
    "@ 5",
    "a=~\"(\"",
    "step()",
    "range()",
];

const BINARY: &[&str] = &[
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "atan2",
    "and",
    "or",
    "unless",
    "==",
    "< bool",
    "!=",
    "</",
    ">/",
    "+ on(a)",
    "* on(a, b) group_left",
    "/ ignoring(a) group_right(c, \"d e\")",
    "> bool on()",
    "- ignoring(a) group_left fill(-1e30)",
    "+ fill_left(1) fill_right(2m)",
    "and on(a)",
];

const POSTFIX: &[&str] = &[
    " offset 5m",
    " offset -1h30m",
    " offset 0",
    " offset (1m + step())",
    " offset -(2 ^ 3)",
    " offset +min_of(step(), 3) ",
    " offset - -(1m) * 2",
    " offset +-2 ^ step()",
    " offset ++1m + 2",
    " @ 5.25",
    " @ -3",
    " @ start()",
    " @ end()",
    "[5m]",
    "[5m:]",
    "[1h30m:90]",
    " anchored",
    " smoothed",
    "[max_of(step(), 5s) - -1:(range() / 2)]",
    "[(5m) * 3 % +2]",
    "[1001ms]",
];

/// `inf` only in brackets: canonical text has a sign before it, which `^` would not bind.
const LEAF: &[&str] = &[
    "foo",
    "a:b",
    "sum",
    "offset",
    "foo{a=\"b\", c!~'d.*', __na=`x`}",
    "{\"q.m\", a!=\"\"}",
    "{a=~\"x|y\", \"b c\"='\\u20ac\\x01\\\"'}",
    "foo",
    "2.5",
    "1e300",
    "010",
    "1001ms",
    "(inf)",
    "nan",
    "'\\ufffd'",
    "step()",
    "foo[5m]",
    "vector(1_000)",
    "rate(foo[5m])",
    "label_replace(foo, 'a', 'b\\n', `c`, \"d\")",
    "max_over_time(foo[5m:1m] @ 3 offset 1m)",
];

const SELECTORS: &[&str] = &["foo", "{a='b'}", "(foo)"];

const CALLS: &[&str] = &[
    "abs(",
    "sum(",
    "sum by (a, \"b c\") (",
    "count without (x) (",
    "topk(3, ",
    "quantile by () (0.5, ",
    "count_values('l', ",
    "scalar(",
    "rate(",
    "limitk(2, ",
    "round(",
    "sort_by_label(",
    "(",
    "-",
    "+",
    "1 + ",
    "foo or ",
];

fn pick(from: &'static [&'static str]) -> impl Strategy<Value = String> {
    proptest::sample::select(from).prop_map(str::to_owned)
}

/// Texts that are expressions in syntax; about half of them have the right types.
fn expression() -> impl Strategy<Value = String> {
    pick(LEAF).prop_recursive(5, 24, 2, |inner| {
        prop_oneof![
            (inner.clone(), pick(BINARY), inner.clone())
                .prop_map(|(lhs, op, rhs)| format!("{lhs} {op} {rhs}")),
            (pick(SELECTORS), pick(POSTFIX)).prop_map(|(expr, postfix)| expr + &postfix),
            (inner.clone(), pick(POSTFIX)).prop_map(|(expr, postfix)| expr + &postfix),
            (pick(CALLS), inner).prop_map(|(call, expr)| {
                let close = if call.ends_with(['(', ' ']) { ")" } else { "" };
                format!("{call}{expr}{close}")
            }),
        ]
    })
}

/// Spans lie within the text and on character boundaries; errors have a message.
fn check_errors(text: &str) -> Result<(), TestCaseError> {
    if let Err(errors) = parse(text, &Options::ALL) {
        for error in errors.iter() {
            let (start, end) = (error.span.start as usize, error.span.end as usize);
            prop_assert!(start <= end && end <= text.len(), "{error} of {text}");
            prop_assert!(text.is_char_boundary(start), "{error} of {text}");
            prop_assert!(!error.message.is_empty());
        }
    }
    Ok(())
}

fn check_round_trip(text: &str) -> Result<bool, TestCaseError> {
    let Ok(mut tree) = parse(text, &Options::ALL) else {
        return Ok(false);
    };
    let printed = tree.to_string();
    let mut again = match parse(&printed, &Options::ALL) {
        Ok(again) => again,
        Err(errors) => {
            return Err(TestCaseError::fail(format!(
                "{text} -> {printed}: {errors}"
            )));
        }
    };
    // The sign of an infinite left side of `^` reads back as one before the whole.
    let signs = |text: &str| text.replace("++Inf ^", "+Inf ^");
    prop_assert_eq!(signs(&again.to_string()), signs(&printed), "{}", text);
    normalise(&mut tree);
    normalise(&mut again);
    // Not `==`: NaN is equal to itself here.
    prop_assert_eq!(format!("{tree:?}"), format!("{again:?}"), "{}", text);
    Ok(true)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_gives_a_tree_or_errors(text in any::<String>()) {
        check_errors(&text)?;
        let _ = parse_metric_selector(&text);
    }

    #[test]
    fn any_tokens_give_a_tree_or_errors(
        tokens in proptest::collection::vec(pick(TOKENS), 0..14),
        glue in proptest::sample::select(vec!["", " "]),
    ) {
        let text = tokens.join(glue);
        check_errors(&text)?;
        check_round_trip(&text)?;
        let _ = parse_metric_selector(&text);
    }

    #[test]
    fn canonical_text_reads_back_as_the_same_tree(text in expression()) {
        check_errors(&text)?;
        check_round_trip(&text)?;
    }

    #[test]
    fn any_string_reads_back(value in any::<String>()) {
        use crate::parse::ast::{Expr, Span, StringLiteral};
        let literal = |value: String, span| Expr::String(StringLiteral { value, broken: None, span });
        let printed = literal(value.clone(), Span::default()).to_string();
        let end = printed.len() as u32;
        prop_assert_eq!(
            parse(&printed, &Options::default()),
            Ok(literal(value, Span { start: 0, end }))
        );
    }

    #[test]
    fn any_finite_number_reads_back(value in proptest::num::f64::NORMAL | proptest::num::f64::ZERO) {
        use crate::parse::ast::Expr;
        let text = crate::parse::number::format_plain(value);
        match parse(&text, &Options::default()) {
            Ok(Expr::Number(number)) => prop_assert_eq!(number.value.to_bits(), value.to_bits()),
            other => prop_assert!(false, "{text}: {other:?}"),
        }
    }

    #[test]
    fn any_regular_expression_is_taken_or_refused(pattern in any::<String>()) {
        use crate::parse::pattern::{check, translate};
        let _ = check(&pattern);
        if let Ok(translated) = translate(&pattern) {
            let _ = regex_syntax::parse(&translated);
        }
    }
}

/// The generator above is worth something only if a good part of its texts has the right types.
#[test]
fn many_generated_expressions_are_right() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let right = (0..1000)
        .filter(|_| {
            let text = expression().new_tree(&mut runner).unwrap().current();
            check_round_trip(&text).unwrap()
        })
        .count();
    assert!(right > 200, "only {right} of 1000");
}
