//! This project's server.

use std::path::Path;
use std::process::Command;

use super::{Background, End, Peer, expect_success, metric};
use crate::error::Result;
use crate::http::{Client, Request};
use crate::report::round;

/// Writes are acknowledged after they are synced (the default), and it does not store metrics of
/// its own: the peers do not either.
pub(super) fn configure(command: &mut Command, dir: &Path, port: u16, further: &[String]) {
    // What is set for another server must not change what is measured.
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"SILVERBACK_") {
            command.env_remove(name);
        }
    }
    command
        .arg(format!("--data-dir={}", Peer::data_dir(dir).display()))
        .arg(format!("--listen=127.0.0.1:{port}"))
        .args([
            "--retention-time=0",
            "--max-future=0",
            "--self-scrape-interval=0",
        ])
        .args(["--enable-admin-api", "--log-level=warn"])
        .args(further);
}

/// It flushes by itself once its log or its head is large enough, and merges what it flushed.
pub(super) fn background(metrics: &str) -> Background {
    let of = |name: &str| metric(metrics, name, "");
    let syncs = of("silverback_wal_syncs_total");
    let seconds = of("silverback_wal_sync_duration_seconds_total");
    let mean = syncs
        .zip(seconds)
        .map(|(syncs, s)| s * 1e3 / syncs.max(1.0));
    Background {
        flushes: of("silverback_flushes_total"),
        merges: of("silverback_merges_total"),
        syncs,
        sync_mean_ms: mean.map(round),
    }
}

/// Flushes the head, and merges all segments into blocks.
pub(super) fn end(client: &mut Client) -> Result<End> {
    for (what, path) in [
        ("flush", "/api/v1/admin/tsdb/flush"),
        ("compact", "/api/v1/admin/tsdb/compact"),
    ] {
        let reply = client.request(&Request {
            method: "POST",
            path,
            headers: &[],
            body: &[],
        })?;
        expect_success(what, reply)?;
    }
    Ok(End {
        how: "flush, compact".to_owned(),
        copy: None,
    })
}
