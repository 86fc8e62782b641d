//! Opening a database: the files that the manifest names, then the log after them.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};

use parking_lot::{Condvar, Mutex, RwLock};
use tracing::{info, warn};

use super::Shared;
use super::bounds::Bounds;
use super::committer::Committer;
use super::directory::{self, wal_dir};
use super::epoch::{Epoch, Frozen};
use super::flusher::Flusher;
use super::flushing::Flushing;
use super::sequencer::Sequencer;
use super::sources::{CurrentSources, Sources};
use super::stats::Counters;
use crate::config::Options;
use crate::error::{Error, ErrorKind};
use crate::head::Applied;
use crate::maintenance::files;
use crate::manifest::Manifest;
use crate::model::Batch;
use crate::sys::Sys;
use crate::wal;

/// A database that is ready, but for its threads.
pub(super) struct Recovered {
    pub(super) shared: Arc<Shared>,
    pub(super) committer: Committer,
    pub(super) flusher: Flusher,
}

/// Locks the directory, opens its files, replays the log, and gets ready to go on behind it.
pub(super) fn recover(sys: Sys, dir: &Path, options: &Options) -> Result<Recovered, Error> {
    let lock = directory::take(&sys, dir)?;
    let files = files::open(&sys, dir)?;
    let (log, epochs) = replay(&sys, &wal_dir(dir), &files.manifest)?;
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
        segments: files.segments.into_iter().map(Arc::new).collect(),
        frozen: frozen.into_iter().map(Arc::new).collect(),
        active: Arc::clone(&active.head),
        earlier_rows: Applied::default(),
    };
    let sequencer = Sequencer::new(log.last_seq, Arc::clone(&active), options.series_max);
    let shared = Arc::new(Shared {
        sources: CurrentSources::new(sources),
        sequencer: Mutex::new(sequencer),
        epoch: RwLock::new(active),
        work: Condvar::new(),
        flushing: Flushing::default(),
        is_stalled: false.into(),
        bounds: Bounds::new(
            Arc::clone(&sys.clock),
            options.retention,
            options.max_future,
        ),
        clock: Arc::clone(&sys.clock),
        counters,
        poison: OnceLock::new(),
        _lock: lock,
    });
    shared.note_waiting();
    let log = writer.files().clone();
    let committer = Committer::new(Arc::clone(&shared), writer, options);
    let dir = PathBuf::from(dir);
    let flusher = Flusher::new(Arc::clone(&shared), sys, dir, files.manifest, log);
    Ok(Recovered {
        shared,
        committer,
        flusher,
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

/// Puts what the log holds beyond the files into heads, one for each epoch.
fn replay(
    sys: &Sys,
    dir: &Path,
    manifest: &Manifest,
) -> Result<(wal::Recovery, Vec<Epoch>), Error> {
    let begin = sys.clock.monotonic();
    let mut epochs: Vec<Epoch> = Vec::new();
    let mut orphans = 0;
    let mut apply = |number: u64, batch: Batch| -> Result<(), wal::SinkError> {
        if epochs.last().is_none_or(|epoch| epoch.number != number) {
            epochs.push(Epoch::new(number));
        }
        if let Some(epoch) = epochs.last() {
            for definition in &batch.definitions {
                epoch.head.define(definition.id, &definition.labels)?;
            }
            orphans += epoch.head.apply(&[batch]).undefined_rows;
        }
        Ok(())
    };
    let options = wal::ReplayOptions {
        covered_seq: manifest.covered_seq,
        ..wal::ReplayOptions::default()
    };
    let recovery = wal::replay(sys, dir, options, &mut apply).map_err(replay_error)?;
    for damage in &recovery.damage {
        warn!(%damage, "damage in the WAL was skipped");
    }
    if orphans > 0 {
        warn!(
            samples = orphans,
            "samples were skipped: the damage took the labels of their series"
        );
    }
    let took = sys.clock.monotonic().saturating_sub(begin);
    info!(
        records = recovery.records,
        samples = recovery.samples,
        files = recovery.files.len(),
        torn_bytes = recovery.torn_bytes,
        seconds = took.as_secs_f64(),
        "replayed the WAL"
    );
    Ok((recovery, epochs))
}

fn replay_error(error: wal::ReplayError) -> Error {
    let kind = match &error {
        wal::ReplayError::Io { .. } => ErrorKind::Io,
        wal::ReplayError::NewerFile { .. } | wal::ReplayError::NewerRecord { .. } => {
            ErrorKind::Incompatible
        }
        wal::ReplayError::Sink { .. } => ErrorKind::Corrupt,
    };
    Error::with_source(kind, error.to_string(), error)
}
