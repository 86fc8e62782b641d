//! Replaying the log into heads, one for each epoch.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::mpsc::{self, SyncSender};
use std::thread;

use tracing::{info, warn};

use super::epoch::Epoch;
use crate::codec::histogram::elements;
use crate::error::{Error, ErrorKind};
use crate::model::{Batch, HistogramRow};
use crate::sys::Sys;
use crate::wal;

/// Memory of the batches that are decoded, and then applied, together. The more there are, the more
/// samples a series gets while its state is in the processor's cache.
///
/// A replay takes three of these at the most: one being read, one that waits, one being applied. To
/// that comes a file of the log, as long as [`crate::Options::wal_file_bytes_max`] or the largest group of
/// writes. A single write that is larger than this is a chunk of its own.
const CHUNK_BYTES: usize = 8 << 20;
/// Chunks that are read and wait to be applied.
const CHUNKS_WAITING: usize = 1;

/// What a log holds: a head for each of its epochs, the oldest first.
pub(super) struct Replayed {
    pub(super) epochs: Vec<Epoch>,
    pub(super) log: wal::Recovery,
}

/// Puts what the log holds into heads.
///
/// One thread reads, checks and decodes ahead while the batches before go to their head. Whatever
/// the threads do, the heads become what they were: the chunks are applied in order, and within a
/// chunk each series gets its samples in order.
pub(super) fn replay(
    sys: &Sys,
    dir: &Path,
    options: wal::ReplayOptions,
) -> Result<Replayed, Error> {
    let begin = sys.clock.monotonic();
    let mut heads = Heads::default();
    let (sender, chunks) = mpsc::sync_channel(CHUNKS_WAITING);
    let recovery = thread::scope(|scope| {
        let read = move || read(sys, dir, options, &sender);
        let reader = thread::Builder::new()
            .name("silverback-replay".to_owned())
            .spawn_scoped(scope, read)
            .map_err(|e| {
                let message = format!("cannot start the thread that reads the log: {e}");
                Error::with_source(ErrorKind::Io, message, e)
            })?;
        let applied = chunks.iter().try_for_each(|chunk| heads.apply(&chunk));
        // Where that failed the reader finds that nobody takes its chunks.
        drop(chunks);
        let read = reader.join().unwrap_or_else(|panic| resume_unwind(panic));
        applied.and(read).map_err(replay_error)
    })?;
    for damage in &recovery.damage {
        warn!(%damage, "damage in the WAL was skipped");
    }
    if heads.orphans > 0 {
        warn!(
            samples = heads.orphans,
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
    Ok(Replayed {
        epochs: heads.epochs,
        log: recovery,
    })
}

/// Batches of one epoch that follow each other.
#[derive(Default)]
struct Chunk {
    epoch: u64,
    batches: Vec<Batch>,
    /// Memory that they take, more or less.
    bytes: usize,
}

impl Chunk {
    fn push(&mut self, batch: Batch) {
        let labels = batch.definitions.iter().flat_map(|new| new.labels.iter());
        let label_bytes: usize = labels
            .map(|(name, value)| name.len() + value.len() + 8)
            .sum();
        self.bytes += size_of::<Batch>()
            + size_of_val(batch.definitions.as_slice())
            + label_bytes
            + size_of_val(batch.floats.as_slice())
            + batch.histograms.iter().map(histogram_bytes).sum::<usize>()
            + size_of_val(batch.exemplars.as_slice());
        self.batches.push(batch);
    }
}

fn histogram_bytes(row: &HistogramRow) -> usize {
    size_of::<HistogramRow>() + size_of::<u64>() * elements(&row.histogram)
}

/// Reads the log, and sends what it holds in chunks.
fn read(
    sys: &Sys,
    dir: &Path,
    options: wal::ReplayOptions,
    chunks: &SyncSender<Chunk>,
) -> Result<wal::Recovery, wal::ReplayError> {
    let mut chunk = Chunk::default();
    let recovery = wal::replay(sys, dir, options, &mut |epoch, batch| {
        if chunk.epoch != epoch || chunk.bytes >= CHUNK_BYTES {
            if !chunk.batches.is_empty() {
                chunks.send(std::mem::take(&mut chunk))?;
            }
            chunk.epoch = epoch;
        }
        chunk.push(batch);
        Ok(())
    })?;
    if !chunk.batches.is_empty() {
        // The receiver goes where a chunk could not be applied, which is told there.
        let _gone = chunks.send(chunk);
    }
    Ok(recovery)
}

/// The heads while a log is replayed.
struct Heads {
    epochs: Vec<Epoch>,
    threads: usize,
    /// Samples without a series: damage took its definition.
    orphans: u64,
}

impl Default for Heads {
    fn default() -> Self {
        Self {
            epochs: Vec::new(),
            threads: thread::available_parallelism().map_or(1, NonZero::get),
            orphans: 0,
        }
    }
}

impl Heads {
    fn apply(&mut self, chunk: &Chunk) -> Result<(), wal::ReplayError> {
        let is_next = |epoch: &Epoch| epoch.number != chunk.epoch;
        if self.epochs.last().is_none_or(is_next) {
            self.epochs.push(Epoch::new(chunk.epoch));
        }
        let Some(Epoch { head, .. }) = self.epochs.last() else {
            return Ok(());
        };
        for batch in &chunk.batches {
            for definition in &batch.definitions {
                head.define(definition.id, &definition.labels)
                    .map_err(|source| wal::ReplayError::Sink {
                        seq: batch.seq,
                        source: source.into(),
                    })?;
            }
        }
        self.orphans += head.replay(&chunk.batches, self.threads).undefined_rows;
        Ok(())
    }
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
