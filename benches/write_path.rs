//! The write path of the library, from a batch of labels and samples to acknowledged.
//!
//! `cargo bench -p silverback-benches --bench write_path`

#![expect(
    clippy::unwrap_used,
    reason = "a bench that cannot set up its load has nothing to say"
)]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use silverback_benches::{START_MS, scrape};
use silverback_storage::{Db, Options, WalSync};

/// Samples in a batch: what Prometheus puts in a request by default.
const SERIES: usize = 2_000;

fn known_series(c: &mut Criterion) {
    let mut group = c.benchmark_group("write");
    group.throughput(Throughput::Elements(SERIES as u64));
    for (name, wal_sync) in [("synced", WalSync::Always), ("unsynced", WalSync::Never)] {
        group.bench_function(format!("known_series/{name}"), |b| {
            let dir = tempfile::tempdir().unwrap();
            let options = Options {
                wal_sync,
                max_future: None,
                ..Options::default()
            };
            let db = Db::open(dir.path(), options).unwrap();
            let mut timestamp_ms = START_MS;
            b.iter_batched(
                || {
                    timestamp_ms += 15_000;
                    scrape(SERIES, timestamp_ms, timestamp_ms as f64).unwrap()
                },
                |batch| db.write(&batch).unwrap(),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, known_series);
criterion_main!(benches);
