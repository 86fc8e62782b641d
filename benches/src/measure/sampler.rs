//! Looks at a process's memory again and again, for its peaks and for how it goes on.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::process::{Rss, rss};
use crate::error::{Error, Result};

/// How often the memory is looked at.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(100);

/// Of each so long a time the most memory is kept.
pub(crate) const WINDOW: Duration = Duration::from_secs(10);

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
        self.total_bytes = self.total_bytes.max(rss.total_bytes());
    }
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) peak: Peak,
    /// Of each [`WINDOW`] since the start the moment with the most memory.
    pub(crate) windows: Vec<Rss>,
}

impl Seen {
    fn add(&mut self, since_start: Duration, rss: Rss) {
        self.peak.raise(rss);
        let window = (since_start.as_millis() / WINDOW.as_millis()) as usize;
        // One in which nobody could look has what the one before ended with.
        self.windows.resize(self.windows.len().max(window + 1), rss);
        if let Some(most) = self.windows.get_mut(window)
            && rss.total_bytes() > most.total_bytes()
        {
            *most = rss;
        }
    }
}

/// A thread that looks; it ends with [`Sampler::stop`], with the process, or when dropped.
#[derive(Debug)]
pub(crate) struct Sampler {
    stop: Sender<()>,
    thread: JoinHandle<Seen>,
}

impl Sampler {
    pub(crate) fn start(pid: u32) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || {
            let began = Instant::now();
            let mut seen = Seen::default();
            while let Ok(rss) = rss(pid) {
                seen.add(began.elapsed(), rss);
                if stopped.recv_timeout(SAMPLE_INTERVAL) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
            seen
        });
        Self { stop, thread }
    }

    /// Ends it, and returns what it saw.
    ///
    /// # Errors
    /// The thread panicked.
    pub(crate) fn stop(self) -> Result<Seen> {
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
    fn each_window_keeps_its_most() {
        let mut seen = Seen::default();
        for (s, anon_bytes) in [(0, 5), (9, 3), (10, 1), (19, 2), (45, 7)] {
            let rss = Rss {
                anon_bytes,
                file_bytes: 1,
            };
            seen.add(Duration::from_secs(s), rss);
        }
        let most: Vec<u64> = seen.windows.iter().map(|rss| rss.anon_bytes).collect();
        assert_eq!(most, [5, 2, 7, 7, 7]);
    }

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
        assert_eq!(own.windows.len(), 1);
        let own = own.peak;
        assert!(own.total_bytes > 0 && own.total_bytes <= own.anon_bytes + own.file_bytes);
        Ok(())
    }
}
