//! What a bare fdatasync costs on the disk that a run is on: the measure of what a server that
//! syncs before it answers adds to that.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use silverback_storage::sys::{Disk, File, Sys};

use crate::error::{About, Error, Result};
use crate::send::Latencies;

/// What is written before each sync: about what a group of Silverback's log is, with the 2.3
/// bytes a sample of the fleet, two requests of 2,000 samples a group.
pub(crate) const SYNC_BYTES: usize = 8 << 10;
/// Length of a file, reserved when it is made, as those of the log are.
const FILE_BYTES: u64 = 32 << 20;

/// A file that is written and synced piece by piece. Where it is full, another takes its place.
#[derive(Debug)]
struct Probe {
    disk: std::sync::Arc<dyn Disk>,
    path: PathBuf,
    file: Box<dyn File>,
    end: u64,
}

impl Probe {
    fn create(dir: &Path) -> Result<Self> {
        let disk = Sys::real().disk;
        let path = dir.join("sync-probe");
        let file = create(disk.as_ref(), &path)?;
        Ok(Self {
            disk,
            path,
            file,
            end: 0,
        })
    }

    /// Writes and syncs once; returns how long that took.
    fn once(&mut self) -> Result<Duration> {
        if self.end + SYNC_BYTES as u64 > FILE_BYTES {
            self.disk.remove(&self.path).about(self.path.display())?;
            self.file = create(self.disk.as_ref(), &self.path)?;
            self.end = 0;
        }
        let data = [self.end as u8 | 1; SYNC_BYTES];
        let began = Instant::now();
        let written = self.file.write_all_at(&data, self.end);
        written
            .and_then(|()| self.file.sync_data())
            .about(self.path.display())?;
        let took = began.elapsed();
        self.end += SYNC_BYTES as u64;
        Ok(took)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        // It lies in a directory that goes with the run.
        let _ = fs::remove_file(&self.path);
    }
}

fn create(disk: &dyn Disk, path: &Path) -> Result<Box<dyn File>> {
    let file = disk.create_new(path).about(path.display())?;
    let ready = file.allocate(FILE_BYTES).and_then(|()| file.sync_data());
    ready.about(path.display())?;
    Ok(file)
}

/// Syncs one after the other, up to so many and for so long.
///
/// # Errors
/// Those of the disk.
pub(crate) fn alone(dir: &Path, syncs: usize, longest: Duration) -> Result<Latencies> {
    let mut probe = Probe::create(dir)?;
    let began = Instant::now();
    let mut times = Vec::new();
    while times.len() < syncs && (times.is_empty() || began.elapsed() < longest) {
        times.push(probe.once()?);
    }
    Ok(times.into_iter().collect())
}

/// A thread that syncs while something else runs.
#[derive(Debug)]
pub(crate) struct Beside {
    stop: Sender<()>,
    thread: JoinHandle<Result<Latencies>>,
}

impl Beside {
    /// Starts it, with so many syncs a second: few beside those of the server.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn start(dir: &Path, syncs_per_s: u32) -> Result<Self> {
        let mut probe = Probe::create(dir)?;
        let interval = Duration::from_secs(1) / syncs_per_s.max(1);
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut times = Vec::new();
            loop {
                times.push(probe.once()?);
                if stopped.recv_timeout(interval) != Err(RecvTimeoutError::Timeout) {
                    return Ok(times.into_iter().collect());
                }
            }
        });
        Ok(Self { stop, thread })
    }

    /// Ends it, and returns how long each sync took.
    ///
    /// # Errors
    /// Those of the disk; the thread panicked.
    pub(crate) fn stop(self) -> Result<Latencies> {
        drop(self.stop);
        let joined = self.thread.join();
        joined.unwrap_or_else(|_| Err(Error::new("the thread that syncs panicked")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syncs_take_time_and_leave_nothing() -> Result<()> {
        let dir = tempfile::tempdir().about("temporary directory")?;
        let times = alone(dir.path(), 5, Duration::from_secs(60))?;
        assert_eq!(times.count(), 5);
        assert!(times.quantile(0.0) > Duration::ZERO);
        // However short the time, there is one.
        assert_eq!(alone(dir.path(), 5, Duration::ZERO)?.count(), 1);
        let beside = Beside::start(dir.path(), 1_000)?;
        assert!(beside.stop()?.count() >= 1);
        let left = fs::read_dir(dir.path()).about("read")?.count();
        assert_eq!(left, 0);
        assert!(Beside::start(&dir.path().join("x"), 1).is_err());
        Ok(())
    }

    #[test]
    fn a_file_that_is_full_is_followed_by_another() -> Result<()> {
        let dir = tempfile::tempdir().about("temporary directory")?;
        let mut probe = Probe::create(dir.path())?;
        probe.end = FILE_BYTES - SYNC_BYTES as u64;
        probe.once()?;
        assert_eq!(probe.end, FILE_BYTES);
        probe.once()?;
        assert_eq!(probe.end, SYNC_BYTES as u64);
        assert_eq!(probe.file.len().about("length")?, FILE_BYTES);
        Ok(())
    }
}
