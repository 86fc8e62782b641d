//! What an evaluation gave beside what was expected.

use silverback_query::{Error, FloatHistogram, Labels, QueryResult, RangeSeries, Value};

use super::histogram::same_histogram;

use super::script::{Eval, Expected, Text};
use super::series::{self, Points, Series};

/// A series over the steps of an evaluation: none where it has no value.
type Row<P> = (Labels, Vec<Option<P>>);

/// What was found at a step.
#[derive(Clone, Debug)]
enum Found {
    Float(f64),
    Histogram(FloatHistogram),
}

/// Compares an answer with what is expected of it.
///
/// # Errors
/// What differs.
pub(crate) fn compare(eval: &Eval, result: Result<QueryResult, Error>) -> Result<(), String> {
    let expected = &eval.expected;
    let result = match (result, &expected.fail) {
        (Err(error), Some(text)) => {
            let message = error.to_string();
            return if text.fits(&message) {
                Ok(())
            } else {
                Err(format!("expected error {text}, got {message:?}"))
            };
        }
        (Err(error), None) => return Err(format!("failed: {error}")),
        (Ok(result), Some(text)) => {
            return Err(format!("should fail with {text}, got {result:?}"));
        }
        (Ok(result), None) => result,
    };
    compare_notes(
        "warning",
        &expected.warnings,
        expected.no_warning,
        &result.warnings,
    )?;
    compare_notes("info", &expected.infos, expected.no_info, &result.infos)?;
    compare_value(eval, &result.value)
}

/// Compares a value alone.
///
/// # Errors
/// What differs.
pub(crate) fn compare_value(eval: &Eval, value: &Value) -> Result<(), String> {
    let expected = &eval.expected;
    match value {
        Value::Scalar { value, .. } => match expected.scalar {
            Some(scalar) if same(scalar, *value) => Ok(()),
            scalar => Err(format!("expected {scalar:?}, got scalar {value}")),
        },
        Value::String { value, .. } => match &expected.string {
            Some(string) if string == value => Ok(()),
            string => Err(format!("expected {string:?}, got {value:?}")),
        },
        Value::Vector(elements) => {
            let rows = elements.iter().map(|it| {
                let found = match &it.histogram {
                    Some(histogram) => Found::Histogram(FloatHistogram::clone(histogram)),
                    None => Found::Float(it.value),
                };
                (it.labels.clone(), vec![Some(found)])
            });
            compare_rows(expected, rows.collect())
        }
        Value::Matrix(series) => compare_matrix(eval, series),
    }
}

fn compare_notes(
    kind: &str,
    expected: &[Text],
    none: bool,
    found: &[String],
) -> Result<(), String> {
    if none && !found.is_empty() {
        return Err(format!("unexpected {kind}: {found:?}"));
    }
    for text in expected {
        if !found.iter().any(|note| text.fits(note)) {
            return Err(format!("no {kind} {text}, got {found:?}"));
        }
    }
    // Where one is expected, all are.
    let unexpected = |note: &&String| !expected.iter().any(|text| text.fits(note));
    match found.iter().find(unexpected) {
        Some(note) if !expected.is_empty() => Err(format!("unexpected {kind}: {note:?}")),
        _ => Ok(()),
    }
}

fn compare_matrix(eval: &Eval, series: &[RangeSeries]) -> Result<(), String> {
    let (start_ms, end_ms, step_ms) = match (eval.expected.samples, eval.range) {
        (Some(samples), _) => samples,
        (None, Some((end_ms, step_ms))) => (eval.start_ms, end_ms, step_ms),
        (None, None) => return Err(format!("expected an instant vector, got {series:?}")),
    };
    if !series.is_sorted_by(|a, b| a.labels <= b.labels) {
        return Err(format!("not sorted by labels: {series:?}"));
    }
    let steps = ((end_ms - start_ms) / step_ms + 1) as usize;
    let mut rows = Vec::new();
    for series in series {
        let mut points = vec![None; steps];
        let floats = series.timestamps_ms.iter().zip(&series.values);
        let floats = floats.map(|(at_ms, value)| (at_ms, Found::Float(*value)));
        let histograms = series.histograms.iter();
        let histograms =
            histograms.map(|(at_ms, it)| (at_ms, Found::Histogram(FloatHistogram::clone(it))));
        for (at_ms, value) in floats.chain(histograms) {
            let since_ms = at_ms - start_ms;
            let step = usize::try_from(since_ms / step_ms).unwrap_or(steps);
            match points.get_mut(step) {
                Some(point) if since_ms % step_ms == 0 => *point = Some(value),
                _ => return Err(format!("unexpected sample at {at_ms}: {series:?}")),
            }
        }
        rows.push((series.labels.clone(), points));
    }
    let Some(scalar) = eval.expected.scalar else {
        return compare_rows(&eval.expected, rows);
    };
    let is_scalar =
        |point: &Option<Found>| matches!(point, Some(Found::Float(value)) if same(*value, scalar));
    match rows.as_slice() {
        [(labels, points)] if labels.is_empty() && points.iter().all(is_scalar) => Ok(()),
        _ => Err(format!("expected {scalar} at each step, got {rows:?}")),
    }
}

fn compare_rows(expected: &Expected, mut found: Vec<Row<Found>>) -> Result<(), String> {
    let row = |series: &Series| match &series.points {
        Points::Values(points) => Ok((series.labels.clone(), points.clone())),
        Points::Foreign => Err(format!("expected start timestamps of {}", series.labels)),
    };
    let mut wanted: Vec<Row<series::Value>> =
        expected.series.iter().map(row).collect::<Result<_, _>>()?;
    wanted.iter_mut().for_each(|row| trim(&mut row.1));
    found.iter_mut().for_each(|row| trim(&mut row.1));
    if !expected.ordered {
        found.sort_by(|a, b| a.0.cmp(&b.0));
        wanted.sort_by(|a, b| a.0.cmp(&b.0));
    }
    let same_point = |(a, b): (&Option<Found>, &Option<series::Value>)| match (a, b) {
        (Some(Found::Float(a)), Some(series::Value::Float(b))) => same(*a, *b),
        (Some(Found::Histogram(a)), Some(series::Value::Histogram(b))) => same_histogram(b, a),
        (a, b) => a.is_none() && b.is_none(),
    };
    let same_row = |(a, b): (&Row<Found>, &Row<series::Value>)| {
        a.0 == b.0 && a.1.len() == b.1.len() && a.1.iter().zip(&b.1).all(same_point)
    };
    if found.len() == wanted.len() && found.iter().zip(&wanted).all(same_row) {
        Ok(())
    } else {
        Err(format!("expected {wanted:?}, got {found:?}"))
    }
}

fn trim<P>(points: &mut Vec<Option<P>>) {
    while points.last().is_some_and(Option::is_none) {
        points.pop();
    }
}

/// Equal but for what Prometheus's scripts leave to rounding.
pub(crate) fn same(a: f64, b: f64) -> bool {
    if a.is_nan() || b.is_nan() {
        return a.is_nan() && b.is_nan();
    }
    a == b || (a - b).abs() / (a.abs() + b.abs()).min(f64::MAX) < 1e-6
}
