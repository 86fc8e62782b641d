//! Late samples of one series, in chunks with their timestamps, in the order in which they came.

use std::ops::ControlFlow;

use crate::chunk::{CHUNK_SAMPLES_MAX, ChunkError, LateChunk, OpenChunk, SealedChunk};
use crate::model::TimeRange;

/// Sealed chunks and the open one. Samples are only ever added at the end, so the first n of
/// them are the same for ever.
#[derive(Debug, Default)]
pub(super) struct ChunkList {
    sealed: Vec<SealedChunk>,
    open: OpenChunk,
}

/// Where a reader stands that lets go of the list from time to time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    /// The chunk to read next.
    pub(super) chunk: usize,
    /// How many samples are left to read, skipped ones included.
    pub(super) left: u64,
}

impl Cursor {
    /// At the start of a list of which the first `samples` are to be read.
    pub(super) fn new(samples: u64) -> Self {
        Self {
            chunk: 0,
            left: samples,
        }
    }

    pub(super) fn is_done(self) -> bool {
        self.left == 0
    }
}

impl ChunkList {
    /// How many samples there are.
    pub(super) fn len(&self) -> u64 {
        self.sealed_len() + u64::from(self.open.count())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sealed.is_empty() && self.open.count() == 0
    }

    fn sealed_len(&self) -> u64 {
        self.sealed
            .iter()
            .map(|chunk| u64::from(chunk.count()))
            .sum()
    }

    /// Timestamp and bits of the value of the sample added last.
    pub(super) fn last(&self) -> Option<(i64, u64)> {
        (!self.is_empty()).then(|| self.open.last())
    }

    /// Bytes of the chunks' samples, with unused room.
    fn open_bytes(&self) -> usize {
        self.open.capacity_bytes()
    }

    /// Adds a sample. Returns by how many bytes the chunks grew.
    pub(super) fn push(&mut self, timestamp_ms: i64, value: f64) -> isize {
        let before = self.open_bytes();
        self.open.push(timestamp_ms, value);
        if self.open.count() < CHUNK_SAMPLES_MAX {
            return self.open_bytes() as isize - before as isize;
        }
        let range = range_of(&self.open);
        let sealed = self.open.seal(range.start_ms, range.end_ms);
        let bytes = sealed.bytes().len() + size_of::<SealedChunk>();
        if self.sealed.len() == self.sealed.capacity() {
            // Most lists stay short: doubling would cost more than the samples of some chunks.
            self.sealed.reserve_exact(1 + self.sealed.len() / 4);
        }
        self.sealed.push(sealed);
        self.open_bytes() as isize + bytes as isize - before as isize
    }

    /// All chunks as they are, the open one last: its range is found by reading it.
    pub(super) fn chunks(&self) -> impl Iterator<Item = LateChunk<'_>> {
        let sealed = self.sealed.iter().map(|chunk| LateChunk {
            range: TimeRange::new(chunk.min_ms(), chunk.max_ms()),
            count: chunk.count(),
            samples: chunk.samples(),
        });
        let open = (self.open.count() > 0).then(|| LateChunk {
            range: range_of(&self.open),
            count: self.open.count(),
            samples: self.open.samples(),
        });
        sealed.chain(open)
    }

    /// Reads on from `cursor`, at most `chunks_max` chunks of those that may hold a sample in
    /// `range`; the samples of such a chunk outside of the range are handed out too. Ends when
    /// `each` breaks.
    pub(super) fn read(
        &self,
        cursor: &mut Cursor,
        range: TimeRange,
        chunks_max: usize,
        mut each: impl FnMut(i64, f64) -> ControlFlow<()>,
    ) -> Result<(), ChunkError> {
        for _ in 0..chunks_max {
            if cursor.left == 0 {
                return Ok(());
            }
            let left = u16::try_from(cursor.left).unwrap_or(u16::MAX);
            let flow = match self.sealed.get(cursor.chunk) {
                Some(chunk) => {
                    cursor.chunk += 1;
                    cursor.left = cursor.left.saturating_sub(u64::from(chunk.count()));
                    if !range.overlaps(TimeRange::new(chunk.min_ms(), chunk.max_ms())) {
                        continue;
                    }
                    chunk.for_each(left, &mut each)?
                }
                None => {
                    cursor.left = 0;
                    self.open.for_each(left, &mut each)?
                }
            };
            if flow.is_break() {
                cursor.left = 0;
            }
        }
        Ok(())
    }

    /// Whether one of the first `samples` samples lies in `range`.
    pub(super) fn any_in(&self, samples: u64, range: TimeRange) -> Result<bool, ChunkError> {
        // The newest sample settles most questions without a look into a chunk.
        let all = self.len() <= samples;
        if all && self.last().is_some_and(|last| range.contains(last.0)) {
            return Ok(true);
        }
        let mut found = false;
        let mut cursor = Cursor::new(samples);
        while !cursor.is_done() && !found {
            if let Some(chunk) = self.sealed.get(cursor.chunk)
                && u64::from(chunk.count()) <= cursor.left
                && (range.contains(chunk.min_ms()) || range.contains(chunk.max_ms()))
            {
                return Ok(true);
            }
            self.read(&mut cursor, range, 1, |timestamp_ms, _| {
                found = range.contains(timestamp_ms);
                match found {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            })?;
        }
        Ok(found)
    }
}

/// The range of a chunk whose samples are in no order.
fn range_of(chunk: &OpenChunk) -> TimeRange {
    let mut range: Option<TimeRange> = None;
    let read = chunk.for_each(chunk.count(), |timestamp_ms, _| {
        let range = range.get_or_insert(TimeRange::new(timestamp_ms, timestamp_ms));
        range.start_ms = range.start_ms.min(timestamp_ms);
        range.end_ms = range.end_ms.max(timestamp_ms);
        ControlFlow::Continue(())
    });
    match (read, range) {
        (Ok(_), Some(range)) => range,
        // Not known, so it must not be skipped.
        _ => TimeRange::ALL,
    }
}
