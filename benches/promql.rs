//! Expressions: how long it takes to read them, and to evaluate those of dashboards.
//!
//! `cargo bench -p silverback-benches --bench promql`

#![expect(
    clippy::unwrap_used,
    reason = "a bench that cannot set up its load has nothing to say"
)]

use std::cell::LazyCell;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use silverback_benches::START_MS;
use silverback_query::parse::{Options as ParseOptions, parse};
use silverback_query::{Engine, EngineOptions, QueryOptions};
use silverback_storage::{Db, Options, WalSync, WriteBatch};

/// As a dashboard has them: 300 bytes.
const DASHBOARD: &str = "sum by (cluster, namespace, pod) (rate(container_cpu_usage_seconds_total{job=\"kubelet\", \
     metrics_path=\"/metrics/cadvisor\", image!=\"\", container!~\"POD|istio-proxy\"}[5m])) / on (cluster, \
     namespace, pod) group_left () sum by (cluster, namespace, pod) (kube_pod_container_resource_limits{resource=\"cpu\"}) > 0.9";

/// Pods with a histogram of ten buckets each, and how often they are scraped.
const PODS: usize = 100;
const BOUNDS: [&str; 10] = [
    "0.005", "0.01", "0.05", "0.1", "0.5", "1", "2.5", "5", "10", "+Inf",
];
const INTERVAL_MS: i64 = 15_000;
const STEP_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;

fn reading(c: &mut Criterion) {
    assert!((290..310).contains(&DASHBOARD.len()), "{}", DASHBOARD.len());
    let mut group = c.benchmark_group("parse");
    group.bench_function("dashboard_300_bytes", |b| {
        b.iter(|| parse(black_box(DASHBOARD), &ParseOptions::default()).unwrap());
    });
    for copies in [3, 33, 333] {
        let text = vec![DASHBOARD; copies].join(" or ");
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(format!("{}_bytes", text.len()), |b| {
            b.iter(|| parse(black_box(&text), &ParseOptions::default()).unwrap());
        });
    }
    group.finish();
}

/// So many hours of counters that rise by what differs from pod to pod and scrape to scrape.
fn fleet(dir: &std::path::Path, hours: i64) -> Db {
    let options = Options {
        wal_sync: WalSync::Never,
        max_future: None,
        retention: None,
        ..Options::default()
    };
    let db = Db::open(dir, options).unwrap();
    for scrape in 0..hours * HOUR_MS / INTERVAL_MS {
        let mut batch = WriteBatch::new();
        for pod in 0..PODS {
            let name = format!("api-{pod}");
            for (at, bound) in BOUNDS.iter().enumerate() {
                let labels = [
                    ("__name__", "request_duration_seconds_bucket"),
                    ("job", "api"),
                    ("le", bound),
                    ("pod", &name),
                ];
                let series = batch.series(&labels).unwrap();
                let jitter = (scrape * 7 + pod as i64 * 13) % 11;
                let value = (at as i64 + 1) * (scrape * (10 + pod as i64) + jitter);
                batch.float(series, START_MS + scrape * INTERVAL_MS, value as f64);
            }
        }
        db.write(&batch).unwrap();
    }
    db
}

fn dashboards(c: &mut Criterion) {
    // Fewer where every instruction is counted.
    let hours = std::env::var("BENCH_HOURS").map_or(24, |hours| hours.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    // Made when the first of them is measured, and not for those that read.
    let db = LazyCell::new(|| fleet(dir.path(), hours));
    let mut group = c.benchmark_group("evaluate");
    group.sample_size(10);
    let m = "request_duration_seconds_bucket";
    for (name, query) in [
        ("select", m.to_owned()),
        ("rate", format!("rate({m}[5m])")),
        ("sum_by_rate", format!("sum by (pod) (rate({m}[5m]))")),
        ("topk_rate", format!("topk(5, rate({m}[5m]))")),
        (
            "histogram_quantile",
            format!("histogram_quantile(0.9, sum by (le, pod) (rate({m}[5m])))"),
        ),
        (
            "twice",
            format!("sum(rate({m}[5m])) / (1 + sum(rate({m}[5m])))"),
        ),
        ("avg_over_time", format!("avg_over_time({m}[1h])")),
        ("max_over_time", format!("max_over_time({m}[1h])")),
    ] {
        for (threads, threads_max) in [("alone", 0), ("threads", 2)] {
            let engine = Engine::new(EngineOptions {
                threads_max,
                ..EngineOptions::default()
            });
            let end_ms = START_MS + hours * HOUR_MS - INTERVAL_MS;
            group.bench_function(format!("{name}/{threads}"), |b| {
                let options = QueryOptions::default();
                let db: &Db = &db;
                b.iter(|| {
                    let result = engine.range(db, &query, START_MS, end_ms, STEP_MS, &options);
                    black_box(result.unwrap())
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, reading, dashboards);
criterion_main!(benches);
