//! What holds of the answers to any expression.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use silverback_query::{
    Engine, EngineOptions, Error, ErrorKind, FloatHistogram, QueryOptions, Value, parse,
};
use silverback_storage::model::{BucketSpan, Histogram, HistogramCounts, ResetHint};
use silverback_storage::sys::sim::SimDisk;
use silverback_storage::{Db, Options, WriteBatch};

const NOW_MS: i64 = 1_700_000_000_000;
/// What a query may hold in memory.
const BYTES_MAX: u64 = 32 << 20;

/// An expression over a small database. It is answered or refused within the engine's limits, the
/// same at one moment and over a range of that moment alone, and no memory is held afterwards.
pub(super) fn run(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let (db, engine) = database();
    let options = QueryOptions::default();
    let instant = engine.instant(db, text, NOW_MS, &options);
    let moment = engine.range(db, text, NOW_MS, NOW_MS, 1000, &options);
    let range = engine.range(db, text, NOW_MS - 600_000, NOW_MS, 97_000, &options);
    let is_answered = instant.is_ok();
    // What is known of the range of a query differs.
    let knows_steps = ["step", "range", "start", "end"]
        .iter()
        .any(|word| text.contains(word));
    for result in [&instant, &moment, &range] {
        if let Err(error) = result {
            check_error(error, text);
        }
    }
    if let (Ok(instant), Ok(moment)) = (&instant, &moment)
        && !knows_steps
    {
        let (instant, moment) = (samples(&instant.value), samples(&moment.value));
        assert_eq!(instant, moment, "{text:?}");
    }
    if let Ok(range) = &range {
        check_matrix(&range.value, text);
    }
    drop((instant, moment, range));
    assert_eq!(engine.bytes_held(), 0, "{text:?}");
    is_answered
}

fn check_error(error: &Error, text: &str) {
    assert!(!error.to_string().is_empty(), "{text:?}");
    // Nothing is wrong with this database, and nobody cancels.
    assert!(
        !matches!(error.kind(), ErrorKind::Source | ErrorKind::Canceled),
        "{text:?}: {error}"
    );
}

fn check_matrix(value: &Value, text: &str) {
    let Value::Matrix(series) = value else {
        return;
    };
    for one in series {
        assert_eq!(one.timestamps_ms.len(), one.values.len(), "{text:?}");
        assert!(one.timestamps_ms.is_sorted_by(|a, b| a < b), "{text:?}");
        assert!(one.histograms.is_sorted_by(|a, b| a.0 < b.0), "{text:?}");
        let times = one
            .timestamps_ms
            .iter()
            .chain(one.histograms.iter().map(|(at, _)| at));
        for at in times {
            assert!((NOW_MS - 600_000..=NOW_MS).contains(at), "{text:?}");
        }
    }
    assert!(series.is_sorted_by(|a, b| a.labels < b.labels), "{text:?}");
}

type Samples = BTreeMap<String, (Option<u64>, Option<String>)>;

/// Values by labels: bits of a float, where no NaN is another, and histograms as text.
fn samples(value: &Value) -> Option<Samples> {
    let bits = |value: f64| if value.is_nan() { 0 } else { value.to_bits() };
    let text = |histogram: &Arc<FloatHistogram>| Some(format!("{histogram:?}"));
    match value {
        Value::Scalar { value, .. } => Some([("{}".to_owned(), (Some(bits(*value)), None))].into()),
        Value::Vector(samples) => {
            let samples = samples.iter().map(|sample| {
                let value = match &sample.histogram {
                    Some(histogram) => (None, text(histogram)),
                    None => (Some(bits(sample.value)), None),
                };
                (sample.labels.to_string(), value)
            });
            Some(samples.collect())
        }
        Value::Matrix(series) => {
            let samples = series.iter().map(|one| {
                let float = one.values.first().map(|&value| bits(value));
                let histogram = one.histograms.first().and_then(|(_, own)| text(own));
                (one.labels.to_string(), (float, histogram))
            });
            Some(samples.collect())
        }
        Value::String { .. } => None,
    }
}

