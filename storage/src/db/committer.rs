//! The one thread that makes writes durable and visible.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use parking_lot::MutexGuard;
use tracing::{error, info, warn};

use super::Shared;
use super::epoch::{Epoch, Frozen};
use super::freeze::{FreezeRule, LiveSeries};
use super::sequencer::{Queued, Sequencer};
use super::successor::{Request, Succession};
use crate::config::{Options, WalSync};
use crate::error::{Error, ErrorKind};
use crate::head::HeadStats;
use crate::model::Batch;
use crate::wal;

/// How long writes wait for an epoch to be written out before they are refused.
const STALL_MAX: Duration = Duration::from_secs(10);

/// Takes what waits as one group: one write, one sync, then the head, then the answers.
#[derive(Debug)]
pub(super) struct Committer {
    shared: Arc<Shared>,
    writer: wal::Writer,
    /// Whose writes the log takes now: until what the sequencer gave out before the end of an
    /// epoch is in the log, the one before the sequencer's.
    epoch: Arc<Epoch>,
    sync: WalSync,
    rule: FreezeRule,
    /// How many series go on in the next epoch.
    live: LiveSeries,
    /// Whether the next epoch's head was asked for.
    succession: Succession,
    /// When the oldest byte that is written and not synced was written.
    unsynced_since: Option<Duration>,
    /// Since when writes wait because the epoch is full and the one before is still in memory.
    stalled_since: Option<Duration>,
}

/// What is to be done next.
#[derive(Debug)]
pub(super) struct Work {
    /// Writes of this epoch.
    group: Vec<Queued>,
    /// The epoch that follows once the group is committed, if this one ends.
    next: Option<Arc<Epoch>>,
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
    pub(super) fn new(shared: Arc<Shared>, writer: wal::Writer, options: &Options) -> Self {
        let epoch = Arc::clone(shared.sequencer.lock().epoch());
        Self {
            shared,
            writer,
            epoch,
            sync: options.wal_sync,
            rule: FreezeRule::new(options),
            live: LiveSeries::default(),
            succession: Succession::default(),
            unsynced_since: None,
            stalled_since: None,
        }
    }

    /// Commits until the database is closed.
    pub(super) fn run(mut self) {
        let _farewell = Farewell(Arc::clone(&self.shared));
        while self.turn() == Turn::Again {}
    }

    /// Waits for writes, or for the time to sync earlier ones, and does what is due.
    fn turn(&mut self) -> Turn {
        let work = {
            let shared = Arc::clone(&self.shared);
            let mut sequencer = shared.sequencer.lock();
            // What was taken before is answered.
            shared.counters.waiting.set(sequencer.waiting_since());
            if self.wait(&mut sequencer) == Turn::Ended {
                drop(sequencer);
                self.finish();
                return Turn::Ended;
            }
            self.take(&mut sequencer)
        };
        self.perform(work);
        if self.until_sync() == Some(Duration::ZERO) {
            self.sync_late();
        }
        Turn::Again
    }

    /// Waits until something may have to be done.
    fn wait(&mut self, sequencer: &mut MutexGuard<'_, Sequencer>) -> Turn {
        while !sequencer.is_due() && !sequencer.is_closed() && !self.is_freeze_due() {
            match self.until_sync() {
                None => self.shared.work.wait(sequencer),
                Some(Duration::ZERO) => break,
                Some(timeout) => {
                    self.shared.work.wait_for(sequencer, timeout);
                }
            }
        }
        if sequencer.is_closed() {
            // What was taken is made durable, whatever the size of the epoch.
            return match sequencer.is_idle() {
                true => Turn::Ended,
                false => Turn::Again,
            };
        }
        if let Some(patience) = self.stall(sequencer) {
            self.shared.work.wait_for(sequencer, patience);
        }
        Turn::Again
    }

    /// Whether writes have to wait because the epoch is full and the one before it is not
    /// written out; how long until that is looked at again. Those that waited for too long are
    /// refused, and new ones from then on.
    fn stall(&mut self, sequencer: &mut Sequencer) -> Option<Duration> {
        let is_stalled = self.rule.is_over_cap(self.writer.epoch_bytes())
            && !self.shared.sources.get().frozen.is_empty();
        if !is_stalled {
            self.stalled_since = None;
            self.shared.is_stalled.store(false, Relaxed);
            return None;
        }
        let now = self.shared.clock.monotonic();
        let since = *self.stalled_since.get_or_insert_with(|| {
            warn!("writes wait: they come faster than they are flushed");
            now
        });
        let waited = now.saturating_sub(since);
        if waited < STALL_MAX {
            return Some(STALL_MAX - waited);
        }
        self.shared.is_stalled.store(true, Relaxed);
        sequencer.fail(self.epoch.number, Vec::new(), &overloaded());
        Some(STALL_MAX)
    }

