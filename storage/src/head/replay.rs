//! Applying the batches of a log when a database opens.
//!
//! Nobody reads yet, so batches need not become visible one by one: shards are independent, and
//! all that many batches hold for one is applied before the next. A shard then stays in the
//! processor's cache, and threads share the shards.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::Head;
use super::append::{Applied, Tally, is_plain};
use super::extras::{Point, points};
use super::shard::{Group, shard_of};
use crate::model::{Batch, ExemplarRow, FloatRow, Seq, SeriesId};

/// Fewer rows than this are applied sooner than a thread begins.
const ROWS_PER_THREAD_MIN: usize = 1 << 14;

/// What a batch holds for one shard.
enum Item<'a> {
    /// A new series.
    Define(SeriesId),
    /// Rows of series of the shard, in the order of the batch with that seq.
    Rows(Seq, &'a [FloatRow]),
    /// The same, where not all rows are floats without start timestamps.
    Points(Seq, Vec<(SeriesId, Point<'a>)>),
    /// Exemplars of series of the shard, in the order of the batch with that seq.
    Exemplars(Seq, &'a [ExemplarRow]),
}

impl Head {
    /// Does to the head what [`Head::apply`] does with each of the batches alone, one after the
    /// other, on up to `threads` threads. Nobody may have pinned a state or pin one meanwhile.
    pub fn replay(&self, batches: &[Batch], threads: usize) -> Applied {
        let rows = batches.iter().map(|batch| {
            // A histogram takes about as long as eight floats.
            batch.floats.len() + 8 * batch.histograms.len() + batch.exemplars.len()
        });
        let rows: usize = rows.sum();
        self.replay_on(threads.min(rows / ROWS_PER_THREAD_MIN), batches)
    }

    fn replay_on(&self, threads: usize, batches: &[Batch]) -> Applied {
        let _applier = self.applier.lock();
        let Some(last) = batches.last() else {
            return Applied::default();
        };
        let mut tally = Tally::default();
        let mut items = Vec::new();
        for batch in batches {
            let define = |id| items.push((shard_of(id), Item::Define(id)));
            tally.totals.series += self.apply_definitions(&batch.definitions, batch.seq, define);
            items.extend(samples(batch));
            let runs = batch
                .exemplars
                .chunk_by(|a, b| shard_of(a.series) == shard_of(b.series));
            items.extend(runs.filter_map(|rows| {
                let shard = shard_of(rows.first()?.series);
                Some((shard, Item::Exemplars(batch.seq, rows)))
            }));
            let group = Group {
                seq: batch.seq,
                pinned: &[],
            };
            self.apply_metadata(&batch.metadata, &group, &mut tally);
        }
        // Stable: what is of one shard stays in order.
        items.sort_by_key(|&(shard, _)| shard);
        let tasks: Vec<_> = items.chunk_by(|a, b| a.0 == b.0).collect();

        let next = AtomicUsize::new(0);
        let work = || {
            let mut tally = Tally::default();
            while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.replay_shard(task, &mut tally);
            }
            tally
        };
        let threads = threads.min(tasks.len());
        thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            tally.add(&work());
            for other in others {
                match other.join() {
                    Ok(counts) => tally.add(&counts),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
        });
        self.account(&tally, last.seq)
    }

    /// Applies what is of one shard.
    fn replay_shard(&self, items: &[(u32, Item<'_>)], tally: &mut Tally) {
        for (shard, item) in items {
            match *item {
                Item::Define(id) => self.shards.get_or_make(*shard).write().define(id),
                Item::Rows(seq, rows) => match self.shards.get(*shard) {
                    Some(shard) => {
                        let group = Group { seq, pinned: &[] };
                        tally.append(&mut shard.write(), rows, &group);
                    }
                    None => rows.iter().for_each(|row| tally.undefined(row.series)),
                },
                Item::Points(seq, ref points) => {
                    let mut shard = self.shards.get(*shard).map(|shard| shard.write());
                    let group = Group { seq, pinned: &[] };
                    for (id, point) in points {
                        tally.append_point(shard.as_deref_mut(), *id, point, &group);
                    }
                }
                Item::Exemplars(seq, rows) => {
                    let mut shard = self.shards.get(*shard).map(|shard| shard.write());
                    let group = Group { seq, pinned: &[] };
                    for row in rows {
                        tally.append_exemplar(shard.as_deref_mut(), row, &group);
                    }
                }
            }
        }
    }
}

/// The samples of a batch, in runs of rows of one shard.
fn samples(batch: &Batch) -> Vec<(u32, Item<'_>)> {
    if is_plain(batch) {
        let runs = batch
            .floats
            .chunk_by(|a, b| shard_of(a.series) == shard_of(b.series));
        let run = runs.filter_map(|rows| {
            let shard = shard_of(rows.first()?.series);
            Some((shard, Item::Rows(batch.seq, rows)))
        });
        return run.collect();
    }
    let mut runs: Vec<(u32, Item<'_>)> = Vec::new();
    for (id, point) in points(batch) {
        let of = shard_of(id);
        match runs.last_mut() {
            Some((shard, Item::Points(_, points))) if *shard == of => points.push((id, point)),
            _ => runs.push((of, Item::Points(batch.seq, vec![(id, point)]))),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::codec::histogram::tests::any_histogram;
    use crate::head::stats::Totals;
    use crate::model::{
        Exemplar, FloatStart, Histogram, HistogramRow, Labels, Metadata, MetadataRow,
        SeriesDefinition,
    };

    /// Ids in several shards, the first and the last of one among them.
    const IDS: [u32; 9] = [0, 1, 5, 1022, 1023, 1024, 2050, 2051, 9000];

    fn definition(place: usize) -> SeriesDefinition {
        let id = IDS[place];
        SeriesDefinition {
            id: SeriesId(id),
            labels: Labels::from_pairs([("__name__", "m"), ("id", &id.to_string())]).unwrap(),
        }
    }

    /// Batches as a log may hold them after damage: series that are never defined, or after
    /// samples of theirs, or twice; samples that are late, or repeat.
    fn batches() -> impl Strategy<Value = Vec<Batch>> {
        let row = (0..IDS.len(), 0..30i64, 0..4u8).prop_map(|(place, time, value)| FloatRow {
            series: SeriesId(IDS[place]),
            timestamp_ms: time * 15_000,
            value: f64::from(value),
        });
        let batch = (vec(0..IDS.len(), 0..4), vec(row, 0..40), 1..3u64, extras());
        vec(batch, 0..30).prop_map(|batches| {
            let mut seq = 0;
            let to_batch = |(mut defined, floats, step, extras): (Vec<usize>, _, u64, Batch)| {
                seq += step;
                defined.sort_unstable();
                let mut batch = Batch {
                    seq: Seq(seq),
                    definitions: defined.into_iter().map(definition).collect(),
                    floats,
                    ..extras
                };
                let floats = batch.floats.len() as u32;
                batch.float_starts.retain(|start| start.row < floats);
                let rows = batch.histograms.iter_mut();
                rows.for_each(|row| row.floats_before = row.floats_before.min(floats));
                batch
            };
            batches.into_iter().map(to_batch).collect()
        })
    }

    /// A batch of all but floats and definitions, mostly of nothing.
    fn extras() -> impl Strategy<Value = Batch> {
        let at = || (0..IDS.len(), 0..30i64);
        let starts = vec(0..40u32, 0..3);
        let histograms = vec((at(), 0..40u32, any_histogram()), 0..3);
        let exemplars = vec(at(), 0..3);
        let metadata = vec(0..3u8, 0..2);
        let some = (starts, histograms, exemplars, metadata).prop_map(
            |(mut starts, mut histograms, exemplars, metadata)| {
                starts.sort_unstable();
                starts.dedup();
                histograms.sort_by_key(|row| row.1);
                let start = |row| FloatStart {
                    row,
                    start_timestamp_ms: 7,
                };
                Batch {
                    float_starts: starts.into_iter().map(start).collect(),
                    histograms: histograms.into_iter().map(histogram_row).collect(),
                    exemplars: exemplars.into_iter().map(exemplar_row).collect(),
                    metadata: metadata.into_iter().map(metadata_row).collect(),
                    ..Batch::default()
                }
            },
        );
        prop_oneof![3 => Just(Batch::default()), 1 => some]
    }

    type At = (usize, i64);

    fn histogram_row(
        ((place, time), floats_before, histogram): (At, u32, Histogram),
    ) -> HistogramRow {
        HistogramRow {
            series: SeriesId(IDS[place]),
            timestamp_ms: time * 15_000,
            start_timestamp_ms: (time % 2 == 0).then_some(time),
            floats_before,
            histogram,
        }
    }

    fn exemplar_row((place, time): At) -> ExemplarRow {
        ExemplarRow {
            series: SeriesId(IDS[place]),
            exemplar: Exemplar {
                labels: Labels::default(),
                timestamp_ms: time / 4,
                value: 1.0,
            },
        }
    }

    fn metadata_row(n: u8) -> MetadataRow {
        MetadataRow {
            metric: "m".to_owned(),
            metadata: Metadata {
                help: n.to_string(),
                ..Metadata::default()
            },
        }
    }

    fn define(head: &Head, batches: &[Batch]) {
        for definition in batches.iter().flat_map(|batch| &batch.definitions) {
            head.define(definition.id, &definition.labels).unwrap();
        }
    }

    /// All that a head is, but for the registry, which is not handed to threads.
    fn state(head: &Head) -> String {
        let shards: Vec<_> = head.shards.iter().collect();
        let mut totals = *head.totals.lock();
        // A pin may need metadata that nobody needs in a replay.
        totals.metadata_bytes = 0;
        let metadata = head.metadata(&head.pin(), None);
        let new = head.register(Labels::default().as_ref());
        let defined_seq = head.index.read().defined_seq;
        let visible = head.visible_seq();
        format!("{shards:?} {totals:?} {metadata:?} {defined_seq} {visible} {new:?}")
    }

    proptest! {
        #[test]
        fn threads_and_chunks_come_to_the_state_of_batches_one_by_one(
            batches in batches(),
            threads in 1..5usize,
            chunk in 1..12usize,
        ) {
            let (one_by_one, replayed) = (Head::new(), Head::new());
            let (mut want, mut got) = (Tally::default(), Tally::default());
            for batch in &batches {
                define(&one_by_one, std::slice::from_ref(batch));
                let applied = one_by_one.apply(std::slice::from_ref(batch));
                want.totals.add(&Totals { applied, ..Totals::default() });
            }
            for chunk in batches.chunks(chunk) {
                define(&replayed, chunk);
                let applied = replayed.replay_on(threads, chunk);
                got.totals.add(&Totals { applied, ..Totals::default() });
            }
            prop_assert_eq!(got.totals.applied, want.totals.applied);
            prop_assert_eq!(state(&replayed), state(&one_by_one));
        }
    }
}