fn database() -> &'static (Db, Engine) {
    static DATABASE: OnceLock<(Db, Engine)> = OnceLock::new();
    DATABASE.get_or_init(|| {
        let options = Options {
            max_future: None,
            ..Options::default()
        };
        let db = Db::open_with(SimDisk::new(0).sys(NOW_MS), "/data", options);
        let Ok(db) = db else {
            unreachable!("a simulated disk does not fail");
        };
        let written = db.write(&some_series());
        assert!(written.is_ok(), "{written:?}");
        let engine = Engine::new(EngineOptions {
            parse: parse::Options::ALL,
            samples_max: 200_000,
            bytes_max: BYTES_MAX,
            timeout: Some(Duration::from_secs(5)),
            threads_max: 0,
            ..EngineOptions::default()
        });
        (db, engine)
    })
}

fn some_series() -> WriteBatch {
    let mut batch = WriteBatch::new();
    let times = (0..40).map(|i| (i, NOW_MS - 585_000 + i64::from(i) * 15_000));
    for (place, name) in (0i32..).zip(["up", "a", "b", "http_requests_total", "x_bucket"]) {
        for instance in ["1", "2", "3"] {
            let mut labels = vec![("__name__", name), ("instance", instance), ("job", "node")];
            match (name, instance) {
                ("x_bucket", "1") => labels.push(("le", "0.5")),
                ("x_bucket", "2") => labels.push(("le", "+Inf")),
                ("b", "3") => labels.push(("é", "b")),
                _ => {}
            }
            let Ok(series) = batch.series(&labels) else {
                continue;
            };
            for (i, at) in times.clone() {
                let value = match (place, i) {
                    (0, _) => 1.0,
                    (1, 7) => f64::NAN,
                    (1, 9) => f64::INFINITY,
                    (1, _) => f64::from(i % 7) - 3.5,
                    (2, 20) => -0.0,
                    (3, 30..) => f64::from(i - 30),
                    (_, 25) => f64::from_bits(silverback_storage::model::STALE_NAN_BITS),
                    _ => f64::from(i * (place + 1)),
                };
                batch.float(series, at, value);
            }
        }
    }
    for schema in [0, 3, -53] {
        let text = schema.to_string();
        let labels = [
            ("__name__", "h"),
            ("schema", text.as_str()),
            ("job", "node"),
        ];
        if let Ok(series) = batch.series(&labels) {
            for (i, at) in times.clone() {
                let taken = batch.histogram(series, at, None, histogram(schema, i));
                assert!(taken.is_ok(), "{taken:?}");
            }
            batch.float(series, NOW_MS - 1, 5.0);
        }
    }
    batch
}

fn histogram(schema: i8, i: i32) -> Histogram {
    let custom = schema == -53;
    let of = |value: i32| f64::from(value);
    let spans = [(0, 2), (1, 2)].map(|(offset, length)| BucketSpan { offset, length });
    Histogram {
        schema,
        zero_threshold: if custom { 0.0 } else { 0.001 },
        sum: of(i) * 1.5,
        reset_hint: ResetHint::Unknown,
        positive_spans: spans.to_vec(),
        negative_spans: Vec::new(),
        custom_bounds: if custom {
            vec![0.1, 1.0, 2.5, 5.0, 10.0]
        } else {
            Vec::new()
        },
        counts: HistogramCounts::Float {
            count: of(4 * i) + if custom { 0.0 } else { 1.0 },
            zero_count: if custom { 0.0 } else { 1.0 },
            positive: vec![of(i); 4],
            negative: Vec::new(),
        },
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    [
        "1 + 2 * 3",
        "sum by (job) (rate(http_requests_total[5m]))",
        "a and on (instance) b > bool 2",
        "histogram_quantile(0.9, h)",
        "histogram_quantile(0.5, sum by (le) (x_bucket))",
        "topk(2, b) or bottomk(1, a)",
        "max_over_time(rate(b[1m])[5m:15s])",
        "count_values(\"v\", a) / ignoring (v) group_left () count(a)",
        "label_replace(up, \"x\", \"$1\", \"instance\", \"(.*)\")",
        "quantile_over_time(0.3, a[3m] offset 1m)",
        "sort_desc(a) - on (instance, job) up @ 1699999990",
        "avg(h) * 2 - sum(rate(h[2m]))",
        "stddev(b) ^ 2 % 7",
        "absent(nope) or vector(time())",
        "predict_linear(b[5m], 60)",
        "info(up)",
        "clamp(a, -1, 1)",
        "changes(a[5m]) + resets(http_requests_total[5m])",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
