//! Runs scripts in the language of Prometheus's PromQL tests over the real storage: what is
//! loaded is written to a database and queried through the public API.

mod classic;
mod compare;
mod histogram;
mod script;
mod series;
mod touches;
mod variants;

use silverback_query::{Engine, Error, ErrorKind, Labels, QueryOptions, QueryResult, Value};
use silverback_storage::{Db, Options, WalSync, WriteBatch};
use tempfile::TempDir;

use self::compare::{compare, compare_value};
use self::histogram::to_stored;
use self::script::{Eval, Load, What, parse_script};
use self::series::Points;
use self::touches::touches;

/// How an evaluation ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    Agreed,
    /// What this version says it cannot do.
    Unsupported(String),
    /// Start timestamps are read: the answer is another one without them. Or it is one of native
    /// histograms that this version says it cannot give.
    Foreign(String),
    Failed(String),
}

/// What runs scripts.
pub(crate) struct Runner {
    engine: Engine,
    store: Store,
}

/// A database of its own.
struct Store {
    db: Db,
    /// Series that were loaded and that it has no place for, or not for all of their points.
    foreign: Vec<Labels>,
    _dir: TempDir,
}

impl Store {
    fn empty() -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let options = Options {
            wal_sync: WalSync::Never,
            max_future: None,
            ..Options::default()
        };
        Ok(Self {
            db: Db::open(dir.path(), options).map_err(|error| error.to_string())?,
            foreign: Vec::new(),
            _dir: dir,
        })
    }

    fn load(&mut self, load: &Load) -> Result<(), String> {
        let mut batch = WriteBatch::new();
        let mut samples = 0;
        for series in &load.series {
            let Points::Values(points) = &series.points else {
                self.foreign.push(series.labels.clone());
                continue;
            };
            let labels: Vec<(&str, &str)> = series.labels.iter().collect();
            let id = batch.series(&labels).map_err(|error| error.to_string())?;
            for (step, value) in (0..).zip(points) {
                let at_ms = step * load.step_ms;
                match value {
                    None => continue,
                    Some(series::Value::Float(value)) => batch.float(id, at_ms, *value),
                    Some(series::Value::Histogram(literal)) => {
                        let stored = to_stored(&literal.histogram);
                        if let Err(error) = batch.histogram(id, at_ms, None, stored) {
                            return Err(format!("{}: {error}", series.labels));
                        }
                    }
                }
                samples += 1;
            }
        }
        if load.with_nhcb {
            samples += classic::add_native(&mut batch, load)?;
        }
        let report = self.db.write(&batch).map_err(|error| error.to_string())?;
        match report.rejected() {
            0 => Ok(()),
            rejected => Err(format!("{rejected} of {samples} samples rejected")),
        }
    }
}

impl Runner {
    pub(crate) fn new(engine: Engine) -> Self {
        Self {
            engine,
            store: Store::empty().unwrap(),
        }
    }

    /// Runs a script; gives the line and outcome of each evaluation.
    ///
    /// # Errors
    /// A script that cannot be read, or data that cannot be written.
    pub(crate) fn run(&mut self, script: &str) -> Result<Vec<(usize, Outcome)>, String> {
        let mut outcomes = Vec::new();
        for command in parse_script(script)? {
            match command.what {
                What::Clear => self.store = Store::empty()?,
                What::Load(load) => {
                    let at = |error| format!("line {}: {error}", command.line);
                    self.store.load(&load).map_err(at)?;
                }
                What::Eval(eval) => outcomes.push((command.line, self.outcome(&eval))),
            }
        }
        Ok(outcomes)
    }

    fn outcome(&self, eval: &Eval) -> Outcome {
        let is_foreign = eval.expected.is_foreign() || touches(&eval.query, &self.store.foreign);
        match self.evaluate(eval) {
            Ok(()) => Outcome::Agreed,
            Err(Difference::Unsupported(what)) if what.contains("native histograms") => {
                Outcome::Foreign(what)
            }
            Err(Difference::Unsupported(what)) => Outcome::Unsupported(what),
            Err(Difference::Found(why)) if is_foreign => Outcome::Foreign(why),
            Err(Difference::Found(why)) => Outcome::Failed(format!("{}: {why}", eval.query)),
        }
    }

