//! The one thread that turns frozen epochs into segments.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tracing::{debug, error, info, warn};

use super::Shared;
use super::catalog::Catalog;
use super::courtesy::Courtesy;
use super::epoch::Frozen;
use super::flushing::Work;
use super::series_limits::SeriesLimits;
use super::stats::Counters;
use super::successor::{Request, Successor};
use crate::error::Error;
use crate::maintenance::files::Folder;
use crate::maintenance::{files, flush};
use crate::segment::{self, Segment, SeqRange};
use crate::sys::priority;
use crate::wal;

/// How long after a flush that failed it is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// How much longer the writing of a head pauses for others than it works. Then it takes some
/// seconds, and the next head fills meanwhile: the last one before writes have to wait.
const REST: u32 = 4;
/// The same for making the next epoch's head, which is of use only while the epoch lasts.
const REST_OF_SUCCESSOR: u32 = 1;
/// For how long a head is freed without a pause: writes may wait for that.
const FREE: Duration = Duration::from_micros(200);
/// The pause that follows,
const PAUSE: Duration = Duration::from_millis(1);
/// as long as all of it has not taken longer than this, and no other head waits.
const PAUSES_MAX: Duration = Duration::from_secs(2);
/// For so many pauses short queries, and requests on their way, may keep a head that is to be freed.
const IN_USE_PAUSES_MAX: usize = 100;

/// Writes segments, names them in the manifest, and drops the log that they cover.
#[derive(Debug)]
pub(super) struct Flusher {
    shared: Arc<Shared>,
    catalog: Arc<Catalog>,
    /// The segment of the oldest frozen epoch, where it is written and could not be named yet.
    unnamed: Option<Segment>,
    log: wal::Files,
    /// The epoch that was flushed last, to be freed.
    flushed: Option<Arc<Frozen>>,
    /// Those on the series of a head, without any counted.
    limits: SeriesLimits,
}

impl Flusher {
    pub(super) fn new(
        shared: Arc<Shared>,
        catalog: Arc<Catalog>,
        log: wal::Files,
        limits: SeriesLimits,
    ) -> Self {
        Self {
            shared,
            catalog,
            unnamed: None,
            log,
            flushed: None,
            limits,
        }
    }

