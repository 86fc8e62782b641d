//! Opening a database: what its log holds goes into a head, and writing goes on behind it.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use parking_lot::{Condvar, Mutex, RwLock};
use tracing::{info, warn};

use super::Shared;
use super::bounds::Bounds;
use super::committer::Committer;
use super::directory::{self, wal_dir};
use super::sequencer::Sequencer;
use super::stats::Counters;
use super::view::Sources;
use crate::config::Options;
use crate::error::{Error, ErrorKind};
use crate::head::Head;
use crate::model::Batch;
use crate::sys::Sys;
use crate::wal;

/// Locks the directory, replays the log, and gets ready to go on behind it.
pub(super) fn recover(
    sys: Sys,
    dir: &Path,
    options: &Options,
) -> Result<(Arc<Shared>, Committer), Error> {
    let lock = directory::take(&sys, dir)?;
    let head = Head::new();
    let recovery = replay(&sys, &wal_dir(dir), &head)?;
    let writer_options = wal::WriterOptions {
        file_bytes_max: options.wal_file_bytes_max,
    };
    let writer = wal::Writer::new(&sys, &wal_dir(dir), &recovery, writer_options);
    let counters = Counters::default();
    counters.note_wal(&writer);
    let shared = Arc::new(Shared {
        sources: RwLock::new(Arc::new(Sources::new(Arc::new(head)))),
        sequencer: Mutex::new(Sequencer::new(recovery.last_seq)),
        work: Condvar::new(),
        bounds: Bounds::new(
            Arc::clone(&sys.clock),
            options.retention,
            options.max_future,
        ),
        clock: sys.clock,
        counters,
        replay_damage: recovery.damage.len() as u64,
        poison: OnceLock::new(),
        _lock: lock,
    });
    let committer = Committer::new(Arc::clone(&shared), writer, options.wal_sync);
    Ok((shared, committer))
}

/// Puts what the log holds into the head.
fn replay(sys: &Sys, dir: &Path, head: &Head) -> Result<wal::Recovery, Error> {
    let begin = sys.clock.monotonic();
    let mut orphans = 0;
    let mut apply = |_epoch, batch: Batch| -> Result<(), wal::SinkError> {
        for definition in &batch.definitions {
            head.define(definition.id, &definition.labels)?;
        }
        orphans += head.apply(&[batch]).undefined_rows;
        Ok(())
    };
    let recovery =
        wal::replay(sys, dir, wal::ReplayOptions::default(), &mut apply).map_err(replay_error)?;
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
    Ok(recovery)
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