    fn evaluate(&self, eval: &Eval) -> Result<(), Difference> {
        if let Some((end_ms, step_ms)) = eval.range {
            let result = self.range(&eval.query, (eval.start_ms, end_ms, step_ms));
            return differences(result, |result| compare(eval, result));
        }
        // Raw samples are asked for at their end.
        let time_ms = eval
            .expected
            .samples
            .map_or(eval.start_ms, |samples| samples.1);
        self.instant(eval, &eval.query, time_ms)?;
        if let Some((query, times_ms)) = variants::fixed(&eval.query, time_ms) {
            for time_ms in times_ms {
                let at = |why: Difference| why.within(&format!("{query} at {time_ms}"));
                self.instant(eval, &query, time_ms).map_err(at)?;
            }
        }
        Ok(())
    }

    /// An instant query, and the same as the middle step of a range query.
    fn instant(&self, eval: &Eval, query: &str, time_ms: i64) -> Result<(), Difference> {
        let options = QueryOptions::default();
        let result = self
            .engine
            .instant(&self.store.db, query, time_ms, &options);
        let is_scalar = matches!(&result, Ok(it) if matches!(it.value, Value::Scalar { .. }));
        let in_range = result.is_ok()
            && !eval.expected.ordered
            && eval.expected.samples.is_none()
            && eval.expected.string.is_none()
            && !["start()", "end()", "range()", "step()"]
                .iter()
                .any(|context| query.contains(context));
        differences(result, |result| compare(eval, result))?;
        if !in_range {
            return Ok(());
        }
        let result = self.range(query, (time_ms - 60_000, time_ms + 60_000, 60_000));
        let compared = differences(result, |result| {
            let result = result.map_err(|error| format!("failed: {error}"))?;
            compare_value(eval, &at_step(result.value, time_ms, is_scalar))
        });
        compared.map_err(|why| why.within("as the middle of a range"))
    }

    fn range(
        &self,
        query: &str,
        (start, end, step): (i64, i64, i64),
    ) -> Result<QueryResult, Error> {
        let options = QueryOptions::default();
        self.engine
            .range(&self.store.db, query, start, end, step, &options)
    }
}

enum Difference {
    Unsupported(String),
    Found(String),
}

impl Difference {
    fn within(self, place: &str) -> Self {
        match self {
            Self::Found(why) => Self::Found(format!("{place}: {why}")),
            unsupported => unsupported,
        }
    }
}

fn differences(
    result: Result<QueryResult, Error>,
    compare: impl FnOnce(Result<QueryResult, Error>) -> Result<(), String>,
) -> Result<(), Difference> {
    match result {
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            Err(Difference::Unsupported(error.to_string()))
        }
        result => compare(result).map_err(Difference::Found),
    }
}

/// What a matrix holds at a moment, as the answer of an instant query.
fn at_step(value: Value, time_ms: i64, is_scalar: bool) -> Value {
    let Value::Matrix(series) = value else {
        return value;
    };
    let mut elements = Vec::new();
    for series in series {
        let place = series.timestamps_ms.iter().position(|&at| at == time_ms);
        let value = place.and_then(|at| series.values.get(at)).copied();
        let histogram = series.histograms.into_iter().find(|it| it.0 == time_ms);
        if value.is_some() || histogram.is_some() {
            elements.push(silverback_query::InstantSample {
                labels: series.labels,
                timestamp_ms: time_ms,
                value: value.unwrap_or(f64::NAN),
                histogram: histogram.map(|it| it.1),
            });
        }
    }
    match elements.first() {
        Some(element) if is_scalar => Value::Scalar {
            timestamp_ms: time_ms,
            value: element.value,
        },
        _ => Value::Vector(elements),
    }
}
