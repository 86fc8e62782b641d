//! Series by id, in shards that are locked one by one.

mod scrape;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::OnceLock;

use foldhash::fast::RandomState;
use parking_lot::RwLock;

use super::chunk_list::Cursor;
use super::extras::{Extras, Point, PointValue};
use super::series::{Boundary, Counts, List, Placed, Series};
use super::time_columns::TimeColumns;
use crate::chunk::ChunkError;
use crate::model::{Exemplar, FloatRow, Seq, SeriesId, TimeRange};

pub(super) use scrape::Scrape;

/// Series a shard.
pub(super) const SHARD_SERIES: u32 = 1024;
/// Shards a branch of the tree, and branches of its root: 2^11 * 2^11 * 2^10 series are all.
const FANOUT: usize = 2048;

/// A shard that is made when its first series is defined.
type Leaf = OnceLock<Box<RwLock<Shard>>>;

/// All shards: a tree of two levels that only grows, so that finding a shard takes no lock.
#[derive(Debug)]
pub(super) struct Shards {
    root: Box<[OnceLock<Box<[Leaf]>>]>,
}

impl Default for Shards {
    fn default() -> Self {
        Self { root: empty() }
    }
}

fn empty<T>() -> Box<[OnceLock<T>]> {
    std::iter::repeat_with(OnceLock::new).take(FANOUT).collect()
}

/// The number of the shard that holds a series.
pub(super) fn shard_of(id: SeriesId) -> u32 {
    id.0 / SHARD_SERIES
}

impl Shards {
    pub(super) fn get(&self, shard: u32) -> Option<&RwLock<Shard>> {
        let branch = self.root[shard as usize / FANOUT].get()?;
        Some(branch[shard as usize % FANOUT].get()?)
    }

    pub(super) fn get_or_make(&self, shard: u32) -> &RwLock<Shard> {
        let branch = self.root[shard as usize / FANOUT].get_or_init(empty);
        branch[shard as usize % FANOUT].get_or_init(Box::default)
    }

    /// All shards, to be taken apart.
    pub(super) fn into_shards(self) -> impl Iterator<Item = Shard> {
        let branches = self.root.into_iter().filter_map(OnceLock::into_inner);
        let leaves = branches.flatten().filter_map(OnceLock::into_inner);
        leaves.map(|shard| shard.into_inner())
    }

    /// All shards with their numbers, which rise.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &RwLock<Shard>)> {
        let branches = (0u32..)
            .zip(&self.root)
            .filter_map(|(i, b)| Some((i, b.get()?)));
        branches.flat_map(|(i, branch)| {
            let first = i * FANOUT as u32;
            let leaves = (first..).zip(branch);
            leaves.filter_map(|(number, leaf)| Some((number, &**leaf.get()?)))
        })
    }
}

/// A commit group while it is applied.
#[derive(Debug)]
pub(super) struct Group<'a> {
    /// Seq of its last batch.
    pub(super) seq: Seq,
    /// The states that are pinned, in rising order. The visible state may be pinned while the
    /// group is applied; it needs no more than the boundary of this group.
    pub(super) pinned: &'a [Seq],
}

impl Group<'_> {
    /// The oldest state that a reader may see.
    fn floor(&self) -> Seq {
        self.pinned.first().copied().unwrap_or(self.seq)
    }
}

/// Series whose ids follow each other.
#[derive(Debug, Default)]
pub(super) struct Shard {
    /// By the id's place in the shard; none for an id that is not defined.
    series: Vec<Option<Series>>,
    /// The timestamps of their samples in order.
    times: TimeColumns,
    /// Boundaries before a series' last one, by place, kept for the readers that need them.
    older: HashMap<u32, Vec<Boundary>, RandomState>,
    /// The highest seq in `older`.
    older_newest: Seq,
    /// What series have beside their floats, by place.
    extras: BTreeMap<u32, Extras>,
}

impl Shard {
    /// Makes a series known.
    pub(super) fn define(&mut self, id: SeriesId) {
        let place = (id.0 % SHARD_SERIES) as usize;
        if place >= self.series.len() {
            self.series.resize_with(place + 1, || None);
        }
        self.series[place].get_or_insert_default();
    }

    /// Its series by place, and what they have beside their floats.
    pub(super) fn into_parts(self) -> (Vec<Option<Series>>, BTreeMap<u32, Extras>) {
        (self.series, self.extras)
    }

    /// How many places there are up to that of the last series defined.
    pub(super) fn places(&self) -> u32 {
        self.series.len() as u32
    }

