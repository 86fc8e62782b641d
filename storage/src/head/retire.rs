//! Giving back the memory of a head that is no longer needed, piece by piece.
//!
//! A head is hundreds of thousands of pieces of memory, most of them taken by the thread that
//! applies writes. An allocator with a lock for each thread's memory, as glibc's is, has that
//! thread wait for whoever frees them all at once.

use super::Head;
use super::shard::Shard;
use crate::index::PostingsIndex;

/// How many series are freed from one step to the next.
const STEP_SERIES: usize = 32;
/// How many lists of postings.
const STEP_POSTINGS: usize = 256;

impl Head {
    /// Frees the head. Calls `step` between pieces of work of some ten microseconds each, so that
    /// it can make room for others.
    pub fn retire(self, step: &mut dyn FnMut()) {
        let Self { shards, index, .. } = self;
        for shard in shards.into_shards() {
            retire_shard(shard, step);
        }
        retire_postings(index.into_inner().postings, step);
    }
}

fn retire_shard(shard: Shard, step: &mut dyn FnMut()) {
    let (mut series, mut extras) = shard.into_parts();
    while !series.is_empty() {
        series.truncate(series.len().saturating_sub(STEP_SERIES));
        step();
    }
    while extras.pop_first().is_some() {
        step();
    }
}

fn retire_postings(postings: PostingsIndex, step: &mut dyn FnMut()) {
    for mut lists in postings.into_lists() {
        while lists.by_ref().take(STEP_POSTINGS).count() == STEP_POSTINGS {
            step();
        }
        step();
    }
}

#[cfg(test)]
mod tests {
    use crate::head::Head;
    use crate::model::{Batch, FloatRow, Labels, Seq, SeriesDefinition, SeriesId};

    #[test]
    fn a_head_goes_in_small_steps() {
        let head = Head::new();
        let mut batch = Batch {
            seq: Seq(1),
            ..Batch::default()
        };
        for number in 0..3_000u32 {
            let labels = Labels::from_pairs([("__name__", "m"), ("n", &number.to_string())]);
            let labels = labels.unwrap();
            let series = head.register(labels.as_ref()).unwrap();
            batch
                .definitions
                .push(SeriesDefinition { id: series, labels });
            batch.floats.push(FloatRow {
                series: SeriesId(number),
                timestamp_ms: 1,
                value: f64::from(number),
            });
        }
        assert_eq!(head.apply(&[batch]).samples, 3_000);
        let mut steps = 0;
        head.retire(&mut || steps += 1);
        // 3,000 series by 32 in three shards, and 3,001 lists of postings by 256 of two names.
        assert_eq!(steps, 94 + 11 + 2);
    }
}
