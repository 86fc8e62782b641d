//! Series as scripts write them: `metric{label="value"} 1 2+3x4 _ stale`.

use silverback_query::Labels;
use silverback_query::parse::parse_metric_selector;

use super::histogram::{Literal, parse_literal, plus};

/// What stands for `stale`.
const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// A series and its points.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) labels: Labels,
    pub(crate) points: Points,
}

/// The points of a series.
#[derive(Clone, Debug)]
pub(crate) enum Points {
    /// None where there is no sample.
    Values(Vec<Option<Value>>),
    /// Start timestamps.
    Foreign,
}

/// A point.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Float(f64),
    Histogram(Box<Literal>),
}

/// Reads a line.
pub(crate) fn parse_series(line: &str) -> Result<Series, String> {
    let (name, points) = split(line);
    let (name, is_start) = match name.strip_suffix("@st") {
        // Start timestamps, of the series in the next line.
        Some(name) => (name, true),
        None => (name, false),
    };
    let matchers = match name {
        "{}" => Vec::new(),
        name => parse_metric_selector(name).map_err(|error| format!("{line}: {error}"))?,
    };
    let pairs = matchers.into_iter().map(|it| (it.name, it.value));
    let points = if is_start {
        Points::Foreign
    } else {
        let items = items(points).into_iter().map(points_of);
        Points::Values(items.collect::<Result<Vec<_>, _>>()?.concat())
    };
    Ok(Series {
        labels: Labels::from_pairs(pairs),
        points,
    })
}

/// The name with its labels, and the points.
fn split(line: &str) -> (&str, &str) {
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

/// What stands between spaces, but for those within a histogram.
fn items(points: &str) -> Vec<&str> {
    let mut items = Vec::new();
    let mut rest = points.trim_start();
    while !rest.is_empty() {
        let mut end = 0;
        let mut inside = false;
        for (at, c) in rest.char_indices() {
            match c {
                '{' => inside = true,
                '}' => inside = false,
                c if c.is_whitespace() && !inside => break,
                _ => {}
            }
            end = at + c.len_utf8();
        }
        let (item, after) = rest.split_at(end);
        items.push(item);
        rest = after.trim_start();
    }
    items
}

fn points_of(item: &str) -> Result<Vec<Option<Value>>, String> {
    if !item.starts_with("{{") {
        let floats = repeated(item)?.into_iter();
        return Ok(floats.map(|value| value.map(Value::Float)).collect());
    }
    let wrong = || format!("{item} is no histogram");
    let (first, mut rest) = item[2..].split_once("}}").ok_or_else(wrong)?;
    let first = parse_literal(first)?;
    let step = match rest.chars().next().filter(|sign| "+-".contains(*sign)) {
        None => None,
        Some(sign) => {
            let (text, after) = rest[1..]
                .strip_prefix("{{")
                .and_then(|text| text.split_once("}}"))
                .ok_or_else(wrong)?;
            rest = after;
            Some((parse_literal(text)?, if sign == '-' { -1.0 } else { 1.0 }))
        }
    };
    let times = match rest.strip_prefix('x') {
        Some(times) => times.parse::<usize>().map_err(|_| wrong())?,
        None if rest.is_empty() => 0,
        None => return Err(wrong()),
    };
    let mut points = vec![first];
    for _ in 0..times {
        let mut next = points[points.len() - 1].clone();
        if let Some((step, sign)) = &step {
            next.histogram = plus(&next.histogram, &step.histogram, *sign);
            next.has_hint = step.has_hint;
        }
        points.push(next);
    }
    let points = points.into_iter();
    Ok(points
        .map(|it| Some(Value::Histogram(Box::new(it))))
        .collect())
}

/// `1`, `_x3`, `1x3`, `1+2x3`, `stale`.
fn repeated(item: &str) -> Result<Vec<Option<f64>>, String> {
    if let Some(value) = number(item) {
        return Ok(vec![Some(value)]);
    }
    let wrong = || format!("{item} is no point of a series");
    let (start, times) = match item.rsplit_once('x') {
        Some((start, times)) => (start, times.parse::<usize>().map_err(|_| wrong())?),
        None => (item, 0),
    };
    if start == "_" {
        return Ok(vec![None; times.max(1)]);
    }
    if start == "stale" {
        return Ok(vec![Some(STALE); times + 1]);
    }
    let sign = start
        .char_indices()
        .skip(1)
        .find(|&(at, c)| matches!(c, '+' | '-') && !start[..at].ends_with(['e', 'E']));
    let (value, step) = match sign {
        Some((at, _)) => (number(&start[..at]), number(&start[at..])),
        None => (number(start), Some(0.0)),
    };
    let (Some(mut value), Some(step)) = (value, step) else {
        return Err(wrong());
    };
    let mut points = vec![Some(value)];
    for _ in 0..times {
        value += step;
        points.push(Some(value));
    }
    Ok(points)
}

/// A decimal number.
pub(crate) fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// `5m`, `1h30m`, or a number of seconds; in milliseconds.
pub(crate) fn duration_ms(text: &str) -> Result<i64, String> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Ok((seconds * 1000.0) as i64);
    }
    let wrong = || format!("{text:?} is no duration");
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut total = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
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
            _ => return Err(wrong()),
        };
        total += rest[..digits].parse::<i64>().map_err(|_| wrong())? * length;
        rest = &rest[units..];
    }
    Ok(if negative { -total } else { total })
}
