//! Whether two servers hold the same and answer the same.

use std::collections::BTreeMap;

use crate::api::{Data, Point, Series};
use crate::{Error, Result};

/// Largest relative difference between two answers that computed the same: the order in which
/// floats are added may differ, and moves the last digits.
const RELATIVE_DIFFERENCE_MAX: f64 = 1e-12;
/// How many differences are told of.
const DIFFERENCES_MAX: usize = 10;

type LabelSet = BTreeMap<String, String>;

/// How much was compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Count {
    /// Series.
    pub series: usize,
    /// Points of all of them.
    pub points: usize,
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.series += other.series;
        self.points += other.points;
    }
}

/// Which points of a step are as good as others. `topk(3, x)` where the third and the fourth
/// are equal may answer either: those compare by how many they are, not by who they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ties {
    /// None: every series must be the same.
    No,
    /// Those at the lowest value of a step: `topk`.
    Lowest,
    /// Those at the highest value of a step: `bottomk`.
    Highest,
}

/// Whether raw samples are the same: the same label sets, and for each the same timestamps and
/// the same texts of values, in rising order, none twice.
///
/// # Errors
/// The first differences, in words.
pub fn raw(expected: &[Series], actual: &[Series]) -> Result<Count> {
    let mut found = Differences::default();
    let count = pair_up(expected, actual, &mut found, |labels, want, got, found| {
        raw_points(labels, want, got, found);
    })?;
    found.result(count)
}

/// Whether answers are the same: the same type, label sets and steps, and values that differ by
/// rounding at most. Order is not looked at.
///
/// # Errors
/// The first differences, in words.
pub fn answers(expected: &Data, actual: &Data, ties: Ties) -> Result<Count> {
    let mut found = Differences::default();
    let count = match (expected, actual) {
        (Data::Scalar(want), Data::Scalar(got)) => {
            let (want, got) = (std::slice::from_ref(want), std::slice::from_ref(got));
            close_points(&LabelSet::new(), want, got, &mut found);
            Count {
                series: 0,
                points: 1,
            }
        }
        (Data::String(want), Data::String(got)) if want == got => Count {
            series: 0,
            points: 1,
        },
        (Data::Vector(want), Data::Vector(got)) | (Data::Matrix(want), Data::Matrix(got)) => {
            if ties == Ties::No {
                pair_up(want, got, &mut found, |labels, want, got, found| {
                    close_points(labels, want, got, found);
                })?
            } else {
                steps_with_ties(want, got, ties, &mut found)?
            }
        }
        _ => {
            found.add(|| format!("expected {expected:?}, got {actual:?}"));
            Count::default()
        }
    };
    found.result(count)
}

/// Pairs series by label set, tells of those without a partner, and compares the others.
fn pair_up(
    expected: &[Series],
    actual: &[Series],
    found: &mut Differences,
    compare: impl Fn(&LabelSet, &[Point], &[Point], &mut Differences),
) -> Result<Count> {
    let (expected, actual) = (by_labels(expected)?, by_labels(actual)?);
    let mut count = Count::default();
    for (labels, want) in &expected {
        count += Count {
            series: 1,
            points: want.len(),
        };
        match actual.get(labels) {
            Some(got) => compare(labels, want, got, found),
            None => found.add(|| format!("missing: {} with {}", show(labels), points(want))),
        }
    }
    for (labels, got) in &actual {
        if !expected.contains_key(labels) {
            found.add(|| format!("too much: {} with {}", show(labels), points(got)));
        }
    }
    Ok(count)
}

fn by_labels(series: &[Series]) -> Result<BTreeMap<&LabelSet, &[Point]>> {
    let mut map = BTreeMap::new();
    for one in series {
        if map.insert(&one.labels, one.points.as_slice()).is_some() {
            let labels = show(&one.labels);
            return Err(Error::new(format!("twice in one answer: {labels}")));
        }
    }
    Ok(map)
}

fn raw_points(labels: &LabelSet, expected: &[Point], actual: &[Point], found: &mut Differences) {
    if let Some(pair) = actual
        .windows(2)
        .find(|pair| pair[0].timestamp_ms >= pair[1].timestamp_ms)
    {
        found.add(|| format!("{}: not in order: {pair:?}", show(labels)));
    }
    if expected == actual {
        return;
    }
    let want: BTreeMap<i64, &str> = expected
        .iter()
        .map(|p| (p.timestamp_ms, p.value.as_str()))
        .collect();
    let got: BTreeMap<i64, &str> = actual
        .iter()
        .map(|p| (p.timestamp_ms, p.value.as_str()))
        .collect();
    for time in want.keys().chain(got.keys()) {
        let (want, got) = (want.get(time), got.get(time));
        if want != got {
            found.add(|| format!("{} at {time}: expected {want:?}, got {got:?}", show(labels)));
            return;
        }
    }
}

