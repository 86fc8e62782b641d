//! Which files are merged next, by what the manifest says of them alone (ADR 7).

mod closed;
mod windows;

#[cfg(test)]
mod tests;

use std::time::Duration;

use self::closed::Chosen;
use self::windows::Width;
use crate::immutable::SeqRange;
use crate::model::{Seq, TimeRange};

/// With more segments than this they become blocks though their time is not over.
const SEGMENTS_MAX: usize = 8;
/// How many segments go into one merge.
const SEGMENTS_PER_MERGE: usize = 16;
/// With so many blocks over one another the newer ones become one.
const NEWER_MAX: usize = 8;
/// What is merged beside the largest of the blocks comes to this part of it at least: so a byte is
/// written again only when a certain part of new ones came.
const PART_OF_LARGEST: u64 = 8;
/// The same for the newer ones of blocks over one another, which may come in any number.
const PART_OF_NEWER: u64 = 2;

/// The name of a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SourceId {
    /// The segment of that number.
    Segment(u64),
    /// The block of that number.
    Block(u64),
}

/// What the planner knows of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SourceEntry {
    /// Which it is.
    pub id: SourceId,
    /// The writes it holds.
    pub seqs: SeqRange,
    /// From its oldest to its newest sample; none without a sample.
    pub range: Option<TimeRange>,
    /// Length of the file.
    pub bytes: u64,
    /// Whether it has to stay as it is, since it cannot be read.
    pub is_fixed: bool,
}

/// What there is to be merged.
#[derive(Clone, Debug)]
pub struct Situation {
    /// All live files.
    pub sources: Vec<SourceEntry>,
    /// Up to when time has come, in milliseconds: the timestamp of the newest sample, but for
    /// samples of the future.
    pub horizon_ms: i64,
    /// How long samples are kept.
    pub retention: Option<Duration>,
    /// Whether to merge segments and what overlaps whatever the time and the sizes.
    pub is_forced: bool,
}

/// A merge that is to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// What is merged, in the order of the seqs, then of time.
    pub inputs: Vec<SourceId>,
    /// The range of each block that is written: together all of time.
    pub ranges: Vec<TimeRange>,
    /// Length of the inputs, in bytes.
    pub bytes: u64,
}

impl Situation {
    /// The next merge, if one is due. Once it is made and its outputs are in place of its inputs
    /// there may be another; after a number of them there is none.
    ///
    /// The outputs have all seqs from the first to the last of the inputs, and nothing that is
    /// left out has any of these and overlaps an output in time.
    pub fn next_merge(&self) -> Option<Plan> {
        let sorted = Sorted::new(self);
        sorted
            .segments()
            .or_else(|| sorted.without_samples())
            .or_else(|| sorted.overlapping())
            .or_else(|| sorted.of_ended_windows())
    }
}

/// The situation with its files in order.
struct Sorted<'a> {
    /// In the order of the seqs, then of time.
    sources: Vec<SourceEntry>,
    situation: &'a Situation,
    widest: Width,
    /// The newest write that is in a block.
    newest_seq: Option<Seq>,
}

impl<'a> Sorted<'a> {
    fn new(situation: &'a Situation) -> Self {
        let mut sources = situation.sources.clone();
        sources.sort_by_key(SourceEntry::place);
        let blocks = sources.iter().filter(|one| !one.is_segment());
        let newest_seq = blocks.map(|one| one.seqs.last).max();
        Self {
            sources,
            situation,
            newest_seq,
            widest: Width::widest(situation.retention),
        }
    }

    /// The oldest segments, once they are to become blocks.
    fn segments(&self) -> Option<Plan> {
        let movable = |one: &&SourceEntry| one.is_segment() && !one.is_fixed;
        let is_urgent =
            self.situation.is_forced || self.sources.iter().filter(movable).count() > SEGMENTS_MAX;
        let segments: Vec<usize> = self.places(SourceEntry::is_segment);
        let runs = segments.split(|&place| self.sources[place].is_fixed);
        runs.into_iter().find_map(|run| {
            let due = run.iter().take_while(|&&place| {
                is_urgent || self.has_ended(Width::MIN, self.sources[place].range)
            });
            let due: Vec<usize> = due.take(SEGMENTS_PER_MERGE).copied().collect();
            // A block that has to stay may lie between two of them. Between the samples of one alone
            // there is none: it would have been merged along.
            let one_by_one = || due.iter().find_map(|&place| self.cut(&[place]));
            self.cut(&due).or_else(one_by_one)
        })
    }

