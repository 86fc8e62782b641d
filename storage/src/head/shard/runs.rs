//! Adding many floats of one timestamp, as a replay does.

use std::hint::black_box;

use super::{Group, Placed, SHARD_SERIES, Series, Shard, TimeColumns};
use crate::head::in_order::Found;
use crate::model::{FloatRow, FloatRun, Seq, SeriesId};

/// Shorter runs go one by one: two passes have a price of their own.
const TWO_PASSES_MIN: usize = 16;

impl Shard {
    /// Adds floats of one timestamp to series of this shard, as [`Shard::append`] does one by one;
    /// `each` is told what became of each that did not go to the end of its chunk. Of those that
    /// did, returns how many there are and by how many bytes chunks and time columns grew.
    ///
    /// First come the timestamps and the values that repeat, then the values that take a code: of
    /// those the memory is asked for in advance, so that they wait for it together.
    pub(in crate::head) fn append_run(
        &mut self,
        run: FloatRun,
        values: &[f64],
        group: &Group<'_>,
        mut each: impl FnMut(SeriesId, Option<Placed>),
    ) -> (u64, isize) {
        let is_pinned = !(self.older.is_empty() && group.pinned.is_empty());
        if is_pinned || values.len() < TWO_PASSES_MIN {
            for (series, &value) in run.ids().zip(values) {
                let row = FloatRow {
                    series,
                    timestamp_ms: run.timestamp_ms,
                    value,
                };
                each(series, self.append(&row, group));
            }
            return (0, 0);
        }
        let mut pass = RunPass {
            seq: group.seq,
            timestamp_ms: run.timestamp_ms,
            found: Found::default(),
            coded: [0; SHARD_SERIES as usize],
            codes: 0,
            grown: 0,
        };
        let first = (run.first.0 % SHARD_SERIES) as usize;
        let (mut at, mut count) = (0, 0);
        while let Some(rest) = values.get(at..)
            && let Some(&value) = rest.first()
        {
            let slots = self.series.get_mut(first + at..).unwrap_or_default();
            let done = pass.go_on(slots, &mut self.times, first + at, rest);
            at += done;
            count += done as u64;
            if done > 0 {
                continue;
            }
            let row = FloatRow {
                series: SeriesId(run.first.0.wrapping_add(at as u32)),
                timestamp_ms: run.timestamp_ms,
                value,
            };
            at += 1;
            each(row.series, self.append(&row, group));
        }
        let RunPass { coded, codes, .. } = pass;
        let coded = coded.get(..codes).unwrap_or_default();
        (count, pass.grown + self.push_coded(first, values, coded))
    }

    /// Adds those values of a run that take a code: of the series at `places`, where the run has
    /// that at `first` first.
    fn push_coded(&mut self, first: usize, values: &[f64], places: &[u16]) -> isize {
        let series = |place: &u16| self.series.get(usize::from(*place))?.as_ref();
        let ahead = places.iter().filter_map(series);
        black_box(ahead.fold(0, |all, own| all ^ own.in_order.next_byte()));
        let mut grown = 0;
        for &place in places {
            let place = usize::from(place);
            if let Some(Some(own)) = self.series.get_mut(place)
                && let Some(&value) = place.checked_sub(first).and_then(|at| values.get(at))
            {
                grown += own.in_order.push_value(value);
            }
        }
        grown
    }
}

/// A run of floats on its way into a shard.
struct RunPass {
    seq: Seq,
    timestamp_ms: i64,
    found: Found,
    /// The places of series whose values take a code and are still to be added.
    coded: [u16; SHARD_SERIES as usize],
    codes: usize,
    /// By how many bytes the time columns grew.
    grown: isize,
}

impl RunPass {
    /// Adds the timestamps of samples that go on in the chunks of series, the first of which is at
    /// `place`, and the values that repeat. Stops before a sample that does not; returns how many
    /// there were.
    fn go_on(
        &mut self,
        slots: &mut [Option<Series>],
        times: &mut TimeColumns,
        mut place: usize,
        values: &[f64],
    ) -> usize {
        let begin = place;
        for (slot, &value) in slots.iter_mut().zip(values) {
            let Some(own) = slot else {
                break;
            };
            let went = own
                .in_order
                .goes_on(times, self.timestamp_ms, &mut self.found);
            let Some(grown) = went else {
                break;
            };
            self.grown += grown as isize;
            own.count_in(self.seq);
            let slot = self.codes % self.coded.len();
            self.coded[slot] = place as u16;
            self.codes += usize::from(!own.in_order.repeat(value));
            place += 1;
        }
        place - begin
    }
}
