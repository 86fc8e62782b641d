//! The samples of one series that came in rising order of time: values in chunks of their own,
//! timestamps in columns shared with other series.

use std::ops::ControlFlow;

use super::chunk_list::Cursor;
use super::time_columns::{ColumnId, Join, TimeColumns};
use crate::chunk::{
    CHUNK_SAMPLES_MAX, ChunkError, OpenValues, OrderedChunk, SealedValues, TimeColumn, ValuesRef,
};
use crate::model::TimeRange;

/// Sealed chunks and the open one, which has a sample if there is one at all. Samples are only
/// ever added at the end, so the first n of them are the same for ever.
///
/// All methods take the time columns of the series' shard.
#[derive(Debug, Default)]
pub(super) struct InOrder {
    /// None before the first is full: most series of a young head have none.
    sealed: Option<Box<SealedList>>,
    open: OpenValues,
    /// Timestamps of the open chunk: as many as it has values, from place `start` on.
    column: ColumnId,
    start: u8,
}

/// Sealed chunks, out of line.
#[derive(Debug, Default)]
struct SealedList {
    chunks: Vec<Sealed>,
}

/// Where a timestamp was found for one series, and so may be for the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    column: ColumnId,
    /// Beyond all columns where none was found yet.
    place: usize,
}

impl Default for Found {
    fn default() -> Self {
        Self {
            column: ColumnId::default(),
            place: usize::MAX,
        }
    }
}

#[derive(Debug)]
struct Sealed {
    values: SealedValues,
    column: ColumnId,
    start: u8,
    count: u8,
}

/// The first samples of a chunk, sealed or open.
#[derive(Debug)]
struct Chunk<'a> {
    values: ValuesRef<'a>,
    times: &'a TimeColumn,
    start: usize,
    /// How many, at least 1.
    count: u8,
}

impl InOrder {
    /// How many samples there are.
    pub(super) fn len(&self) -> u64 {
        let sealed: u64 = self
            .sealed()
            .iter()
            .map(|chunk| u64::from(chunk.count))
            .sum();
        sealed + u64::from(self.open.count())
    }

    fn sealed(&self) -> &[Sealed] {
        self.sealed.as_ref().map_or(&[], |sealed| &sealed.chunks)
    }

    /// Timestamp and bits of the value of the sample added last.
    pub(super) fn last(&self, times: &TimeColumns) -> Option<(i64, u64)> {
        let last = self.next_place().checked_sub(1)?;
        Some((times.get(self.column)?.get(last)?, self.open.last()))
    }

    /// The value added last; 0 where a chunk begins.
    pub(super) fn last_value(&self) -> f64 {
        f64::from_bits(self.open.last())
    }

    /// The place of the next sample in the column of the open chunk, 0 before the first.
    fn next_place(&self) -> usize {
        usize::from(self.start) + usize::from(self.open.count())
    }

    /// Adds a sample, unless it is at or before the last one. Returns by how many bytes the
    /// chunks and columns grew.
    #[inline]
    pub(super) fn push(
        &mut self,
        times: &mut TimeColumns,
        timestamp_ms: i64,
        value: f64,
    ) -> Option<isize> {
        let before = times.bytes() + self.open.capacity_bytes();
        let mut sealed_bytes = 0;
        let place = self.next_place();
        if place == 0 || !times.advance(self.column, place, timestamp_ms) {
            if self
                .last(times)
                .is_some_and(|(last_ms, _)| timestamp_ms <= last_ms)
            {
                return None;
            }
            sealed_bytes = self.start_chunk(times, timestamp_ms);
        }
        self.open.push(value);
        let after = times.bytes() + self.open.capacity_bytes() + sealed_bytes;
        Some(after as isize - before as isize)
    }

    /// Whether a sample with a timestamp that was found for another series goes on in the open
    /// chunk.
    #[inline]
    pub(super) fn is_at(&self, found: Found) -> bool {
        (self.column == found.column) & (self.next_place() == found.place)
    }

    /// Whether a sample at that time goes on in the open chunk, beside a timestamp that the column
    /// then has; where it was found, and by how many bytes the columns grew for it.
    pub(super) fn goes_on(
        &self,
        times: &mut TimeColumns,
        timestamp_ms: i64,
    ) -> Option<(Found, usize)> {
        let (column, place) = (self.column, self.next_place());
        let before = times.bytes();
        let goes_on = place > 0 && times.advance(column, place, timestamp_ms);
        goes_on.then(|| (Found { column, place }, times.bytes() - before))
    }

    /// Adds the value of a sample that goes on in the open chunk, if that takes no room; says
    /// whether it did.
    #[inline]
    pub(super) fn repeat(&mut self, value: f64) -> bool {
        self.open.repeat(value)
    }

    /// Adds the value of a sample that goes on in the open chunk. Returns by how many bytes the
    /// chunk grew.
    #[inline]
    pub(super) fn push_value(&mut self, value: f64) -> isize {
        let before = self.open.capacity_bytes();
        self.open.push(value);
        self.open.capacity_bytes() as isize - before as isize
    }

