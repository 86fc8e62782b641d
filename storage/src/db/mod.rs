//! The database: joins the log and the head, and keeps the order between them.

mod bounds;
mod catalog;
mod commit;
mod committer;
mod compacting;
mod compactor;
mod courtesy;
mod directory;
mod epoch;
mod fill;
mod flusher;
mod flushing;
mod freeze;
#[cfg(feature = "fuzz-internals")]
pub(crate) mod fuzz;
mod gather;
mod matcher_cache;
mod recovery;
mod replay;
mod report;
mod sequencer;
mod series_limits;
mod sources;
mod stats;
mod successor;
mod view;
mod write_batch;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, RwLock};
use tracing::warn;

use self::bounds::Bounds;
use self::compacting::Compacting;
use self::courtesy::Courtesy;
use self::epoch::{Epoch, Frozen};
use self::flushing::Flushing;
use self::recovery::Recovered;
use self::sequencer::{Sequencer, Unplaced};
use self::sources::CurrentSources;
use self::stats::Counters;
use self::successor::Successor;
use self::view::DamageLog;
use crate::config::Options;
use crate::error::{Error, ErrorKind};
use crate::head::Head;
use crate::maintenance::stored::Stored;
use crate::sys::{Clock, LockGuard, Sys};

pub use commit::Commit;
pub use fill::Filler;
pub use report::{RejectReason, Rejected, Rejection, WriteReport};
pub use stats::Stats;
pub use view::{Bounded, Selection, View};
pub use write_batch::{BatchSeries, WriteBatch};

/// An open database. Cheap to clone; all clones are the same database, and the last one to go
/// closes it.
///
/// # Examples
/// ```
/// use silverback_storage::{Db, MatchOp, Matcher, Options, Samples, TimeRange, WriteBatch};
/// let dir = tempfile::tempdir()?;
/// let db = Db::open(dir.path(), Options::default())?;
///
/// let mut batch = WriteBatch::new();
/// let up = batch.series(&[("__name__", "up"), ("job", "node")])?;
/// batch.float(up, 1_700_000_000_000, 1.0);
/// db.write(&batch)?; // returns when it is on disk
///
/// let view = db.view();
/// let matcher = Matcher::new(MatchOp::Equal, "__name__", "up")?;
/// let selection = view.select(&[matcher], TimeRange::ALL)?;
/// let mut samples = Samples::default();
/// selection.samples(0, &mut samples)?;
/// assert_eq!(samples.values, [1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Db(Arc<Handle>);

/// A write that was taken and is on its way to the disk.
#[derive(Debug)]
#[must_use = "the write is durable only when its commit says so"]
pub struct Submitted {
    /// What was taken of it and what refused.
    pub report: WriteReport,
    /// Resolves when what was taken is durable and visible.
    pub commit: Commit,
}

/// What all clones of a [`Db`] share; dropped with the last of them.
#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    /// The committer, the flusher and the compactor, in the order in which they end.
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What the callers and the threads share.
#[derive(Debug)]
struct Shared {
    /// What views see. Changed by the committer, when an epoch ends, by the flusher and the
    /// compactor.
    sources: CurrentSources,
    /// The epoch that new writes belong to: a copy of the sequencer's, to be read without its
    /// lock.
    epoch: RwLock<Arc<Epoch>>,
    sequencer: Mutex<Sequencer>,
    /// Notified when a write was queued, a flush asked for, an epoch written out, or the
    /// sequencer closed.
    work: Condvar,
    flushing: Flushing,
    /// The next epoch's head, once it is made.
    successor: Mutex<Option<Successor>>,
    compacting: Compacting,
    /// Whether writes have waited too long for the flusher and are refused.
    is_stalled: AtomicBool,
    clock: Arc<dyn Clock>,
    bounds: Bounds,
    counters: Counters,
    damage_log: DamageLog,
    /// The first failure of the log that does not pass.
    poison: OnceLock<Error>,
    /// Held as long as anything can still touch the directory.
    _lock: Box<dyn LockGuard>,
}

impl Db {
    /// Opens the database in `dir`, creating the directory if need be, and replays its log.
    ///
    /// # Errors
    /// [`ErrorKind::InUse`] where another process has it open, [`ErrorKind::Incompatible`]
    /// where a newer version or another program wrote it, [`ErrorKind::Full`], [`ErrorKind::Io`]. Damaged records
    /// are no error: they are skipped, logged and counted in [`Stats::replay_damage`].
    pub fn open(dir: impl AsRef<Path>, options: Options) -> Result<Self, Error> {
        Self::open_with(Sys::real(), dir, options)
    }

