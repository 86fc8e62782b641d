//! What the benches share: loads, and all that the side-by-side run with real peers is made of.
//!
//! A load (`load`) is written to files once, sent (`send`) to each peer (`peer`) in its turn, and
//! read back (`verify`) while its cost is measured (`measure`). `run` joins these, `report` says
//! what came out. `benches/README.md` has the command.

pub mod columns;
pub mod error;
mod http;
pub mod load;
pub mod measure;
pub mod peer;
pub mod report;
mod rng;
pub mod run;
mod send;
mod verify;
pub mod watch;

use silverback_storage::{BatchSeries, LabelError, WriteBatch};

/// Milliseconds since the Unix epoch at which the loads begin.
pub const START_MS: i64 = 1_700_000_000_000;

/// A batch of one sample each of `series` series, labelled as a node exporter's are.
///
/// # Errors
/// None in practice: the labels keep the rules.
pub fn scrape(series: usize, timestamp_ms: i64, value: f64) -> Result<WriteBatch, LabelError> {
    let mut batch = WriteBatch::new();
    for number in 0..series {
        let id = series_of(&mut batch, number)?;
        batch.float(id, timestamp_ms, value + number as f64);
    }
    Ok(batch)
}

fn series_of(batch: &mut WriteBatch, number: usize) -> Result<BatchSeries, LabelError> {
    let cpu = (number % 64).to_string();
    let instance = format!("10.0.{}.{}:9100", number / 64 / 256, number / 64 % 256);
    batch.series(&[
        ("__name__", "node_cpu_seconds_total"),
        ("cluster", "production"),
        ("cpu", &cpu),
        ("instance", &instance),
        ("job", "node"),
        ("mode", "idle"),
    ])
}
