//! The order of writes: who comes first, and which ids new series get.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::bounds::Accepted;
use super::commit::{Commit, Completion, channel};
use super::epoch::Epoch;
use super::gather::Due;
use super::report::{RejectReason, Rejected, Rejection};
use super::series_limits::SeriesLimits;
use super::successor::{Predefined, Successor};
use super::write_batch::{BatchSeries, Naming, WriteBatch};
use crate::error::{Error, ErrorKind};
use crate::head::{self, Registrar};
use crate::model::{Batch, Seq, SeriesDefinition, SeriesId};
use crate::wal::record::encode_body;

/// Writes that have their place and wait for the disk.
///
/// Kept under one mutex: the record that defines a series must come before every record that
/// uses it, so ids are given, and records queued, in one step.
#[derive(Debug)]
pub(super) struct Sequencer {
    last_seq: Seq,
    /// Whose ids new writes have.
    epoch: Arc<Epoch>,
    /// Writes of this epoch.
    queue: Vec<Queued>,
    /// Whether they are to be committed, or wait for others.
    due: Due,
    closed: bool,
    /// Series whose definition was in a write that failed: registered, but no record in the
    /// WAL defines them. The next write that uses one defines it again.
    undefined: HashSet<SeriesId>,
    /// How many series an epoch takes.
    limits: SeriesLimits,
}

/// A write in the queue: its rows for the head, its record for the log, its waiter.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) batch: Batch,
    pub(super) body: Vec<u8>,
    /// None of a record that no write asked for.
    pub(super) completion: Option<Completion>,
    /// Series that the record defines and the head knows already, beside those of the batch.
    pub(super) predefined: Range<u32>,
}

/// A write before it has its place: series by their labels, samples by their series.
#[derive(Debug)]
pub(super) struct Unplaced<'a> {
    batch: &'a WriteBatch,
    accepted: &'a Accepted<'a>,
    used: OnceCell<Vec<BatchSeries>>,
}

/// A write that has its place.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) commit: Commit,
    /// How many of its samples were left out, as their series are more than the head takes.
    pub(super) refused: u64,
    /// Of these, those whose series are more than it takes of their metric.
    pub(super) refused_of_metric: u64,
    /// Of all of them, the histograms.
    pub(super) refused_histograms: u64,
    /// How many of its exemplars were.
    pub(super) refused_exemplars: u64,
    /// The first of them.
    pub(super) first_refused: Option<Rejection>,
}

/// A write with the ids of an epoch.
pub(super) struct Encoded {
    epoch: u64,
    batch: Batch,
    body: Vec<u8>,
}

/// What a write loses, as its series are more than the head takes.
#[derive(Debug, Default)]
struct Refused {
    /// Samples of series that are more than it takes of their metric.
    of_metric: u64,
    first: Option<Rejection>,
}

impl Refused {
    fn of(
        write: &Unplaced<'_>,
        ids: &[Option<SeriesId>],
        reasons: &[(BatchSeries, RejectReason)],
    ) -> Self {
        let of_metric = reasons
            .iter()
            .filter(|(_, reason)| matches!(reason, RejectReason::TooManySeriesOfMetric { .. }));
        let of_metric: Vec<BatchSeries> = of_metric.map(|(series, _)| *series).collect();
        let first = write
            .first_of(ids)
            .and_then(|(what, series, timestamp_ms)| {
                let (_, reason) = reasons.iter().find(|(refused, _)| *refused == series)?;
                Some(Rejection {
                    what,
                    labels: write.batch.labels(series),
                    timestamp_ms,
                    reason: *reason,
                })
            });
        Self {
            of_metric: write.accepted.count_of(&of_metric),
            first,
        }
    }
}

