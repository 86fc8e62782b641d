//! Prometheus's own cases, where they lie beside the project; they are no part of it.

use serde::Deserialize;

use crate::parse::{Options, parse};

#[derive(Deserialize)]
struct ParseCase {
    input: Option<String>,
    input_hex: Option<String>,
    ok: bool,
    error: Option<String>,
    start: Option<u32>,
    end: Option<u32>,
}

impl ParseCase {
    fn bytes(&self) -> Vec<u8> {
        match (&self.input, &self.input_hex) {
            (Some(input), _) => input.clone().into_bytes(),
            (None, Some(hex)) => (0..hex.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
                .collect(),
            (None, None) => panic!("a case without input"),
        }
    }
}

#[derive(Deserialize)]
struct PrinterCase {
    input: String,
    printed: String,
}

/// Where the cases are, if they are.
fn read(name: &str) -> Option<String> {
    let path = crate::conformance::folder()?.join(name);
    Some(std::fs::read_to_string(path).unwrap())
}

/// Texts of errors that the data holds wrong: a format in place of the number it prints, and a
/// case of 20,000 operators cut down to its first bracket.
fn is_data_fault(input: &str, error: &str) -> bool {
    error.ends_with("@ modifier: %f") || input == "(" && error.starts_with("vector selector")
}

/// How many cases there are, at least.
const CASES_MIN: usize = 351;
const PRINTED_MIN: usize = 81;

/// How many cases agree in each respect.
#[derive(Debug, Default)]
struct Agreed {
    accepted: usize,
    refused: usize,
    text: usize,
    start: usize,
    end: usize,
}

#[test]
fn parse_cases() {
    let Some(text) = read("parse_cases.json") else {
        return;
    };
    let cases: Vec<ParseCase> = serde_json::from_str(&text).unwrap();
    let mut agreed = Agreed::default();
    for case in &cases {
        let bytes = case.bytes();
        // The server replaces what is not UTF-8 before it parses.
        let input = String::from_utf8_lossy(&bytes);
        let result = parse(&input, &Options::ALL);
        let Err(errors) = result else {
            if case.ok {
                agreed.accepted += 1;
            } else {
                println!("accepted: {input} (wanted {:?})", case.error);
            }
            continue;
        };
        if case.ok {
            println!("refused: {input} ({errors})");
            continue;
        }
        agreed.refused += 1;
        let first = errors.first();
        let wanted = case.error.as_deref().unwrap_or_default();
        if wanted == first.message || is_data_fault(&input, wanted) {
            agreed.text += 1;
        } else {
            println!("text of {input}: {:?} for {:?}", first.message, case.error);
        }
        if case.start.is_none_or(|start| start == first.span.start) {
            agreed.start += 1;
        } else {
            println!("start of {input}: {:?} for {:?}", first.span, case.start);
        }
        let end = if first.span.end as usize == input.len() {
            bytes.len() as u32
        } else {
            first.span.end
        };
        if case.end.is_none_or(|wanted| wanted == end) {
            agreed.end += 1;
        } else {
            println!("end of {input}: {:?} for {:?}", first.span, case.end);
        }
    }
    println!("of {} cases: {agreed:?}", cases.len());
    assert!(cases.len() >= CASES_MIN, "{} cases", cases.len());
    assert_eq!(agreed.accepted + agreed.refused, cases.len());
    let Agreed { refused, .. } = agreed;
    assert_eq!(
        [agreed.text, agreed.start, agreed.end],
        [refused; 3],
        "text, start, end"
    );
}

/// The case of 20,000 operators and 1,000 subqueries, whole.
#[test]
fn the_case_that_the_data_cuts_short() {
    let text = format!("({}){}", "-{}-1".repeat(10_000), "[1m:]".repeat(1_000));
    let errors = parse(&text, &Options::ALL).unwrap_err();
    let first = errors.first();
    let expected = "vector selector must contain at least one non-empty matcher";
    assert_eq!(first.message, expected);
    assert_eq!((first.span.start, first.span.end), (2, 4));
}

#[test]
fn printer_cases() {
    let Some(text) = read("printer_cases.json") else {
        return;
    };
    let cases: Vec<PrinterCase> = serde_json::from_str(&text).unwrap();
    let mut agreed = 0;
    for case in &cases {
        match parse(&case.input, &Options::ALL) {
            Ok(expr) if expr.to_string() == case.printed => agreed += 1,
            Ok(expr) => println!("{} printed {expr} for {}", case.input, case.printed),
            Err(errors) => println!("{}: {errors}", case.input),
        }
    }
    println!("{agreed} of {} printed the same", cases.len());
    assert!(cases.len() >= PRINTED_MIN, "{} cases", cases.len());
    assert_eq!(agreed, cases.len());
}
