//! The order of writes: who comes first, and which ids new series get.

use std::collections::HashSet;

use super::commit::{Commit, Completion, channel};
use super::write_batch::{BatchFloat, BatchSeries, WriteBatch};
use crate::error::{Error, ErrorKind};
use crate::head::{self, Head};
use crate::model::{Batch, FloatRow, Seq, SeriesDefinition, SeriesId};
use crate::wal::record::encode_body;

/// Writes that have their place and wait for the disk.
///
/// Kept under one mutex: the record that defines a series must come before every record that
/// uses it, so ids are given, and records queued, in one step.
#[derive(Debug)]
pub(super) struct Sequencer {
    last_seq: Seq,
    queue: Vec<Queued>,
    closed: bool,
    /// Series whose definition was in a write that failed: registered, but no record in the
    /// WAL defines them. The next write that uses one defines it again.
    undefined: HashSet<SeriesId>,
}

/// A write in the queue: its rows for the head, its record for the log, its waiter.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) batch: Batch,
    pub(super) body: Vec<u8>,
    pub(super) completion: Completion,
}

/// A write before it has its place: series by their labels, samples by their series.
#[derive(Debug)]
pub(super) struct Unplaced<'a> {
    batch: &'a WriteBatch,
    floats: &'a [BatchFloat],
    /// The series that have a sample, in the order of the request.
    used: Vec<BatchSeries>,
}

/// A write whose series are all known, encoded outside the lock.
pub(super) struct Encoded {
    batch: Batch,
    body: Vec<u8>,
}

impl Encoded {
    fn new(definitions: Vec<SeriesDefinition>, floats: Vec<FloatRow>) -> Result<Self, Error> {
        let batch = Batch {
            seq: Seq::ZERO,
            definitions,
            floats,
            ..Batch::default()
        };
        let mut body = Vec::new();
        encode_body(&batch, &mut body)
            .map_err(|e| Error::with_source(ErrorKind::TooLarge, e.to_string(), e))?;
        Ok(Self { batch, body })
    }
}

impl<'a> Unplaced<'a> {
    /// The samples of `floats`, and of the series those that they name.
    pub(super) fn new(batch: &'a WriteBatch, floats: &'a [BatchFloat]) -> Self {
        let mut is_used = vec![false; batch.series_count()];
        for sample in floats {
            is_used[sample.series.0 as usize] = true;
        }
        let used = (0..)
            .zip(&is_used)
            .filter(|(_, used)| **used)
            .map(|(i, _)| BatchSeries(i));
        Self {
            batch,
            floats,
            used: used.collect(),
        }
    }

    /// The write as a record, if every series of it is registered already.
    ///
    /// # Errors
    /// More bytes than a record may have.
    pub(super) fn encode_if_known(&self, head: &Head) -> Result<Option<Encoded>, Error> {
        let ids = head.resolve_all(self.used.iter().map(|&series| self.batch.labels(series)));
        ids.map(|ids| Encoded::new(Vec::new(), self.rows(&ids)))
            .transpose()
    }

    /// The samples by id; `ids` holds one for each used series.
    fn rows(&self, ids: &[SeriesId]) -> Vec<FloatRow> {
        let mut id_of = vec![SeriesId(0); self.batch.series_count()];
        for (series, &id) in self.used.iter().zip(ids) {
            id_of[series.0 as usize] = id;
        }
        let row = |sample: &BatchFloat| FloatRow {
            series: id_of[sample.series.0 as usize],
            timestamp_ms: sample.timestamp_ms,
            value: sample.value,
        };
        self.floats.iter().map(row).collect()
    }
}

impl Sequencer {
    /// Goes on after the last write that replay found.
    pub(super) fn new(last_seq: Seq) -> Self {
        Self {
            last_seq,
            queue: Vec::new(),
            closed: false,
            undefined: HashSet::new(),
        }
    }

    /// Gives a write its place at the end of the queue.
    ///
    /// # Errors
    /// Closed, or more series than ids.
    pub(super) fn enqueue(
        &mut self,
        head: &Head,
        write: &Unplaced<'_>,
        encoded: Option<Encoded>,
    ) -> Result<Commit, Error> {
        if self.closed {
            return Err(Error::closed());
        }
        // What was encoded outside the lock counted on definitions that may have failed since.
        let Encoded { mut batch, body } = match encoded.filter(|_| self.undefined.is_empty()) {
            Some(encoded) => encoded,
            None => self.define(head, write)?,
        };
        self.last_seq = self.last_seq.next();
        batch.seq = self.last_seq;
        let (completion, commit) = channel();
        self.queue.push(Queued {
            batch,
            body,
            completion,
        });
        Ok(commit)
    }

    /// Registers the series that are new, and encodes the write with their definitions.
    fn define(&mut self, head: &Head, write: &Unplaced<'_>) -> Result<Encoded, Error> {
        let mut definitions = Vec::new();
        let encoded = self
            .register(head, write, &mut definitions)
            .and_then(|ids| Encoded::new(definitions.clone(), write.rows(&ids)));
        if encoded.is_err() {
            // Registered, and without a record that defines them.
            self.undefined
                .extend(definitions.iter().map(|definition| definition.id));
        }
        encoded
    }

    /// The ids of the write's series; `definitions` gets those that its record must define, in
    /// rising order of id.
    fn register(
        &mut self,
        head: &Head,
        write: &Unplaced<'_>,
        definitions: &mut Vec<SeriesDefinition>,
    ) -> Result<Vec<SeriesId>, Error> {
        let mut ids = Vec::with_capacity(write.used.len());
        for &series in &write.used {
            let labels = write.batch.labels(series);
            let (id, is_new) = match head.resolve(labels) {
                Some(id) => (id, false),
                None => (head.register(labels).map_err(registry_error)?, true),
            };
            if is_new || self.undefined.remove(&id) {
                definitions.push(SeriesDefinition {
                    id,
                    labels: labels.to_owned(),
                });
            }
            ids.push(id);
        }
        definitions.sort_unstable_by_key(|definition| definition.id);
        Ok(ids)
    }

    /// Takes all that waits, in order.
    pub(super) fn take(&mut self) -> Vec<Queued> {
        std::mem::take(&mut self.queue)
    }

    /// Fails a group that left nothing in the log, and everything behind it, since that may
    /// count on its definitions.
    pub(super) fn fail(&mut self, group: Vec<Queued>, error: &Error) {
        for queued in group.into_iter().chain(self.take()) {
            self.undefined.extend(
                queued
                    .batch
                    .definitions
                    .iter()
                    .map(|definition| definition.id),
            );
            queued.completion.complete(Err(error.clone()));
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// Takes no more writes.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// Whether it was closed.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// How many writes wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }
}

fn registry_error(error: head::RegistryError) -> Error {
    Error::with_source(ErrorKind::TooManySeries, error.to_string(), error)
}