    /// Blocks that hold no sample at all: they lie in no window and overlap nothing.
    fn without_samples(&self) -> Option<Plan> {
        let blocks = self.places(|one| one.is_movable_block() && one.range.is_none());
        let is_due = match self.situation.is_forced {
            true => blocks.len() > 1,
            false => blocks.len() >= NEWER_MAX,
        };
        is_due.then(|| self.whole(&blocks)).flatten()
    }

    /// Blocks over one another, once the newer ones are large or many.
    fn overlapping(&self) -> Option<Plan> {
        let mut blocks = self.places(|one| one.is_movable_block() && one.range.is_some());
        blocks.sort_by_key(|&place| self.range(place).start_ms);
        let mut group: Vec<usize> = Vec::new();
        let mut end_ms = i64::MIN;
        for place in blocks {
            let range = self.range(place);
            if !group.is_empty() && range.start_ms > end_ms {
                if let Some(plan) = self.of_group(&mut group) {
                    return Some(plan);
                }
                group.clear();
            }
            end_ms = match group.is_empty() {
                true => range.end_ms,
                false => end_ms.max(range.end_ms),
            };
            group.push(place);
        }
        self.of_group(&mut group)
    }

    /// Of blocks that overlap, each one at least one other of them.
    fn of_group(&self, group: &mut [usize]) -> Option<Plan> {
        group.sort_unstable();
        if group.len() < 2 {
            return None;
        }
        if self.situation.is_forced {
            let all = self.whole(group);
            // Where one that has to stay lies between them, those before it and those after it.
            return all.or_else(|| self.beside_fixed(group));
        }
        (0..group.len()).find_map(|at| {
            let (oldest, newer) = group[at..].split_first()?;
            let range = self.range(*oldest);
            let newer: Vec<usize> = newer
                .iter()
                .copied()
                .filter(|&place| self.range(place).overlaps(range))
                .collect();
            let are_many = newer.len() >= NEWER_MAX;
            let are_large = self.bytes(&newer) >= self.sources[*oldest].bytes / PART_OF_LARGEST;
            match are_large {
                _ if newer.is_empty() => None,
                true if are_many || self.is_quiet(&group[at..]) => {
                    let all: Vec<usize> = std::iter::once(*oldest).chain(newer).collect();
                    self.if_worth_it(&all, PART_OF_LARGEST)
                }
                _ if are_many => self.worthwhile(&newer, PART_OF_NEWER, None),
                _ => None,
            }
        })
    }

    fn beside_fixed(&self, group: &[usize]) -> Option<Plan> {
        let is_between = |a: usize, b: usize| (a..b).any(|place| self.sources[place].is_fixed);
        let mut runs = group.chunk_by(|&a, &b| !is_between(a, b));
        runs.find_map(|run| {
            let is_over = |pair: &[usize]| self.range(pair[0]).overlaps(self.range(pair[1]));
            let first = run.windows(2).position(is_over)?;
            self.whole(&run[first..first + 2])
        })
    }

    /// Blocks of a window whose time is over.
    fn of_ended_windows(&self) -> Option<Plan> {
        let blocks = self.places(|one| one.is_movable_block() && one.range.is_some());
        let widths = std::iter::successors(Width::MIN.wider(), |width| width.wider());
        widths
            .take_while(|&width| width <= self.widest)
            .find_map(|width| self.of_ended(width, &blocks))
    }

    fn of_ended(&self, width: Width, blocks: &[usize]) -> Option<Plan> {
        let number = |&place: &usize| {
            let range = self.range(place);
            let [first, last] = [range.start_ms, range.end_ms].map(|at| width.number_of(at));
            (first == last).then_some(first)
        };
        let mut inside: Vec<(i64, usize)> = blocks
            .iter()
            .filter_map(|place| Some((number(place)?, *place)))
            .collect();
        inside.sort_unstable();
        let mut windows = inside.chunk_by(|a, b| a.0 == b.0);
        windows.find_map(|window| {
            let places: Vec<usize> = window.iter().map(|&(_, place)| place).collect();
            let first = *places.first()?;
            let is_quiet = self.situation.is_forced || self.is_quiet(&places);
            let has_ended = self.has_ended(width, self.sources[first].range);
            let window = width.window_of(self.range(first).start_ms);
            (is_quiet && has_ended)
                .then(|| self.worthwhile(&places, PART_OF_LARGEST, Some(window)))
                .flatten()
        })
    }

