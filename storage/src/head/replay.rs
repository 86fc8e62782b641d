//! Applying the batches of a log when a database opens.
//!
//! Nobody reads yet, so batches need not become visible one by one: shards are independent, and
//! all that many batches hold for one is applied before the next. A shard then stays in the
//! processor's cache, and threads share the shards.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::Head;
use super::append::{Applied, Tally};
use super::shard::{Group, shard_of};
use crate::model::{Batch, FloatRow, Seq, SeriesId};

/// Fewer rows than this are applied sooner than a thread begins.
const ROWS_PER_THREAD_MIN: usize = 1 << 14;

/// What a batch holds for one shard.
enum Item<'a> {
    /// A new series.
    Define(SeriesId),
    /// Rows of series of the shard, in the order of the batch with that seq.
    Rows(Seq, &'a [FloatRow]),
}

impl Head {
    /// Does to the head what [`Head::apply`] does with each of the batches alone, one after the
    /// other, on up to `threads` threads. Nobody may have pinned a state or pin one meanwhile.
    pub fn replay(&self, batches: &[Batch], threads: usize) -> Applied {
        let rows: usize = batches.iter().map(|batch| batch.floats.len()).sum();
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
            let runs = batch
                .floats
                .chunk_by(|a, b| shard_of(a.series) == shard_of(b.series));
            items.extend(runs.filter_map(|rows| {
                let shard = shard_of(rows.first()?.series);
                Some((shard, Item::Rows(batch.seq, rows)))
            }));
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
                    None => rows.iter().for_each(|row| tally.undefined(row)),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::head::stats::Totals;
    use crate::model::{Labels, SeriesDefinition};

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
        let batch = (vec(0..IDS.len(), 0..4), vec(row, 0..40), 1..3u64);
        vec(batch, 0..30).prop_map(|batches| {
            let mut seq = 0;
            let to_batch = |(mut defined, floats, step): (Vec<usize>, _, u64)| {
                seq += step;
                defined.sort_unstable();
                Batch {
                    seq: Seq(seq),
                    definitions: defined.into_iter().map(definition).collect(),
                    floats,
                    ..Batch::default()
                }
            };
            batches.into_iter().map(to_batch).collect()
        })
    }

    fn define(head: &Head, batches: &[Batch]) {
        for definition in batches.iter().flat_map(|batch| &batch.definitions) {
            head.define(definition.id, &definition.labels).unwrap();
        }
    }

    /// All that a head is, but for the registry, which is not handed to threads.
    fn state(head: &Head) -> String {
        let shards: Vec<_> = head.shards.iter().collect();
        let totals = *head.totals.lock();
        let new = head.register(Labels::default().as_ref());
        let defined_seq = head.index.read().defined_seq;
        let visible = head.visible_seq();
        format!("{shards:?} {totals:?} {defined_seq} {visible} {new:?}")
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