    /// How many series were appended to after a seq.
    pub(super) fn series_since(&self, seq: Seq) -> u64 {
        let series = self.series.iter().flatten();
        series.filter(|one| one.last_seq() > seq).count() as u64
    }

    /// Places of the series that were appended to after a seq.
    pub(super) fn places_since(&self, seq: Seq) -> impl Iterator<Item = u32> {
        let series = (0..).zip(&self.series);
        series.filter_map(move |(place, one)| {
            let one = one.as_ref()?;
            (one.last_seq() > seq).then_some(place)
        })
    }

    /// The timestamps of the samples in order.
    pub(super) fn times(&self) -> &TimeColumns {
        &self.times
    }

    pub(super) fn get(&self, place: u32) -> Option<&Series> {
        self.series.get(place as usize)?.as_ref()
    }

    /// Lets go of boundaries that no reader needs any more.
    pub(super) fn forget(&mut self, group: &Group<'_>) {
        if !self.older.is_empty() && self.older_newest <= group.floor() {
            self.older = HashMap::default();
        }
    }

    /// Adds a float without a start timestamp; none if its series is not defined.
    ///
    /// The way of nearly all samples there are, so it does only what they need: they come in
    /// order, and nobody reads a state older than the last group.
    #[inline]
    pub(super) fn append(&mut self, row: &FloatRow, group: &Group<'_>) -> Option<Placed> {
        let series = self
            .series
            .get_mut((row.series.0 % SHARD_SERIES) as usize)?
            .as_mut()?;
        let last = series.last_seq();
        if (last == group.seq || (last <= group.floor() && self.older.is_empty()))
            && let Some(grown) =
                series.push(&mut self.times, group.seq, row.timestamp_ms, row.value)
        {
            return Some(Placed::InOrder(grown));
        }
        let point = Point {
            timestamp_ms: row.timestamp_ms,
            start_timestamp_ms: None,
            value: PointValue::Float(row.value),
        };
        self.place(row.series, &point, group)
    }

    /// Adds any sample, and by how many bytes the list of extras grew; none if its series is not
    /// defined.
    pub(super) fn append_point(
        &mut self,
        id: SeriesId,
        point: &Point<'_>,
        group: &Group<'_>,
    ) -> Option<(Placed, isize)> {
        let placed = self.place(id, point, group)?;
        if point.is_plain() {
            return Some((placed, 0));
        }
        let place = id.0 % SHARD_SERIES;
        let counts = self.get(place)?.counts();
        let (list, ordinal) = match placed {
            Placed::InOrder(_) => (List::InOrder, counts.in_order - 1),
            Placed::Overflow(_) => (List::Overflow, counts.overflow - 1),
            Placed::Duplicate => return Some((placed, 0)),
        };
        let (extras, made) = extras_of(&mut self.extras, place);
        Some((placed, made + extras.push(list, ordinal, point)))
    }

    /// Adds an exemplar, and by how many bytes the list of extras grew; none if its series is
    /// not defined, and no bytes if it is there already.
    pub(super) fn append_exemplar(
        &mut self,
        id: SeriesId,
        exemplar: &Exemplar,
        group: &Group<'_>,
    ) -> Option<Result<Option<isize>, ChunkError>> {
        let place = id.0 % SHARD_SERIES;
        self.get(place)?;
        let (extras, made) = extras_of(&mut self.extras, place);
        let grown = extras.push_exemplar(group.seq, exemplar);
        Some(grown.map(|grown| grown.map(|grown| made + grown)))
    }

    /// Adds what of a sample stands in the lists of its series.
    fn place(&mut self, id: SeriesId, point: &Point<'_>, group: &Group<'_>) -> Option<Placed> {
        let place = id.0 % SHARD_SERIES;
        let series = self.series.get_mut(place as usize)?.as_mut()?;
        let timestamp_ms = point.timestamp_ms;
        let extras = &self.extras;
        let is_last = |bits, ordinal| point.is_last(bits, ordinal, extras.get(&place));
        // A boundary is needed by the readers of states before it, and there are none of those
        // but for pins that are older than the last group: the usual case costs a comparison.
        let last = series.last_seq();
        if last != group.seq
            && (group.floor() < last || !self.older.is_empty())
            && !series.is_repeat(&self.times, timestamp_ms, is_last)
        {
            let boundary = series.boundary();
            let list = self.older.entry(place).or_default();
            list.push(boundary);
            retain_needed(list, group.pinned);
            if list.is_empty() {
                self.older.remove(&place);
            } else {
                self.older_newest = self.older_newest.max(last);
            }
        }
        let times = &mut self.times;
        let value = point.float();
        // A histogram is the value before once more, which takes the least room.
        let in_order = value.unwrap_or_else(|| series.in_order.last_value());
        if let Some(grown) = series.push(times, group.seq, timestamp_ms, in_order) {
            return Some(Placed::InOrder(grown));
        }
        if series.is_repeat(times, timestamp_ms, is_last) {
            return Some(Placed::Duplicate);
        }
        let grown = series.push_late(group.seq, timestamp_ms, value);
        Some(Placed::Overflow(grown))
    }