fn close_points(labels: &LabelSet, expected: &[Point], actual: &[Point], found: &mut Differences) {
    let times = |points: &[Point]| points.iter().map(|p| p.timestamp_ms).collect::<Vec<_>>();
    if times(expected) != times(actual) {
        let (want, got) = (points(expected), points(actual));
        found.add(|| format!("{}: expected {want}, got {got}", show(labels)));
        return;
    }
    for (want, got) in expected.iter().zip(actual) {
        if !close(&want.value, &got.value) {
            let (time, want, got) = (want.timestamp_ms, &want.value, &got.value);
            found.add(|| format!("{} at {time}: expected {want}, got {got}", show(labels)));
            return;
        }
    }
}

/// Compares step by step: points at the value that may be tied by their number, the others by
/// label set too.
fn steps_with_ties(
    expected: &[Series],
    actual: &[Series],
    ties: Ties,
    found: &mut Differences,
) -> Result<Count> {
    let (expected, actual) = (by_step(expected)?, by_step(actual)?);
    let mut count = Count::default();
    if expected.keys().ne(actual.keys()) {
        found.add(|| "answers at other steps".to_owned());
        return Ok(count);
    }
    for ((time, want), got) in expected.iter().zip(actual.values()) {
        let edge = want.values().copied().reduce(|a, b| match ties {
            Ties::Highest => a.max(b),
            _ => a.min(b),
        });
        let inner = |step: &BTreeMap<&LabelSet, f64>| -> Vec<(LabelSet, f64)> {
            let inside = |value: f64| edge.is_some_and(|edge| !close_floats(value, edge));
            step.iter()
                .filter(|&(_, &value)| inside(value))
                .map(|(&labels, &value)| (labels.clone(), value))
                .collect()
        };
        let (inner_want, inner_got) = (inner(want), inner(got));
        let same = want.len() == got.len()
            && inner_want.len() == inner_got.len()
            && inner_want
                .iter()
                .zip(&inner_got)
                .all(|(a, b)| a.0 == b.0 && close_floats(a.1, b.1));
        if !same {
            found.add(|| format!("at {time}: expected {want:?}, got {got:?}"));
        }
        count.points += want.len();
    }
    Ok(count)
}

fn by_step(series: &[Series]) -> Result<BTreeMap<i64, BTreeMap<&LabelSet, f64>>> {
    let mut steps: BTreeMap<i64, BTreeMap<&LabelSet, f64>> = BTreeMap::new();
    for (labels, points) in by_labels(series)? {
        for point in points {
            let value = float(&point.value)
                .ok_or_else(|| Error::new(format!("{} is no value", point.value)))?;
            let step = steps.entry(point.timestamp_ms).or_default();
            step.insert(labels, value);
        }
    }
    Ok(steps)
}

fn close(expected: &str, actual: &str) -> bool {
    // Most are: no need to read them.
    expected == actual
        || match (float(expected), float(actual)) {
            (Some(a), Some(b)) => close_floats(a, b),
            _ => false,
        }
}

fn close_floats(a: f64, b: f64) -> bool {
    if a.is_nan() || b.is_nan() {
        return a.is_nan() && b.is_nan();
    }
    // Equal infinities are equal; unequal ones have an infinite difference, and an infinite
    // allowance would take it.
    a == b
        || (a.is_finite()
            && b.is_finite()
            && (a - b).abs() <= RELATIVE_DIFFERENCE_MAX * a.abs().max(b.abs()))
}

/// A value as the API writes it.
fn float(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        // The words that Rust reads beyond these are not the API's.
        _ if text.ends_with(|c: char| c.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    }
}

fn show(labels: &LabelSet) -> String {
    let list: Vec<String> = labels.iter().map(|(n, v)| format!("{n}={v:?}")).collect();
    format!("{{{}}}", list.join(", "))
}

fn points(points: &[Point]) -> String {
    match points {
        [] => "no points".to_owned(),
        [one] => format!("{} at {}", one.value, one.timestamp_ms),
        [first, .., last] => {
            let (from, to) = (first.timestamp_ms, last.timestamp_ms);
            format!("{} points from {from} to {to}", points.len())
        }
    }
}

/// The first differences, and how many there are.
#[derive(Debug, Default)]
struct Differences {
    first: Vec<String>,
    count: usize,
}

impl Differences {
    fn add(&mut self, text: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < DIFFERENCES_MAX {
            self.first.push(text());
        }
    }

    fn result(self, count: Count) -> Result<Count> {
        if self.count == 0 {
            return Ok(count);
        }
        let list = self.first.join("\n  ");
        Err(Error::new(format!(
            "{} differences among {count:?}:\n  {list}",
            self.count
        )))
    }
}

#[cfg(test)]
mod tests;
