//! The database: joins the log and the head, and keeps the order between them.

mod bounds;
mod commit;
mod committer;
mod directory;
mod recovery;
mod report;
mod sequencer;
mod stats;
mod view;
mod write_batch;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex, RwLock};
use tracing::warn;

use self::bounds::Bounds;
use self::sequencer::{Sequencer, Unplaced};
use self::stats::Counters;
use self::view::Sources;
use crate::config::Options;
use crate::error::{Error, ErrorKind};
use crate::head::Head;
use crate::sys::{Clock, LockGuard, Sys};

pub use commit::Commit;
pub use report::{RejectReason, Rejection, WriteReport};
pub use stats::Stats;
pub use view::{Selection, View};
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
    committer: Mutex<Option<JoinHandle<()>>>,
}

/// What the callers and the committer share.
#[derive(Debug)]
struct Shared {
    /// Where the samples are. Held as long as it takes to clone or replace the `Arc`.
    sources: RwLock<Arc<Sources>>,
    sequencer: Mutex<Sequencer>,
    /// Notified when a write was queued, or the sequencer closed.
    work: Condvar,
    clock: Arc<dyn Clock>,
    bounds: Bounds,
    counters: Counters,
    /// Damaged places found by replay.
    replay_damage: u64,
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
        let (shared, committer) = recovery::recover(sys, dir.as_ref(), &options)?;
        let thread = std::thread::Builder::new()
            .name("silverback-commit".to_owned())
            .spawn(move || committer.run())
            .map_err(|e| {
                let message = format!("cannot start the commit thread: {e}");
                Error::with_source(ErrorKind::Io, message, e)
            })?;
        Ok(Self(Arc::new(Handle {
            shared,
            committer: Mutex::new(Some(thread)),
        })))
    }

    /// Takes a write: refuses samples out of bounds, gives the rest its place in the order of
    /// writes. Does not wait for the disk.
    ///
    /// The caller bounds how much is on its way at once: what was submitted is in memory until
    /// its commit resolves.
    ///
    /// # Errors
    /// [`ErrorKind::Poisoned`], [`ErrorKind::Closed`], [`ErrorKind::TooManySeries`],
    /// [`ErrorKind::TooLarge`].
    pub fn submit(&self, batch: &WriteBatch) -> Result<Submitted, Error> {
        let shared = &self.0.shared;
        if let Some(error) = shared.poison() {
            return Err(error);
        }
        let sources = shared.sources();
        let window = shared.bounds.window(sources.newest_ms());
        let (accepted, report) = bounds::sift(batch, window);
        if accepted.is_empty() {
            let (completion, commit) = commit::channel();
            completion.complete(Ok(()));
            return Ok(Submitted { report, commit });
        }
        let unplaced = Unplaced::new(batch, &accepted);
        let encoded = unplaced.encode_if_known(&sources.active)?;
        let commit = shared
            .sequencer
            .lock()
            .enqueue(&sources.active, &unplaced, encoded)?;
        shared.work.notify_one();
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

    /// The database's figures.
    pub fn stats(&self) -> Stats {
        let shared = &self.0.shared;
        let head = shared.sources().active.stats();
        let mut stats = Stats {
            series: head.series,
            samples_appended: head.rows.samples,
            samples_out_of_order: head.rows.late,
            samples_duplicate: head.rows.duplicates,
            chunk_bytes: head.chunk_bytes + head.overflow_bytes,
            symbols: head.symbols as u64,
            symbol_bytes: head.symbol_bytes as u64,
            views: head.pins as u64,
            min_timestamp_ms: head.range.map(|range| range.start_ms),
            max_timestamp_ms: head.range.map(|range| range.end_ms),
            commits_waiting: shared.sequencer.lock().waiting() as u64,
            replay_damage: shared.replay_damage,
            poisoned: shared.poison().map(|error| error.to_string()),
            ..Stats::default()
        };
        shared.counters.fill(&mut stats);
        stats
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
    fn close(&self) {
        self.shared.sequencer.lock().close();
        self.shared.work.notify_all();
        if let Some(thread) = self.committer.lock().take()
            && thread.join().is_err()
        {
            warn!("the commit thread ended by a panic");
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    /// Where the samples are now.
    fn sources(&self) -> Arc<Sources> {
        Arc::clone(&self.sources.read())
    }

    /// Why writes are refused, if they are.
    fn poison(&self) -> Option<Error> {
        self.poison.get().cloned()
    }

    /// Refuses writes from now on; the first cause stays.
    fn set_poison(&self, cause: &Error) {
        let _first = self.poison.set(cause.clone());
    }
}
