//! Replaying the log into heads, one for each epoch.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

use tracing::{info, warn};

use super::epoch::Epoch;
use crate::codec::histogram::elements;
use crate::error::{Error, ErrorKind};
use crate::head::ReplayBatch;
use crate::model::{Batch, FloatRuns, FloatSlices, HistogramRow};
use crate::sys::Sys;
use crate::wal;

/// How much a replay takes at a time.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Samples that are decoded, and then applied, together. The more there are, the more a series
    /// gets while its state is in the processor's cache.
    chunk_floats: usize,
    /// Memory of what else is in a chunk.
    chunk_bytes: usize,
    /// Threads that apply a chunk.
    threads: usize,
}

impl Limits {
    /// A chunk has 8 MiB of floats and 1 MiB of all else, or a single write that is larger.
    ///
    /// There are three chunks at the most: one being read, one that waits, one being applied.
    pub(super) fn of_machine() -> Self {
        Self {
            chunk_floats: (8 << 20) / size_of::<f64>(),
            chunk_bytes: 1 << 20,
            threads: thread::available_parallelism().map_or(1, NonZero::get),
        }
    }

    /// The most memory of floats that is kept for another chunk.
    fn spare_bytes(self) -> usize {
        3 * size_of::<f64>() * self.chunk_floats
    }
}

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
    limits: Limits,
) -> Result<Replayed, Error> {
    let begin = sys.clock.monotonic();
    let mut heads = Heads {
        epochs: Vec::new(),
        threads: limits.threads,
        orphans: 0,
    };
    let (sender, chunks) = mpsc::sync_channel(CHUNKS_WAITING);
    let (give_back, spare) = mpsc::channel();
    let recovery = thread::scope(|scope| {
        let pipe = Pipe {
            limits,
            sender,
            spare,
        };
        let read = move || pipe.read(sys, dir, options);
        let reader = thread::Builder::new()
            .name("silverback-replay".to_owned())
            .spawn_scoped(scope, read)
            .map_err(|e| {
                let message = format!("cannot start the thread that reads the log: {e}");
                Error::with_source(ErrorKind::Io, message, e)
            })?;
        let applied = chunks.iter().try_for_each(|chunk| {
            heads.apply(&chunk)?;
            if chunk.floats.capacity_bytes() <= limits.spare_bytes() {
                // The reader may be through already.
                let _unused = give_back.send(chunk.floats);
            }
            Ok(())
        });
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
    batches: Vec<ChunkBatch>,
    /// The floats of all of them, so that their memory can be used again as a whole.
    floats: FloatRuns,
    /// Memory that all else takes, more or less.
    bytes: usize,
}

/// A batch, and how many of the chunk's floats are its.
struct ChunkBatch {
    batch: Batch,
    runs: usize,
    floats: usize,
}

impl Chunk {
    /// Whether a batch is too much for it.
    fn is_full_for(&self, epoch: u64, floats: FloatSlices<'_>, limits: Limits) -> bool {
        epoch != self.epoch
            || self.floats.count() + floats.values.len() > limits.chunk_floats
            || self.bytes > limits.chunk_bytes
    }

    fn push(&mut self, batch: Batch, floats: FloatSlices<'_>) {
        self.bytes += batch_bytes(&batch) + size_of_val(floats.runs);
        self.floats.extend(floats);
        self.batches.push(ChunkBatch {
            batch,
            runs: floats.runs.len(),
            floats: floats.values.len(),
        });
    }

    fn batches(&self) -> Vec<ReplayBatch<'_>> {
        let mut floats = self.floats.as_slices();
        let batches = self.batches.iter();
        batches
            .map(|one| ReplayBatch {
                batch: &one.batch,
                floats: floats.split_off_front(one.runs, one.floats),
            })
            .collect()
    }
}

/// Memory that a batch takes, more or less.
fn batch_bytes(batch: &Batch) -> usize {
    let labels = batch.definitions.iter().flat_map(|new| new.labels.iter());
    let label_bytes: usize = labels
        .map(|(name, value)| name.len() + value.len() + 8)
        .sum();
    size_of::<ChunkBatch>()
        + size_of_val(batch.definitions.as_slice())
        + label_bytes
        + size_of_val(batch.floats.as_slice())
        + batch.histograms.iter().map(histogram_bytes).sum::<usize>()
        + size_of_val(batch.exemplars.as_slice())
}

fn histogram_bytes(row: &HistogramRow) -> usize {
    size_of::<HistogramRow>() + size_of::<u64>() * elements(&row.histogram)
}

/// Where chunks go, and where the memory of those that were applied comes back.
struct Pipe {
    limits: Limits,
    sender: SyncSender<Chunk>,
    spare: Receiver<FloatRuns>,
}

impl Pipe {
    /// Reads the log, and sends what it holds in chunks.
    fn read(
        &self,
        sys: &Sys,
        dir: &Path,
        options: wal::ReplayOptions,
    ) -> Result<wal::Recovery, wal::ReplayError> {
        let mut chunk = Chunk::default();
        let recovery = wal::replay(sys, dir, options, &mut |epoch, batch, floats| {
            if chunk.is_full_for(epoch, floats, self.limits) {
                let next = Chunk {
                    epoch,
                    ..Chunk::default()
                };
                let full = std::mem::replace(&mut chunk, next);
                if !full.batches.is_empty() {
                    self.sender.send(full)?;
                }
                if let Ok(mut floats) = self.spare.try_recv() {
                    floats.clear();
                    chunk.floats = floats;
                }
            }
            chunk.push(batch, floats);
            Ok(())
        })?;
        if !chunk.batches.is_empty() {
            // The receiver goes where a chunk could not be applied, which is told there.
            let _gone = self.sender.send(chunk);
        }
        Ok(recovery)
    }
}

/// The heads while a log is replayed.
struct Heads {
    epochs: Vec<Epoch>,
    threads: usize,
    /// Samples without a series: damage took its definition.
    orphans: u64,
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
        for ChunkBatch { batch, .. } in &chunk.batches {
            for definition in &batch.definitions {
                head.define(definition.id, &definition.labels)
                    .map_err(|source| wal::ReplayError::Sink {
                        seq: batch.seq,
                        source: source.into(),
                    })?;
            }
        }
        let applied = head.replay(&chunk.batches(), self.threads);
        self.orphans += applied.undefined_rows;
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

#[cfg(test)]
mod tests;