impl Encoded {
    /// The rows of a write, with the definitions that its record needs, which it takes; they
    /// stay where it is too large.
    fn new(
        epoch: &Epoch,
        definitions: &mut Vec<SeriesDefinition>,
        rows: Batch,
    ) -> Result<Self, Error> {
        let batch = Batch {
            definitions: std::mem::take(definitions),
            ..rows
        };
        let mut body = Vec::new();
        if let Err(error) = encode_body(&batch, &mut body) {
            *definitions = batch.definitions;
            let text = error.to_string();
            return Err(Error::with_source(ErrorKind::TooLarge, text, error));
        }
        Ok(Self {
            epoch: epoch.number,
            batch,
            body,
        })
    }
}

impl<'a> Unplaced<'a> {
    /// What was accepted of a batch.
    pub(super) fn new(batch: &'a WriteBatch, accepted: &'a Accepted<'a>) -> Self {
        Self {
            batch,
            accepted,
            used: OnceCell::new(),
        }
    }

    /// The series that have a sample or an exemplar, in the order of the request.
    fn used(&self) -> &[BatchSeries] {
        self.used.get_or_init(|| {
            let mut is_used = vec![false; self.batch.series_count()];
            self.accepted
                .for_each_series(|series| is_used[series.0 as usize] = true);
            (0..)
                .zip(&is_used)
                .filter(|(_, used)| **used)
                .map(|(i, _)| BatchSeries(i))
                .collect()
        })
    }

    /// The write as a record, if every series of it is registered in the epoch already. Done
    /// outside the sequencer's lock.
    ///
    /// # Errors
    /// More bytes than a record may have.
    pub(super) fn encode_if_known(&self, epoch: &Epoch) -> Result<Option<Encoded>, Error> {
        let rows = match self.batch.is_known_in(epoch) {
            true => self.accepted.rows(|series| self.batch.known_id(series)),
            false => match self.find_all(epoch) {
                Some(ids) => self.rows(ids.into_iter().map(Some)),
                None => return Ok(None),
            },
        };
        Encoded::new(epoch, &mut Vec::new(), rows).map(Some)
    }

    /// The ids of the series, if all have one. Remembers the bytes that labels came in.
    fn find_all(&self, epoch: &Epoch) -> Option<Vec<SeriesId>> {
        let mut learned = Vec::new();
        let mut lookup = epoch.head.lookup();
        let find = |&series: &BatchSeries| match self.batch.naming(series, epoch)? {
            Naming::Id(id) => Some(id),
            Naming::Ended(labels) => lookup.find_labels(labels.as_ref(), None),
            Naming::Labels(labels, hashes) => {
                let id = lookup.find_labels(labels, hashes)?;
                let hashes = hashes.filter(|hashes| hashes.has_alias() && lookup.may_learn(id));
                learned.extend(hashes.map(|hashes| (id, hashes)));
                Some(id)
            }
        };
        let ids: Option<Vec<SeriesId>> = self.used().iter().map(find).collect();
        drop(lookup);
        if !learned.is_empty() {
            let mut registrar = epoch.head.registrar();
            for (id, hashes) in learned {
                registrar.learn(id, hashes);
            }
        }
        ids
    }

    /// The rows by id; `ids` holds one for each used series, or none for one that is refused.
    fn rows(&self, ids: impl Iterator<Item = Option<SeriesId>>) -> Batch {
        let mut id_of = vec![None; self.batch.series_count()];
        for (series, id) in self.used().iter().zip(ids) {
            id_of[series.0 as usize] = id;
        }
        self.accepted.rows(|series| id_of[series.0 as usize])
    }

    /// The first sample, or else the first exemplar, of a series that has no id.
    fn first_of(&self, ids: &[Option<SeriesId>]) -> Option<(Rejected, BatchSeries, i64)> {
        let refused = self.used().iter().zip(ids).filter(|(_, id)| id.is_none());
        let refused: Vec<BatchSeries> = refused.map(|(&series, _)| series).collect();
        self.accepted.first_of(&refused)
    }
}

