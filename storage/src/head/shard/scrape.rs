//! Adding many floats of one timestamp, as a scrape brings them.

use std::hint::black_box;

use super::{Group, Placed, SHARD_SERIES, Series, Shard, TimeColumns};
use crate::head::in_order::Found;
use crate::model::{FloatRow, FloatRun, Seq, SeriesId};

/// Shorter ones go one by one: two passes have a price of their own.
const TWO_PASSES_MIN: usize = 16;

/// Floats of one timestamp for series of one shard, whose ids rise: none comes twice.
pub(in crate::head) trait Scrape: Copy {
    fn len(self) -> usize;

    fn get(self, at: usize) -> Option<FloatRow>;
}

impl Scrape for &[FloatRow] {
    fn len(self) -> usize {
        self.len()
    }

    #[inline]
    fn get(self, at: usize) -> Option<FloatRow> {
        <[FloatRow]>::get(self, at).copied()
    }
}

impl Scrape for (FloatRun, &[f64]) {
    fn len(self) -> usize {
        self.1.len()
    }

    #[inline]
    fn get(self, at: usize) -> Option<FloatRow> {
        let (run, values) = self;
        values.get(at).map(|&value| FloatRow {
            series: SeriesId(run.first.0.wrapping_add(at as u32)),
            timestamp_ms: run.timestamp_ms,
            value,
        })
    }
}

impl Shard {
    /// Adds floats as [`Shard::append`] does one by one; `each` is told what became of each that
    /// did not go to the end of its chunk. Of those that did, returns how many there are and by
    /// how many bytes chunks and time columns grew.
    ///
    /// First come the timestamps and the values that repeat, then the values that take a code: of
    /// those the memory is asked for in advance, so that they wait for it together.
    pub(in crate::head) fn append_scrape(
        &mut self,
        rows: impl Scrape,
        group: &Group<'_>,
        mut each: impl FnMut(&FloatRow, Option<Placed>),
    ) -> (u64, isize) {
        let mut pass = FirstPass {
            seq: group.seq,
            floor: group.floor(),
            found: Found::default(),
            coded: [0; SHARD_SERIES as usize],
            codes: 0,
            grown: 0,
        };
        let (mut at, mut count) = (0, 0);
        while at < rows.len() {
            if self.older.is_empty() && rows.len() >= TWO_PASSES_MIN {
                let end = pass.go_on(&mut self.series, &mut self.times, rows, at);
                count += (end - at) as u64;
                at = end;
            }
            if let Some(row) = rows.get(at) {
                each(&row, self.append(&row, group));
                at += 1;
            }
        }
        let coded = pass.coded.get(..pass.codes).unwrap_or_default();
        (count, pass.grown + self.push_coded(rows, coded))
    }

    /// Adds the values at those places of the rows.
    fn push_coded(&mut self, rows: impl Scrape, coded: &[u16]) -> isize {
        let series = |&at: &u16| {
            let place = place_of(rows.get(at.into())?.series);
            self.series.get(place)?.as_ref()
        };
        let ahead = coded.iter().filter_map(series);
        black_box(ahead.fold(0, |all, own| all ^ own.in_order.next_byte()));
        let mut grown = 0;
        for &at in coded {
            if let Some(row) = rows.get(at.into())
                && let Some(Some(own)) = self.series.get_mut(place_of(row.series))
            {
                grown += own.in_order.push_value(row.value);
            }
        }
        grown
    }
}

fn place_of(series: SeriesId) -> usize {
    (series.0 % SHARD_SERIES) as usize
}

/// Floats on their way into a shard.
struct FirstPass {
    seq: Seq,
    /// The oldest state that a reader may see.
    floor: Seq,
    found: Found,
    /// Which of the rows take a code that is still to be added.
    coded: [u16; SHARD_SERIES as usize],
    codes: usize,
    /// By how many bytes the time columns grew.
    grown: isize,
}

