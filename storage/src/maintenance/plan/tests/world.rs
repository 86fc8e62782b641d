//! A store of which only times and sizes matter.

use std::collections::BTreeMap;

use super::super::*;

pub(super) const HOUR: i64 = 3_600_000;

/// How many merges may follow each other, a source that there is.
const MERGES_PER_SOURCE: usize = 4;

/// The sources of a store, and what it costs to merge them.
#[derive(Clone, Debug, Default)]
pub(super) struct World {
    pub(super) sources: Vec<SourceEntry>,
    /// What is in each of them: seq, time and size.
    contents: BTreeMap<SourceId, Vec<(u64, i64, u64)>>,
    pub(super) retention: Option<Duration>,
    /// Up to when time has come, if not up to the newest sample.
    pub(super) now_ms: Option<i64>,
    next_seq: u64,
    next_number: u64,
    pub(super) flushed_bytes: u64,
    pub(super) merged_bytes: u64,
    pub(super) merges: usize,
    /// Outputs of one merge at the most.
    pub(super) outputs_max: usize,
}

impl World {
    /// Adds a segment with samples at these times.
    pub(super) fn flush(&mut self, times: &[i64], bytes_per_sample: u64) -> SourceId {
        let first = self.next_seq + 1;
        // At least one write, whatever it held.
        self.next_seq += times.len().max(1) as u64;
        let contents = (first..).zip(times);
        let contents = contents.map(|(seq, &time)| (seq, time, bytes_per_sample));
        let id = SourceId::Segment(self.next_number);
        self.flushed_bytes += times.len() as u64 * bytes_per_sample;
        self.add(id, contents.collect(), first, self.next_seq);
        id
    }

    fn add(&mut self, id: SourceId, contents: Vec<(u64, i64, u64)>, first: u64, last: u64) {
        self.next_number += 1;
        let times = || contents.iter().map(|&(_, time, _)| time);
        let range = times().min().zip(times().max());
        self.sources.push(SourceEntry {
            id,
            seqs: SeqRange {
                first: Seq(first),
                last: Seq(last),
            },
            range: range.map(|(start, end)| TimeRange::new(start, end)),
            bytes: contents.iter().map(|&(.., bytes)| bytes).sum(),
            is_fixed: false,
        });
        self.contents.insert(id, contents);
    }

    pub(super) fn situation(&self, is_forced: bool) -> Situation {
        let ends = self
            .sources
            .iter()
            .filter_map(|one| Some(one.range?.end_ms));
        Situation {
            sources: self.sources.clone(),
            horizon_ms: self.now_ms.or(ends.max()).unwrap_or(0),
            retention: self.retention,
            is_forced,
        }
    }

    /// Merges as planned until nothing is due, and checks each step.
    pub(super) fn merge_all(&mut self, is_forced: bool) {
        let limit = MERGES_PER_SOURCE * (self.sources.len() + 10);
        for _ in 0..limit {
            let Some(plan) = self.situation(is_forced).next_merge() else {
                return;
            };
            self.apply(&plan);
            self.check();
        }
        panic!(
            "{limit} merges, and no end: {:#?}",
            self.situation(is_forced)
        );
    }

    /// Makes the merge that is due for segments, and no other.
    pub(super) fn put_segments_into_blocks(&mut self) {
        let situation = self.situation(true);
        let plan = situation.next_merge().unwrap();
        assert!(
            plan.inputs
                .iter()
                .all(|id| matches!(id, SourceId::Segment(_)))
        );
        self.apply(&plan);
    }

    fn apply(&mut self, plan: &Plan) {
        self.merges += 1;
        let inputs: Vec<SourceEntry> = plan
            .inputs
            .iter()
            .map(|id| *self.sources.iter().find(|one| one.id == *id).unwrap())
            .collect();
        assert!(!inputs.is_empty());
        assert!(inputs.iter().all(|one| !one.is_fixed));
        assert!(inputs.is_sorted_by_key(|one| one.seqs.first));
        assert_eq!(plan.bytes, inputs.iter().map(|one| one.bytes).sum::<u64>());
        let first = inputs.iter().map(|one| one.seqs.first.0).min().unwrap();
        let last = inputs.iter().map(|one| one.seqs.last.0).max().unwrap();
        self.sources.retain(|one| !plan.inputs.contains(&one.id));
        let inputs = plan.inputs.iter();
        let all: Vec<_> = inputs
            .flat_map(|id| self.contents.remove(id).unwrap())
            .collect();
        self.merged_bytes += all.iter().map(|&(.., bytes)| bytes).sum::<u64>();
        let mut count = 0;
        for range in &plan.ranges {
            let own = all.iter().filter(|&&(_, time, _)| range.contains(time));
            let own: Vec<_> = own.copied().collect();
            count += own.len();
            // A merge may write a block without samples, for what else there is.
            if !own.is_empty() || all.is_empty() {
                self.add(SourceId::Block(self.next_number), own, first, last);
            }
        }
        assert_eq!(count, all.len(), "each sample lies in one range");
        self.outputs_max = self.outputs_max.max(plan.ranges.len());
    }

    /// Checks that the order of the sources tells of two samples of one time which one counts.
    fn check(&self) {
        for (at, one) in self.sources.iter().enumerate() {
            for other in &self.sources[..at] {
                let (Some(a), Some(b)) = (one.range, other.range) else {
                    continue;
                };
                let seqs = [one.seqs, other.seqs];
                let share = seqs[0].first <= seqs[1].last && seqs[1].first <= seqs[0].last;
                assert!(!(share && a.overlaps(b)), "{one:?} and {other:?}");
            }
            for (seq, ..) in &self.contents[&one.id] {
                assert!(one.seqs.first.0 <= *seq && *seq <= one.seqs.last.0);
            }
        }
        let kept: u64 = self.sources.iter().map(|one| one.bytes).sum();
        assert_eq!(kept, self.flushed_bytes);
    }

    pub(super) fn segments(&self) -> usize {
        self.sources.iter().filter(|one| one.is_segment()).count()
    }

    pub(super) fn blocks(&self) -> usize {
        self.sources.len() - self.segments()
    }

    /// How many pairs of sources overlap in time.
    pub(super) fn overlaps(&self) -> usize {
        let pairs = (0..self.sources.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
        let range = |place: usize| self.sources[place].range;
        pairs
            .filter(|&(a, b)| range(a).zip(range(b)).is_some_and(|(a, b)| a.overlaps(b)))
            .count()
    }

    pub(super) fn fix(&mut self, id: SourceId) {
        let mut sources = self.sources.iter_mut();
        sources.find(|one| one.id == id).unwrap().is_fixed = true;
    }

    pub(super) fn fix_some_block(&mut self, choice: usize) {
        let blocks = self.sources.iter().filter(|one| !one.is_segment());
        let blocks: Vec<SourceId> = blocks.map(|one| one.id).collect();
        if !blocks.is_empty() {
            self.fix(blocks[choice % blocks.len()]);
        }
    }
}
