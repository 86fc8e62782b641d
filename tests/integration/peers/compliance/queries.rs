//! Expressions from templates: the public compliance queries, and our own.

use std::collections::BTreeMap;

use silverback_tests::{Error, Result};

/// An expression to ask of both.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Query {
    pub(super) expr: String,
    /// Whether both must refuse it.
    pub(super) fails: bool,
}

/// Names of placeholders and what they stand for.
type Variants = BTreeMap<String, Vec<String>>;

/// What the placeholders of the compliance queries stand for, as their tester has it.
const COMPLIANCE: &[(&str, &str)] = &[
    ("range", "1s|15s|1m|5m|15m|1h"),
    ("offset", "1m|5m|10m"),
    ("simpleAggrOp", "sum|avg|max|min|count|stddev|stdvar"),
    (
        "simpleTimeAggrOp",
        "sum|avg|max|min|count|stddev|stdvar|absent|last",
    ),
    ("topBottomOp", "topk|bottomk"),
    ("quantile", "-0.5|0.1|0.5|0.75|0.95|0.90|0.99|1|1.5"),
    ("arithBinOp", "+|-|*|/|%|^"),
    ("compBinOp", "==|!=|<|>|<=|>="),
    ("binOp", "+|-|*|/|%|^|==|!=|<|>|<=|>="),
    (
        "simpleMathFunc",
        "abs|ceil|floor|exp|sqrt|ln|log2|log10|round",
    ),
    ("extrapolatedRateFunc", "delta|rate|increase"),
    ("clampFunc", "clamp_min|clamp_max"),
    ("instantRateFunc", "idelta|irate"),
    (
        "dateFunc",
        "day_of_month|day_of_week|days_in_month|hour|minute|month|year",
    ),
];

/// Reads the compliance queries: of YAML as much as that file has.
///
/// # Errors
/// A line of another kind, with its number.
pub(super) fn compliance(text: &str) -> Result<Vec<Query>> {
    let mut variants = Variants::new();
    for (name, values) in COMPLIANCE {
        variants.insert((*name).to_owned(), list(values));
    }
    let mut queries = Vec::new();
    let mut template: Option<(String, Vec<String>, bool)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        let inner = line.strip_prefix("- ").unwrap_or(line);
        if inner.is_empty() || inner.starts_with('#') || inner == "test_cases:" {
            continue;
        }
        let at = |error: Error| Error::about(format_args!("line {number}"), error);
        let (key, value) = inner
            .split_once(": ")
            .ok_or_else(|| at(Error::new(format!("no key in {inner:?}"))))?;
        match (key, &mut template) {
            ("query", template) => {
                let next = (scalar(value).map_err(at)?, Vec::new(), false);
                finish(template.replace(next), &variants, &mut queries)?;
            }
            ("variant_args", Some((_, names, _))) => {
                let inside = value.trim_start_matches('[').trim_end_matches(']');
                let quoted = inside.split(',').map(|name| name.trim().trim_matches('\''));
                *names = quoted.map(str::to_owned).collect();
            }
            ("should_fail", Some((_, _, fails))) => *fails = value == "true",
            _ => return Err(at(Error::new(format!("unexpected {inner:?}")))),
        }
    }
    finish(template, &variants, &mut queries)?;
    Ok(queries)
}

fn finish(
    template: Option<(String, Vec<String>, bool)>,
    variants: &Variants,
    queries: &mut Vec<Query>,
) -> Result<()> {
    let Some((template, names, fails)) = template else {
        return Ok(());
    };
    let marks = names.iter().map(|name| (format!("{{{{.{name}}}}}"), name));
    let exprs = expand(&template, &marks.collect::<Vec<_>>(), variants)?;
    queries.extend(exprs.into_iter().map(|expr| Query { expr, fails }));
    Ok(())
}

/// A scalar of YAML: single or double quotes, or none.
fn scalar(text: &str) -> Result<String> {
    if let Some(inner) = text.strip_prefix('\'') {
        let inner = inner.strip_suffix('\'');
        let inner = inner.ok_or_else(|| Error::about("no end of the quotes", text))?;
        return Ok(inner.replace("''", "'"));
    }
    if text.starts_with('"') {
        return serde_json::from_str(text).map_err(|error| Error::about(text, error));
    }
    Ok(text.to_owned())
}

/// Reads our own: an expression a line, `fails: ` before one that must be refused, and
/// `let name = a | b` for what `<name>` stands for from there on.
///
/// # Errors
/// A line of another kind, with its number.
pub(super) fn own(text: &str) -> Result<Vec<Query>> {
    let mut variants = Variants::new();
    let mut queries = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let at = |error: Error| Error::about(format_args!("line {number}"), error);
        if let Some(definition) = line.strip_prefix("let ") {
            let (name, values) = definition
                .split_once(" = ")
                .ok_or_else(|| at(Error::new("no = after let")))?;
            variants.insert(name.to_owned(), list(values));
            continue;
        }
        let (template, fails) = match line.strip_prefix("fails: ") {
            Some(template) => (template, true),
            None => (line, false),
        };
        let marks = variants.keys().map(|name| (format!("<{name}>"), name));
        let marks = marks.filter(|(mark, _)| template.contains(mark.as_str()));
        let exprs = expand(template, &marks.collect::<Vec<_>>(), &variants).map_err(at)?;
        queries.extend(exprs.into_iter().map(|expr| Query { expr, fails }));
    }
    Ok(queries)
}

fn list(values: &str) -> Vec<String> {
    let values = values.split('|').map(|value| value.trim().to_owned());
    values.collect()
}

/// Every way to fill in a template's placeholders.
fn expand(template: &str, marks: &[(String, &String)], variants: &Variants) -> Result<Vec<String>> {
    let mut exprs = vec![template.to_owned()];
    for (mark, name) in marks {
        let values = variants
            .get(*name)
            .ok_or_else(|| Error::about("nothing is known of", mark))?;
        let filled = |expr: &String| -> Vec<String> {
            let each = values
                .iter()
                .map(|value| expr.replace(mark.as_str(), value));
            each.collect()
        };
        exprs = exprs.iter().flat_map(filled).collect();
    }
    Ok(exprs)
}

#[test]
fn templates_of_both_kinds_are_filled_in() -> Result<()> {
    let plain = |exprs: &[&str]| -> Vec<Query> {
        let query = |expr: &&str| Query {
            expr: (*expr).to_owned(),
            fails: false,
        };
        exprs.iter().map(query).collect()
    };
    let yaml = "# of\ntest_cases:\n  - query: 'a offset {{.offset}}'\n    variant_args: ['offset']\n  \
                - # Why.\n    query: \"b\\\"\"\n  - query: -1 ^ 2\n    should_fail: true\n";
    let mut expected = plain(&[
        "a offset 1m",
        "a offset 5m",
        "a offset 10m",
        "b\"",
        "-1 ^ 2",
    ]);
    expected[4].fails = true;
    assert_eq!(compliance(yaml)?, expected);
    let text = "let op = + | -\nlet o = x\n# Why.\na <op> b <op> <o> < c\nfails: <o>";
    let mut expected = plain(&["a + b + x < c", "a - b - x < c", "x"]);
    expected[2].fails = true;
    assert_eq!(own(text)?, expected);
    assert!(own("let a").is_err() && compliance("- a: 1").is_err());
    Ok(())
}
