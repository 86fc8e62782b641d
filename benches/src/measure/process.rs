//! CPU and memory of a process, from `/proc` (proc(5)).

use std::fs;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use serde::Serialize;

use crate::error::{About, Error, Result};

/// Resident memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rss {
    /// Of its own: heap and stacks (`RssAnon`).
    pub anon_bytes: u64,
    /// Mapped from files, its program among them (`RssFile`): the kernel can take these pages
    /// back at any time.
    pub file_bytes: u64,
}

impl Rss {
    /// Both together, in bytes.
    pub fn total_bytes(&self) -> u64 {
        self.anon_bytes + self.file_bytes
    }
}

/// CPU that a process has taken since it began, in user and kernel mode, all its threads
/// together; to a hundredth of a second.
///
/// # Errors
/// It is gone.
pub fn cpu(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).about(&path)?;
    let ticks = cpu_ticks(&text).ok_or_else(|| Error::new(format!("{path}: {text:?}")))?;
    from_ticks(ticks)
}

/// A time in the unit of CPU time in `/proc`.
///
/// # Errors
/// The system does not tell the unit.
pub(crate) fn from_ticks(ticks: u64) -> Result<Duration> {
    Ok(Duration::from_secs_f64(
        ticks as f64 / ticks_per_second()? as f64,
    ))
}

/// Resident memory of a process.
///
/// # Errors
/// It is gone.
pub(crate) fn rss(pid: u32) -> Result<Rss> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).about(&path)?;
    parse_rss(&text).ok_or_else(|| Error::new(format!("{path} has no RssAnon or RssFile")))
}

/// Fields 14 and 15, utime and stime.
fn cpu_ticks(stat: &str) -> Option<u64> {
    // The name, field 2, may hold blanks and parentheses itself.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let utime: u64 = fields.next()?.parse().ok()?;
    let stime: u64 = fields.next()?.parse().ok()?;
    Some(utime + stime)
}

fn parse_rss(status: &str) -> Option<Rss> {
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kibibytes: u64 = line.strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes * 1024)
    };
    Some(Rss {
        anon_bytes: bytes("RssAnon:")?,
        file_bytes: bytes("RssFile:")?,
    })
}

/// The unit of CPU time in `/proc`; a hundredth of a second nearly everywhere.
fn ticks_per_second() -> Result<u64> {
    static TICKS: OnceLock<Option<u64>> = OnceLock::new();
    let ticks = TICKS.get_or_init(|| {
        let output = Command::new("getconf").arg("CLK_TCK").output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    });
    ticks.ok_or_else(|| Error::new("`getconf CLK_TCK` does not tell the unit of CPU time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_proc() {
        let stat = "7 (a) b)) S 1 7 7 0 -1 4194304 100 0 0 0 1234 56 0 0 20 0 9 0 1 2 3";
        assert_eq!(cpu_ticks(stat), Some(1_290));
        assert_eq!(cpu_ticks("7 (a) S 1"), None);
        let status = "Name:\ta\nVmRSS:\t  300 kB\nRssAnon:\t  200 kB\nRssFile:\t  100 kB\n";
        let rss = Rss {
            anon_bytes: 204_800,
            file_bytes: 102_400,
        };
        assert_eq!(parse_rss(status), Some(rss));
        assert_eq!(parse_rss("Name:\tkthread\n"), None);
    }

    #[test]
    fn this_process_has_memory_and_takes_cpu() -> Result<()> {
        let pid = std::process::id();
        assert!(rss(pid)?.anon_bytes > 0);
        let before = cpu(pid)?;
        let mut spins = 0_u64;
        // Ends, whatever else the machine does: it is this loop that takes the CPU.
        while cpu(pid)? == before {
            spins += 1;
        }
        assert!(spins > 0);
        Ok(())
    }
}
