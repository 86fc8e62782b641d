//! What else the machine did while a run was measured: without it figures of a shared machine
//! say little.

use std::fs;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::process;
use crate::error::{About, Error, Result};

/// How busy the machine was with other things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct NoiseRecord {
    /// The load average of the minute before the run.
    pub load_before: f64,
    /// Cores that others took while the load was sent: neither the program that was measured nor
    /// the sender. What the hypervisor took is in it.
    pub others_cores: f64,
}

/// Looks at the machine from its start on.
#[derive(Debug)]
pub(crate) struct Noise {
    pid: u32,
    load_before: f64,
    began: Instant,
    busy: Duration,
    known: Duration,
}

impl Noise {
    /// Starts to look; `pid` is the program that is measured.
    ///
    /// # Errors
    /// It is gone; `/proc` does not tell.
    pub(crate) fn start(pid: u32, load_before: f64) -> Result<Self> {
        Ok(Self {
            pid,
            load_before,
            began: Instant::now(),
            busy: busy()?,
            known: known(pid)?,
        })
    }

    /// What there was since.
    ///
    /// # Errors
    /// As [`Noise::start`].
    pub(crate) fn stop(&self) -> Result<NoiseRecord> {
        let busy = busy()?.saturating_sub(self.busy);
        let known = known(self.pid)?.saturating_sub(self.known);
        let others = busy.saturating_sub(known).as_secs_f64();
        let wall = self.began.elapsed().as_secs_f64().max(1e-3);
        Ok(NoiseRecord {
            load_before: self.load_before,
            others_cores: (others / wall * 100.0).round() / 100.0,
        })
    }
}

/// The load average of the last minute.
///
/// # Errors
/// `/proc` does not tell.
pub(crate) fn load_average() -> Result<f64> {
    let text = fs::read_to_string("/proc/loadavg").about("/proc/loadavg")?;
    let first = text.split(' ').next().unwrap_or_default();
    first.parse().about("/proc/loadavg")
}

fn known(pid: u32) -> Result<Duration> {
    Ok(process::cpu(pid)? + process::cpu(std::process::id())?)
}

/// CPU time of all cores in which they were not idle.
fn busy() -> Result<Duration> {
    let text = fs::read_to_string("/proc/stat").about("/proc/stat")?;
    let ticks = busy_ticks(&text).ok_or_else(|| Error::new("/proc/stat has no line cpu"))?;
    process::from_ticks(ticks)
}

/// user, nice, system, irq, softirq and steal, of proc_stat(5): not idle and iowait, and not the
/// time of guests, which is in user.
fn busy_ticks(stat: &str) -> Option<u64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let fields: Option<Vec<u64>> = line
        .split_ascii_whitespace()
        .take(8)
        .map(|field| field.parse().ok())
        .collect();
    match fields?[..] {
        [user, nice, system, _, _, irq, softirq, steal] => {
            Some(user + nice + system + irq + softirq + steal)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_idle_is_not_busy() {
        let stat = "cpu  1 20 300 4000 50000 600000 7000000 80000000 900000000 0\ncpu0 5 5 5\n";
        assert_eq!(busy_ticks(stat), Some(87_600_321));
        assert_eq!(busy_ticks("cpu0 1 2 3 4 5 6 7 8\n"), None);
        assert_eq!(busy_ticks("cpu  1 2 x\n"), None);
    }

    #[test]
    fn this_machine_is_looked_at() -> Result<()> {
        let noise = Noise::start(std::process::id(), load_average()?)?;
        let found = noise.stop()?;
        assert!(found.load_before >= 0.0 && found.others_cores >= 0.0);
        Ok(())
    }
}
