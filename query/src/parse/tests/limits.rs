//! Texts made to hurt: deep, long, repetitive.

use crate::parse::ast::ValueType;
use crate::parse::lexer::Lexer;
use crate::parse::token::TokenKind;
use crate::parse::{DEPTH_MAX, OPERATORS_MAX, Options, parse, prettify};

const DEPTH: usize = DEPTH_MAX as usize;
const OPERATORS: usize = OPERATORS_MAX as usize;

fn error(text: &str) -> String {
    parse(text, &Options::ALL).unwrap_err().to_string()
}

/// Half of what most threads have, which is 2 MiB.
fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new()
        .stack_size(1 << 20)
        .spawn(test)
        .unwrap()
        .join()
        .unwrap();
}

/// The deepest canonical texts there are of every kind of nesting.
fn deepest() -> Vec<String> {
    let nested = |levels: usize, open: &str, close: &str| {
        let count = (DEPTH - 1) / levels;
        format!("{}a{}", open.repeat(count), close.repeat(count))
    };
    let duration = format!("{}step(){}", "(1 + -".repeat(60), ")".repeat(60));
    vec![
        nested(1, "(", ")"),
        nested(1, "-", ""),
        nested(1, "abs(", ")"),
        nested(1, "sum(", ")"),
        nested(1, "a ^ ", ""),
        nested(1, "label_replace(", ", \"a\", \"b\", \"c\", \"d\")"),
        nested(1, "histogram_quantile(0.5, ", ")"),
        nested(1, "count_values without (x, y) (\"v\", ", ")"),
        nested(2, "topk by (x) (scalar(", "), b)"),
        nested(2, "vector(scalar(", "))"),
        nested(2, "a + (", ")"),
        nested(3, "1 < bool -(", ")"),
        nested(2, "a or on (x) (", ")"),
        nested(2, "a * ignoring (x) group_left (y) fill (1) abs(", ")"),
        nested(2, "max_over_time(", "[5m:1m] @ 5.000 offset 1m)"),
        nested(2, "-sum(", ")"),
        nested(3, "a ^ b * c - ", ""),
        format!("a offset {duration}"),
        nested(2, "max_over_time(", &format!("[{duration}:{duration}])")),
        "a + ".repeat(OPERATORS) + "a",
        "a or a and ".repeat(OPERATORS / 2) + "-(a)",
        "1 + ".repeat(OPERATORS) + "1",
    ]
}

#[test]
fn trees_as_deep_as_allowed_are_parsed_printed_and_dropped() {
    on_a_small_stack(|| {
        for text in deepest() {
            let expr = parse(&text, &Options::ALL).unwrap();
            assert!(expr.to_string() == text, "{}", &text[..40.min(text.len())]);
            assert!(expr.clone() == expr);
            assert_ne!(expr.value_type(), ValueType::String);
            if text.len() < 50_000 {
                assert!(!prettify(&expr).unwrap().is_empty());
            }
        }
    });
}

#[test]
fn deeper_trees_are_refused_wherever_they_are_deep() {
    on_a_small_stack(|| {
        let message = "expression is nested deeper than 1010 levels";
        for (open, inner, close) in [
            ("(", "a", ")"),
            ("-", "a", ""),
            ("abs(", "a", ")"),
            ("sum by (x) (", "a", ")"),
            ("a + (", "a", ")"),
            ("a ^ ", "a", ""),
            ("", "a", "[5m:]"),
        ] {
            for count in [DEPTH, 20 * DEPTH] {
                let text = format!("{}{inner}{}", open.repeat(count), close.repeat(count));
                let found = error(&text);
                assert!(found.ends_with(message), "{open}: {found}");
            }
        }
    });
}

#[test]
fn more_operators_than_allowed_are_refused() {
    on_a_small_stack(|| {
        for text in ["a + ", "a + (b ^ c) - ", "1 * "] {
            let found = error(&(text.repeat(OPERATORS + 1) + "1"));
            assert!(
                found.ends_with("expression has more than 100000 operators"),
                "{found}"
            );
        }
    });
}

#[test]
fn open_ends_of_any_depth_are_refused() {
    on_a_small_stack(|| {
        for (open, message) in [
            ("(", "unclosed left parenthesis"),
            ("-", "unexpected end of input"),
            ("abs(", "unclosed left parenthesis"),
            ("sum(-", "unclosed left parenthesis"),
            ("a + ", "unexpected end of input"),
        ] {
            let found = error(&open.repeat(100_000));
            assert!(
                found.ends_with(message) || found.contains("nested deeper"),
                "{open}: {found}"
            );
        }
        // Signs of a number fold into it at any length.
        assert!(parse(&format!("{}1", "-".repeat(100_000)), &Options::ALL).is_ok());
    });
}

#[test]
fn duration_expressions_have_a_limit_of_their_own() {
    on_a_small_stack(|| {
        for (open, inner, close) in [
            ("(", "1", ")"),
            ("-", "step()", ""),
            ("1 + ", "1", ""),
            ("1 ^ ", "1", ""),
            ("max_of(1, ", "1", ")"),
        ] {
            let text = |count: usize| {
                let (open, close) = (open.repeat(count), close.repeat(count));
                format!("a[{open}{inner}{close}]")
            };
            let found = error(&text(100_000));
            assert!(
                found.ends_with("duration expression has more than 250 parts"),
                "{open}: {found}"
            );
            assert!(parse(&text(80), &Options::ALL).is_ok(), "{open}");
        }
    });
}

#[test]
fn errors_are_collected_up_to_a_number() {
    let many = vec!["abs(1)"; 300].join(" + ");
    let errors = parse(&many, &Options::ALL).unwrap_err();
    assert_eq!(errors.iter().count(), 64);
    let labels = vec!["x"; 10_000].join(",");
    let text = format!("a + on({labels}) group_left({labels}) b");
    assert_eq!(parse(&text, &Options::ALL).unwrap_err().iter().count(), 64);
}

/// Characters the lexer reads for a text, repeated ones included.
fn steps(text: &str) -> usize {
    let mut lexer = Lexer::new(text);
    while let Ok(token) = lexer.next_token() {
        if token.kind == TokenKind::Eof {
            break;
        }
    }
    lexer.steps
}

#[test]
fn the_lexer_reads_every_character_once() {
    for part in [
        "a + ",
        "(",
        "1e3 ",
        "fill ",
        "fill  (",
        "\"\\n\" ",
        "# comment\n",
        "a[5m:1m] ",
        "{a=\"b\"}",
        "5m30s",
        "0x1f ",
        "1_0",
        "ü",
        "'",
        "[",
        "step",
    ] {
        for count in [1, 100, 10_000] {
            let text = part.repeat(count);
            assert!(steps(&text) <= text.len() + 1, "{part}: {}", steps(&text));
        }
    }
}
