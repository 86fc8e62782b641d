//! Looks at a program's metrics while a load is sent: when it flushed and merged.

use std::net::SocketAddr;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::http::Client;
use crate::peer::{Background, Peer};

/// How often metrics are read: it costs the program little.
const INTERVAL: Duration = Duration::from_secs(1);

/// How much was flushed and merged by a time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Seconds since the start of the run; what changed did so in the second before.
    pub at_s: f64,
    /// Heads that were written to files so far.
    pub flushes: Option<f64>,
    /// Merges so far.
    pub merges: Option<f64>,
}

/// Adds what has changed since the last event; a program that says nothing changes nothing.
fn note(events: &mut Vec<Event>, at_s: f64, now: Background) {
    let (flushes, merges) = (now.flushes, now.merges);
    let last = events.last().map(|last| (last.flushes, last.merges));
    let none = |count: Option<f64>| count.is_none_or(|count| count == 0.0);
    let same = match last {
        Some(last) => last == (flushes, merges),
        None => none(flushes) && none(merges),
    };
    if !same {
        events.push(Event {
            at_s,
            flushes,
            merges,
        });
    }
}

/// A thread that looks.
#[derive(Debug)]
pub(crate) struct Watch {
    stop: Sender<()>,
    thread: JoinHandle<Vec<Event>>,
}

impl Watch {
    pub(crate) fn start(peer: Peer, address: SocketAddr) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || {
            let began = Instant::now();
            let mut client = Client::new(address, INTERVAL);
            let mut events = Vec::new();
            while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                // One that is too busy to answer is asked again.
                if let Ok(now) = peer.background(&mut client) {
                    note(&mut events, began.elapsed().as_millis() as f64 / 1e3, now);
                }
            }
            events
        });
        Self { stop, thread }
    }

    /// Ends it, and returns what it saw.
    ///
    /// # Errors
    /// The thread panicked.
    pub(crate) fn stop(self) -> Result<Vec<Event>> {
        drop(self.stop);
        let joined = self.thread.join();
        joined.map_err(|_| Error::new("the thread that reads metrics panicked"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_are_kept() {
        let background = |flushes: f64, merges: f64| Background {
            flushes: Some(flushes),
            merges: Some(merges),
            ..Background::default()
        };
        let mut events = Vec::new();
        for (second, (flushes, merges)) in [(0.0, 0.0), (1.0, 0.0), (1.0, 0.0), (1.0, 2.0)]
            .into_iter()
            .enumerate()
        {
            note(&mut events, second as f64, background(flushes, merges));
        }
        let seen: Vec<_> = events
            .iter()
            .map(|event| (event.at_s, event.merges))
            .collect();
        assert_eq!(seen, [(1.0, Some(0.0)), (3.0, Some(2.0))]);
        let mut none = Vec::new();
        note(&mut none, 1.0, Background::default());
        assert!(none.is_empty());
    }
}
