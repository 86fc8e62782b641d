//! Timestamps that series share.

use std::hash::BuildHasher;
use std::ops::Range;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::error::MergeError;
use super::pass::Wanted;

/// How many timestamps are kept: 8 MiB.
const KEPT: usize = 1 << 20;

/// Where timestamps of a series stand in a source. Equal ones have equal timestamps.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct TimesRef {
    /// The source.
    pub(super) input: u32,
    /// How many there are.
    pub(super) count: u32,
    /// The column, as the source calls it.
    pub(super) column: u64,
    /// The place of the first of them in the column.
    pub(super) start: u32,
}

/// The timestamps of a series that others may share.
#[derive(Debug)]
pub(super) struct SharedTimes {
    places: Box<[TimesRef]>,
    /// In the order of the places.
    pub(super) times_ms: Box<[i64]>,
    /// Whether they rise, so that they can be cut; none is there twice then.
    pub(super) rises: bool,
    /// Which of them lie in each output, if they rise.
    pub(super) cuts: Vec<Range<usize>>,
}

/// Timestamps by where they stand: the series of a target have the same, and they come one far
/// from the other in the order of labels.
#[derive(Debug, Default)]
pub(super) struct TimesCache {
    all: Vec<SharedTimes>,
    table: HashTable<usize>,
    hasher: RandomState,
    held: usize,
}

impl TimesCache {
    /// The number of the timestamps that stand at `places`, until another is asked for; `read`
    /// adds those of one place. They are cut as `wanted`, the same each time.
    pub(super) fn find(
        &mut self,
        places: &[TimesRef],
        wanted: Wanted<'_>,
        mut read: impl FnMut(&TimesRef, &mut Vec<i64>) -> Result<(), MergeError>,
    ) -> Result<usize, MergeError> {
        let hash = self.hasher.hash_one(places);
        let all = &self.all;
        if let Some(&found) = self.table.find(hash, |&own| *all[own].places == *places) {
            return Ok(found);
        }
        let mut times_ms = Vec::with_capacity(places.iter().map(|p| p.count as usize).sum());
        for place in places {
            read(place, &mut times_ms)?;
        }
        if self.held > 0 && self.held + times_ms.len() > KEPT {
            self.all.clear();
            self.table.clear();
            self.held = 0;
        }
        // What a place takes counts too.
        self.held += times_ms.len() + places.len() * 4;
        let rises = times_ms.is_sorted_by(|one, next| one < next);
        let mut cuts = Vec::new();
        if rises {
            cut(&times_ms, |&t| t, wanted, &mut cuts)?;
        }
        let number = self.all.len();
        self.all.push(SharedTimes {
            places: places.into(),
            times_ms: times_ms.into(),
            rises,
            cuts,
        });
        let (all, hasher) = (&self.all, &self.hasher);
        let hash_of = |&own: &usize| hasher.hash_one(&*all[own].places);
        self.table.insert_unique(hash, number, hash_of);
        Ok(number)
    }

    /// The timestamps of a number that [`TimesCache::find`] gave last.
    pub(super) fn get(&self, number: usize) -> &SharedTimes {
        &self.all[number]
    }
}

/// Puts which of some items, in order of time, lie in each of the ranges into `out`, which is
/// emptied first.
///
/// # Errors
/// [`MergeError::Outside`] where one lies in none of them.
pub(super) fn cut<T>(
    items: &[T],
    at_ms: impl Fn(&T) -> i64,
    wanted: Wanted<'_>,
    out: &mut Vec<Range<usize>>,
) -> Result<(), MergeError> {
    out.clear();
    if items.is_empty() {
        out.resize(wanted.ranges.len(), 0..0);
        return Ok(());
    }
    let before = |limit_ms: i64| items.partition_point(|item| at_ms(item) < limit_ms);
    let upto = |limit_ms: i64| items.partition_point(|item| at_ms(item) <= limit_ms);
    let check = |from: usize, to: usize| match items.get(from..to) {
        Some([first, ..]) => Err(MergeError::Outside {
            timestamp_ms: at_ms(first),
        }),
        _ => Ok(()),
    };
    let mut reached = before(wanted.span.start_ms);
    for range in wanted.ranges {
        let own = before(range.start_ms)..upto(range.end_ms);
        check(reached, own.start)?;
        reached = own.end;
        out.push(own);
    }
    check(reached, upto(wanted.span.end_ms))
}