    /// A byte near to where the next value goes.
    #[inline]
    pub(super) fn next_byte(&self) -> u8 {
        self.open.next_byte()
    }

    /// Seals the open chunk, if it has samples, and finds a column with the timestamp for the
    /// next one. Returns the bytes of the sealed chunk.
    #[cold]
    fn start_chunk(&mut self, times: &mut TimeColumns, timestamp_ms: i64) -> usize {
        let mut bytes = 0;
        let count = self.open.count();
        if count > 0 {
            let sealed = Sealed {
                values: self.open.seal(),
                column: self.column,
                start: self.start,
                count,
            };
            bytes = size_of::<Sealed>() + sealed.values.heap_bytes();
            let list = &mut self.sealed.get_or_insert_default().chunks;
            if list.len() == list.capacity() {
                // Most lists stay short: doubling would cost more than the samples of some chunks.
                list.reserve_exact(1 + list.len() / 4);
            }
            list.push(sealed);
        }
        let join = match count {
            0 => Join::First,
            // All that were in it leave it now.
            _ if times.ends_before(self.column, self.next_place()) => Join::Any,
            _ => Join::Beginning,
        };
        (self.column, self.start) = times.join(timestamp_ms, join);
        bytes
    }

    /// All chunks as they are, the open one last.
    pub(super) fn chunks<'a>(
        &'a self,
        times: &'a TimeColumns,
    ) -> impl Iterator<Item = OrderedChunk<'a>> {
        let open = (
            self.open.values(),
            self.column,
            self.start,
            self.open.count(),
        );
        let sealed = self.sealed().iter();
        sealed
            .map(|chunk| {
                (
                    chunk.values.values(),
                    chunk.column,
                    chunk.start,
                    chunk.count,
                )
            })
            .chain((open.3 > 0).then_some(open))
            .filter_map(|(values, column, start, count)| {
                Some(OrderedChunk {
                    column: column.number(),
                    times: times.get(column)?,
                    start,
                    count,
                    values,
                })
            })
    }

    /// The first `left` samples of a chunk, or all if it has fewer; none after the last chunk,
    /// or where nothing is left.
    fn chunk<'a>(&'a self, times: &'a TimeColumns, index: usize, left: u64) -> Option<Chunk<'a>> {
        let (values, column, start, count) = match self.sealed().get(index) {
            Some(sealed) => (
                sealed.values.values(),
                sealed.column,
                sealed.start,
                sealed.count,
            ),
            None if index == self.sealed().len() => (
                self.open.values(),
                self.column,
                self.start,
                self.open.count(),
            ),
            None => return None,
        };
        let count = u8::try_from(left).map_or(count, |left| left.min(count));
        (count > 0).then_some(Chunk {
            values,
            times: times.get(column)?,
            start: usize::from(start),
            count,
        })
    }

    /// Reads on from `cursor`, at most `chunks_max` chunks of those that may hold a sample in
    /// `range`; the samples of such a chunk outside of the range are handed out too. Ends when
    /// `each` breaks.
    pub(super) fn read(
        &self,
        times: &TimeColumns,
        cursor: &mut Cursor,
        range: TimeRange,
        chunks_max: usize,
        mut each: impl FnMut(i64, f64) -> ControlFlow<()>,
    ) -> Result<(), ChunkError> {
        for _ in 0..chunks_max {
            let Some(chunk) = self.chunk(times, cursor.chunk, cursor.left) else {
                cursor.left = 0;
                return Ok(());
            };
            cursor.chunk += 1;
            cursor.left -= u64::from(chunk.count);
            if range.overlaps(chunk.range()) && chunk.for_each(&mut each)?.is_break() {
                cursor.left = 0;
            }
        }
        Ok(())
    }

    /// Whether one of the first `samples` samples lies in `range`.
    pub(super) fn any_in(&self, times: &TimeColumns, samples: u64, range: TimeRange) -> bool {
        let mut left = samples;
        for index in 0..=self.sealed().len() {
            let Some(chunk) = self.chunk(times, index, left) else {
                return false;
            };
            left -= u64::from(chunk.count);
            if range.overlaps(chunk.range()) && chunk.any_in(range) {
                return true;
            }
        }
        false
    }
}

