//! This project's server.

use std::path::Path;
use std::process::Command;

use super::{End, Peer, expect_success};
use crate::error::Result;
use crate::http::{Client, Request};

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
