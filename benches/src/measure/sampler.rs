//! Looks at a process's memory again and again, for its peaks.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde::Serialize;

use super::process::{Rss, rss};
use crate::error::{Error, Result};

/// How often the memory is looked at.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(100);

/// The highest that was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Peak {
    /// Of its own memory.
    pub anon_bytes: u64,
    /// Of pages of files.
    pub file_bytes: u64,
    /// Of both together, at one time.
    pub total_bytes: u64,
}

impl Peak {
    fn raise(&mut self, rss: Rss) {
        self.anon_bytes = self.anon_bytes.max(rss.anon_bytes);
        self.file_bytes = self.file_bytes.max(rss.file_bytes);
        self.total_bytes = self.total_bytes.max(rss.anon_bytes + rss.file_bytes);
    }
}

/// A thread that looks; it ends with [`Sampler::stop`], with the process, or when dropped.
#[derive(Debug)]
pub(crate) struct Sampler {
    stop: Sender<()>,
    thread: JoinHandle<Peak>,
}

impl Sampler {
    pub(crate) fn start(pid: u32) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut peak = Peak::default();
            while let Ok(rss) = rss(pid) {
                peak.raise(rss);
                if stopped.recv_timeout(SAMPLE_INTERVAL) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
            peak
        });
        Self { stop, thread }
    }

    /// Ends it, and returns what it saw.
    ///
    /// # Errors
    /// The thread panicked.
    pub(crate) fn stop(self) -> Result<Peak> {
        drop(self.stop);
        self.thread
            .join()
            .map_err(|_| Error::new("the thread that samples memory panicked"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks() -> Result<()> {
        let mut peak = Peak::default();
        peak.raise(Rss {
            anon_bytes: 5,
            file_bytes: 1,
        });
        peak.raise(Rss {
            anon_bytes: 2,
            file_bytes: 3,
        });
        assert_eq!(
            peak,
            Peak {
                anon_bytes: 5,
                file_bytes: 3,
                total_bytes: 6
            }
        );
        let own = Sampler::start(std::process::id()).stop()?;
        assert!(own.total_bytes > 0 && own.total_bytes <= own.anon_bytes + own.file_bytes);
        Ok(())
    }
}
