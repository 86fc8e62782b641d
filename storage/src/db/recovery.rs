//! Opening a database: the files that the manifest names, then the log after them.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};

use parking_lot::{Condvar, Mutex, RwLock};

use super::Shared;
use super::bounds::Bounds;
use super::catalog::Catalog;
use super::committer::Committer;
use super::compacting::Compacting;
use super::compactor::Compactor;
use super::directory::{self, wal_dir};
use super::epoch::{Epoch, Frozen};
use super::flusher::Flusher;
use super::flushing::Flushing;
use super::matcher_cache::MatcherCache;
use super::replay::{Limits, Replayed, replay};
use super::sequencer::Sequencer;
use super::series_limits::SeriesLimits;
use super::sources::{CurrentSources, Sources};
use super::stats::Counters;
use super::view::DamageLog;
use crate::config::Options;
use crate::error::{Error, ErrorKind};
use crate::head::Applied;
use crate::maintenance::files;
use crate::manifest::Manifest;
use crate::sys::Sys;
use crate::wal;

/// A database that is ready, but for its threads.
pub(super) struct Recovered {
    pub(super) shared: Arc<Shared>,
    pub(super) committer: Committer,
    pub(super) flusher: Flusher,
    pub(super) compactor: Compactor,
}

/// Locks the directory, opens its files, replays the log, and gets ready to go on behind it.
pub(super) fn recover(sys: Sys, dir: &Path, options: &Options) -> Result<Recovered, Error> {
    let lock = directory::take(&sys, dir)?;
    let files = files::open(&sys, dir)?;
    let replay_options = wal::ReplayOptions {
        covered_seq: files.manifest.covered_seq,
        ..wal::ReplayOptions::default()
    };
    let Replayed { epochs, log } =
        replay(&sys, &wal_dir(dir), replay_options, Limits::of_machine())?;
    let writer_options = wal::WriterOptions {
        file_bytes_max: options.wal_file_bytes_max,
    };
    let (frozen, active) = split(epochs, log.last_epoch, &files.manifest);
    let mut writer = wal::Writer::new(&sys, &wal_dir(dir), &log, writer_options);
    writer
        .begin_epoch(active.number)
        .map_err(|e| Error::with_source(ErrorKind::Io, e.to_string(), e))?;
    let counters = Counters::default();
    counters
        .replay_damage
        .store(log.damage.len() as u64, Relaxed);
    counters.segments_damaged.store(files.damaged, Relaxed);
    counters.note_wal(writer.files());
    let active = Arc::new(active);
    let sources = Sources {
        files: files.stored,
        frozen: frozen.into_iter().map(Arc::new).collect(),
        active: Arc::clone(&active.head),
        earlier_rows: Applied::default(),
    };
    let limits = SeriesLimits::new(options, &active.head);
    let limits_anew = limits.anew();
    let sequencer = Sequencer::new(log.last_seq, Arc::clone(&active), limits);
    let shared = Arc::new(Shared {
        sources: CurrentSources::new(sources, MatcherCache::new(options.matcher_cache_bytes_max)),
        sequencer: Mutex::new(sequencer),
        epoch: RwLock::new(active),
        work: Condvar::new(),
        flushing: Flushing::default(),
        successor: Mutex::default(),
        compacting: Compacting::default(),
        is_stalled: false.into(),
        bounds: Bounds::new(
            Arc::clone(&sys.clock),
            options.retention,
            options.max_future,
        ),
        clock: Arc::clone(&sys.clock),
        counters,
        damage_log: DamageLog::default(),
        poison: OnceLock::new(),
        _lock: lock,
    });
    shared.note_waiting();
    let log = writer.files().clone();
    let committer = Committer::new(Arc::clone(&shared), writer, options);
    let catalog = Arc::new(Catalog::new(sys, PathBuf::from(dir), files.manifest));
    let flusher = Flusher::new(Arc::clone(&shared), Arc::clone(&catalog), log, limits_anew);
    let compactor = Compactor::new(Arc::clone(&shared), catalog, files.unopened, options);
    // What was flushed before may be due.
    shared.compacting.note_news();
    Ok(Recovered {
        shared,
        committer,
        flusher,
        compactor,
    })
}

/// The epochs that wait for their segments, and the one that goes on: the last one of the log,
/// unless that is in a segment.
fn split(mut epochs: Vec<Epoch>, last_logged: u64, manifest: &Manifest) -> (Vec<Frozen>, Epoch) {
    let number = last_logged.max(manifest.last_epoch + 1);
    let active = epochs.pop_if(|epoch| epoch.number == number);
    let frozen = epochs.iter().map(Frozen::new).collect();
    (frozen, active.unwrap_or_else(|| Epoch::new(number)))
}
