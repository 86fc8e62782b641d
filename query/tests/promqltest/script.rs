//! The commands of a script, as Prometheus reads them (`promql/promqltest/README.md`).

use std::fmt;
use std::sync::LazyLock;

use regex::Regex;

use super::series::{Points, Series, duration_ms, number, parse_series};

/// A command and the line it begins in, from 1.
pub(crate) struct Command {
    pub(crate) line: usize,
    pub(crate) what: What,
}

pub(crate) enum What {
    Clear,
    Load(Load),
    Eval(Box<Eval>),
}

/// Series with a point at each step from 0 on.
pub(crate) struct Load {
    pub(crate) step_ms: i64,
    pub(crate) series: Vec<Series>,
    /// `load_with_nhcb`: makes native histograms of classic ones.
    pub(crate) with_nhcb: bool,
}

/// An evaluation and what is expected of it.
pub(crate) struct Eval {
    pub(crate) query: String,
    pub(crate) start_ms: i64,
    /// End and step of a range query.
    pub(crate) range: Option<(i64, i64)>,
    pub(crate) expected: Expected,
}

#[derive(Default)]
pub(crate) struct Expected {
    pub(crate) series: Vec<Series>,
    pub(crate) scalar: Option<f64>,
    pub(crate) string: Option<String>,
    pub(crate) fail: Option<Text>,
    pub(crate) ordered: bool,
    pub(crate) warnings: Vec<Text>,
    pub(crate) infos: Vec<Text>,
    pub(crate) no_warning: bool,
    pub(crate) no_info: bool,
    /// Start, end and step of raw samples.
    pub(crate) samples: Option<(i64, i64, i64)>,
}

impl Expected {
    /// Whether start timestamps are expected.
    pub(crate) fn is_foreign(&self) -> bool {
        let mut series = self.series.iter();
        series.any(|series| matches!(series.points, Points::Foreign))
    }
}

/// A text that is expected.
#[derive(Debug)]
pub(crate) enum Text {
    Any,
    Exactly(String),
    Matching(Regex),
}

impl Text {
    pub(crate) fn fits(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            // Scripts of 3.14 name no place.
            Self::Exactly(expected) => {
                let without_place = text.rsplit_once(" (").map_or(text, |(before, _)| before);
                [text, without_place].contains(&expected.as_str())
            }
            Self::Matching(regex) => regex.is_match(text),
        }
    }

    fn matching(pattern: &str) -> Result<Self, String> {
        let regex = Regex::new(pattern.trim()).map_err(|error| error.to_string())?;
        Ok(Self::Matching(regex))
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Exactly(text) => write!(f, "{text:?}"),
            Self::Matching(regex) => write!(f, "/{regex}/"),
        }
    }
}

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap()
}

static LOAD: LazyLock<Regex> = LazyLock::new(|| regex(r"^load(_with_nhcb)?\s+(.+?)$"));
static INSTANT: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"^eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(.+?))?\s+(.+)$")
});
static RANGE: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"^eval(?:_(fail|warn|info))?\s+range\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+?)\s+(.+)$")
});
static SAMPLES: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^expect range vector\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+)$"));
static EXPECT: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"^expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?$")
});

/// Reads a script.
///
/// # Errors
/// The line and what is wrong with it.
pub(crate) fn parse_script(script: &str) -> Result<Vec<Command>, String> {
    let lines: Vec<&str> = script
        .lines()
        .map(|line| match line.trim() {
            comment if comment.starts_with('#') => "",
            line => line,
        })
        .collect();
    let mut commands = Vec::new();
    let mut at = 0;
    while let Some(head) = lines.get(at) {
        at += 1;
        if head.is_empty() {
            continue;
        }
        let line = at;
        let body = lines[at..].iter().take_while(|line| !line.is_empty());
        // What belongs to a command ends at an empty line.
        let body: Vec<&str> = match *head {
            "clear" => Vec::new(),
            _ => body.copied().collect(),
        };
        let what = parse_command(head, &body);
        at += body.len();
        commands.push(Command {
            line,
            what: what.map_err(|error| format!("line {line}: {error}"))?,
        });
    }
    Ok(commands)
}

