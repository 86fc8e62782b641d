//! Sets of files that may be merged.

use super::SourceEntry;
use crate::model::{Seq, TimeRange};

/// Files that may be merged into blocks of these ranges: no other file has seqs between theirs
/// and overlaps an output in time. Of such a file nobody could say whether it counts before or
/// after the output.
#[derive(Debug)]
pub(super) struct Chosen {
    is_chosen: Vec<bool>,
    pub(super) ranges: Vec<TimeRange>,
}

impl Chosen {
    /// The smallest such set that has `places` in it; none where a file would belong to it that
    /// has to stay as it is. `ranges` tells how time is cut for inputs with samples in a range.
    pub(super) fn close(
        sources: &[SourceEntry],
        places: &[usize],
        ranges: impl Fn(Option<TimeRange>) -> Vec<TimeRange>,
    ) -> Option<Self> {
        let mut is_chosen = vec![false; sources.len()];
        for &place in places {
            is_chosen[place] = true;
        }
        loop {
            let inputs = || {
                let all = sources.iter().zip(&is_chosen);
                all.filter_map(|(one, is_chosen)| is_chosen.then_some(one))
            };
            let ranges = ranges(inputs().filter_map(|one| one.range).reduce(hull));
            let first = inputs().map(|one| one.seqs.first).min()?;
            let last = inputs().map(|one| one.seqs.last).max()?;
            // What the samples of an output may lie between.
            let outputs = ranges.iter().filter_map(|&range| {
                let parts = inputs().filter_map(|one| within(one.range?, range));
                parts.reduce(hull)
            });
            let outputs: Vec<TimeRange> = outputs.collect();
            let belongs = |one: &SourceEntry| {
                let is_over = |range: TimeRange| outputs.iter().any(|out| out.overlaps(range));
                has_any(one, first, last) && one.range.is_some_and(is_over)
            };
            let others = (0..sources.len()).filter(|&place| !is_chosen[place]);
            let others: Vec<usize> = others.filter(|&place| belongs(&sources[place])).collect();
            if others.iter().any(|&place| sources[place].is_fixed) {
                return None;
            }
            if others.is_empty() {
                return Some(Self { is_chosen, ranges });
            }
            for place in others {
                is_chosen[place] = true;
            }
        }
    }

    /// The files, in their order.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> + Clone {
        let all = self.is_chosen.iter().enumerate();
        all.filter(|(_, is_chosen)| **is_chosen)
            .map(|(place, _)| place)
    }
}

fn has_any(one: &SourceEntry, first: Seq, last: Seq) -> bool {
    one.seqs.first <= last && first <= one.seqs.last
}

fn within(range: TimeRange, limits: TimeRange) -> Option<TimeRange> {
    let both = TimeRange {
        start_ms: range.start_ms.max(limits.start_ms),
        end_ms: range.end_ms.min(limits.end_ms),
    };
    (both.start_ms <= both.end_ms).then_some(both)
}

fn hull(a: TimeRange, b: TimeRange) -> TimeRange {
    TimeRange {
        start_ms: a.start_ms.min(b.start_ms),
        end_ms: a.end_ms.max(b.end_ms),
    }
}
