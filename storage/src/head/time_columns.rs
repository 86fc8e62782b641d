//! The timestamps of a shard's series, shared where series have the same ones.
//!
//! The series of one target are scraped together, so the first of them to get a sample adds its
//! timestamp to a column and the others find it there. A series keeps to its column as long as
//! its next timestamp is the column's next one too. It takes another one when the column is full,
//! or when the two part: when it missed a scrape, or shared its last column by chance.
//!
//! The columns that series begin in are full earlier than others, each at a count of its own. All
//! series of a head get their first samples within a moment when the head before it is frozen, and
//! would come to the end of chunk after chunk within a moment, too: tens of milliseconds in which
//! writes wait.

use crate::chunk::{CHUNK_SAMPLES_MAX, TimeColumn};

/// Columns that are remembered by their last timestamp, as a power of two.
const RECENT_BITS: u32 = 5;
/// How many timestamps a column that series begin in takes at least: half a chunk's.
const FIRST_MIN: u16 = CHUNK_SAMPLES_MAX / 2;

/// The columns of a shard. They are never dropped: each has samples of the series that made it.
#[derive(Debug, Default)]
pub(super) struct TimeColumns {
    columns: Vec<TimeColumn>,
    /// How many timestamps each of them takes.
    counts_max: Vec<u8>,
    /// Columns that grew of late, by a hash of their last timestamp then.
    recent: [ColumnId; 1 << RECENT_BITS],
    bytes: usize,
}

/// A column of a [`TimeColumns`], for as long as that lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct ColumnId(u32);

/// Where a series that needs a column may find itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Join {
    /// In any column that ends with its timestamp, it being the first of the series.
    First,
    /// In any column that ends with its timestamp, the last one being full.
    Any,
    /// In one that begins with it: it has parted from others and must not come back to them, to
    /// part again.
    Beginning,
}

impl ColumnId {
    /// The place of the column in [`TimeColumns::iter`].
    pub(super) fn number(self) -> u32 {
        self.0
    }
}

impl TimeColumns {
    /// All columns.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &TimeColumn> {
        self.columns.iter()
    }

    /// A column.
    pub(super) fn get(&self, id: ColumnId) -> Option<&TimeColumn> {
        self.columns.get(id.0 as usize)
    }

    /// How many timestamps a column takes, 0 for one that is not there.
    fn count_max(&self, id: ColumnId) -> usize {
        self.counts_max
            .get(id.0 as usize)
            .copied()
            .unwrap_or_default()
            .into()
    }

    /// Whether a column takes nothing at a place, as it ends before.
    pub(super) fn ends_before(&self, id: ColumnId, place: usize) -> bool {
        place >= self.count_max(id)
    }

    /// Bytes of all columns, with unused room.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a column has the timestamp at a place, which it is given there if it ends before.
    #[inline]
    pub(super) fn advance(&mut self, id: ColumnId, place: usize, timestamp_ms: i64) -> bool {
        let Some(column) = self.columns.get_mut(id.0 as usize) else {
            return false;
        };
        let count = column.count();
        if place < count {
            return column.get(place) == Some(timestamp_ms);
        }
        let count_max = self.counts_max.get(id.0 as usize);
        if place > count || count_max.is_none_or(|&max| count >= usize::from(max)) {
            return false;
        }
        let before = column.capacity_bytes();
        if !column.push(timestamp_ms) {
            return false;
        }
        self.bytes += column.capacity_bytes() - before;
        self.recent[slot(timestamp_ms)] = id;
        true
    }

    /// A column that has the timestamp at the place returned, its last one: one of those of late
    /// or a new one.
    #[expect(clippy::expect_used, reason = "u32::MAX columns would be 160 GB")]
    pub(super) fn join(&mut self, timestamp_ms: i64, join: Join) -> (ColumnId, u8) {
        let slot = slot(timestamp_ms);
        let recent = self.recent[slot];
        if let Some(column) = self.get(recent) {
            let count = column.count();
            let joins = match join {
                // One new to a column that is fuller would soon have to take another one.
                Join::First | Join::Any => count <= self.count_max(recent) * 3 / 4,
                Join::Beginning => count == 1,
            };
            if joins && column.last_ms() == timestamp_ms {
                return (recent, (count - 1) as u8);
            }
        }
        let id = ColumnId(u32::try_from(self.columns.len()).expect("memory ends before"));
        if self.columns.len() == self.columns.capacity() {
            let more = 4 + self.columns.len() / 4;
            self.columns.reserve_exact(more);
            self.counts_max.reserve_exact(more);
        }
        self.columns.push(TimeColumn::new(timestamp_ms));
        self.counts_max.push(match join {
            Join::First => first_count_max(timestamp_ms),
            Join::Any | Join::Beginning => CHUNK_SAMPLES_MAX as u8,
        });
        self.bytes += size_of::<TimeColumn>() + size_of::<u8>();
        self.recent[slot] = id;
        (id, 0)
    }
}

