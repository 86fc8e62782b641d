//! The samples of one series.

use super::chunk_list::ChunkList;
use super::in_order::InOrder;
use super::time_columns::TimeColumns;
use crate::model::{Seq, TimeRange};

/// The state of one series.
#[derive(Debug, Default)]
pub(super) struct Series {
    /// Samples that came in rising order of time.
    pub(super) in_order: InOrder,
    /// Samples that came at or before the last timestamp of `in_order`.
    pub(super) overflow: Option<Box<Overflow>>,
    /// The last commit group that appended, and how many samples in order: what came before it is
    /// all there is less that. A group is held in memory as rows of 24 bytes, so a u32 counts them.
    last_seq: Seq,
    last_in_order: u32,
}

/// Late samples, in the order in which they came.
#[derive(Debug)]
pub(super) struct Overflow {
    pub(super) chunks: ChunkList,
    /// Range of all its timestamps.
    pub(super) range: TimeRange,
    /// How many late samples the last commit group of the series appended.
    last: u32,
}

/// How many samples of a series there were at some moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Counts {
    pub(super) in_order: u64,
    pub(super) overflow: u64,
}

/// How many samples there were before the group `seq` appended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Boundary {
    pub(super) seq: Seq,
    pub(super) before: Counts,
}

/// One of the two lists of samples of a series.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum List {
    InOrder,
    Overflow,
}

/// Where an appended sample went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Placed {
    /// To the end; chunks and time columns grew by so many bytes.
    InOrder(isize),
    /// To the late ones; the chunks grew by so many bytes.
    Overflow(isize),
    /// Nowhere: it is the sample that came before.
    Duplicate,
}

impl Series {
    /// Seq of the last group that appended.
    pub(super) fn last_seq(&self) -> Seq {
        self.last_seq
    }

    /// All samples.
    pub(super) fn counts(&self) -> Counts {
        Counts {
            in_order: self.in_order.len(),
            overflow: self
                .overflow
                .as_ref()
                .map_or(0, |overflow| overflow.chunks.len()),
        }
    }

    /// What there was before the last group that appended.
    pub(super) fn boundary(&self) -> Boundary {
        let all = self.counts();
        let last_overflow = self.overflow.as_ref().map_or(0, |overflow| overflow.last);
        Boundary {
            seq: self.last_seq,
            before: Counts {
                in_order: all.in_order - u64::from(self.last_in_order),
                overflow: all.overflow - u64::from(last_overflow),
            },
        }
    }

    /// What a reader at `seq` sees; `older` holds the boundaries before the last group's that
    /// some reader needs, in rising order.
    pub(super) fn visible_at(&self, seq: Seq, older: &[Boundary]) -> Counts {
        if self.last_seq <= seq {
            return self.counts();
        }
        match older.iter().find(|boundary| seq < boundary.seq) {
            Some(boundary) => boundary.before,
            None => self.boundary().before,
        }
    }

    /// Whether the sample is the one that came last and nothing could have come over it, so
    /// that storing it would change no answer. `is_last` compares all but the timestamp with the
    /// last sample in order, of which it gets the float's bits and the ordinal.
    pub(super) fn is_repeat(
        &self,
        times: &TimeColumns,
        timestamp_ms: i64,
        is_last: impl FnOnce(u64, u64) -> bool,
    ) -> bool {
        self.in_order.last(times).is_some_and(|(last_ms, bits)| {
            last_ms == timestamp_ms && is_last(bits, self.in_order.len() - 1)
        }) && self
            .overflow
            .as_ref()
            .is_none_or(|overflow| overflow.range.end_ms < timestamp_ms)
    }

    /// Adds a sample of the group `seq`, unless it is at or before the last one in order. If
    /// that is a new group, the caller has kept the boundary of the one before as long as it is
    /// needed. Returns by how many bytes the chunks and time columns grew.
    pub(super) fn push(
        &mut self,
        times: &mut TimeColumns,
        seq: Seq,
        timestamp_ms: i64,
        value: f64,
    ) -> Option<isize> {
        let grown = self.in_order.push(times, timestamp_ms, value)?;
        self.enter(seq);
        self.last_in_order += 1;
        Some(grown)
    }

    /// Counts a sample of the group `seq` that [`InOrder::goes_on`] is told of; its value follows.
    #[inline]
    pub(super) fn count_in(&mut self, seq: Seq) {
        self.enter(seq);
        self.last_in_order += 1;
    }

    /// Adds a sample to the late ones, as [`Series::push`] does to those in order: the value
    /// before once more where there is none.
    pub(super) fn push_late(&mut self, seq: Seq, timestamp_ms: i64, value: Option<f64>) -> isize {
        self.enter(seq);
        let overflow = self.overflow.get_or_insert_with(|| {
            Box::new(Overflow {
                chunks: ChunkList::default(),
                range: TimeRange::new(timestamp_ms, timestamp_ms),
                last: 0,
            })
        });
        overflow.last += 1;
        overflow.range.start_ms = overflow.range.start_ms.min(timestamp_ms);
        overflow.range.end_ms = overflow.range.end_ms.max(timestamp_ms);
        let value = value.unwrap_or_else(|| {
            let last = overflow.chunks.last();
            last.map_or(0.0, |(_, bits)| f64::from_bits(bits))
        });
        overflow.chunks.push(timestamp_ms, value)
    }

    /// Counts from here on what the group `seq` appends.
    fn enter(&mut self, seq: Seq) {
        if self.last_seq != seq {
            self.last_seq = seq;
            self.last_in_order = 0;
            if let Some(overflow) = &mut self.overflow {
                overflow.last = 0;
            }
        }
    }
}
