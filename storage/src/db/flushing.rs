//! Who waits for the head to be written to files, and how far that is.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::successor::Request;
use crate::error::Error;

/// Requests to flush, by number: each is served by the first freeze after it.
#[derive(Debug, Default)]
pub(super) struct Flushing {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The last request.
    wanted: u64,
    /// The last request before the last freeze.
    frozen: u64,
    /// The last request that was served.
    done: u64,
    /// The last request that had failed when it was tried last, and why.
    failed: Option<(u64, Error)>,
    /// How many epochs wait to be written.
    waiting: usize,
    /// The next epoch's head, where it was asked for.
    successor: Option<Request>,
    closed: bool,
}

/// What the flusher is to do.
#[derive(Debug)]
pub(super) enum Work {
    /// To write the oldest frozen epoch.
    Flush,
    /// To make the next epoch's head.
    Prepare(Request),
}

impl Flushing {
    /// Asks for a flush of all that is visible now; gives the request's number.
    pub(super) fn request(&self) -> u64 {
        let mut state = self.state.lock();
        state.wanted += 1;
        state.wanted
    }

    /// Whether a request waits for a freeze.
    pub(super) fn is_wanted(&self) -> bool {
        let state = self.state.lock();
        state.frozen < state.wanted
    }

    /// An epoch is about to end: what it holds serves every request so far.
    pub(super) fn note_ending(&self) {
        let mut state = self.state.lock();
        state.frozen = state.wanted;
        // Too late, and it holds the head.
        state.successor = None;
    }

    /// So many epochs wait to be written.
    pub(super) fn note_waiting(&self, epochs: usize) {
        let mut state = self.state.lock();
        state.waiting = epochs;
        if epochs == 0 {
            state.done = state.frozen;
        }
        state.failed = None;
        self.changed.notify_all();
    }

    /// Asks for the head of the next epoch.
    pub(super) fn ask_for_successor(&self, request: Request) {
        self.state.lock().successor = Some(request);
        self.changed.notify_all();
    }

    /// What was asked for last.
    #[cfg(test)]
    pub(super) fn take_request(&self) -> Option<Request> {
        self.state.lock().successor.take()
    }

    /// Whether an epoch waits to be written, or no more work will be done.
    pub(super) fn is_pressed(&self) -> bool {
        let state = self.state.lock();
        state.closed || state.waiting > 0
    }

    /// Whether somebody waits for the epoch that is written now: for a flush, for the next epoch to
    /// be written, or for the end.
    pub(super) fn is_waited_for(&self) -> bool {
        let state = self.state.lock();
        state.closed || state.waiting > 1 || state.done < state.frozen
    }

    /// Waits for so long, and then until there is something to do; none once that is over.
    pub(super) fn wait_for_work(&self, retry: Option<Duration>) -> Option<Work> {
        if let Some(retry) = retry {
            self.pause(retry);
        }
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return None;
            }
            if state.waiting > 0 {
                return Some(Work::Flush);
            }
            if let Some(request) = state.successor.take() {
                return Some(Work::Prepare(request));
            }
            self.changed.wait(&mut state);
        }
    }

    /// Waits for so long, or until it is over; `false` once it is.
    pub(super) fn pause(&self, duration: Duration) -> bool {
        let mut state = self.state.lock();
        let is_open = |state: &mut State| !state.closed;
        self.changed.wait_while_for(&mut state, is_open, duration);
        !state.closed
    }

    /// Those who wait are told that it failed. It will be tried again.
    pub(super) fn note_failed(&self, error: &Error) {
        let mut state = self.state.lock();
        // Those that came since cannot be frozen before this is written.
        state.failed = Some((state.wanted, error.clone()));
        self.changed.notify_all();
    }

    /// No flush will be made any more.
    pub(super) fn close(&self, error: &Error) {
        let mut state = self.state.lock();
        state.closed = true;
        state.failed = Some((u64::MAX, error.clone()));
        self.changed.notify_all();
    }

    /// Waits until a request is served, or has failed.
    pub(super) fn wait(&self, request: u64) -> Result<(), Error> {
        let mut state = self.state.lock();
        loop {
            if state.done >= request {
                return Ok(());
            }
            if let Some((failed, error)) = &state.failed
                && *failed >= request
            {
                return Err(error.clone());
            }
            self.changed.wait(&mut state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_waited_for_by_who_asked_for_a_flush_and_by_the_next_one() {
        let flushing = Flushing::default();
        // It was full, and nobody asked.
        flushing.note_ending();
        flushing.note_waiting(1);
        assert!(!flushing.is_waited_for());
        flushing.note_waiting(2);
        assert!(flushing.is_waited_for());
        flushing.note_waiting(0);
        let request = flushing.request();
        assert!(!flushing.is_waited_for(), "nothing is frozen for it yet");
        flushing.note_ending();
        flushing.note_waiting(1);
        assert!(flushing.is_waited_for());
        flushing.note_waiting(0);
        assert!(!flushing.is_waited_for());
        flushing.wait(request).unwrap();
        flushing.close(&Error::closed());
        assert!(flushing.is_waited_for());
    }
}