impl FirstPass {
    /// Adds the timestamps of samples that go on in the chunks of their series, and the values that
    /// repeat, from the row at `at` on. Stops at one that does not go on, or whose series has a
    /// state that a reader may need; returns its place.
    #[inline(never)]
    fn go_on(
        &mut self,
        series: &mut [Option<Series>],
        times: &mut TimeColumns,
        rows: impl Scrape,
        mut at: usize,
    ) -> usize {
        let Self { seq, floor, .. } = *self;
        let mut codes = self.codes;
        while let Some(row) = rows.get(at)
            && let Some(Some(own)) = series.get_mut(place_of(row.series))
        {
            let last = own.last_seq();
            if last > floor && last != seq {
                break;
            }
            if !own.in_order.is_at(self.found) && !self.find(own, times, row.timestamp_ms) {
                break;
            }
            own.count_in(seq);
            // Without a branch, as values that repeat come in no order.
            let slot = codes % self.coded.len();
            self.coded[slot] = at as u16;
            codes += usize::from(!own.in_order.repeat(row.value));
            at += 1;
        }
        self.codes = codes;
        at
    }

    /// Finds where a timestamp is to be for a series, if that is where its chunk goes on.
    #[inline(never)]
    fn find(&mut self, own: &Series, times: &mut TimeColumns, timestamp_ms: i64) -> bool {
        let Some((found, grown)) = own.in_order.goes_on(times, timestamp_ms) else {
            return false;
        };
        self.found = found;
        self.grown += grown as isize;
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A row of a scrape, if the series has one, and whether it takes the scrape's value.
    fn row() -> impl Strategy<Value = Option<u8>> {
        prop_oneof![1 => Just(None), 9 => (0..9u8).prop_map(Some)]
    }

    /// A value by its kind: one that stays, counters, decimals, raw doubles.
    fn value(series: u32, kind: u8, scrape: i64) -> f64 {
        match (series % 5, kind) {
            (0, 1..) => 7.0,
            (1, _) => (scrape * i64::from(series)) as f64,
            (2, 1..) => (scrape * 31 % 17) as f64 / 10.0,
            (3, _) => (scrape as f64 + f64::from(series)).sqrt(),
            _ => f64::from(kind / 4),
        }
    }

    proptest! {
        /// Scrapes of a shard, of which some series are not defined, some miss, some come late
        /// or again, while readers hold on to older states.
        #[test]
        fn a_scrape_leaves_what_its_rows_leave_one_by_one(
            scrapes in prop::collection::vec(
                (
                    prop::collection::vec(row(), 0..60),
                    prop_oneof![8 => Just(0), 1 => 0..4i64],
                    prop::collection::btree_set(0..5u64, 0..2),
                    any::<bool>(),
                ),
                1..150,
            ),
        ) {
            let (mut together, mut alone) = (Shard::default(), Shard::default());
            for id in (0..60).filter(|id| id % 17 != 3) {
                together.define(SeriesId(id));
                alone.define(SeriesId(id));
            }
            let mut seq = 10;
            for (number, (kinds, back, pins, same_group)) in (0..).zip(&scrapes) {
                seq += u64::from(!same_group);
                let pinned: Vec<Seq> = pins.iter().rev().map(|pin| Seq(seq - 1 - pin)).collect();
                let group = Group { seq: Seq(seq), pinned: &pinned };
                let rows: Vec<FloatRow> = (0u32..).zip(kinds).filter_map(|(series, kind)| {
                    let value = value(series, (*kind)?, number);
                    let timestamp_ms = (number - back) * 1000;
                    Some(FloatRow { series: SeriesId(series), timestamp_ms, value })
                }).collect();
                let mut placed = Vec::new();
                let (count, grown) = together.append_scrape(&rows[..], &group, |row, what| {
                    placed.push((row.series, what));
                });
                let (mut alone_count, mut alone_grown) = (0, 0);
                for row in &rows {
                    let what = alone.append(row, &group);
                    if placed.first() == Some(&(row.series, what)) {
                        placed.remove(0);
                    } else if let Some(Placed::InOrder(grown)) = what {
                        alone_count += 1;
                        alone_grown += grown;
                    }
                }
                prop_assert_eq!(placed, []);
                prop_assert_eq!((count, grown), (alone_count, alone_grown));
                prop_assert_eq!(&together.older, &alone.older);
                prop_assert_eq!(together.older_newest, alone.older_newest);
            }
            let state = |shard: &Shard| format!("{:?} {:?}", shard.series, shard.times);
            prop_assert_eq!(state(&together), state(&alone));
        }
    }
}