impl Chunk<'_> {
    /// From the first timestamp to the last.
    fn range(&self) -> TimeRange {
        let at = |place| self.times.get(place).unwrap_or(self.times.last_ms());
        let first_ms = match self.start {
            0 => self.times.first_ms(),
            start => at(start),
        };
        TimeRange::new(first_ms, at(self.start + usize::from(self.count) - 1))
    }

    /// Copies its timestamps into `buffer`.
    fn copy_times<'b>(
        &self,
        buffer: &'b mut [i64; CHUNK_SAMPLES_MAX as usize],
    ) -> Result<&'b [i64], ChunkError> {
        let count = usize::from(self.count);
        let copied = match buffer.get_mut(..count) {
            Some(out) => self.times.copy(self.start, out),
            None => 0,
        };
        if copied < count {
            // Only a bug gives a chunk more values than timestamps.
            let sample = copied as u16;
            return Err(ChunkError::Corrupt { sample });
        }
        Ok(&buffer[..count])
    }

    fn for_each(
        &self,
        mut each: impl FnMut(i64, f64) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ChunkError> {
        let mut buffer = [0; CHUNK_SAMPLES_MAX as usize];
        let mut times = self.copy_times(&mut buffer)?.iter();
        self.values
            .for_each(u16::from(self.count), |value| match times.next() {
                Some(&timestamp_ms) => each(timestamp_ms, value),
                None => ControlFlow::Break(()),
            })
    }

    fn any_in(&self, range: TimeRange) -> bool {
        let all = self.range();
        if range.contains(all.start_ms) || range.contains(all.end_ms) {
            return true;
        }
        let mut buffer = [0; CHUNK_SAMPLES_MAX as usize];
        self.copy_times(&mut buffer)
            .is_ok_and(|times| times.iter().any(|&t| range.contains(t)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a series does at a scrape.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        /// A sample with the scrape's timestamp.
        Scraped,
        /// None.
        Missed,
        /// A sample some milliseconds after the scrape's timestamp.
        Own(i64),
        /// One with the timestamp before, which is refused.
        Late,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            40 => Just(Step::Scraped),
            1 => Just(Step::Missed),
            1 => (1..3i64).prop_map(Step::Own),
            1 => Just(Step::Late),
        ]
    }

    fn read(
        list: &InOrder,
        times: &TimeColumns,
        samples: usize,
        range: TimeRange,
    ) -> Vec<(i64, u64)> {
        let mut read = Vec::new();
        let mut cursor = Cursor::new(samples as u64);
        while !cursor.is_done() {
            list.read(times, &mut cursor, range, 1, |timestamp_ms, value| {
                if range.contains(timestamp_ms) {
                    read.push((timestamp_ms, value.to_bits()));
                }
                ControlFlow::Continue(())
            })
            .unwrap();
        }
        read
    }

    proptest! {
        /// Series of a few targets in one shard, in any order, with scrapes missed and
        /// timestamps of their own: each reads as if it were alone, and any of its first
        /// samples as they were.
        #[test]
        fn series_that_share_columns_read_as_if_alone(
            steps in prop::collection::vec(prop::collection::vec(step(), 5), 1..300),
            cut in any::<prop::sample::Index>(),
            from in 0..300i64,
            scrapes in 0..300i64,
        ) {
            let mut times = TimeColumns::default();
            let mut lists: Vec<_> = (0..5).map(|_| (InOrder::default(), Vec::new())).collect();
            for (scrape, steps) in (0i64..).zip(steps) {
                for (series, (step, (list, model))) in steps.iter().zip(&mut lists).enumerate() {
                    // Every other series is of another target, with the same timestamps at times.
                    let offset_ms = if series % 2 == 1 { scrape % 7 / 3 } else { 0 };
                    let scraped_ms = scrape * 1000 + offset_ms;
                    let last_ms = model.last().map(|&(t, _): &(i64, u64)| t);
                    let timestamp_ms = match (step, last_ms) {
                        (Step::Missed, _) | (Step::Late, None) => continue,
                        (Step::Scraped, _) => scraped_ms,
                        (Step::Own(offset_ms), _) => scraped_ms + offset_ms,
                        (Step::Late, Some(last_ms)) => last_ms - i64::from(series == 1),
                    };
                    let value = (scrape / 3 * series as i64) as f64;
                    let pushed = list.push(&mut times, timestamp_ms, value);
                    let rises = last_ms.is_none_or(|last_ms| last_ms < timestamp_ms);
                    prop_assert_eq!(pushed.is_some(), rises);
                    if rises {
                        model.push((timestamp_ms, value.to_bits()));
                    }
                }
            }
            let range = TimeRange::new(from * 1000 + 1, (from + scrapes) * 1000 + 1);
            for (list, model) in &lists {
                prop_assert_eq!(list.len(), model.len() as u64);
                prop_assert_eq!(list.last(&times), model.last().copied());
                let first = cut.index(model.len() + 1);
                for samples in [first, model.len()] {
                    for range in [TimeRange::ALL, range] {
                        let seen: Vec<_> = model[..samples]
                            .iter()
                            .copied()
                            .filter(|&(t, _)| range.contains(t))
                            .collect();
                        let any = list.any_in(&times, samples as u64, range);
                        prop_assert_eq!(any, !seen.is_empty());
                        prop_assert_eq!(read(list, &times, samples, range), seen);
                    }
                }
            }
        }
    }

    #[test]
    fn bytes_are_counted_and_a_scrape_costs_little() {
        let mut times = TimeColumns::default();
        let mut lists: Vec<InOrder> = (0..1000).map(|_| InOrder::default()).collect();
        let mut bytes = 0;
        for scrape in 0..300 {
            for list in &mut lists {
                bytes += list.push(&mut times, scrape * 15_000, 1.0).unwrap();
            }
        }
        // Constant: two sealed chunks each, and one column for every 120 scrapes.
        assert_eq!(
            bytes as usize,
            1000 * 2 * size_of::<Sealed>() + times.bytes()
        );
        assert!(times.bytes() < 3 * 400, "{}", times.bytes());
    }
}