    /// Opens the database on another disk and clock than those of the operating system.
    ///
    /// # Errors
    /// Those of [`Db::open`].
    pub fn open_with(sys: Sys, dir: impl AsRef<Path>, options: Options) -> Result<Self, Error> {
        let Recovered {
            shared,
            committer,
            flusher,
            compactor,
        } = recovery::recover(sys, dir.as_ref(), &options)?;
        let handle = Handle {
            shared,
            threads: Mutex::default(),
        };
        // Each is in the list before the next is started: a failure closes what runs.
        handle.spawn("silverback-commit", move || committer.run())?;
        handle.spawn("silverback-flush", move || flusher.run())?;
        handle.spawn("silverback-compact", move || compactor.run())?;
        Ok(Self(Arc::new(handle)))
    }

    /// Takes a write: refuses samples out of bounds, gives the rest its place in the order of
    /// writes. Does not wait for the disk.
    ///
    /// The caller bounds how much is on its way at once: what was submitted is in memory until
    /// its commit resolves.
    ///
    /// # Errors
    /// [`ErrorKind::Poisoned`], [`ErrorKind::Closed`], [`ErrorKind::TooManySeries`],
    /// [`ErrorKind::TooLarge`], [`ErrorKind::Overloaded`].
    pub fn submit(&self, batch: &WriteBatch) -> Result<Submitted, Error> {
        self.place(batch, |sequencer, now| {
            sequencer.note_came(now);
            sequencer.hurry();
        })
    }

    /// Takes a write as [`Db::submit`] does, but does not begin to commit it: others are about to
    /// come, and one sync serves them all. What was gathered is committed once
    /// [`Db::commit_gathered`] is called, a write is submitted, or one is gathered 300 us after
    /// the first. A caller who does none of that waits for ever.
    ///
    /// # Errors
    /// Those of [`Db::submit`].
    pub fn gather(&self, batch: &WriteBatch) -> Result<Submitted, Error> {
        self.place(batch, Sequencer::linger)
    }

    /// Takes a write; `queued` is called once it has its place, with the time.
    fn place(
        &self,
        batch: &WriteBatch,
        queued: impl FnOnce(&mut Sequencer, Duration),
    ) -> Result<Submitted, Error> {
        let shared = &self.0.shared;
        if let Some(error) = shared.poison() {
            return Err(error);
        }
        if shared.is_stalled.load(Relaxed) {
            return Err(committer::overloaded());
        }
        let window = shared.bounds.window(shared.newest_ms());
        let (accepted, mut report) = bounds::sift(batch, window);
        if accepted.is_empty() {
            let (completion, commit) = commit::channel();
            completion.complete(Ok(()));
            return Ok(Submitted { report, commit });
        }
        let unplaced = Unplaced::new(batch, &accepted);
        let epoch = Arc::clone(&shared.epoch.read());
        let encoded = unplaced.encode_if_known(&epoch)?;
        let now = shared.clock.monotonic();
        let (placed, is_due) = {
            let mut sequencer = shared.sequencer.lock();
            let placed = sequencer.enqueue(&unplaced, encoded)?;
            queued(&mut sequencer, now);
            if !sequencer.is_idle() {
                // The committer says otherwise with this lock held.
                shared.counters.waiting.note(now);
            }
            (placed, sequencer.is_due())
        };
        if is_due {
            shared.work.notify_one();
        }
        report.accepted -= placed.refused;
        report.histograms_accepted -= placed.refused_histograms;
        report.too_many_series = placed.refused - placed.refused_of_metric;
        report.too_many_of_metric = placed.refused_of_metric;
        report.exemplars_accepted -= placed.refused_exemplars;
        report.exemplars_rejected += placed.refused_exemplars;
        report.first_rejected = match report.first_rejected {
            Some(first) if first.what != Rejected::Exemplar => Some(first),
            first => placed.first_refused.or(first),
        };
        let commit = placed.commit;
        Ok(Submitted { report, commit })
    }

