//! The parts of the write path, each by itself, on requests of 2,000 samples.
//!
//! `cargo bench -p silverback-benches --bench parts`

#![expect(
    clippy::unwrap_used,
    reason = "a bench that cannot set up its load has nothing to say"
)]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use silverback::bench::Receiver;
use silverback_benches::START_MS;
use silverback_benches::load::new_series::{self, NewSeriesOptions};
use silverback_benches::load::{Output, read_requests};
use silverback_storage::bench::{FloatRuns, Head, decode_body, encode_body};
use silverback_storage::model::{Batch, FloatRow, Seq, SeriesDefinition};
use silverback_storage::{Db, Labels, Options, SeriesId, WalSync};

/// Samples in a request: what Prometheus sends at most by default.
const SERIES: usize = 2_000;
const SCRAPE_MS: i64 = 15_000;

fn throughput(c: &mut Criterion, name: &str, bench: impl FnOnce(&mut Group<'_>)) {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(SERIES as u64));
    bench(&mut group);
    group.finish();
}

type Group<'a> = criterion::BenchmarkGroup<'a, criterion::measurement::WallTime>;

/// A request of new series, and one of the same again.
fn requests() -> Vec<Vec<u8>> {
    let dir = tempfile::tempdir().unwrap();
    let options = NewSeriesOptions {
        series: SERIES,
        scrapes: 2,
        interval_ms: SCRAPE_MS as u32,
        start_ms: START_MS,
    };
    let output = Output {
        dir: dir.path(),
        connections: 1,
        movable: false,
    };
    new_series::write(&options, &output).unwrap();
    let requests = read_requests(&dir.path().join("requests-0")).unwrap();
    requests.into_iter().map(|(_, body)| body).collect()
}

fn open(dir: &tempfile::TempDir) -> Db {
    let options = Options {
        wal_sync: WalSync::Never,
        max_future: None,
        retention: None,
        ..Options::default()
    };
    Db::open(dir.path(), options).unwrap()
}

fn decoder(c: &mut Criterion) {
    let requests = requests();
    let (empty, known) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut new = Receiver::new(open(&empty));
    let mut again = Receiver::new(open(&known));
    again.submit(&requests[0]).unwrap().commit.wait().unwrap();
    let decoded = again.decompressed(&requests[1]).unwrap().to_vec();
    throughput(c, "decoder", |group| {
        group.bench_function("snappy", |b| {
            b.iter(|| again.decompressed(black_box(&requests[1])).unwrap().len());
        });
        group.bench_function("known_series", |b| {
            b.iter(|| again.decode(black_box(&decoded)).unwrap());
        });
        group.bench_function("new_series", |b| {
            b.iter(|| new.decode(black_box(&decoded)).unwrap());
        });
    });
}

fn labels_of(number: usize) -> Labels {
    let cpu = (number % 64).to_string();
    let instance = format!("10.0.{}.{}:9100", number / 64 / 256, number / 64 % 256);
    Labels::from_pairs([
        ("__name__", "node_cpu_seconds_total"),
        ("cluster", "production"),
        ("cpu", &cpu),
        ("instance", &instance),
        ("job", "node"),
        ("mode", "idle"),
    ])
    .unwrap()
}

/// A counter of each series.
fn scrape(seq: u64, definitions: Vec<SeriesDefinition>) -> Batch {
    let row = |number: usize| FloatRow {
        series: SeriesId(number as u32),
        timestamp_ms: START_MS + seq as i64 * SCRAPE_MS,
        value: (number as u64 % 7 * seq) as f64 / 10.0,
    };
    Batch {
        seq: Seq(seq),
        definitions,
        floats: (0..SERIES).map(row).collect(),
        ..Batch::default()
    }
}

fn definitions(head: &Head) -> Vec<SeriesDefinition> {
    let mut registrar = head.registrar();
    let define = |number| {
        let labels = labels_of(number);
        let registered = registrar.register(labels.as_ref(), None, |_| true);
        let (id, _) = registered.unwrap().unwrap();
        SeriesDefinition { id, labels }
    };
    (0..SERIES).map(define).collect()
}

fn wal(c: &mut Criterion) {
    let rows = scrape(1, Vec::new());
    let defining = scrape(1, definitions(&Head::new()));
    let mut body = Vec::new();
    throughput(c, "wal", |group| {
        for (name, batch) in [("floats", &rows), ("definitions", &defining)] {
            group.bench_function(format!("encode/{name}"), |b| {
                b.iter(|| {
                    body.clear();
                    encode_body(black_box(batch), &mut body).unwrap();
                    body.len()
                });
            });
            group.bench_function(format!("decode/{name}"), |b| {
                let mut floats = FloatRuns::default();
                b.iter(|| {
                    floats.clear();
                    decode_body(Seq(1), black_box(&body), &mut floats).unwrap();
                });
            });
        }
    });
}

fn head(c: &mut Criterion) {
    throughput(c, "head", |group| {
        group.bench_function("append", |b| {
            let head = Head::new();
            head.apply(&[scrape(1, definitions(&head))]);
            let mut seq = 1;
            b.iter_batched(
                || {
                    seq += 1;
                    [scrape(seq, Vec::new())]
                },
                |batch| head.apply(&batch),
                BatchSize::SmallInput,
            );
        });
        group.bench_function("define", |b| {
            b.iter_batched(
                || {
                    let head = Head::new();
                    let batch = [scrape(1, definitions(&head))];
                    (head, batch)
                },
                |(head, batch)| {
                    head.apply(&batch);
                    head
                },
                BatchSize::SmallInput,
            );
        });
    });
}

fn registry(c: &mut Criterion) {
    let sets: Vec<Labels> = (0..SERIES).map(labels_of).collect();
    let register = |head: &Head| {
        let mut registrar = head.registrar();
        for labels in &sets {
            let registered = registrar.register(labels.as_ref(), None, |_| true);
            black_box(registered.unwrap());
        }
    };
    throughput(c, "registry", |group| {
        let head = Head::new();
        register(&head);
        let find = |order: &mut dyn Iterator<Item = &Labels>| {
            let mut lookup = head.lookup();
            for labels in order {
                black_box(lookup.find_labels(labels.as_ref(), None).unwrap());
            }
        };
        group.bench_function("find/in_order", |b| b.iter(|| find(&mut sets.iter())));
        group.bench_function("find/reversed", |b| b.iter(|| find(&mut sets.iter().rev())));
        group.bench_function("register", |b| {
            b.iter_batched_ref(Head::new, |head| register(head), BatchSize::SmallInput);
        });
    });
}

criterion_group!(benches, decoder, wal, head, registry);
criterion_main!(benches);