    /// As many of some files as are worth to be merged: all, or those before or after the largest.
    fn worthwhile(&self, places: &[usize], part: u64, within: Option<TimeRange>) -> Option<Plan> {
        if places.len() < 2 {
            return None;
        }
        let is_within = |plan: &Plan| {
            let is_in = |window: TimeRange, id: &SourceId| {
                let mut all = self.sources.iter();
                let range = all.find(|one| one.id == *id).and_then(|one| one.range);
                range.is_none_or(|r| window.contains(r.start_ms) && window.contains(r.end_ms))
            };
            within.is_none_or(|window| plan.inputs.iter().all(|id| is_in(window, id)))
        };
        if let Some(plan) = self.if_worth_it(places, part).filter(is_within) {
            return Some(plan);
        }
        let largest = (0..places.len()).max_by_key(|&at| self.sources[places[at]].bytes)?;
        self.worthwhile(&places[..largest], part, within)
            .or_else(|| self.worthwhile(&places[largest + 1..], part, within))
    }

    /// All of some files, if what is beside the largest comes to such a part of it.
    fn if_worth_it(&self, places: &[usize], part: u64) -> Option<Plan> {
        let chosen = self.close(places, |_| vec![TimeRange::ALL])?;
        let bytes = chosen.places().map(|place| self.sources[place].bytes);
        let largest = bytes.clone().max()?;
        let all = bytes.fold(0, u64::saturating_add);
        let is_worth_it = all - largest >= largest / part;
        is_worth_it.then(|| self.plan(&chosen))
    }

    /// A merge of some files into one.
    fn whole(&self, places: &[usize]) -> Option<Plan> {
        let chosen = self.close(places, |_| vec![TimeRange::ALL])?;
        Some(self.plan(&chosen))
    }

    /// A merge of some files into one for each range. Who asks for it wants few: what is of a few
    /// hours becomes one block, unless one that has to stay lies among them.
    fn cut(&self, places: &[usize]) -> Option<Plan> {
        let Situation {
            horizon_ms,
            is_forced,
            ..
        } = *self.situation;
        let cut = |hull| windows::ranges(hull, horizon_ms, self.widest);
        let few = |hull| match windows::is_short(hull, self.widest) {
            true => vec![TimeRange::ALL],
            false => cut(hull),
        };
        let chosen = match is_forced {
            true => self.close(places, few).or_else(|| self.close(places, cut)),
            false => self.close(places, cut),
        }?;
        Some(self.plan(&chosen))
    }

    fn close(
        &self,
        places: &[usize],
        ranges: impl Fn(Option<TimeRange>) -> Vec<TimeRange>,
    ) -> Option<Chosen> {
        Chosen::close(&self.sources, places, ranges)
    }

    fn plan(&self, chosen: &Chosen) -> Plan {
        let inputs = chosen.places().map(|place| self.sources[place].id);
        Plan {
            inputs: inputs.collect(),
            ranges: chosen.ranges.clone(),
            bytes: self.bytes(&chosen.places().collect::<Vec<usize>>()),
        }
    }

    fn places(&self, is_wanted: impl Fn(&SourceEntry) -> bool) -> Vec<usize> {
        let all = self.sources.iter().enumerate();
        all.filter(|(_, one)| is_wanted(one))
            .map(|(place, _)| place)
            .collect()
    }

    fn bytes(&self, places: &[usize]) -> u64 {
        let bytes = places.iter().map(|&place| self.sources[place].bytes);
        bytes.fold(0, u64::saturating_add)
    }

    /// Of a file that has one.
    fn range(&self, place: usize) -> TimeRange {
        self.sources[place].range.unwrap_or(TimeRange::ALL)
    }

    /// Whether none of some blocks has the newest of the writes that are in blocks: where the last
    /// merge wrote, the next one may write as well.
    fn is_quiet(&self, places: &[usize]) -> bool {
        let is_newest = |&place: &usize| Some(self.sources[place].seqs.last) == self.newest_seq;
        !places.iter().any(is_newest)
    }

    /// Whether the window has ended in which the newest sample of a range lies.
    fn has_ended(&self, width: Width, range: Option<TimeRange>) -> bool {
        range.is_none_or(|range| width.window_of(range.end_ms).end_ms < self.situation.horizon_ms)
    }
}

impl SourceEntry {
    /// By this, files are in the order of the seqs, then of time.
    pub fn place(&self) -> (Seq, i64, SourceId) {
        let start_ms = self.range.map_or(i64::MIN, |range| range.start_ms);
        (self.seqs.first, start_ms, self.id)
    }

    fn is_segment(&self) -> bool {
        matches!(self.id, SourceId::Segment(_))
    }

    fn is_movable_block(&self) -> bool {
        !self.is_segment() && !self.is_fixed
    }
}
