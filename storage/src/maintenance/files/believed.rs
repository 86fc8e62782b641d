//! Which of the files of a directory count, where no manifest tells it.

use std::collections::{BTreeMap, BTreeSet};

use crate::immutable::SeqRange;
use crate::maintenance::plan::SourceId;
use crate::model::TimeRange;

/// What a file says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Found {
    pub(super) id: SourceId,
    pub(super) seqs: SeqRange,
    pub(super) range: Option<TimeRange>,
    /// What it was made from; nothing for a segment.
    pub(super) inputs: Vec<SourceId>,
    /// The numbers of all blocks that were made in the same merge, its own among them.
    pub(super) outputs: Vec<u64>,
}

/// What is made of what was found.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Believed {
    /// The files that count.
    pub(super) live: BTreeSet<SourceId>,
    /// How many blocks are missing that count.
    pub(super) missing: u64,
}

/// Decides which files count.
///
/// Inputs are removed once a manifest names all outputs of their merge in their place. So where
/// all outputs are there they count, and what they were made from does not. Where outputs are
/// missing and no input is, the merge was not finished, and the inputs count. Where both are
/// missing the merge was finished, and the rest of its outputs counts.
pub(super) fn believe(found: &[Found]) -> Believed {
    let ids: BTreeSet<SourceId> = found.iter().map(|one| one.id).collect();
    let mut merges: BTreeMap<&[u64], Vec<&Found>> = BTreeMap::new();
    for one in found.iter().filter(|one| !one.outputs.is_empty()) {
        merges.entry(&one.outputs).or_default().push(one);
    }
    // Only what counts is merged.
    let inputs = found.iter().flat_map(|one| &one.inputs);
    let merged: BTreeSet<SourceId> = inputs.copied().collect();
    let mut live = ids.clone();
    let mut missing = Vec::new();
    for (outputs, there) in &merges {
        let Some(inputs) = there.first().map(|one| &one.inputs) else {
            continue;
        };
        let outputs = || outputs.iter().map(|&number| SourceId::Block(number));
        let was_counted = outputs().all(|id| ids.contains(&id))
            || outputs().any(|id| merged.contains(&id))
            || !inputs.iter().all(|id| ids.contains(id));
        if was_counted {
            inputs.iter().for_each(|id| _ = live.remove(id));
            let lost = outputs().filter(|id| !ids.contains(id) && !merged.contains(id));
            let siblings = there.first().copied();
            missing.extend(lost.filter_map(|id| Some((id, siblings?))));
        } else {
            there.iter().for_each(|one| _ = live.remove(&one.id));
        }
    }
    let live = without_contradictions(found, &live);
    // What was merged again since is not missed, though its inputs are not named any more.
    let is_merged_since = |&(id, sibling): &(SourceId, &Found)| {
        let later = |one: &Found| one.id > id && one.outputs != sibling.outputs;
        let has_seqs = |one: &Found| {
            one.seqs.first <= sibling.seqs.first && sibling.seqs.last <= one.seqs.last
        };
        let mut all = found.iter().filter(|one| live.contains(&one.id));
        all.any(|one| later(one) && has_seqs(one))
    };
    missing.retain(|lost| !is_merged_since(lost));
    let missing = missing.len() as u64;
    Believed { live, missing }
}