impl Sequencer {
    /// Goes on after the last write that replay found.
    pub(super) fn new(last_seq: Seq, epoch: Arc<Epoch>, limits: SeriesLimits) -> Self {
        Self {
            last_seq,
            epoch,
            queue: Vec::new(),
            due: Due::default(),
            closed: false,
            undefined: HashSet::new(),
            limits,
        }
    }

    /// Gives a write its place at the end of the queue.
    ///
    /// # Errors
    /// Closed, or more series than ids.
    pub(super) fn enqueue(
        &mut self,
        write: &Unplaced<'_>,
        encoded: Option<Encoded>,
    ) -> Result<Placed, Error> {
        if self.closed {
            return Err(Error::closed());
        }
        // What was encoded outside the lock counted on an epoch that may have ended since, and
        // on definitions that may have failed.
        let stands =
            |write: &Encoded| write.epoch == self.epoch.number && self.undefined.is_empty();
        let (encoded, refused) = match encoded.filter(stands) {
            Some(encoded) => (encoded, Refused::default()),
            None => self.define(write)?,
        };
        let Encoded {
            mut batch, body, ..
        } = encoded;
        let (completion, commit) = channel();
        let placed = Placed {
            commit,
            refused: (write.accepted.sample_count() - batch.sample_count()) as u64,
            refused_of_metric: refused.of_metric,
            refused_histograms: (write.accepted.histogram_count() - batch.histograms.len()) as u64,
            refused_exemplars: (write.accepted.exemplar_count() - batch.exemplars.len()) as u64,
            first_refused: refused.first,
        };
        if batch.is_empty() {
            completion.complete(Ok(()));
            return Ok(placed);
        }
        self.last_seq = self.last_seq.next();
        batch.seq = self.last_seq;
        self.queue.push(Queued {
            batch,
            body,
            completion: Some(completion),
            predefined: 0..0,
        });
        Ok(placed)
    }

    /// Registers the series that are new, and encodes the write with their definitions. Tells of
    /// a sample of a series that was not taken.
    fn define(&mut self, write: &Unplaced<'_>) -> Result<(Encoded, Refused), Error> {
        let epoch = Arc::clone(&self.epoch);
        let (mut definitions, mut reasons) = (Vec::new(), Vec::new());
        let encoded = self
            .register(&epoch, write, &mut definitions, &mut reasons)
            .and_then(|ids| {
                let rows = write.rows(ids.iter().copied());
                let encoded = Encoded::new(&epoch, &mut definitions, rows)?;
                Ok((encoded, Refused::of(write, &ids, &reasons)))
            });
        if encoded.is_err() {
            // Registered, and without a record that defines them.
            self.undefined
                .extend(definitions.iter().map(|definition| definition.id));
        }
        encoded
    }

