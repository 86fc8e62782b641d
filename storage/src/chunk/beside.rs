//! What stands beside the chunks of a list of points: the histograms among them and their start
//! timestamps, by the ordinals of the points, counted from 0 in each list.

use std::borrow::Cow;

use crate::codec::histogram::take_histogram;
use crate::model::Histogram;

/// Histograms a block: the first of a block is written in full, so that reading one costs no
/// more than reading a block.
pub const BLOCK_HISTOGRAMS: u64 = 32;
/// Bounds, spans and buckets that a histogram may have: as many as a record of the log.
const ELEMENTS_MAX: usize = 1 << 25;

/// A stretch of points that are histograms, up to the next one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HistogramRun {
    /// Ordinal of its first point.
    pub ordinal: u64,
    /// How many histograms of the list come before the run.
    pub index: u64,
}

impl HistogramRun {
    /// Which of the `count` histograms of a list, counted from 0, the point with that ordinal is;
    /// none if it is a float.
    pub fn find(runs: &[Self], count: u64, ordinal: u64) -> Option<u64> {
        let after = runs.partition_point(|run| run.ordinal <= ordinal);
        let run = runs.get(after.checked_sub(1)?)?;
        let index = run.index.checked_add(ordinal - run.ordinal)?;
        let end = runs.get(after).map_or(count, |next| next.index);
        (index < end).then_some(index)
    }
}

/// The histograms of a list, encoded already.
#[derive(Clone, Default, Debug)]
pub struct HistogramParts<'a> {
    /// Which points they are, in rising order.
    pub runs: Cow<'a, [HistogramRun]>,
    /// How many there are.
    pub count: u64,
    /// [`BLOCK_HISTOGRAMS`] each, fewer in the last one.
    pub blocks: Vec<&'a [u8]>,
}

impl HistogramParts<'_> {
    /// Whether the point with that ordinal is a histogram.
    pub fn contains(&self, ordinal: u64) -> bool {
        HistogramRun::find(&self.runs, self.count, ordinal).is_some()
    }

    /// The histogram that the point with that ordinal is; none if it is a float.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn read(
        &self,
        ordinal: u64,
        cursor: &mut HistogramCursor,
    ) -> Result<Option<Histogram>, &'static str> {
        let Some(index) = HistogramRun::find(&self.runs, self.count, ordinal) else {
            return Ok(None);
        };
        let block = usize::try_from(index / BLOCK_HISTOGRAMS).ok();
        let block = block.and_then(|block| self.blocks.get(block));
        let block = block.ok_or("a histogram in none of the blocks")?;
        cursor.read(block, index).map(Some)
    }
}

/// Where a reader of histograms stands. Reading a list in rising order decodes each once.
#[derive(Debug, Default)]
pub struct HistogramCursor {
    /// Index of the histogram that was read last, and the bytes of its block up to its end.
    last: Option<(u64, usize)>,
    histogram: Option<Histogram>,
}

impl HistogramCursor {
    /// The histogram with that index among those of the list, which lies in `block`.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn read(&mut self, block: &[u8], index: u64) -> Result<Histogram, &'static str> {
        let first = index / BLOCK_HISTOGRAMS * BLOCK_HISTOGRAMS;
        let is_ahead = |&(last, _): &(u64, usize)| first <= last && last < index;
        let (mut next, mut offset) = match self.last.filter(is_ahead) {
            Some((last, offset)) => (last + 1, offset),
            None => (first, 0),
        };
        let mut before = match next == first {
            true => None,
            false => self.histogram.take(),
        };
        self.last = None;
        loop {
            let mut input = block.get(offset..).unwrap_or(&[]);
            let left = input.len();
            let mut budget = ELEMENTS_MAX;
            let read = take_histogram(&mut input, before.as_ref(), &mut budget)?;
            offset += left - input.len();
            if next == index {
                self.last = Some((index, offset));
                self.histogram = Some(read.clone());
                return Ok(read);
            }
            before = Some(read);
            next += 1;
        }
    }
}

/// Points whose start timestamps follow from each other: the same one (a counter that has not
/// been reset), or always as long before the point (a sum that begins anew each time). Points
/// without a start timestamp are in no run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StartRun {
    /// Ordinal of the first point.
    pub ordinal: u64,
    /// The start timestamp, or how long before the point's timestamp it lies, modulo 2^64.
    pub value: i64,
    /// How many points, at least 1.
    pub count: u32,
    /// Which of the two `value` is.
    pub is_distance: bool,
}

impl StartRun {
    /// The ordinal after that of its last point.
    pub fn end(&self) -> u64 {
        self.ordinal.saturating_add(u64::from(self.count))
    }

    /// The start timestamp of the point with that ordinal and timestamp, from runs that rise.
    pub fn find(runs: &[Self], ordinal: u64, timestamp_ms: i64) -> Option<i64> {
        let after = runs.partition_point(|run| run.ordinal <= ordinal);
        let run = runs.get(after.checked_sub(1)?)?;
        (ordinal < run.end()).then(|| match run.is_distance {
            true => timestamp_ms.wrapping_sub(run.value),
            false => run.value,
        })
    }
}
