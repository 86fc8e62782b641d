//! VictoriaMetrics, single node.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::{Background, END_MAX, End, Peer, expect_success, metric};
use crate::error::{Error, Result};
use crate::http::Client;

/// Pause between looks at whether the merge is over.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// All of its defaults, but for retention and for what reading back needs: samples that are
/// visible at once, no cached answers, room for all series.
pub(super) fn configure(command: &mut Command, dir: &Path, port: u16) {
    command
        .arg(format!(
            "-storageDataPath={}",
            Peer::data_dir(dir).display()
        ))
        .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
        .args(["-retentionPeriod=100y", "-loggerLevel=WARN"])
        .args(["-search.latencyOffset=0s", "-search.disableCache"])
        .args([
            "-search.maxUniqueTimeseries=10000000",
            "-search.maxQueryDuration=10m",
        ]);
}

/// Flushes what is in memory, then merges all parts. The merge runs behind its answer; a metric
/// tells when it is over.
pub(super) fn end(client: &mut Client) -> Result<End> {
    expect_success("force_flush", client.get("/internal/force_flush")?)?;
    expect_success("force_merge", client.get("/internal/force_merge")?)?;
    let began = Instant::now();
    loop {
        let reply = expect_success("metrics", client.get("/metrics")?)?;
        let text = String::from_utf8_lossy(&reply.body);
        match active_merges(&text) {
            Some("0") => break,
            Some(_) if began.elapsed() < END_MAX => thread::sleep(POLL_INTERVAL),
            Some(_) => return Err(Error::new(format!("merges go on after {END_MAX:?}"))),
            None => return Err(Error::new("/metrics has no vm_active_force_merges")),
        }
    }
    Ok(End {
        how: "force_flush, force_merge".to_owned(),
        copy: None,
    })
}

/// It merges parts in memory and on disk; a flush is one of these.
pub(super) fn background(metrics: &str) -> Background {
    Background {
        merges: metric(metrics, "vm_merges_total", "{type=\"storage/"),
        ..Background::default()
    }
}

fn active_merges(metrics: &str) -> Option<&str> {
    let mut lines = metrics.lines();
    lines
        .find_map(|line| line.strip_prefix("vm_active_force_merges "))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metric_is_found() {
        assert_eq!(active_merges("a 1\nvm_active_force_merges 2\n"), Some("2"));
        assert_eq!(active_merges("vm_active_force_merges_x 2\n"), None);
    }
}