/// The place of a column in the list of recent ones.
fn slot(timestamp_ms: i64) -> usize {
    (spread(timestamp_ms) >> (64 - RECENT_BITS)) as usize
}

/// How many timestamps a column takes that series begin in: from [`FIRST_MIN`] to below
/// [`CHUNK_SAMPLES_MAX`], the same in all shards, so that a target's series stay together.
fn first_count_max(timestamp_ms: i64) -> u8 {
    let counts = u64::from(CHUNK_SAMPLES_MAX - FIRST_MIN);
    let more = (u128::from(spread(timestamp_ms)) * u128::from(counts)) >> 64;
    (u64::from(FIRST_MIN) + more as u64) as u8
}

/// The golden ratio's bits spread timestamps that differ by little.
fn spread(timestamp_ms: i64) -> u64 {
    (timestamp_ms as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_of_a_scrape_share_a_column_and_part_for_good() {
        let mut columns = TimeColumns::default();
        let (first, place) = columns.join(1000, Join::Any);
        assert_eq!(columns.join(1000, Join::Any), (first, place));
        let (other, _) = columns.join(1001, Join::Any);
        assert_ne!(other, first);
        // Whoever comes first adds the timestamp, the others find it.
        for _ in 0..3 {
            assert!(columns.advance(first, 1, 2000));
            assert!(columns.advance(other, 1, 2001));
        }
        assert!(!columns.advance(first, 1, 2001));
        assert!(!columns.advance(first, 3, 4000), "place 2 is empty");
        assert!(!columns.advance(first, 2, 2000));
        assert_eq!(columns.join(2000, Join::Any), (first, 1));
        let (parted, place) = columns.join(2000, Join::Beginning);
        assert!(parted != first && place == 0);
        assert_eq!(columns.join(2000, Join::Beginning), (parted, 0));
    }

    #[test]
    fn a_column_takes_no_more_than_a_chunk_has() {
        let mut columns = TimeColumns::default();
        let (id, _) = columns.join(0, Join::Any);
        for place in 1..120 {
            assert!(columns.advance(id, place, place as i64));
        }
        assert!(!columns.advance(id, 120, 120));
        assert_ne!(columns.join(119, Join::Any).0, id, "too full to join");
    }

    #[test]
    fn columns_that_series_begin_in_end_at_different_counts() {
        let mut ends = [0; 120];
        for offset_ms in 0..1500 {
            let mut columns = TimeColumns::default();
            let first_ms = 1_700_000_000_000 + offset_ms * 10;
            let (id, _) = columns.join(first_ms, Join::First);
            let times_ms = (1..).map(|at| first_ms + at * 15_000);
            let count = 1 + times_ms
                .zip(1..)
                .take_while(|&(at_ms, place)| columns.advance(id, place, at_ms))
                .count();
            assert!(columns.ends_before(id, count));
            ends[count] += 1;
            // The next one is as long as others.
            let (next, _) = columns.join(first_ms + 9_000_000, Join::Any);
            let goes_on = (1..200).take_while(|&place| {
                columns.advance(next, place, first_ms + 9_000_000 + place as i64)
            });
            assert_eq!(goes_on.count() + 1, 120);
        }
        assert!(ends[..60].iter().all(|&count| count == 0), "{ends:?}");
        assert!(
            ends[60..].iter().all(|&count| (10..50).contains(&count)),
            "{ends:?}"
        );
    }
}