    /// The ids of the write's series; `definitions` gets those that its record must define, in
    /// rising order of id, and `reasons` why each of those is refused that is.
    fn register(
        &mut self,
        epoch: &Epoch,
        write: &Unplaced<'_>,
        definitions: &mut Vec<SeriesDefinition>,
        reasons: &mut Vec<(BatchSeries, RejectReason)>,
    ) -> Result<Vec<Option<SeriesId>>, Error> {
        let used = write.used();
        let mut ids = Vec::with_capacity(used.len());
        let mut registrar = epoch.head.registrar();
        for &series in used {
            let naming = write.batch.naming(series, epoch);
            let ended;
            let (labels, hashes) = match naming {
                Some(Naming::Labels(labels, hashes)) => (labels, hashes),
                Some(Naming::Ended(labels)) => {
                    ended = labels;
                    (ended.as_ref(), None)
                }
                Some(Naming::Id(id)) => {
                    if self.undefined.remove(&id)
                        && let Some(labels) = registrar.labels_of(id)
                    {
                        definitions.push(SeriesDefinition { id, labels });
                    }
                    ids.push(Some(id));
                    continue;
                }
                None => {
                    ids.push(None);
                    continue;
                }
            };
            let mut refused = None;
            let has_room = |registrar: &Registrar<'_>| {
                refused = self.limits.refuses(registrar.count(), labels);
                refused.is_none()
            };
            let registered = registrar
                .register(labels, hashes, has_room)
                .map_err(registry_error)?;
            ids.push(registered.map(|(id, _)| id));
            reasons.extend(refused.map(|reason| (series, reason)));
            if let Some((_, true)) = registered {
                self.limits.note(labels);
            }
            if let Some((id, is_new)) = registered
                && (is_new || self.undefined.remove(&id))
            {
                definitions.push(SeriesDefinition {
                    id,
                    labels: labels.to_owned(),
                });
            }
        }
        definitions.sort_unstable_by_key(|definition| definition.id);
        Ok(ids)
    }

    /// Begins an epoch: writes that get their place from now on have its ids. The caller has
    /// taken all that waited. Records that define the series of its successor come first.
    pub(super) fn begin_epoch(&mut self, successor: Option<Successor>) -> Arc<Epoch> {
        debug_assert!(self.is_idle(), "they would have ids of two epochs");
        self.undefined.clear();
        let mut epoch = Epoch::new(self.epoch.number + 1);
        match successor {
            Some(successor) => {
                epoch.head = Arc::new(successor.head);
                self.limits = successor.limits;
                self.predefine(successor.records);
                epoch.predefined_seq = self.last_seq;
            }
            None => self.limits = self.limits.anew(),
        }
        self.epoch = Arc::new(epoch);
        Arc::clone(&self.epoch)
    }

    fn predefine(&mut self, records: Vec<Predefined>) {
        for Predefined { ids, body } in records {
            self.last_seq = self.last_seq.next();
            self.queue.push(Queued {
                batch: Batch {
                    seq: self.last_seq,
                    ..Batch::default()
                },
                body,
                completion: None,
                predefined: ids,
            });
            self.hurry();
        }
    }

    /// What waits is to be committed.
    pub(super) fn hurry(&mut self) {
        if !self.is_idle() {
            self.due.hurry();
        }
    }

    /// The write that was queued last came at this time.
    pub(super) fn note_came(&mut self, now: Duration) {
        if !self.is_idle() {
            self.due.note_came(now);
        }
    }

    /// When the first of those came that wait, if one does and that is known.
    pub(super) fn waiting_since(&self) -> Option<Duration> {
        self.due.since()
    }

    /// The write that was queued last, at this time, may wait for others.
    pub(super) fn linger(&mut self, now: Duration) {
        if !self.is_idle() {
            self.due.linger(now);
        }
    }

    /// Whether there is something that is to be committed.
    pub(super) fn is_due(&self) -> bool {
        !self.is_idle() && self.due.is_due()
    }

    /// Takes all that waits, in order.
    pub(super) fn take(&mut self) -> Vec<Queued> {
        self.due = Due::default();
        std::mem::take(&mut self.queue)
    }

    /// Fails a group of the epoch `epoch` that left nothing in the log, and everything behind
    /// it, since that may count on its definitions: not so if it is of a later epoch.
    pub(super) fn fail(&mut self, epoch: u64, group: Vec<Queued>, error: &Error) {
        let is_current = epoch == self.epoch.number;
        let behind = if is_current { self.take() } else { Vec::new() };
        for queued in group.into_iter().chain(behind) {
            if is_current {
                let definitions = queued.batch.definitions.iter();
                self.undefined
                    .extend(definitions.map(|definition| definition.id));
                self.undefined.extend(queued.predefined.map(SeriesId));
            }
            if let Some(completion) = queued.completion {
                completion.complete(Err(error.clone()));
            }
        }
    }

    /// The epoch that takes writes.
    pub(super) fn epoch(&self) -> &Arc<Epoch> {
        &self.epoch
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
