//! Prometheus as a remote-write receiver.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{Background, End, Peer, expect_success, metric};
use crate::error::{About, Error, Result};
use crate::http::{Client, Request};

/// Nothing to scrape; a day for late samples, which it refuses by default.
const CONFIG: &str = "storage: {tsdb: {out_of_order_time_window: 1d}}\n";

/// All of its defaults, but for retention and for what the load and reading back need.
pub(super) fn configure(command: &mut Command, dir: &Path, port: u16) -> Result<()> {
    let config = dir.join("prometheus.yml");
    fs::write(&config, CONFIG).about(config.display())?;
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            Peer::data_dir(dir).display()
        ))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .args([
            "--web.enable-remote-write-receiver",
            "--web.enable-admin-api",
        ])
        .args(["--storage.tsdb.retention.time=100y", "--log.level=warn"])
        .args(["--query.max-samples=1000000000", "--query.timeout=10m"]);
    Ok(())
}

/// It cuts its head when it has written a block of it, which is a compaction too.
pub(super) fn background(metrics: &str) -> Background {
    Background {
        flushes: metric(metrics, "prometheus_tsdb_head_truncations_total", ""),
        merges: metric(metrics, "prometheus_tsdb_compactions_total", ""),
        ..Background::default()
    }
}

/// Writes a snapshot with the head in it: the nearest to "flush and compact" that can be asked
/// for. By itself Prometheus writes a block only once the head spans three hours. The snapshot
/// lies beside the data, with the blocks it shares linked.
pub(super) fn end(client: &mut Client, dir: &Path) -> Result<End> {
    let path = "/api/v1/admin/tsdb/snapshot";
    let reply = client.request(&Request {
        method: "POST",
        path,
        headers: &[],
        body: &[],
    })?;
    let reply = expect_success("snapshot", reply)?;
    let answer: Value = serde_json::from_slice(&reply.body).about("snapshot")?;
    let name = answer["data"]["name"].as_str();
    let name = name.ok_or_else(|| Error::new(format!("no snapshot named: {}", reply.text())))?;
    let copy = Peer::data_dir(dir).join("snapshots").join(name);
    if !copy.is_dir() {
        return Err(Error::new(format!("no snapshot in {}", copy.display())));
    }
    Ok(End {
        how: "snapshot with the head".to_owned(),
        copy: Some(copy),
    })
}