    /// What a series has beside its floats.
    pub(super) fn extras(&self, id: SeriesId) -> Option<&Extras> {
        self.extras.get(&(id.0 % SHARD_SERIES))
    }

    /// The series that have something beside their floats, by place, in rising order.
    pub(super) fn all_extras(&self) -> impl Iterator<Item = (u32, &Extras)> {
        self.extras.iter().map(|(&place, extras)| (place, extras))
    }

    /// Whether a series has a histogram, seen or not.
    pub(super) fn has_histograms(&self, id: SeriesId) -> bool {
        self.extras(id).is_some_and(Extras::has_histograms)
    }

    /// How many samples a reader at `seq` sees; none for a series that is not defined.
    fn visible_at(&self, place: u32, seq: Seq) -> Option<(&Series, Counts)> {
        let series = self.get(place)?;
        let older = self.older.get(&place).map_or(&[][..], Vec::as_slice);
        Some((series, series.visible_at(seq, older)))
    }

    /// Whether a reader at `seq` sees a sample of the series in `range`.
    pub(super) fn has_sample(
        &self,
        id: SeriesId,
        seq: Seq,
        range: TimeRange,
    ) -> Result<bool, ChunkError> {
        let Some((series, visible)) = self.visible_at(id.0 % SHARD_SERIES, seq) else {
            return Ok(false);
        };
        if series.in_order.any_in(&self.times, visible.in_order, range) {
            return Ok(true);
        }
        match &series.overflow {
            Some(overflow) if visible.overflow > 0 && overflow.range.overlaps(range) => {
                overflow.chunks.any_in(visible.overflow, range)
            }
            _ => Ok(false),
        }
    }

    /// Where to read a series from for a reader at `seq`.
    pub(super) fn reader(&self, id: SeriesId, seq: Seq) -> Option<SeriesReader> {
        let place = id.0 % SHARD_SERIES;
        let (_, visible) = self.visible_at(place, seq)?;
        Some(SeriesReader {
            place,
            visible,
            in_order: Cursor::new(visible.in_order),
            overflow: Cursor::new(visible.overflow),
        })
    }

    /// How many boundaries are kept for readers of older states.
    #[cfg(test)]
    pub(super) fn boundaries(&self) -> usize {
        self.older.values().map(Vec::len).sum()
    }
}

/// What a series has beside its floats, and the bytes of a new entry if it had nothing.
fn extras_of(extras: &mut BTreeMap<u32, Extras>, place: u32) -> (&mut Extras, isize) {
    match extras.entry(place) {
        Entry::Occupied(entry) => (entry.into_mut(), 0),
        Entry::Vacant(entry) => {
            let made = size_of::<u32>() + size_of::<Extras>();
            (entry.insert(Extras::default()), made as isize)
        }
    }
}

/// Keeps the boundaries between which a state is pinned: of a run of boundaries without one,
/// the first tells as much as all.
fn retain_needed(boundaries: &mut Vec<Boundary>, pinned: &[Seq]) {
    let mut previous = Seq::ZERO;
    boundaries.retain(|boundary| {
        let needed = pinned
            .iter()
            .any(|&seq| previous <= seq && seq < boundary.seq);
        previous = boundary.seq;
        needed
    });
}

/// Reads a series as it was, in pieces between which its shard need not be locked: what it still
/// has to read does not change.
#[derive(Debug)]
pub(super) struct SeriesReader {
    place: u32,
    visible: Counts,
    in_order: Cursor,
    overflow: Cursor,
}

impl SeriesReader {
    pub(super) fn in_order_done(&self) -> bool {
        self.in_order.is_done()
    }

    pub(super) fn overflow_done(&self) -> bool {
        self.overflow.is_done()
    }

