//! A small language for tests: series are loaded, expressions evaluated and compared. It is a
//! part of Prometheus's (`promql/promqltest/README.md`), so that its scripts run too.

use std::fmt;

use regex::Regex;

use crate::parse::parse_metric_selector;
use crate::source::memory::MemorySource;
use crate::{Engine, Error, Labels, QueryOptions, QueryResult, RangeSeries, Value};

const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// A series and its points: none where there is no sample.
pub(super) type Series = (Labels, Vec<Option<f64>>);

/// How an evaluation ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Agreed,
    /// What this version says it cannot do.
    Unsupported,
    /// The data or the expectation holds native histograms or start timestamps.
    Foreign,
    Failed(String),
}

/// What runs scripts.
pub(super) struct Runner {
    pub(super) engine: Engine,
    pub(super) source: MemorySource,
    /// Whether something was loaded that the source has no place for.
    foreign: bool,
}

#[derive(Default)]
struct Expected {
    series: Vec<Series>,
    scalar: Option<f64>,
    string: Option<String>,
    fails: bool,
    fail_message: Option<Text>,
    ordered: bool,
    warnings: Vec<Option<Text>>,
    infos: Vec<Option<Text>>,
    no_warning: bool,
    no_info: bool,
    /// Start, end, step of raw samples.
    range: Option<(i64, i64, i64)>,
    foreign: bool,
}

/// A text that is expected.
enum Text {
    Exactly(String),
    Matching(Regex),
}

impl Text {
    fn fits(&self, text: &str) -> bool {
        match self {
            // Scripts leave the position out.
            Self::Exactly(expected) => {
                text == expected
                    || text
                        .rsplit_once(" (")
                        .is_some_and(|(before, _)| before == expected)
            }
            Self::Matching(regex) => regex.is_match(text),
        }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(text) => f.write_str(text),
            Self::Matching(regex) => write!(f, "/{regex}/"),
        }
    }
}

/// An evaluation of a script.
struct Evaluation {
    start_ms: i64,
    /// End and step.
    range: Option<(i64, i64)>,
    query: String,
    expected: Expected,
}

impl Runner {
    pub(super) fn new(engine: Engine) -> Self {
        Self {
            engine,
            source: MemorySource::default(),
            foreign: false,
        }
    }

    /// Runs a script; gives the line and outcome of each evaluation.
    pub(super) fn run(&mut self, script: &str) -> Vec<(usize, Outcome)> {
        let mut outcomes = Vec::new();
        let lines: Vec<&str> = script.lines().map(without_comment).collect();
        let mut at = 0;
        while at < lines.len() {
            let head = lines[at].trim();
            let line = at + 1;
            at += 1;
            let mut body = Vec::new();
            while at < lines.len() && !head.is_empty() && !begins_command(lines[at]) {
                if !lines[at].trim().is_empty() {
                    body.push(lines[at].trim());
                } else if !body.is_empty() || !head.starts_with("load") {
                    break;
                }
                at += 1;
            }
            if head.starts_with("clear") {
                self.source = MemorySource::default();
                self.foreign = false;
            } else if head.starts_with("load") {
                self.load(head, &body);
            } else if head.starts_with("eval") {
                let evaluation = parse_evaluation(head, &body);
                outcomes.push((line, self.evaluate(&evaluation)));
            }
        }
        outcomes
    }

    fn load(&mut self, head: &str, body: &[&str]) {
        let (command, step) = head.split_once(char::is_whitespace).unwrap();
        self.foreign |= command == "load_with_nhcb";
        let step_ms = duration_ms(step.trim());
        for line in body {
            let (labels, points) = series(line);
            let Some(points) = points else {
                self.foreign = true;
                continue;
            };
            for (i, point) in points.iter().enumerate() {
                if let Some(value) = point {
                    self.source.push(&labels, i as i64 * step_ms, *value);
                }
            }
        }
    }

