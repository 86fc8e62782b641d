//! Applying the batches of a log when a database opens.
//!
//! Nobody reads yet, so batches need not become visible one by one: shards are independent, and
//! all that many batches hold for one is applied before the next. A shard then stays in the
//! processor's cache, and threads share the shards.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::Head;
use super::append::{Applied, Tally};
use super::extras::{Point, points};
use super::shard::{Group, SHARD_SERIES, shard_of};
use crate::model::{Batch, ExemplarRow, FloatRun, FloatSlices, Seq, SeriesId};

/// Fewer rows than this are applied sooner than a thread begins.
const ROWS_PER_THREAD_MIN: usize = 1 << 14;

/// A batch of a log.
#[derive(Clone, Copy, Debug)]
pub struct ReplayBatch<'a> {
    /// All of it, but for the floats where those stand in `floats`.
    pub batch: &'a Batch,
    /// Its floats; none where the batch has histograms or start timestamps, whose place in the
    /// request counts.
    pub floats: FloatSlices<'a>,
}

/// What a batch holds for one shard.
enum Item<'a> {
    /// A new series.
    Define(SeriesId),
    /// Floats of the batch with that seq: runs with a series of the shard, and with others.
    Floats(Seq, FloatSlices<'a>),
    /// The samples of series of the shard, where not all are floats without start timestamps.
    Points(Seq, Vec<(SeriesId, Point<'a>)>),
    /// Exemplars of series of the shard, in the order of the batch with that seq.
    Exemplars(Seq, &'a [ExemplarRow]),
}

impl Head {
    /// Does to the head what [`Head::apply`] does with each of the batches alone, one after the
    /// other, on up to `threads` threads. Nobody may have pinned a state or pin one meanwhile.
    pub fn replay(&self, batches: &[ReplayBatch<'_>], threads: usize) -> Applied {
        let rows = batches.iter().map(|ReplayBatch { batch, floats }| {
            // A histogram takes about as long as eight floats.
            let floats = floats.values.len() + batch.floats.len();
            floats + 8 * batch.histograms.len() + batch.exemplars.len()
        });
        let rows: usize = rows.sum();
        self.replay_on(threads.min(rows / ROWS_PER_THREAD_MIN), batches)
    }

    fn replay_on(&self, threads: usize, batches: &[ReplayBatch<'_>]) -> Applied {
        let _applier = self.applier.lock();
        let Some(last) = batches.last() else {
            return Applied::default();
        };
        let mut tally = Tally::default();
        let mut items = Vec::new();
        for ReplayBatch { batch, floats } in batches {
            let define = |id| items.push((shard_of(id), Item::Define(id)));
            tally.totals.series += self.apply_definitions(&batch.definitions, batch.seq, define);
            add_floats(batch.seq, *floats, &mut items);
            add_points(batch, &mut items);
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
        let tasks = Tasks::new(&items, threads);
        let work = |thread| {
            let mut tally = Tally::default();
            tasks.for_each(thread, |task| self.replay_shard(task, &mut tally));
            tally
        };
        thread::scope(|scope| {
            let others = 1..tasks.queues.len();
            let others: Vec<_> = others
                .map(|thread| scope.spawn(move || work(thread)))
                .collect();
            tally.add(&work(0));
            for other in others {
                match other.join() {
                    Ok(counts) => tally.add(&counts),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
        });
        self.account(&tally, last.batch.seq)
    }

    /// Applies what is of one shard.
    fn replay_shard(&self, items: &[(u32, Item<'_>)], tally: &mut Tally) {
        for (shard, item) in items {
            let number = *shard;
            match *item {
                Item::Define(id) => self.shards.get_or_make(number).write().define(id),
                Item::Floats(seq, floats) => {
                    let mut shard = self.shards.get(number).map(|shard| shard.write());
                    let group = Group { seq, pinned: &[] };
                    for (run, values) in floats.iter() {
                        let of_shard = within(number, run, values);
                        tally.append(shard.as_deref_mut(), of_shard, &group);
                    }
                }
                Item::Points(seq, ref points) => {
                    let mut shard = self.shards.get(number).map(|shard| shard.write());
                    let group = Group { seq, pinned: &[] };
                    for (id, point) in points {
                        tally.append_point(shard.as_deref_mut(), *id, point, &group);
                    }
                }
                Item::Exemplars(seq, rows) => {
                    let mut shard = self.shards.get(number).map(|shard| shard.write());
                    let group = Group { seq, pinned: &[] };
                    for row in rows {
                        tally.append_exemplar(shard.as_deref_mut(), row, &group);
                    }
                }
            }
        }
    }
}

/// The items of many batches, by shard, for several threads.
///
/// A thread gets the same shards each time, as far as it keeps up: their memory is then asked for
/// and given back by one thread, and allocators make threads wait for each other otherwise.
struct Tasks<'a> {
    queues: Vec<Queue<'a>>,
}

#[derive(Default)]
struct Queue<'a> {
    /// What there is for each shard.
    tasks: Vec<&'a [(u32, Item<'a>)]>,
    /// The first that nobody has taken.
    next: AtomicUsize,
}

impl<'a> Tasks<'a> {
    /// Of items in the order of their shards.
    fn new(items: &'a [(u32, Item<'a>)], threads: usize) -> Self {
        let mut queues: Vec<Queue<'_>> = Vec::new();
        queues.resize_with(threads.max(1), Queue::default);
        for task in items.chunk_by(|a, b| a.0 == b.0) {
            let shard = task.first().map_or(0, |&(shard, _)| shard as usize);
            let of = shard % queues.len();
            queues[of].tasks.push(task);
        }
        Self { queues }
    }

    /// Takes the tasks of a thread, then those that others have not come to.
    fn for_each(&self, thread: usize, mut each: impl FnMut(&'a [(u32, Item<'a>)])) {
        let (before, from) = self.queues.split_at(thread.min(self.queues.len()));
        for queue in from.iter().chain(before) {
            while let Some(task) = queue.tasks.get(queue.next.fetch_add(1, Ordering::Relaxed)) {
                each(task);
            }
        }
    }
}

/// Adds the floats of a batch to the items, each run to those of all shards that it has series of.
fn add_floats<'a>(seq: Seq, floats: FloatSlices<'a>, items: &mut Vec<(u32, Item<'a>)>) {
    let mut rest = floats;
    while let Some(first) = rest.runs.first() {
        let shard = shard_of(first.first);
        // The runs that are of this shard alone, and the one behind them that begins in it.
        let (mut runs, mut values) = (0, 0);
        let mut last_shard = shard;
        for run in rest.runs {
            if shard_of(run.first) != shard {
                break;
            }
            runs += 1;
            values += run.count as usize;
            last_shard = shard_of(run.last());
            if last_shard != shard {
                break;
            }
        }
        let of_shard = rest.split_off_front(runs, values);
        items.push((shard, Item::Floats(seq, of_shard)));
        for shard in shard + 1..=last_shard {
            items.push((shard, Item::Floats(seq, of_shard.last_run())));
        }
    }
}

/// The part of a run that is of a shard.
fn within(shard: u32, run: FloatRun, values: &[f64]) -> (FloatRun, &[f64]) {
    let first = run.first.0.max(shard.saturating_mul(SHARD_SERIES));
    let before = (first - run.first.0).min(run.count);
    let room = SHARD_SERIES - first % SHARD_SERIES;
    let count = (run.count - before).min(room);
    let (start, end) = (before as usize, (before + count) as usize);
    let part = FloatRun {
        first: SeriesId(first),
        count,
        ..run
    };
    (part, values.get(start..end).unwrap_or_default())
}

/// Adds the samples of a batch that stand in it to the items.
fn add_points<'a>(batch: &'a Batch, items: &mut Vec<(u32, Item<'a>)>) {
    let before = items.len();
    for (id, point) in points(batch) {
        let of = shard_of(id);
        match items.get_mut(before..).and_then(|own| own.last_mut()) {
            Some((shard, Item::Points(_, points))) if *shard == of => points.push((id, point)),
            _ => items.push((of, Item::Points(batch.seq, vec![(id, point)]))),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::codec::histogram::tests::any_histogram;
    use crate::head::append::is_plain;
    use crate::head::stats::Totals;
    use crate::model::{
        Exemplar, FloatRow, FloatRuns, FloatStart, Histogram, HistogramRow, Labels, Metadata,
        MetadataRow, SeriesDefinition,
    };

    /// Ids in several shards, the first and the last of one among them.
    const IDS: [u32; 9] = [0, 1, 5, 1022, 1023, 1024, 2050, 2051, 9000];

    fn definition(place: usize) -> SeriesDefinition {
        definition_of(IDS[place])
    }

    fn definition_of(id: u32) -> SeriesDefinition {
        SeriesDefinition {
            id: SeriesId(id),
            labels: Labels::from_pairs([("__name__", "m"), ("id", &id.to_string())]).unwrap(),
        }
    }

    /// Batches as a log may hold them after damage: series that are never defined, or after
    /// samples of theirs, or twice; samples that are late, or repeat.
    fn batches() -> impl Strategy<Value = Vec<Batch>> {
        let ids = prop_oneof![
            20 => (0..IDS.len()).prop_map(|place| IDS[place]..=IDS[place]),
            2 => (1015..1030u32, 0..20u32).prop_map(|(first, more)| first..=first + more),
            // Three shards.
            1 => (1022..1025u32, 2040..2060u32).prop_map(|(first, last)| first..=last),
        ];
        let rows = (ids, 0..30i64, 0..4u8).prop_map(|(ids, time, value)| {
            let row = |id| FloatRow {
                series: SeriesId(id),
                timestamp_ms: time * 15_000,
                value: f64::from(value),
            };
            ids.map(row).collect::<Vec<_>>()
        });
        let rows = vec(rows, 0..40).prop_map(|rows| rows.concat());
        let batch = (vec(0..IDS.len(), 0..4), rows, 1..3u64, extras());
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

    /// The floats of a batch as a log hands them on; none where they stay in the batch.
    fn runs(batch: &Batch) -> FloatRuns {
        let mut floats = FloatRuns::default();
        if is_plain(batch) {
            for row in &batch.floats {
                floats.push_run(FloatRun {
                    first: row.series,
                    count: 1,
                    timestamp_ms: row.timestamp_ms,
                });
                floats.add_values(1)[0] = row.value;
            }
        }
        floats
    }

    fn without_runs(mut batch: Batch) -> Batch {
        if is_plain(&batch) {
            batch.floats.clear();
        }
        batch
    }

    fn define<'a>(head: &Head, batches: impl IntoIterator<Item = &'a Batch>) {
        for definition in batches.into_iter().flat_map(|batch| &batch.definitions) {
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

    /// The scrapes of two targets whose series take all forms of chunks, over several chunks:
    /// some miss a scrape, some come late, and a few repeat.
    fn scrapes() -> Vec<Batch> {
        let ids = 900..1200u32;
        let value = |id: u32, scrape: i64| match id % 5 {
            0 => 7.0,
            1 => (scrape * i64::from(id)) as f64,
            2 => (scrape * 31 % 17) as f64 / 10.0,
            3 => (scrape as f64 + f64::from(id)).sqrt(),
            _ => f64::from(scrape > 130),
        };
        let rows = |scrape: i64| {
            let ids = ids.clone();
            let ids = ids.filter(move |&id| (i64::from(id) + scrape) % 97 != 0);
            ids.map(move |id| FloatRow {
                series: SeriesId(id),
                timestamp_ms: match (i64::from(id) * 7 + scrape) % 389 {
                    0 => 15_000 * scrape - 40_000,
                    7 => 15_000 * (scrape - 1),
                    _ => 15_000 * scrape + i64::from(id / 1100),
                },
                value: value(id, scrape),
            })
        };
        let batch = |scrape: i64| Batch {
            seq: Seq(scrape as u64 + 1),
            definitions: match scrape {
                0 => ids.clone().map(definition_of).collect(),
                _ => Vec::new(),
            },
            floats: rows(scrape).collect(),
            ..Batch::default()
        };
        (0..280).map(batch).collect()
    }

    #[test]
    fn long_runs_come_to_the_state_of_batches_one_by_one() {
        let (one_by_one, replayed) = (Head::new(), Head::new());
        let batches = scrapes();
        define(&one_by_one, &batches);
        define(&replayed, &batches);
        let mut want = Tally::default();
        for batch in &batches {
            let applied = one_by_one.apply(std::slice::from_ref(batch));
            want.totals.add(&Totals {
                applied,
                ..Totals::default()
            });
        }
        let floats: Vec<_> = batches.iter().map(runs).collect();
        let longest = floats.iter().flat_map(|floats| floats.as_slices().runs);
        assert!(longest.map(|run| run.count).max() > Some(50));
        let batches: Vec<_> = batches.into_iter().map(without_runs).collect();
        let both = batches.iter().zip(&floats);
        let all: Vec<_> = both
            .map(|(batch, floats)| ReplayBatch {
                batch,
                floats: floats.as_slices(),
            })
            .collect();
        let mut got = Tally::default();
        for chunk in all.chunks(13) {
            let applied = replayed.replay_on(2, chunk);
            got.totals.add(&Totals {
                applied,
                ..Totals::default()
            });
        }
        let applied = got.totals.applied;
        assert_eq!(applied, want.totals.applied);
        assert!(applied.late > 0 && applied.duplicates > 0 && applied.undefined_rows == 0);
        assert_eq!(state(&replayed), state(&one_by_one));
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
                define(&one_by_one, [batch]);
                let applied = one_by_one.apply(std::slice::from_ref(batch));
                want.totals.add(&Totals { applied, ..Totals::default() });
            }
            let floats: Vec<_> = batches.iter().map(runs).collect();
            let batches: Vec<_> = batches.into_iter().map(without_runs).collect();
            let both: Vec<_> = batches.iter().zip(&floats).collect();
            for chunk in both.chunks(chunk) {
                let chunk: Vec<_> = chunk.iter().map(|&(batch, floats)| ReplayBatch {
                    batch,
                    floats: floats.as_slices(),
                }).collect();
                define(&replayed, chunk.iter().map(|chunk| chunk.batch));
                let applied = replayed.replay_on(threads, &chunk);
                got.totals.add(&Totals { applied, ..Totals::default() });
            }
            prop_assert_eq!(got.totals.applied, want.totals.applied);
            prop_assert_eq!(state(&replayed), state(&one_by_one));
        }
    }
}
