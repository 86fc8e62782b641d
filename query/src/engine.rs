//! The engine: from the text of a query to its answer.

mod features;
mod stack;

use std::sync::atomic::AtomicBool;
use std::time::Duration;

pub use self::features::Feature;
use self::stack::{depth, with_room};
use crate::eval::rows::{Row, merge_same_labels};
use crate::eval::{Evaluator, Grid, Notes};
use crate::limits::{Limits, SAMPLES_MAX_DEFAULT};
use crate::parse::ast::{Expr, ValueType};
use crate::parse::{self, parse};
use crate::plan::{Node, QueryTimes, lower};
use crate::source::Source;
use crate::{Error, ErrorKind, InstantSample, Labels, QueryResult, RangeSeries, Value};

/// How old a sample may be and still count, unless told otherwise: five minutes, as in
/// Prometheus.
pub const LOOKBACK_DELTA_MS_DEFAULT: i64 = 300_000;

/// How often a subquery that does not say so is evaluated: each minute, Prometheus's default
/// evaluation interval.
pub const SUBQUERY_STEP_MS_DEFAULT: i64 = 60_000;

/// What holds for all queries of an engine.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// How old a sample may be and still count at a moment, in milliseconds, above 0.
    pub lookback_delta_ms: i64,
    /// Which experimental parts of PromQL are taken.
    pub parse: parse::Options,
    /// How many samples of eight bytes a query may hold in memory at a time.
    pub samples_max: u64,
    /// How long a query may take; none means as long as it wants.
    pub timeout: Option<Duration>,
    /// How often a subquery that does not say so is evaluated, in milliseconds, above 0.
    pub subquery_step_ms: i64,
    /// Drop the metric name at the end of a query rather than where a value changes its meaning
    /// ([`Feature::DelayedNameRemoval`]).
    pub delayed_name_removal: bool,
    /// Tell by the label `__type__` rather than by the name whether a metric is a counter
    /// ([`Feature::TypeAndUnitLabels`]).
    pub type_and_unit_labels: bool,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            lookback_delta_ms: LOOKBACK_DELTA_MS_DEFAULT,
            parse: parse::Options::default(),
            samples_max: SAMPLES_MAX_DEFAULT,
            timeout: Some(Duration::from_secs(120)),
            subquery_step_ms: SUBQUERY_STEP_MS_DEFAULT,
            delayed_name_removal: false,
            type_and_unit_labels: false,
        }
    }
}

/// What holds for one query.
#[derive(Clone, Copy, Debug, Default)]
pub struct QueryOptions<'a> {
    /// In place of the engine's, where it is above 0.
    pub lookback_delta_ms: Option<i64>,
    /// Ends the query once it is true.
    pub cancel: Option<&'a AtomicBool>,
    /// Where it is shorter than the engine's.
    pub timeout: Option<Duration>,
}

/// Evaluates PromQL over any source of series. Holds no state of queries: any number of them
/// may run at a time.
#[derive(Clone, Debug, Default)]
pub struct Engine {
    options: EngineOptions,
}

impl Engine {
    /// An engine with these options.
    pub fn new(options: EngineOptions) -> Self {
        Self { options }
    }

    /// Which parts of PromQL it takes.
    pub fn parse_options(&self) -> &parse::Options {
        &self.options.parse
    }

    /// Evaluates an expression at one moment, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// See [`ErrorKind`]. What this version cannot do is found before any data is read.
    pub fn instant(
        &self,
        source: &dyn Source,
        query: &str,
        time_ms: i64,
        options: &QueryOptions<'_>,
    ) -> Result<QueryResult, Error> {
        let expr = parse(query, &self.options.parse)?;
        let times = QueryTimes {
            start_ms: time_ms,
            end_ms: time_ms,
            step_ms: 0,
            subquery_step_ms: self.options.subquery_step_ms,
        };
        let run = Run {
            engine: self,
            source,
            query,
            options,
            grid: Grid::instant(time_ms),
        };
        run.evaluate(&expr, times, |evaluator, node| {
            Ok(match node {
                Node::Scalar(scalar) => Value::Scalar {
                    timestamp_ms: time_ms,
                    value: first(&evaluator.scalar(scalar)?),
                },
                Node::String(text) => Value::String {
                    timestamp_ms: time_ms,
                    value: text.clone(),
                },
                Node::Vector(vector) => {
                    Value::Vector(instant_vector(evaluator.finished(vector)?, time_ms))
                }
                Node::Range(range) => {
                    let mut series = evaluator.raw_samples(range)?;
                    series.sort_by(|a, b| a.labels.cmp(&b.labels));
                    Value::Matrix(series)
                }
            })
        })
    }