    /// Takes what waits and decides whether the epoch ends with it.
    pub(super) fn take(&self, sequencer: &mut Sequencer) -> Work {
        if self.stalled_since.is_some() && !sequencer.is_closed() {
            return Work {
                group: Vec::new(),
                next: None,
            };
        }
        let group = sequencer.take();
        let next = self.is_freeze_due().then(|| {
            self.shared.flushing.note_ending();
            let successor = self.shared.successor.lock().take();
            let successor = successor.filter(|one| one.follows == self.epoch.number);
            let next = sequencer.begin_epoch(successor);
            *self.shared.epoch.write() = Arc::clone(&next);
            next
        });
        Work { group, next }
    }

    /// Commits a group, and goes on to the next epoch.
    pub(super) fn perform(&mut self, work: Work) {
        if !work.group.is_empty() {
            self.commit(work.group);
        }
        // A write that failed may be in the log all the same. A segment of its epoch would not
        // have it, and a restart would find it behind the segment, without its series.
        if let Some(next) = work.next
            && self.shared.poison().is_none()
        {
            self.freeze(next);
        }
    }

    /// Whether the epoch is to end: it is large, or somebody asked for it.
    fn is_freeze_due(&self) -> bool {
        let shared = &self.shared;
        if shared.poison().is_some() || !shared.sources.get().frozen.is_empty() {
            return false;
        }
        if self.epoch.is_empty() {
            if shared.flushing.is_wanted() {
                // There is nothing to write.
                shared.flushing.note_ending();
                shared.flushing.note_waiting(0);
            }
            return false;
        }
        let bytes = self.writer.epoch_bytes();
        let stats = self.epoch.head.stats();
        shared.flushing.is_wanted() || self.rule.is_due(bytes, &stats, self.live)
    }

    /// Of an epoch that is large and has few samples a series: where most series are gone
    /// already, it costs little to end it, and memory to go on.
    fn note_live_series(&mut self, stats: &HeadStats) {
        if self.rule.asks_for_live_series(stats) {
            self.live.note(&self.epoch.head, stats);
        }
    }

    /// Asks for the next epoch's head when this one is nearly full.
    fn note_succession(&mut self, stats: &HeadStats) {
        let head = &self.epoch.head;
        let fill = self.rule.fill(self.writer.epoch_bytes(), stats, self.live);
        let due = self.succession.is_due(fill, stats, head.visible_seq());
        if let Some(live_since) = due {
            self.shared.flushing.ask_for_successor(Request {
                epoch: self.epoch.number,
                head: Arc::clone(head),
                live_since,
            });
        }
    }

    /// Ends the epoch: its head is put aside, and the log goes on in another file.
    fn freeze(&mut self, next: Arc<Epoch>) {
        if let Err(cause) = self.writer.begin_epoch(next.number) {
            // Only a failed sync does that: it poisons, and nothing is written to the next epoch.
            self.failed(cause);
        }
        let frozen = Frozen::new(&self.epoch);
        let active = Arc::clone(&next.head);
        info!(
            epoch = frozen.number,
            series = frozen.head.stats().series,
            "the head is frozen"
        );
        self.epoch = next;
        self.live = LiveSeries::default();
        self.succession = Succession::default();
        self.shared.freeze(frozen, active);
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
            self.shared
                .sequencer
                .lock()
                .fail(self.epoch.number, group, &error);
            return;
        }
        let (batches, completions): (Vec<Batch>, Vec<_>) = group
            .into_iter()
            .map(|queued| (queued.batch, queued.completion))
            .unzip();
        let completions: Vec<_> = completions.into_iter().flatten().collect();
        self.epoch.head.apply(&batches);
        let stats = self.epoch.head.stats();
        self.note_live_series(&stats);
        self.note_succession(&stats);
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
        self.shared.counters.note_wal(self.writer.files());
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

/// The answer to writes that come faster than they can be flushed.
pub(super) fn overloaded() -> Error {
    Error::new(
        ErrorKind::Overloaded,
        "writes come faster than they can be flushed to files: try again later",
    )
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
        let epoch = sequencer.epoch().number;
        sequencer.fail(epoch, Vec::new(), &error);
    }
}
