//! What a row has beside its floats, in bytes: which of its points are histograms, start
//! timestamps, exemplars.

use crate::chunk::{HistogramRun, StartRun};
use crate::codec::exemplars::{BLOCK_EXEMPLARS, Entry};
use crate::codec::varint::{put_u64, take_u64};
use crate::immutable::{put_exemplars, put_starts, take_starts};
use crate::model::{Exemplar, Seq};

/// Least bytes of a run.
const RUN_BYTES_MIN: u64 = 2;
const CUT: &str = "the marks of a row are cut short";

/// Which points of a row are histograms, and their start timestamps.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Marks {
    /// Runs of points that are histograms.
    pub(super) histograms: Vec<HistogramRun>,
    /// How many there are.
    pub(super) histogram_count: u64,
    pub(super) starts: Vec<StartRun>,
}

impl Marks {
    /// Marks the point with that ordinal as a histogram; those before it are marked already.
    pub(super) fn add_histogram(&mut self, ordinal: u64) {
        let end = self.histograms.last();
        let end = end.map(|run| run.ordinal + (self.histogram_count - run.index));
        if end != Some(ordinal) {
            let index = self.histogram_count;
            self.histograms.push(HistogramRun { ordinal, index });
        }
        self.histogram_count += 1;
    }

    /// Marks the start timestamp of a point; those of points before are marked already.
    pub(super) fn add_start(&mut self, ordinal: u64, timestamp_ms: i64, start_timestamp_ms: i64) {
        let distance = timestamp_ms.wrapping_sub(start_timestamp_ms);
        let mut is_distance = false;
        if let Some(run) = self.starts.last_mut().filter(|run| run.end() == ordinal) {
            let value = if run.is_distance {
                distance
            } else {
                start_timestamp_ms
            };
            if value == run.value && run.count < u32::MAX {
                run.count += 1;
                return;
            }
            // What is not the one may be the other.
            is_distance = !run.is_distance;
        }
        self.starts.push(StartRun {
            ordinal,
            value: if is_distance {
                distance
            } else {
                start_timestamp_ms
            },
            count: 1,
            is_distance,
        });
    }

    /// How many histograms stand before the point with that ordinal, and whether it is one.
    pub(super) fn histograms_before(&self, ordinal: u64) -> (u64, bool) {
        let runs = &self.histograms;
        let after = runs.partition_point(|run| run.ordinal <= ordinal);
        let Some(run) = after.checked_sub(1).and_then(|place| runs.get(place)) else {
            return (0, false);
        };
        let end = runs
            .get(after)
            .map_or(self.histogram_count, |next| next.index);
        let index = run.index.saturating_add(ordinal - run.ordinal);
        (index.min(end), index < end)
    }

    /// Appends what there is of the two.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        if !self.histograms.is_empty() {
            put_u64(out, self.histograms.len() as u64);
            let mut end = 0;
            for (place, run) in self.histograms.iter().enumerate() {
                let next = self.histograms.get(place + 1);
                let count = next.map_or(self.histogram_count, |next| next.index) - run.index;
                put_u64(out, run.ordinal - end);
                put_u64(out, count);
                end = run.ordinal + count;
            }
        }
        if !self.starts.is_empty() {
            put_starts(out, &self.starts);
        }
    }

    /// Reads what a row of `points` points has of the two. Says what is wrong with the bytes.
    pub(super) fn take(
        mut input: &[u8],
        points: u64,
        has_histograms: bool,
        has_starts: bool,
    ) -> Result<Self, &'static str> {
        let mut marks = Self::default();
        if has_histograms {
            marks.take_histograms(&mut input, points)?;
        }
        if has_starts {
            marks.starts = take_starts(&mut input)?;
        }
        match input.is_empty() {
            true => Ok(marks),
            false => Err("a row has more bytes than marks"),
        }
    }

    fn take_histograms(&mut self, input: &mut &[u8], points: u64) -> Result<(), &'static str> {
        let runs = take_u64(input).ok_or(CUT)?;
        if runs == 0 || runs > input.len() as u64 / RUN_BYTES_MIN {
            return Err("a bad number of runs of histograms");
        }
        let mut end = 0u64;
        for _ in 0..runs {
            let (Some(gap), Some(count)) = (take_u64(input), take_u64(input)) else {
                return Err(CUT);
            };
            let ordinal = end.checked_add(gap);
            let after = ordinal.and_then(|ordinal| ordinal.checked_add(count));
            let (Some(ordinal), Some(after), 1..) = (ordinal, after, count) else {
                return Err("a bad run of histograms");
            };
            let index = self.histogram_count;
            self.histograms.push(HistogramRun { ordinal, index });
            // No more than points, as runs do not overlap.
            self.histogram_count += count;
            end = after;
            if end > points {
                return Err("a histogram at none of the row's points");
            }
        }
        Ok(())
    }
}

/// Appends the exemplars of a row.
pub(super) fn put_all_exemplars(out: &mut Vec<u8>, exemplars: &[Exemplar]) {
    let blocks = exemplars.chunks(usize::from(BLOCK_EXEMPLARS)).map(|some| {
        let (mut block, mut before) = (Vec::new(), Entry::default());
        for exemplar in some {
            let entry = Entry::new(Seq::ZERO, exemplar);
            entry.put(&mut block, &before);
            before = entry;
        }
        block
    });
    let blocks: Vec<Vec<u8>> = blocks.collect();
    put_exemplars(out, blocks.iter().map(Vec::as_slice));
}