    /// Hands out samples of `range` that came in order, from up to `chunks_max` chunks.
    pub(super) fn read_in_order(
        &mut self,
        shard: &Shard,
        range: TimeRange,
        chunks_max: usize,
        mut each: impl FnMut(i64, f64),
    ) -> Result<(), ChunkError> {
        let Some(series) = shard.get(self.place) else {
            self.in_order = Cursor::new(0);
            return Ok(());
        };
        let each = |timestamp_ms, value| {
            if timestamp_ms > range.end_ms {
                return ControlFlow::Break(());
            }
            if timestamp_ms >= range.start_ms {
                each(timestamp_ms, value);
            }
            ControlFlow::Continue(())
        };
        series
            .in_order
            .read(&shard.times, &mut self.in_order, range, chunks_max, each)
    }

    /// Hands out late samples of `range` as they came, from up to `chunks_max` chunks.
    pub(super) fn read_overflow(
        &mut self,
        shard: &Shard,
        range: TimeRange,
        chunks_max: usize,
        mut each: impl FnMut(i64, f64),
    ) -> Result<(), ChunkError> {
        let late = shard.get(self.place).and_then(|s| s.overflow.as_deref());
        let Some(late) = late.filter(|late| late.range.overlaps(range)) else {
            self.overflow = Cursor::new(0);
            return Ok(());
        };
        let each = |timestamp_ms, value| {
            if range.contains(timestamp_ms) {
                each(timestamp_ms, value);
            }
            ControlFlow::Continue(())
        };
        late.chunks
            .read(&mut self.overflow, range, chunks_max, each)
    }

    /// As [`SeriesReader::read_in_order`], with where the samples stand.
    pub(super) fn find_in_order(
        &mut self,
        shard: &Shard,
        range: TimeRange,
        chunks_max: usize,
        out: &mut Vec<FoundPoint>,
    ) -> Result<(), ChunkError> {
        let Some(series) = shard.get(self.place) else {
            self.in_order = Cursor::new(0);
            return Ok(());
        };
        let extras = shard.extras.get(&self.place);
        for _ in 0..chunks_max {
            let mut ordinal = self.visible.in_order - self.in_order.left;
            let each = |timestamp_ms, value| {
                if timestamp_ms > range.end_ms {
                    return ControlFlow::Break(());
                }
                if timestamp_ms >= range.start_ms {
                    let list = List::InOrder;
                    out.push(FoundPoint::new(timestamp_ms, value, list, ordinal, extras));
                }
                ordinal += 1;
                ControlFlow::Continue(())
            };
            series
                .in_order
                .read(&shard.times, &mut self.in_order, range, 1, each)?;
        }
        Ok(())
    }

    /// As [`SeriesReader::read_overflow`], with where the samples stand.
    pub(super) fn find_overflow(
        &mut self,
        shard: &Shard,
        range: TimeRange,
        chunks_max: usize,
        out: &mut Vec<FoundPoint>,
    ) -> Result<(), ChunkError> {
        let late = shard.get(self.place).and_then(|s| s.overflow.as_deref());
        let Some(late) = late.filter(|late| late.range.overlaps(range)) else {
            self.overflow = Cursor::new(0);
            return Ok(());
        };
        let extras = shard.extras.get(&self.place);
        for _ in 0..chunks_max {
            let mut ordinal = self.visible.overflow - self.overflow.left;
            let each = |timestamp_ms, value| {
                if range.contains(timestamp_ms) {
                    let list = List::Overflow;
                    out.push(FoundPoint::new(timestamp_ms, value, list, ordinal, extras));
                }
                ordinal += 1;
                ControlFlow::Continue(())
            };
            late.chunks.read(&mut self.overflow, range, 1, each)?;
        }
        Ok(())
    }
}

/// A sample of a series, and where it stands there.
#[derive(Clone, Copy, Debug)]
pub(super) struct FoundPoint {
    pub(super) timestamp_ms: i64,
    /// The float; nothing for a histogram.
    pub(super) value: f64,
    pub(super) list: List,
    pub(super) ordinal: u64,
    pub(super) is_histogram: bool,
}

impl FoundPoint {
    fn new(
        timestamp_ms: i64,
        value: f64,
        list: List,
        ordinal: u64,
        extras: Option<&Extras>,
    ) -> Self {
        Self {
            timestamp_ms,
            value,
            list,
            ordinal,
            is_histogram: extras.is_some_and(|extras| extras.is_histogram(list, ordinal)),
        }
    }
}