fn parse_command(head: &str, body: &[&str]) -> Result<What, String> {
    if head == "clear" {
        return Ok(What::Clear);
    }
    if let Some(parts) = LOAD.captures(head) {
        let series = body.iter().map(|line| parse_series(line));
        return Ok(What::Load(Load {
            step_ms: duration_ms(&parts[2])?,
            series: series.collect::<Result<_, _>>()?,
            with_nhcb: parts.get(1).is_some(),
        }));
    }
    let mut eval = if let Some(parts) = RANGE.captures(head) {
        Eval {
            start_ms: duration_ms(&parts[2])?,
            range: Some((duration_ms(&parts[3])?, duration_ms(&parts[4])?)),
            query: parts[5].to_owned(),
            expected: by_suffix(parts.get(1).map_or("", |it| it.as_str())),
        }
    } else if let Some(parts) = INSTANT.captures(head) {
        Eval {
            start_ms: duration_ms(parts.get(2).map_or("0", |it| it.as_str()))?,
            range: None,
            query: parts[3].to_owned(),
            expected: by_suffix(parts.get(1).map_or("", |it| it.as_str())),
        }
    } else {
        return Err(format!("unknown command {head}"));
    };
    for line in body {
        expectation(line, &mut eval.expected)?;
    }
    Ok(What::Eval(Box::new(eval)))
}

/// The old way to expect something.
fn by_suffix(suffix: &str) -> Expected {
    let mut expected = Expected::default();
    match suffix {
        "fail" => expected.fail = Some(Text::Any),
        "warn" => expected.warnings.push(Text::Any),
        "info" => expected.infos.push(Text::Any),
        "ordered" => expected.ordered = true,
        _ => {}
    }
    expected
}

fn expectation(line: &str, expected: &mut Expected) -> Result<(), String> {
    if let Some(message) = line.strip_prefix("expected_fail_message") {
        expected.fail = Some(Text::Exactly(message.trim().to_owned()));
    } else if let Some(pattern) = line.strip_prefix("expected_fail_regexp") {
        expected.fail = Some(Text::matching(pattern)?);
    } else if let Some(parts) = SAMPLES.captures(line) {
        let [start, end, step] = [1, 2, 3].map(|part| duration_ms(&parts[part]));
        expected.samples = Some((start?, end?, step?));
    } else if let Some(quoted) = line.strip_prefix("expect string ") {
        expected.string = Some(unquoted(quoted)?);
    } else if line.split(' ').next() == Some("expect") {
        let parts = EXPECT.captures(line).ok_or("unknown expectation")?;
        let text = parts.get(3).map_or("", |it| it.as_str());
        let text = match parts.get(2).map(|it| it.as_str()) {
            Some("msg") => Text::Exactly(text.trim().to_owned()),
            Some(_) => Text::matching(text)?,
            None => Text::Any,
        };
        match &parts[1] {
            "ordered" => expected.ordered = true,
            "fail" => expected.fail = Some(text),
            "warn" => expected.warnings.push(text),
            "info" => expected.infos.push(text),
            "no_warn" => expected.no_warning = true,
            _ => expected.no_info = true,
        }
    } else if let Some(scalar) = number(line) {
        expected.scalar = Some(scalar);
    } else {
        expected.series.push(parse_series(line)?);
    }
    Ok(())
}

/// A string in double or back quotes.
fn unquoted(text: &str) -> Result<String, String> {
    if let Some(raw) = text.strip_prefix('`').and_then(|it| it.strip_suffix('`')) {
        return Ok(raw.to_owned());
    }
    let inner = text.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    let inner = inner.ok_or_else(|| format!("{text} is not quoted"))?;
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some('t')) => out.push('\t'),
            ('\\', Some(escaped)) => out.push(escaped),
            (c, _) => out.push(c),
        }
    }
    Ok(out)
}
