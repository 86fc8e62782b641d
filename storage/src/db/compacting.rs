//! Who waits for files to be merged, and how far that is.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::error::Error;

/// How often it is looked whether the time of some window is over, with nothing else going on.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Requests to merge, by number, and what may have made a merge due.
#[derive(Debug, Default)]
pub(super) struct Compacting {
    state: Mutex<State>,
    changed: Condvar,
    /// A copy of the state's, to be looked at in the middle of a merge.
    is_closed: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    /// The last request.
    wanted: u64,
    /// The last request that was taken up.
    taken: u64,
    /// The last request that was served.
    done: u64,
    /// The last request that had failed when it was tried last, and why.
    failed: Option<(u64, Error)>,
    /// Whether there are other files than when it was looked last.
    has_news: bool,
    closed: bool,
}

/// What the compactor is to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    /// The last request that it serves.
    request: u64,
    /// Whether somebody waits for it: then all is merged that can be.
    pub(super) is_forced: bool,
}

impl Compacting {
    /// Asks for a merge of all that is in files now; gives the request's number.
    pub(super) fn request(&self) -> u64 {
        let mut state = self.state.lock();
        state.wanted += 1;
        self.changed.notify_all();
        state.wanted
    }

    /// There is another file.
    pub(super) fn note_news(&self) {
        self.state.lock().has_news = true;
        self.changed.notify_all();
    }

    /// Waits until there may be something to merge; none once that is over. After a failure it
    /// waits for so long, unless somebody asks.
    pub(super) fn next(&self, pause: Option<Duration>) -> Option<Order> {
        let mut state = self.state.lock();
        let waits = |state: &mut State| {
            let has_news = state.has_news && pause.is_none();
            !state.closed && !has_news && state.taken == state.wanted
        };
        let patience = pause.unwrap_or(LOOK_EVERY);
        self.changed.wait_while_for(&mut state, waits, patience);
        if state.closed {
            return None;
        }
        state.has_news = false;
        let is_forced = state.taken < state.wanted;
        state.taken = state.wanted;
        Some(Order {
            request: state.wanted,
            is_forced,
        })
    }

    /// Nothing is left to merge of what was there when the order was given.
    pub(super) fn note_done(&self, order: Order) {
        let mut state = self.state.lock();
        state.done = order.request;
        self.changed.notify_all();
    }

    /// Those who wait are told that it failed.
    pub(super) fn note_failed(&self, order: Order, error: &Error) {
        let mut state = self.state.lock();
        if !state.closed {
            state.failed = Some((order.request, error.clone()));
        }
        self.changed.notify_all();
    }

    /// Nothing will be merged any more; a merge that is going on is to end.
    pub(super) fn close(&self, error: &Error) {
        self.is_closed.store(true, Relaxed);
        let mut state = self.state.lock();
        state.closed = true;
        state.failed = Some((u64::MAX, error.clone()));
        self.changed.notify_all();
    }

    /// Whether somebody waits for merges, or for their end.
    pub(super) fn is_waited_for(&self) -> bool {
        let state = self.state.lock();
        let failed = state.failed.as_ref().map_or(0, |(request, _)| *request);
        state.closed || state.done.max(failed) < state.wanted
    }

    /// Waits for so long, or until it is over.
    pub(super) fn pause(&self, duration: Duration) {
        let mut state = self.state.lock();
        let is_open = |state: &mut State| !state.closed;
        self.changed.wait_while_for(&mut state, is_open, duration);
    }

    /// Whether a merge that is going on is to end.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Relaxed)
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
    fn merges_are_waited_for_from_a_request_until_it_is_served_or_has_failed() {
        let compacting = Compacting::default();
        assert!(!compacting.is_waited_for());
        compacting.note_news();
        // One that nobody asked for goes on while somebody does.
        let unasked = compacting.next(None).unwrap();
        assert!(!unasked.is_forced && !compacting.is_waited_for());
        compacting.request();
        assert!(compacting.is_waited_for());
        compacting.note_done(unasked);
        assert!(compacting.is_waited_for());
        let asked = compacting.next(None).unwrap();
        assert!(asked.is_forced);
        compacting.note_failed(asked, &Error::closed());
        assert!(!compacting.is_waited_for());
        compacting.request();
        assert!(compacting.is_waited_for());
        let asked = compacting.next(None).unwrap();
        compacting.note_done(asked);
        assert!(!compacting.is_waited_for());
        compacting.close(&Error::closed());
        assert!(compacting.is_waited_for());
    }
}
