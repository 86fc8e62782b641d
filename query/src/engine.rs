//! The engine: from the text of a query to its answer.

mod answer;
mod features;
mod stack;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

pub use self::features::Feature;
use self::stack::{depth, stack_bytes, with_room};
use crate::eval::native::FloatsOnly;
use crate::eval::{Crew, Evaluator, Grid, Notes, SharedRows, Stats, Trace};
use crate::limits::{
    BYTES_MAX_DEFAULT, Budget, Limits, Loan, PARSED_BYTES, ReadLimits, SAMPLES_MAX_DEFAULT,
};
use crate::parse::ast::{Expr, ValueType};
use crate::parse::{self, parse};
use crate::plan::{Node, QueryTimes, lower};
use crate::source::Source;
use crate::{Error, ErrorKind, QueryResult, QueryStats};

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
    /// How many bytes all queries together may hold in memory at a time, answers that are still
    /// to be sent among them.
    pub bytes_max: u64,
    /// How long a query may take; none means as long as it wants.
    pub timeout: Option<Duration>,
    /// How many threads queries may have beside their own, all together. With fewer than two a
    /// query has none.
    pub threads_max: usize,
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
            bytes_max: BYTES_MAX_DEFAULT,
            timeout: Some(Duration::from_secs(120)),
            threads_max: thread::available_parallelism().map_or(1, usize::from),
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
    /// Tell in the answer what the query took.
    pub stats: bool,
    /// Tell in the answer what was done for it.
    pub explain: bool,
}

/// Evaluates PromQL over any source of series. Any number of queries may run at a time; they and
/// those of its clones share the memory they may use.
#[derive(Clone, Debug)]
pub struct Engine {
    options: EngineOptions,
    budget: Arc<Budget>,
    crew: Arc<Crew>,
}

impl Default for Engine {
    fn default() -> Self {
        Self::new(EngineOptions::default())
    }
}

impl Engine {
    /// An engine with these options.
    pub fn new(options: EngineOptions) -> Self {
        Self {
            budget: Arc::new(Budget::new(options.bytes_max)),
            crew: Arc::new(Crew::new(options.threads_max)),
            options,
        }
    }

    /// The same with so many threads, used wherever there is a second series.
    #[cfg(test)]
    fn with_eager_threads(mut self, threads: usize) -> Self {
        self.crew = Arc::new(Crew::new(threads).eager());
        self
    }

    /// The most bytes that a query held of those that ended since this was asked last: a sign for
    /// a program whose allocator keeps what is freed.
    pub fn take_largest_ended(&self) -> u64 {
        self.budget.take_largest_ended()
    }

    /// How many bytes its queries hold, answers that are still to be sent among them.
    pub fn bytes_held(&self) -> u64 {
        self.budget.bytes_held()
    }

    /// Frees something large on a thread of its own, which whoever answers cannot wait for.
    pub fn free_behind(&self, large: impl Send + 'static) {
        self.budget.free_soon(Box::new(large));
    }

    /// Waits until everything is freed that queries left which were ended: it counts among
    /// [`Self::bytes_held`] until then.
    pub fn wait_for_freed(&self) {
        self.budget.sweeper().wait();
    }

    /// Bounds for a read beside its queries, which shares their memory: it may take `timeout` from
    /// now on, and ends once `cancel` is true.
    pub fn read_limits<'e>(
        &'e self,
        timeout: Option<Duration>,
        cancel: Option<&'e AtomicBool>,
    ) -> ReadLimits<'e> {
        ReadLimits::new(&self.budget, timeout, cancel)
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
            is_range: false,
        };
        run.evaluate(times)
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
            is_range: true,
        };
        run.evaluate(times)
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
    is_range: bool,
}

impl Run<'_> {
    fn evaluate(&self, times: QueryTimes) -> Result<QueryResult, Error> {
        let engine = &self.engine.options;
        let timeout = match (engine.timeout, self.options.timeout) {
            (Some(engine), Some(query)) => Some(engine.min(query)),
            (engine, query) => engine.or(query),
        };
        let budget = &self.engine.budget;
        let limits = Limits::new(budget, engine.samples_max, timeout, self.options.cancel);
        let mut text_loan = Loan::new(&limits);
        text_loan.add(0, self.query.len().saturating_mul(PARSED_BYTES))?;
        let expr = parse(self.query, &engine.parse)?;
        if self.is_range {
            check_range_type(&expr)?;
        }
        let depth = depth(&expr);
        text_loan.add(0, stack_bytes(depth))?;
        with_room(depth, || {
            let node = lower(&expr, self.query, times)?;
            self.evaluate_node(&node, &limits)
        })
    }

    fn evaluate_node(&self, node: &Node, limits: &Limits<'_>) -> Result<QueryResult, Error> {
        limits.check()?;
        let engine = &self.engine.options;
        let lookback_ms = self.options.lookback_delta_ms.filter(|&delta| delta > 0);
        let notes = Notes::new(self.query);
        let stats = Stats::new(self.options.stats.then_some(self.grid.count));
        let shared = SharedRows::default();
        let trace = Trace::default();
        let view = self.source.view()?;
        let floats = FloatsOnly::new(&*view);
        let evaluator = Evaluator {
            view: &floats,
            grid: self.grid,
            limits,
            notes: &notes,
            crew: &self.engine.crew,
            stats: &stats,
            counting: 0,
            shared: &shared,
            trace: self.options.explain.then_some(&trace),
            lookback_ms: lookback_ms.unwrap_or(engine.lookback_delta_ms),
            delayed_name_removal: engine.delayed_name_removal,
            type_and_unit_labels: engine.type_and_unit_labels,
            given: None,
            tells_resets: false,
        };
        let preparation = limits.elapsed();
        let first = if self.is_range {
            evaluator.range_answer(node)
        } else {
            evaluator.instant_answer(node)
        };
        let native_notes = Notes::new(self.query);
        let native_shared = SharedRows::default();
        let is_native = first.is_err() && floats.met_histograms();
        let answer = if is_native {
            // What columns of floats made so far is gone, and what they noted with it.
            drop(first);
            let native = Evaluator {
                view: &*view,
                notes: &native_notes,
                shared: &native_shared,
                ..evaluator
            };
            native.native(node, self.is_range)
        } else {
            first
        };
        shared.free(limits);
        let (value, loan) = answer?.into_parts();
        if let Err(error) = limits.check() {
            limits.leave(value);
            return Err(error);
        }
        let stats = self
            .options
            .stats
            .then(|| self.told(limits, &stats, preparation));
        let memory = loan.into_reservation(&self.engine.budget);
        let notes = if is_native { native_notes } else { notes };
        let (noted, infos) = notes.into_parts();
        // What is missing comes first: an answer may have more warnings than are shown.
        let mut warnings = view.warnings();
        warnings.extend(noted);
        Ok(QueryResult {
            value,
            warnings,
            infos,
            stats,
            plan: trace.take(),
            memory,
        })
    }

    /// What the query took, which is about to answer.
    fn told(&self, limits: &Limits<'_>, stats: &Stats, preparation: Duration) -> QueryStats {
        let sorting = stats.sorting_took();
        let counts = stats.take_counts();
        let by_time = |counts: Vec<u64>| {
            let times = (0..).map(|step| self.grid.time_ms(step));
            times.zip(counts).collect()
        };
        QueryStats {
            queryable_per_step: by_time(counts.queryable),
            read_per_step: by_time(counts.read),
            samples_peak: limits.samples_peak(),
            bytes_peak: limits.bytes_peak(),
            preparation,
            evaluation: limits.elapsed().saturating_sub(preparation + sorting),
            sorting,
        }
    }
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
