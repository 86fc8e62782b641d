//! The one thread that makes writes durable and visible.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tracing::{error, warn};

use super::Shared;
use super::sequencer::Queued;
use crate::config::WalSync;
use crate::error::{Error, ErrorKind};
use crate::model::Batch;
use crate::wal;

/// Takes what waits as one group: one write, one sync, then the head, then the answers.
#[derive(Debug)]
pub(super) struct Committer {
    shared: Arc<Shared>,
    writer: wal::Writer,
    sync: WalSync,
    /// When the oldest byte that is written and not synced was written.
    unsynced_since: Option<Duration>,
}

/// Whether there is more to do.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Turn {
    /// There may be more.
    Again,
    /// Closed, and everything is on disk that can be.
    Ended,
}

impl Committer {
    pub(super) fn new(shared: Arc<Shared>, writer: wal::Writer, sync: WalSync) -> Self {
        Self {
            shared,
            writer,
            sync,
            unsynced_since: None,
        }
    }

    /// Commits until the database is closed.
    pub(super) fn run(mut self) {
        let _farewell = Farewell(Arc::clone(&self.shared));
        while self.turn() == Turn::Again {}
    }

    /// Waits for writes, or for the time to sync earlier ones, and does what is due.
    fn turn(&mut self) -> Turn {
        let group = {
            let mut sequencer = self.shared.sequencer.lock();
            while sequencer.is_idle() && !sequencer.is_closed() {
                match self.until_sync() {
                    None => self.shared.work.wait(&mut sequencer),
                    Some(Duration::ZERO) => break,
                    Some(timeout) => {
                        self.shared.work.wait_for(&mut sequencer, timeout);
                    }
                }
            }
            if sequencer.is_idle() && sequencer.is_closed() {
                drop(sequencer);
                self.finish();
                return Turn::Ended;
            }
            sequencer.take()
        };
        if !group.is_empty() {
            self.commit(group);
        }
        if self.until_sync() == Some(Duration::ZERO) {
            self.sync_late();
        }
        Turn::Again
    }

    /// How long until earlier writes must be synced; none if nothing waits for a sync.
    fn until_sync(&self) -> Option<Duration> {
        let WalSync::Interval(interval) = self.sync else {
            return None;
        };
        let due = self.unsynced_since? + interval;
        Some(due.saturating_sub(self.shared.clock.monotonic()))
    }

    /// Makes one group durable, as configured, then visible, then answers it.
    pub(super) fn commit(&mut self, group: Vec<Queued>) {
        let written = match self.shared.poison() {
            Some(error) => Err(error),
            None => self.write(&group),
        };
        if let Err(error) = written {
            self.shared.sequencer.lock().fail(group, &error);
            return;
        }
        let (batches, completions): (Vec<Batch>, Vec<_>) = group
            .into_iter()
            .map(|queued| (queued.batch, queued.completion))
            .unzip();
        self.shared.sources().active.apply(&batches);
        self.shared.counters.groups.fetch_add(1, Relaxed);
        self.shared
            .counters
            .writes
            .fetch_add(completions.len() as u64, Relaxed);
        for completion in completions {
            completion.complete(Ok(()));
        }
    }

    fn write(&mut self, group: &[Queued]) -> Result<(), Error> {
        let bodies = group
            .iter()
            .map(|queued| (queued.batch.seq, queued.body.as_slice()));
        if let Err(error) = self.writer.append(bodies) {
            return Err(self.failed(error));
        }
        self.shared.counters.note_wal(&self.writer);
        match self.sync {
            WalSync::Always => self.sync_now(),
            WalSync::Interval(_) | WalSync::Never => {
                let now = self.shared.clock.monotonic();
                self.unsynced_since.get_or_insert(now);
                Ok(())
            }
        }
    }

    fn sync_now(&mut self) -> Result<(), Error> {
        let begin = self.shared.clock.monotonic();
        self.writer.sync().map_err(|error| self.failed(error))?;
        let took = self.shared.clock.monotonic().saturating_sub(begin);
        self.shared.counters.note_sync(took);
        self.unsynced_since = None;
        Ok(())
    }

    /// Syncs writes that were answered already: a failure has nobody to tell but the log, and
    /// poisons.
    fn sync_late(&mut self) {
        if self.unsynced_since.is_some() && self.shared.poison().is_none() {
            // `failed` logged it.
            let _poisoned = self.sync_now();
            self.unsynced_since = None;
        }
    }

    fn finish(&mut self) {
        self.sync_late();
    }

    /// What a failure of the log means: where nothing was written it passes, anything else
    /// poisons.
    fn failed(&self, cause: wal::WalError) -> Error {
        let kind = match &cause {
            wal::WalError::Full { .. } => ErrorKind::Full,
            wal::WalError::TooLarge { .. } => ErrorKind::TooLarge,
            wal::WalError::Create { .. }
            | wal::WalError::Order { .. }
            | wal::WalError::Epoch { .. }
            | wal::WalError::Numbers => ErrorKind::Io,
            wal::WalError::Poisoned { .. } => ErrorKind::Poisoned,
        };
        let error = Error::with_source(kind, cause.to_string(), cause);
        if kind == ErrorKind::Poisoned {
            error!(%error, "writes are refused until the database is opened anew");
            self.shared.set_poison(&error);
        } else {
            warn!(%error, "a group of writes was refused");
        }
        error
    }
}

/// Sees to it that nobody waits for a committer that is gone, should it ever panic.
struct Farewell(Arc<Shared>);

impl Drop for Farewell {
    fn drop(&mut self) {
        let mut sequencer = self.0.sequencer.lock();
        if sequencer.is_closed() {
            return;
        }
        let error = Error::new(ErrorKind::Poisoned, "the commit thread ended by a panic");
        error!(%error, "writes are refused until the database is opened anew");
        self.0.set_poison(&error);
        sequencer.close();
        sequencer.fail(Vec::new(), &error);
    }
}