    fn evaluate(&self, evaluation: &Evaluation) -> Outcome {
        let options = QueryOptions::default();
        let (query, start_ms) = (&evaluation.query, evaluation.start_ms);
        let result = match evaluation.range {
            None => self.engine.instant(&self.source, query, start_ms, &options),
            Some((end_ms, step_ms)) => {
                self.engine
                    .range(&self.source, query, start_ms, end_ms, step_ms, &options)
            }
        };
        if let Err(error) = &result
            && error.kind() == crate::ErrorKind::Unsupported
        {
            return Outcome::Unsupported;
        }
        match evaluation.compare(result) {
            Ok(()) => Outcome::Agreed,
            Err(why) => {
                let why = format!("{query}: {why}");
                if self.foreign || evaluation.expected.foreign {
                    Outcome::Foreign
                } else {
                    Outcome::Failed(why)
                }
            }
        }
    }
}

impl Evaluation {
    fn compare(&self, result: Result<QueryResult, Error>) -> Result<(), String> {
        let expected = &self.expected;
        let result = match result {
            Err(error) if expected.fails => {
                let message = error.to_string();
                return match &expected.fail_message {
                    Some(text) if !text.fits(&message) => {
                        Err(format!("expected error {text}, got {message}"))
                    }
                    _ => Ok(()),
                };
            }
            Err(error) => return Err(format!("failed: {error}")),
            Ok(result) if expected.fails => return Err(format!("should fail, got {result:?}")),
            Ok(result) => result,
        };
        compare_notes(
            "warning",
            &expected.warnings,
            expected.no_warning,
            &result.warnings,
        )?;
        compare_notes("info", &expected.infos, expected.no_info, &result.infos)?;
        match &result.value {
            Value::Scalar { value, .. } => match expected.scalar {
                Some(scalar) if same(scalar, *value) => Ok(()),
                scalar => Err(format!("expected {scalar:?}, got scalar {value}")),
            },
            Value::String { value, .. } => match &expected.string {
                Some(string) if string == value => Ok(()),
                string => Err(format!("expected {string:?}, got {value:?}")),
            },
            Value::Vector(elements) => {
                let found = elements
                    .iter()
                    .map(|element| (element.labels.clone(), vec![Some(element.value)]))
                    .collect();
                self.compare_series(found)
            }
            Value::Matrix(series) => self.compare_matrix(series),
        }
    }

    fn compare_matrix(&self, series: &[RangeSeries]) -> Result<(), String> {
        let (start_ms, end_ms, step_ms) = match (self.expected.range, self.range) {
            (Some(range), _) => range,
            (None, Some((end_ms, step_ms))) => (self.start_ms, end_ms, step_ms),
            (None, None) => return Err("a matrix".to_owned()),
        };
        let steps = ((end_ms - start_ms) / step_ms + 1) as usize;
        let mut found = Vec::new();
        for series in series {
            let mut points = vec![None; steps];
            for (at, value) in series.timestamps_ms.iter().zip(&series.values) {
                let step = usize::try_from((at - start_ms) / step_ms).unwrap();
                if (at - start_ms) % step_ms != 0 || step >= steps {
                    return Err(format!("unexpected sample at {at}: {series:?}"));
                }
                points[step] = Some(*value);
            }
            found.push((series.labels.clone(), points));
        }
        let Some(scalar) = self.expected.scalar else {
            return self.compare_series(found);
        };
        let is_scalar = |point: &Option<f64>| point.is_some_and(|value| same(value, scalar));
        match found.as_slice() {
            [(labels, points)] if labels.is_empty() && points.iter().all(is_scalar) => Ok(()),
            _ => Err(format!("expected {scalar} at each step, got {found:?}")),
        }
    }

    fn compare_series(&self, found: Vec<Series>) -> Result<(), String> {
        let trimmed = |(labels, mut points): Series| {
            while points.last().is_some_and(Option::is_none) {
                points.pop();
            }
            (labels, points)
        };
        let mut found: Vec<Series> = found.into_iter().map(trimmed).collect();
        let expected = self.expected.series.iter().cloned().map(trimmed);
        let mut expected: Vec<Series> = expected.collect();
        if !self.expected.ordered {
            found.sort_by(|a, b| a.0.cmp(&b.0));
            expected.sort_by(|a, b| a.0.cmp(&b.0));
        }
        let equal = found.len() == expected.len()
            && found.iter().zip(&expected).all(|(a, b)| {
                a.0 == b.0
                    && a.1.len() == b.1.len()
                    && a.1.iter().zip(&b.1).all(|(a, b)| match (a, b) {
                        (Some(a), Some(b)) => same(*a, *b),
                        (a, b) => a.is_none() && b.is_none(),
                    })
            });
        if equal {
            Ok(())
        } else {
            Err(format!("expected {expected:?}, got {found:?}"))
        }
    }
}