/// Of files that have the same writes of the same time the one that was made last counts: an input
/// may have come back that was removed long ago. Of two segments of the same writes it is the
/// first: it was not named before the second was written, and may be all that the log covers.
fn without_contradictions(found: &[Found], live: &BTreeSet<SourceId>) -> BTreeSet<SourceId> {
    let mut latest_first: Vec<&Found> = found.iter().filter(|one| live.contains(&one.id)).collect();
    latest_first.sort_by_key(|one| match one.id {
        SourceId::Block(number) => (0, u64::MAX - number),
        SourceId::Segment(number) => (1, number),
    });
    let mut kept: Vec<&Found> = Vec::new();
    for one in latest_first {
        let share_seqs =
            |other: &Found| one.seqs.first <= other.seqs.last && other.seqs.first <= one.seqs.last;
        let share_time = |other: &Found| {
            one.range
                .zip(other.range)
                .is_some_and(|(a, b)| a.overlaps(b))
        };
        let are_segments = |other: &Found| one.outputs.is_empty() && other.outputs.is_empty();
        let contradicts =
            |other: &&Found| share_seqs(other) && (share_time(other) || are_segments(other));
        if !kept.iter().any(contradicts) {
            kept.push(one);
        }
    }
    kept.into_iter().map(|one| one.id).collect()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::maintenance::plan::{Situation, SourceEntry};
    use crate::model::Seq;

    const HOUR: i64 = 3_600_000;

    /// A file, with seq and time of each of its samples.
    #[derive(Clone, Debug)]
    struct Kept {
        found: Found,
        samples: BTreeSet<(u64, i64)>,
    }

    /// A directory whose manifest is known here and is lost then.
    #[derive(Clone, Debug, Default)]
    struct Directory {
        files: Vec<Kept>,
        /// What was removed with the last merge, and may come back after a crash: no merge is
        /// begun before what the one before it merged is gone for good.
        removed: Vec<Kept>,
        next_seq: u64,
        next_number: u64,
    }

    impl Directory {
        fn add(
            &mut self,
            id: SourceId,
            seqs: SeqRange,
            samples: BTreeSet<(u64, i64)>,
        ) -> &mut Found {
            let times = || samples.iter().map(|&(_, time)| time);
            let range = times().min().zip(times().max());
            self.files.push(Kept {
                found: Found {
                    id,
                    seqs,
                    range: range.map(|(start, end)| TimeRange::new(start, end)),
                    inputs: Vec::new(),
                    outputs: Vec::new(),
                },
                samples,
            });
            &mut self.files.last_mut().unwrap().found
        }

        fn flush(&mut self, hours: &[i64]) {
            let first = self.next_seq + 1;
            self.next_seq += hours.len() as u64;
            let samples = (first..)
                .zip(hours.iter().map(|hour| hour * HOUR))
                .collect();
            self.next_number += 1;
            let seqs = SeqRange {
                first: Seq(first),
                last: Seq(self.next_seq),
            };
            self.add(SourceId::Segment(self.next_number), seqs, samples);
        }

        /// Merges what is due; `false` where nothing is. Outputs are written in their order, then
        /// the manifest, then inputs go: `ops` of that are done.
        fn merge(&mut self, is_forced: bool, ops: usize) -> bool {
            let entry = |kept: &Kept| SourceEntry {
                id: kept.found.id,
                seqs: kept.found.seqs,
                range: kept.found.range,
                bytes: kept.samples.len() as u64,
                is_fixed: false,
            };
            let situation = Situation {
                sources: self.files.iter().map(entry).collect(),
                horizon_ms: 40 * HOUR,
                retention: None,
                is_forced,
            };
            let Some(plan) = situation.next_merge() else {
                return false;
            };
            let is_input = |kept: &Kept| plan.inputs.contains(&kept.found.id);
            let (inputs, others): (Vec<_>, Vec<_>) = self.files.drain(..).partition(is_input);
            self.files = others;
            let samples: BTreeSet<(u64, i64)> = inputs
                .iter()
                .flat_map(|kept| kept.samples.clone())
                .collect();
            let seqs = SeqRange {
                first: inputs
                    .iter()
                    .map(|kept| kept.found.seqs.first)
                    .min()
                    .unwrap(),
                last: inputs
                    .iter()
                    .map(|kept| kept.found.seqs.last)
                    .max()
                    .unwrap(),
            };
            let parts = plan.ranges.iter().map(|range| {
                let own = samples.iter().filter(|(_, time)| range.contains(*time));
                own.copied().collect::<BTreeSet<_>>()
            });
            let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
            let first = self.next_number + 1;
            let outputs: Vec<u64> = (first..first + parts.len() as u64).collect();
            self.next_number += parts.len() as u64;
            let count = parts.len();
            for (part, &number) in parts.into_iter().zip(&outputs).take(ops) {
                let found = self.add(SourceId::Block(number), seqs, part);
                found.inputs.clone_from(&plan.inputs);
                found.outputs.clone_from(&outputs);
            }
            // The manifest stands between the two.
            let gone = ops.saturating_sub(count + 1).min(inputs.len());
            self.removed = inputs[..gone].to_vec();
            self.files.extend_from_slice(&inputs[gone..]);
            true
        }

        /// Every sample is in one file that counts, and it is known which counts of two.
        fn check(&self) {
            let found: Vec<Found> = self.files.iter().map(|kept| kept.found.clone()).collect();
            let believed = believe(&found);
            let is_live = |kept: &&Kept| believed.live.contains(&kept.found.id);
            let live: Vec<&Kept> = self.files.iter().filter(is_live).collect();
            let samples: Vec<(u64, i64)> =
                live.iter().flat_map(|kept| kept.samples.clone()).collect();
            assert_eq!(samples.len() as u64, self.next_seq, "{self:#?}");
            let all: BTreeSet<u64> = samples.iter().map(|&(seq, _)| seq).collect();
            assert!(all.into_iter().eq(1..=self.next_seq));
            for (at, a) in live.iter().enumerate() {
                for b in &live[..at] {
                    let (a, b) = (&a.found, &b.found);
                    let share = a.seqs.first <= b.seqs.last && b.seqs.first <= a.seqs.last;
                    let over = a.range.unwrap().overlaps(b.range.unwrap());
                    assert!(!(share && over), "{a:?} {b:?}");
                }
            }
            assert_eq!(believed.missing, 0);
        }
    }

    proptest! {
        #[test]
        fn a_crash_anywhere_takes_nothing_without_a_manifest(
            flushes in vec((vec(0..40i64, 1..6), any::<bool>(), 0..4usize), 1..20),
            is_forced: bool,
            ops in 0..30usize,
            back in vec(any::<prop::sample::Index>(), 0..3),
        ) {
            let mut directory = Directory::default();
            for (hours, is_forced, merges) in flushes {
                directory.flush(&hours);
                directory.check();
                for _ in 0..merges {
                    directory.merge(is_forced, usize::MAX);
                }
                directory.check();
            }
            directory.merge(is_forced, ops);
            directory.check();
            // The name of a file that was removed, or of some that were.
            for index in back {
                if !directory.removed.is_empty() {
                    let at = index.index(directory.removed.len());
                    let kept = directory.removed.swap_remove(at);
                    directory.files.push(kept);
                    directory.check();
                }
            }
        }
    }

    #[test]
    fn a_lost_output_is_missed() {
        let mut directory = Directory::default();
        directory.flush(&[0, 10, 20]);
        directory.flush(&[1, 11, 21]);
        assert!(directory.merge(true, usize::MAX));
        assert_eq!(directory.files.len(), 3);
        for lost in 0..3 {
            let mut rest = directory.files.clone();
            rest.remove(lost);
            let found: Vec<Found> = rest.into_iter().map(|kept| kept.found).collect();
            let believed = believe(&found);
            assert_eq!((believed.live.len(), believed.missing), (2, 1));
        }
    }
}