    /// Flushes until the database is closed.
    pub(super) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let _farewell = Farewell(Arc::clone(&shared));
        // Writes wait for a flush in the end, so it has the priority of all else.
        if let Err(error) = priority::lengthen_own_slice() {
            debug!(%error, "flushes have time slices as all else");
        }
        let mut patience = None;
        while let Some(work) = shared.flushing.wait_for_work(patience) {
            patience = match work {
                Work::Flush => self.flush().is_err().then_some(RETRY),
                Work::Prepare(request) => {
                    self.prepare(&request);
                    None
                }
            };
            self.free_flushed();
        }
    }

    /// Writes the oldest frozen epoch, if there is one.
    ///
    /// # Errors
    /// The disk is full or fails: the epoch stays where it is, in memory and in the log.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        let sources = self.shared.sources.get();
        let Some(frozen) = sources.frozen.first().map(Arc::clone) else {
            return Ok(());
        };
        drop(sources);
        let begin = self.shared.clock.monotonic();
        match self.write(&frozen) {
            Ok(segment) => {
                let took = self.shared.clock.monotonic().saturating_sub(begin);
                info!(
                    epoch = frozen.number,
                    bytes = segment.info().bytes,
                    seconds = took.as_secs_f64(),
                    "flushed the head to a segment"
                );
                self.shared.counters.note_flush(took);
                self.shared.publish(segment.into());
                self.drop_log();
                self.flushed = Some(frozen);
                Ok(())
            }
            Err(cause) => {
                error!(error = %cause, "cannot flush the head; it stays in memory and in the WAL, and is tried again");
                self.shared.counters.flush_failures.fetch_add(1, Relaxed);
                self.shared.flushing.note_failed(&cause);
                Err(cause)
            }
        }
    }

    /// Writes the segment, then names it in the manifest: from then on it is what counts.
    ///
    /// One that could not be named is kept for the next try. It must not go before a manifest
    /// without it is in force for certain, and where the disk is full or fails no try may leave
    /// another file.
    fn write(&mut self, frozen: &Frozen) -> Result<Segment, Error> {
        let segment = match self.unnamed.take() {
            Some(segment) => segment,
            None => self.write_segment(frozen)?,
        };
        let named = self.catalog.replace(|manifest| {
            manifest.segments.push(files::segment_entry(segment.info()));
            manifest.covered_seq = segment.seqs().last;
            manifest.last_epoch = frozen.number;
        });
        if let Err(cause) = named {
            self.unnamed = Some(segment);
            return Err(files::manifest_error(cause));
        }
        Ok(segment)
    }

    fn write_segment(&self, frozen: &Frozen) -> Result<Segment, Error> {
        let (sys, number) = (self.catalog.sys(), self.catalog.take_segment_number());
        let seqs = SeqRange {
            first: self.catalog.covered_seq().next(),
            last: frozen.last_seq,
        };
        let dir = Folder::Segments.path(self.catalog.dir());
        let courtesy = self.shared.courtesy();
        let step = || self.step(&courtesy);
        let (head, epoch) = (&frozen.head, frozen.number);
        flush::write_segment(sys, &dir, number, head, seqs, epoch, &step)
            .map_err(files::file_error)?;
        // What cannot be read back must not take the place of the log.
        Segment::open(sys, &segment::path(&dir, number)).map_err(files::file_error)
    }

    /// Between small pieces of the writing of a head.
    fn step(&self, courtesy: &Courtesy<'_, Counters>) {
        let flushing = &self.shared.flushing;
        let rest = || match flushing.is_waited_for() {
            true => 0,
            false => REST,
        };
        courtesy.step(rest, |pause| {
            flushing.pause(pause);
        });
    }

    /// Makes the next epoch's head, unless the epoch ends before that.
    pub(super) fn prepare(&self, request: &Request) {
        let shared = &self.shared;
        let courtesy = shared.courtesy();
        let go_on = || {
            let pause = |pause| {
                shared.flushing.pause(pause);
            };
            courtesy.step(|| REST_OF_SUCCESSOR, pause);
            !shared.flushing.is_pressed()
        };
        let is_current = || shared.epoch.read().number == request.epoch;
        if let Some(successor) = Successor::make(request, &self.limits, go_on)
            && is_current()
        {
            let before = shared.successor.lock().replace(successor);
            drop(before);
        }
    }

    /// Frees the head that was flushed last, with pauses: writes wait for some of the allocator's
    /// locks meanwhile. One that a view goes on to hold goes with that.
    fn free_flushed(&mut self) {
        let frozen = self.flushed.take();
        let frozen = frozen.and_then(|frozen| self.own(frozen));
        let Some(head) = frozen.and_then(|frozen| self.own(frozen.head)) else {
            return;
        };
        let begin = self.shared.clock.monotonic();
        let mut since = begin;
        head.retire(&mut || {
            let now = self.shared.clock.monotonic();
            let is_long = now.saturating_sub(since) >= FREE;
            let has_time = now.saturating_sub(begin) < PAUSES_MAX;
            if is_long && has_time && !self.shared.flushing.is_pressed() {
                self.shared.flushing.pause(PAUSE);
                since = self.shared.clock.monotonic();
            }
        });
        self.shared.counters.heads_freed.fetch_add(1, Relaxed);
    }

    /// What nobody else has, or has no more after some pauses.
    fn own<T>(&self, mut shared: Arc<T>) -> Option<T> {
        for _ in 0..IN_USE_PAUSES_MAX {
            shared = match Arc::try_unwrap(shared) {
                Ok(owned) => return Some(owned),
                Err(shared) => shared,
            };
            if !self.shared.flushing.pause(PAUSE) {
                break;
            }
        }
        None
    }

    /// Removes log files that the manifest covers. What cannot be removed now is tried again
    /// after the next flush.
    fn drop_log(&self) {
        let courtesy = self.shared.courtesy();
        let dropped = self
            .log
            .drop_through(self.catalog.covered_seq(), &|| self.step(&courtesy));
        if let Err(cause) = dropped {
            warn!(error = %cause, "cannot remove WAL files that are flushed");
        }
        self.shared.counters.note_wal(&self.log);
    }
}

/// Sees to it that nobody waits for a flusher that is gone, should it ever panic.
struct Farewell(Arc<Shared>);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.flushing.close(&Error::closed());
    }
}
