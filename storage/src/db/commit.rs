//! The promise that a write will be durable, to wait for with or without an async runtime.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::{Condvar, Mutex};

use crate::error::Error;

/// A write on its way to the disk. Await it, or block on [`Commit::wait`].
///
/// Dropping it does not take the write back: it becomes durable, unobserved.
#[derive(Debug)]
#[must_use = "until this says so, the write is not durable"]
pub struct Commit(Arc<Shared>);

/// The other end of a [`Commit`]. Dropped without an answer it answers "closed", so that no
/// waiter is left behind.
#[derive(Debug)]
pub(super) struct Completion(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    done: Condvar,
}

#[derive(Debug, Default)]
struct State {
    outcome: Option<Result<(), Error>>,
    /// Of the task that polled last.
    waker: Option<Waker>,
}

/// A commit and its completion.
pub(super) fn channel() -> (Completion, Commit) {
    let shared = Arc::new(Shared::default());
    (Completion(Arc::clone(&shared)), Commit(shared))
}

impl Completion {
    /// Tells the waiter how it went. The first answer counts.
    pub(super) fn complete(&self, outcome: Result<(), Error>) {
        let waker = {
            let mut state = self.0.state.lock();
            if state.outcome.is_some() {
                return;
            }
            state.outcome = Some(outcome);
            state.waker.take()
        };
        self.0.done.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        self.complete(Err(Error::closed()));
    }
}

impl Commit {
    /// Whether there is an answer within so long.
    #[cfg(test)]
    pub(super) fn is_done_within(&self, patience: std::time::Duration) -> bool {
        let mut state = self.0.state.lock();
        let is_open = |state: &mut State| state.outcome.is_none();
        self.0.done.wait_while_for(&mut state, is_open, patience);
        state.outcome.is_some()
    }

    /// Blocks until the write is durable, or failed.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Full`], [`crate::ErrorKind::Poisoned`] or
    /// [`crate::ErrorKind::Closed`]; nothing of the write is visible then.
    pub fn wait(self) -> Result<(), Error> {
        let mut state = self.0.state.lock();
        loop {
            if let Some(outcome) = &state.outcome {
                return outcome.clone();
            }
            self.0.done.wait(&mut state);
        }
    }
}

impl Future for Commit {
    type Output = Result<(), Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.state.lock();
        match &state.outcome {
            Some(outcome) => Poll::Ready(outcome.clone()),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn an_answer_reaches_a_thread_that_waits() {
        let (completion, commit) = channel();
        let waiter = std::thread::spawn(move || commit.wait());
        completion.complete(Ok(()));
        assert!(waiter.join().unwrap().is_ok());
    }

    #[test]
    fn a_dropped_completion_leaves_no_waiter_behind() {
        let (completion, commit) = channel();
        drop(completion);
        assert_eq!(commit.wait().unwrap_err().kind(), ErrorKind::Closed);
    }

    #[test]
    fn an_answer_wakes_the_task_that_polled() {
        struct Flag(std::sync::atomic::AtomicBool);
        impl Wake for Flag {
            fn wake(self: Arc<Self>) {
                self.0.store(true, std::sync::atomic::Ordering::SeqCst);
            }
        }
        let flag = Arc::new(Flag(false.into()));
        let waker = Waker::from(Arc::clone(&flag));
        let mut context = Context::from_waker(&waker);
        let (completion, mut commit) = channel();
        assert!(Pin::new(&mut commit).poll(&mut context).is_pending());
        completion.complete(Ok(()));
        assert!(flag.0.load(std::sync::atomic::Ordering::SeqCst));
        assert!(matches!(
            Pin::new(&mut commit).poll(&mut context),
            Poll::Ready(Ok(()))
        ));
    }
}
