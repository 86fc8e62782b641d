//! The timestamps of a shard's series, shared where series have the same ones.
//!
//! The series of one target are scraped together, so the first of them to get a sample adds its
//! timestamp to a column and the others find it there. A series keeps to its column as long as
//! its next timestamp is the column's next one too. It takes another one when the column is full,
//! or when the two part: when it missed a scrape, or shared its last column by chance.

use crate::chunk::{CHUNK_SAMPLES_MAX, TimeColumn};

/// Columns that are remembered by their last timestamp, as a power of two.
const RECENT_BITS: u32 = 5;
/// A series new to a column that is fuller than this would soon have to take another one.
const JOIN_MAX: usize = CHUNK_SAMPLES_MAX as usize * 3 / 4;

/// The columns of a shard. They are never dropped: each has samples of the series that made it.
#[derive(Debug, Default)]
pub(super) struct TimeColumns {
    columns: Vec<TimeColumn>,
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
    /// In any column that ends with its timestamp.
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
        let before = column.capacity_bytes();
        if place > count || !column.push(timestamp_ms) {
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
                Join::Any => count <= JOIN_MAX,
                Join::Beginning => count == 1,
            };
            if joins && column.last_ms() == timestamp_ms {
                return (recent, (count - 1) as u8);
            }
        }
        let id = ColumnId(u32::try_from(self.columns.len()).expect("memory ends before"));
        if self.columns.len() == self.columns.capacity() {
            self.columns.reserve_exact(4 + self.columns.len() / 4);
        }
        self.columns.push(TimeColumn::new(timestamp_ms));
        self.bytes += size_of::<TimeColumn>();
        self.recent[slot] = id;
        (id, 0)
    }
}

/// The place of a column in the list of recent ones.
fn slot(timestamp_ms: i64) -> usize {
    // The golden ratio's bits spread timestamps that differ by little.
    let hash = (timestamp_ms as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (hash >> (64 - RECENT_BITS)) as usize
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
}