fn compare_notes(
    kind: &str,
    expected: &[Option<Text>],
    none: bool,
    found: &[String],
) -> Result<(), String> {
    if none && !found.is_empty() {
        return Err(format!("unexpected {kind}: {found:?}"));
    }
    for expected in expected {
        let fits = |text: &String| expected.as_ref().is_none_or(|expected| expected.fits(text));
        if !found.iter().any(fits) {
            let expected = expected.as_ref().map(ToString::to_string);
            return Err(format!("no {kind} {expected:?}, got {found:?}"));
        }
    }
    Ok(())
}

/// Equal but for what Prometheus's scripts leave to rounding.
fn same(a: f64, b: f64) -> bool {
    if a.is_nan() || b.is_nan() {
        return a.is_nan() && b.is_nan();
    }
    a == b || (a - b).abs() / (a.abs() + b.abs()).min(f64::MAX) < 1e-6
}

fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with('#') {
        ""
    } else {
        line
    }
}

fn begins_command(line: &str) -> bool {
    ["load", "eval", "clear"]
        .iter()
        .any(|command| line.trim_start().starts_with(command))
}

fn parse_evaluation(head: &str, body: &[&str]) -> Evaluation {
    let mut expected = Expected::default();
    let mut words = head.splitn(3, ' ');
    let command = words.next().unwrap();
    let kind = words.next().unwrap();
    let rest = words.next().unwrap().trim();
    expected.fails = command == "eval_fail";
    expected.ordered = command == "eval_ordered";
    let mut evaluation = if kind == "instant" {
        let (time, query) = match rest.strip_prefix("at ") {
            Some(rest) => rest.trim().split_once(char::is_whitespace).unwrap(),
            None => ("0", rest),
        };
        Evaluation {
            start_ms: duration_ms(time),
            range: None,
            query: query.trim().to_owned(),
            expected,
        }
    } else {
        let regex = Regex::new(r"^from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)\s+(.*)$").unwrap();
        let parts = regex.captures(rest).unwrap();
        Evaluation {
            start_ms: duration_ms(&parts[1]),
            range: Some((duration_ms(&parts[2]), duration_ms(&parts[3]))),
            query: parts[4].to_owned(),
            expected,
        }
    };
    for line in body {
        expectation(line, &mut evaluation.expected);
    }
    evaluation
}

fn expectation(line: &str, expected: &mut Expected) {
    if let Some(message) = line.strip_prefix("expected_fail_message ") {
        expected.fail_message = Some(Text::Exactly(message.trim().to_owned()));
        return;
    }
    if let Some(regex) = line.strip_prefix("expected_fail_regexp ") {
        expected.fail_message = Some(Text::Matching(Regex::new(regex.trim()).unwrap()));
        return;
    }
    let Some(what) = line.strip_prefix("expect ") else {
        if let Ok(scalar) = number(line) {
            expected.scalar = Some(scalar);
            return;
        }
        let (labels, points) = series(line);
        match points {
            Some(points) => expected.series.push((labels, points)),
            None => expected.foreign = true,
        }
        return;
    };
    let (kind, text) = what.split_once(char::is_whitespace).unwrap_or((what, ""));
    let text = text.trim();
    let message = if let Some(text) = text.strip_prefix("msg:") {
        Some(Text::Exactly(text.trim().to_owned()))
    } else {
        text.strip_prefix("regex:")
            .map(|text| Text::Matching(Regex::new(text.trim()).unwrap()))
    };
    match kind {
        "fail" => {
            expected.fails = true;
            expected.fail_message = message;
        }
        "ordered" => expected.ordered = true,
        "warn" => expected.warnings.push(message),
        "info" => expected.infos.push(message),
        "no_warn" => expected.no_warning = true,
        "no_info" => expected.no_info = true,
        "string" => {
            let text = text.trim();
            expected.string = Some(if text.starts_with('`') {
                text.trim_matches('`').to_owned()
            } else {
                text[1..text.len() - 1]
                    .replace("\\\"", "\"")
                    .replace("\\n", "\n")
            });
        }
        "range" => {
            let regex = Regex::new(r"from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)").unwrap();
            let parts = regex.captures(text).unwrap();
            expected.range = Some((
                duration_ms(&parts[1]),
                duration_ms(&parts[2]),
                duration_ms(&parts[3]),
            ));
        }
        _ => panic!("unknown expectation {line}"),
    }
}

