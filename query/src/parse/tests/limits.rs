//! Texts made to hurt: deep, long, repetitive.

use crate::parse::lexer::Lexer;
use crate::parse::token::TokenKind;
use crate::parse::{DEPTH_MAX, OPERATORS_MAX, Options, parse};

const DEPTH: usize = DEPTH_MAX as usize;
const OPERATORS: usize = OPERATORS_MAX as usize;

fn error(text: &str) -> String {
    parse(text, &Options::ALL).unwrap_err().to_string()
}

/// What the parser, the check, the printer and dropping need fits a thread's stack, which is
/// 2 MiB, with room to spare.
fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new()
        .stack_size(3 << 19)
        .spawn(test)
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn trees_as_deep_as_allowed_are_parsed_printed_and_dropped() {
    on_a_small_stack(|| {
        let nested = |open: &str, close: &str| {
            let count = DEPTH - 1;
            format!("{}a{}", open.repeat(count), close.repeat(count))
        };
        for text in [
            nested("(", ")"),
            nested("-", ""),
            nested("abs(", ")"),
            nested("sum(", ")"),
            nested("a + (", ")")
                .replacen("a + (", "", DEPTH / 2)
                .replacen(')', "", DEPTH / 2),
            nested("a ^ ", ""),
            "a + ".repeat(OPERATORS) + "a",
            "a or a and ".repeat(OPERATORS / 2) + "-(a)",
            "1 + ".repeat(OPERATORS) + "1",
        ] {
            let expr = parse(&text, &Options::ALL).unwrap();
            assert_eq!(expr.to_string(), text);
            assert_eq!(expr.clone(), expr);
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