    /// Takes a write and blocks until it is durable and visible.
    ///
    /// # Errors
    /// Those of [`Db::submit`] and [`Commit::wait`].
    pub fn write(&self, batch: &WriteBatch) -> Result<WriteReport, Error> {
        let Submitted { report, commit } = self.submit(batch)?;
        commit.wait()?;
        Ok(report)
    }

    /// Pins what is visible now: every write that was acknowledged, none that comes later.
    pub fn view(&self) -> View {
        View::new(Arc::clone(&self.0.shared))
    }

    /// Writes what is in memory to a segment, and blocks until that stands: every write that
    /// was acknowledged before the call is in files other than the log then.
    ///
    /// # Errors
    /// [`ErrorKind::Full`], [`ErrorKind::Io`]: nothing is lost, and it is tried again by
    /// itself. [`ErrorKind::Poisoned`], [`ErrorKind::Closed`].
    pub fn flush(&self) -> Result<(), Error> {
        let shared = &self.0.shared;
        if let Some(error) = shared.poison() {
            return Err(error);
        }
        let request = shared.flushing.request();
        shared.wake();
        shared.flushing.wait(request)
    }

    /// Merges files until all that was flushed before the call stands in blocks, no two of them
    /// have samples of the same time, and no merge is due; blocks until then. What is in memory
    /// stays there: [`Db::flush`] first, if that is to be merged too.
    ///
    /// # Errors
    /// [`ErrorKind::Full`], [`ErrorKind::Io`]: nothing is lost, and what is due is tried again by
    /// itself. [`ErrorKind::Corrupt`]: a file cannot be read and stays what it is; all others are
    /// merged as far as that goes. [`ErrorKind::Closed`].
    pub fn compact(&self) -> Result<(), Error> {
        let compacting = &self.0.shared.compacting;
        compacting.wait(compacting.request())
    }

    /// The database's figures.
    pub fn stats(&self) -> Stats {
        stats::collect(&self.0.shared)
    }

    /// Takes no more writes, makes durable what was taken, and waits for that. Views stay
    /// readable. The directory can be opened again once all clones and views are dropped.
    ///
    /// # Errors
    /// [`ErrorKind::Poisoned`] where the log had failed.
    pub fn close(&self) -> Result<(), Error> {
        self.0.close();
        self.0.shared.poison().map_or(Ok(()), Err)
    }
}

impl Handle {
    fn spawn(&self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), Error> {
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(run)
            .map_err(|e| {
                let message = format!("cannot start the thread {name}: {e}");
                Error::with_source(ErrorKind::Io, message, e)
            })?;
        self.threads.lock().push(thread);
        Ok(())
    }

    fn close(&self) {
        self.shared.sequencer.lock().close();
        self.shared.work.notify_all();
        self.shared.flushing.close(&Error::closed());
        self.shared.compacting.close(&Error::closed());
        for thread in self.threads.lock().drain(..) {
            let name = thread.thread().name().unwrap_or_default().to_owned();
            if thread.join().is_err() {
                warn!(thread = name, "a thread ended by a panic");
            }
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    /// Pauses of a piece of background work that begins now, while others write or read.
    fn courtesy(&self) -> Courtesy<'_, Counters> {
        Courtesy::new(&*self.clock, &self.counters)
    }

    /// Why writes are refused, if they are.
    fn poison(&self) -> Option<Error> {
        self.poison.get().cloned()
    }

    /// Refuses writes from now on; the first cause stays.
    fn set_poison(&self, cause: &Error) {
        let _first = self.poison.set(cause.clone());
        self.flushing.note_failed(cause);
    }

    /// Lets the committer look again at what there is to do.
    fn wake(&self) {
        // With the lock held, so that it cannot be about to wait for this very notification.
        let _sequencer = self.sequencer.lock();
        self.work.notify_all();
    }

    /// An epoch ended.
    fn freeze(&self, frozen: Frozen, active: Arc<Head>) {
        self.sources.freeze(frozen, active);
        self.note_waiting();
    }

    /// The oldest frozen epoch is a segment.
    fn publish(&self, segment: Stored) {
        self.sources.publish(segment);
        self.note_waiting();
        self.wake();
        self.compacting.note_news();
    }

    fn note_waiting(&self) {
        self.flushing.note_waiting(self.sources.get().frozen.len());
    }

    /// The timestamp of the newest sample, in milliseconds.
    fn newest_ms(&self) -> Option<i64> {
        self.sources.get().range().map(|range| range.end_ms)
    }
}