/// Labels and points of a line; no points where there are native histograms.
fn series(line: &str) -> (Labels, Option<Vec<Option<f64>>>) {
    let (name, points) = split_series(line);
    if name.ends_with("@st") {
        // Start timestamps of the series that was loaded before.
        return (Labels::default(), None);
    }
    let labels = if name == "{}" {
        Labels::default()
    } else {
        let matchers =
            parse_metric_selector(name).unwrap_or_else(|error| panic!("{line}: {error}"));
        Labels::from_pairs(
            matchers
                .into_iter()
                .map(|matcher| (matcher.name, matcher.value)),
        )
    };
    if points.contains("{{") {
        return (labels, None);
    }
    let points = points.split_whitespace().flat_map(repeated);
    (labels, Some(points.collect()))
}

fn split_series(line: &str) -> (&str, &str) {
    let mut quote = None;
    let mut depth = 0;
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        if let Some(open) = quote {
            if escaped {
                escaped = false;
            } else if c == '\\' && open != '`' {
                escaped = true;
            } else if c == open {
                quote = None;
            }
            continue;
        }
        match c {
            '"' | '\'' | '`' => quote = Some(c),
            '{' => depth += 1,
            '}' => depth -= 1,
            _ if c.is_whitespace() && depth == 0 => {
                let rest = line[at..].trim_start();
                if rest.starts_with('{') && !rest.starts_with("{{") {
                    continue;
                }
                return (line[..at].trim(), rest);
            }
            _ => {}
        }
    }
    (line, "")
}

/// `1`, `_x3`, `1x3`, `1+2x3`, `stale`.
fn repeated(item: &str) -> Vec<Option<f64>> {
    if let Ok(value) = number(item) {
        return vec![Some(value)];
    }
    let (start, times) = match item.rsplit_once('x') {
        Some((start, times)) => (start, times.parse::<usize>().unwrap()),
        None => (item, 0),
    };
    if start == "_" {
        return vec![None; times.max(1)];
    }
    if start == "stale" {
        return vec![Some(STALE); times + 1];
    }
    let sign = start
        .char_indices()
        .skip(1)
        .find(|&(at, c)| matches!(c, '+' | '-') && !start[..at].ends_with(['e', 'E']));
    let (value, step) = match sign {
        Some((at, _)) => (number(&start[..at]).unwrap(), number(&start[at..]).unwrap()),
        None => (number(start).unwrap(), 0.0),
    };
    let mut points = vec![Some(value)];
    let mut next = value;
    for _ in 0..times {
        next += step;
        points.push(Some(next));
    }
    points
}

fn number(text: &str) -> Result<f64, std::num::ParseFloatError> {
    text.parse()
}

/// `5m`, `1h30m`, or a number of seconds.
fn duration_ms(text: &str) -> i64 {
    if let Ok(seconds) = text.parse::<f64>() {
        return (seconds * 1000.0) as i64;
    }
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut total = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap();
        let units = rest[digits..]
            .find(|c: char| c.is_ascii_digit())
            .map_or(rest.len(), |at| digits + at);
        let length = match &rest[digits..units] {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 7 * 86_400_000,
            "y" => 365 * 86_400_000,
            unit => panic!("unknown unit {unit} in {text}"),
        };
        total += rest[..digits].parse::<i64>().unwrap() * length;
        rest = &rest[units..];
    }
    if negative { -total } else { total }
}