    /// Evaluates an expression at `start_ms` and every `step_ms` after it up to `end_ms`, all in
    /// milliseconds (since the Unix epoch). The answer is a matrix.
    ///
    /// # Errors
    /// [`ErrorKind::BadData`] for a step that is not above 0, an end before the start, an
    /// expression that is neither a scalar nor an instant vector; else see [`ErrorKind`].
    pub fn range(
        &self,
        source: &dyn Source,
        query: &str,
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
        options: &QueryOptions<'_>,
    ) -> Result<QueryResult, Error> {
        if step_ms <= 0 {
            return Err(bad_data(
                "zero or negative query resolution step widths are not accepted. Try a positive \
                 integer",
            ));
        }
        if end_ms < start_ms {
            return Err(bad_data("end timestamp must not be before start time"));
        }
        let expr = parse(query, &self.options.parse)?;
        check_range_type(&expr)?;
        let times = QueryTimes {
            start_ms,
            end_ms,
            step_ms,
            subquery_step_ms: self.options.subquery_step_ms,
        };
        let run = Run {
            engine: self,
            source,
            query,
            options,
            grid: Grid::range(start_ms, end_ms, step_ms),
        };
        run.evaluate(&expr, times, |evaluator, node| {
            let rows = match node {
                Node::Scalar(scalar) => vec![Row {
                    labels: Labels::default(),
                    drop_name: false,
                    first: 0,
                    values: evaluator.scalar(scalar)?,
                }],
                Node::Vector(vector) => evaluator.finished(vector)?,
                Node::String(_) | Node::Range(_) => return Err(check_failed()),
            };
            Ok(Value::Matrix(matrix(rows, run.grid)))
        })
    }
}

/// A query about to be evaluated.
#[derive(Clone, Copy)]
struct Run<'r> {
    engine: &'r Engine,
    source: &'r dyn Source,
    query: &'r str,
    options: &'r QueryOptions<'r>,
    grid: Grid,
}

impl Run<'_> {
    fn evaluate(
        &self,
        expr: &Expr,
        times: QueryTimes,
        value: impl for<'e> FnOnce(&Evaluator<'e>, &'e Node) -> Result<Value, Error> + Send,
    ) -> Result<QueryResult, Error> {
        with_room(depth(expr), || {
            let node = lower(expr, self.query, times)?;
            self.evaluate_node(&node, value)
        })
    }

    fn evaluate_node(
        &self,
        node: &Node,
        value: impl for<'e> FnOnce(&Evaluator<'e>, &'e Node) -> Result<Value, Error>,
    ) -> Result<QueryResult, Error> {
        let engine = &self.engine.options;
        let timeout = match (engine.timeout, self.options.timeout) {
            (Some(engine), Some(query)) => Some(engine.min(query)),
            (engine, query) => engine.or(query),
        };
        let limits = Limits::new(engine.samples_max, timeout, self.options.cancel);
        limits.check()?;
        let lookback_ms = self.options.lookback_delta_ms.filter(|&delta| delta > 0);
        let notes = Notes::new(self.query);
        let view = self.source.view()?;
        let evaluator = Evaluator {
            view: &*view,
            grid: self.grid,
            limits: &limits,
            notes: &notes,
            lookback_ms: lookback_ms.unwrap_or(engine.lookback_delta_ms),
            delayed_name_removal: engine.delayed_name_removal,
            type_and_unit_labels: engine.type_and_unit_labels,
        };
        let value = value(&evaluator, node)?;
        limits.check()?;
        let (warnings, infos) = notes.into_parts();
        Ok(QueryResult {
            value,
            warnings,
            infos,
        })
    }
}

impl<'e> Evaluator<'e> {
    /// The rows of a whole query: names that were to be dropped at the end are gone.
    fn finished(&self, node: &'e crate::plan::VectorNode) -> Result<Vec<Row>, Error> {
        let mut rows = self.vector(node)?;
        if !self.delayed_name_removal {
            return Ok(rows);
        }
        for row in rows.iter_mut().filter(|row| row.drop_name) {
            row.labels = row.labels.without_metadata();
        }
        merge_same_labels(rows)
    }
}

fn first(values: &[f64]) -> f64 {
    values.first().copied().unwrap_or(f64::NAN)
}

fn instant_vector(rows: Vec<Row>, timestamp_ms: i64) -> Vec<InstantSample> {
    rows.into_iter()
        .map(|row| InstantSample {
            value: first(&row.values),
            labels: row.labels,
            timestamp_ms,
        })
        .collect()
}

fn matrix(rows: Vec<Row>, grid: Grid) -> Vec<RangeSeries> {
    let mut series: Vec<RangeSeries> = rows
        .into_iter()
        .map(|row| {
            let (timestamps_ms, values) = row
                .present()
                .map(|(step, value)| (grid.time_ms(step), value))
                .unzip();
            RangeSeries {
                labels: row.labels,
                timestamps_ms,
                values,
            }
        })
        .collect();
    series.sort_by(|a, b| a.labels.cmp(&b.labels));
    series
}

fn check_range_type(expr: &Expr) -> Result<(), Error> {
    let found = match expr.value_type() {
        ValueType::Scalar | ValueType::Vector => return Ok(()),
        ValueType::String => "string",
        ValueType::Matrix => "range vector",
    };
    Err(bad_data(&format!(
        "invalid expression type {found:?} for range query, must be Scalar or instant Vector"
    )))
}

fn check_failed() -> Error {
    bad_data("invalid expression type for range query, must be Scalar or instant Vector")
}

fn bad_data(message: &str) -> Error {
    Error::new(ErrorKind::BadData, message)
}

#[cfg(test)]
mod tests;
