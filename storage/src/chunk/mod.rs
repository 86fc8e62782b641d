//! Chunks: the samples of one series, compressed one after the other.
//!
//! A chunk is open while samples are appended to it and sealed when it is full. Both can be read
//! up to any count: the first samples of a chunk do not change when more are appended, which is
//! what lets a query see the head as it was.
//!
//! There are two forms. Samples that came in order are held as values alone ([`OpenValues`],
//! [`SealedValues`]) beside a [`TimeColumn`] that the series of a scrape share. Samples that came
//! late are whole chunks, each with its timestamps ([`OpenChunk`], [`SealedChunk`]), in the bytes
//! that Prometheus has.

mod beside;
#[cfg(feature = "fuzz-internals")]
pub(crate) mod fuzz;
mod overlay;
mod parts;
mod times;
mod values;
mod xor;

use std::ops::ControlFlow;

use thiserror::Error;

pub use beside::{BLOCK_HISTOGRAMS, HistogramCursor, HistogramParts, HistogramRun, StartRun};
pub use overlay::overlay;
pub use parts::{LateChunk, OrderedChunk};
pub use times::{TIMES_BYTES_MAX, TimeColumn, decode_times, times_within};
pub use values::{OpenValues, SealedValues, ValuesRef};
pub use xor::{XorChunk, XorReader};

/// An open chunk is sealed with this many samples.
pub const CHUNK_SAMPLES_MAX: u16 = 120;

/// Bytes that are not a chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ChunkError {
    /// The bytes end before the samples that the header promises.
    #[error("chunk of {count} samples ends inside sample {sample}, counted from 0")]
    Truncated {
        /// The sample that is not whole.
        sample: u16,
        /// What the chunk's header says.
        count: u16,
    },
    /// The bytes end within the header.
    #[error("chunk has no header")]
    NoHeader,
    /// A sample that no encoder writes.
    #[error("chunk is corrupt at sample {sample}, counted from 0")]
    Corrupt {
        /// The sample.
        sample: u16,
    },
}

/// How a chunk's bytes are to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
#[repr(u8)]
pub enum Encoding {
    /// Prometheus's XOR encoding of floats, with its number there (`tsdb/docs/format/chunks.md`).
    Xor = 1,
}

/// A chunk that takes samples.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum OpenChunk {
    /// Floats, each as its XOR with the one before.
    Xor(XorChunk),
}

impl Default for OpenChunk {
    fn default() -> Self {
        Self::Xor(XorChunk::default())
    }
}

impl OpenChunk {
    /// Appends a float sample; any timestamp after any other.
    ///
    /// The chunk must hold fewer than [`u16::MAX`] samples; its owner seals it long before.
    pub fn push(&mut self, timestamp_ms: i64, value: f64) {
        match self {
            Self::Xor(chunk) => chunk.push(timestamp_ms, value),
        }
    }

    /// How many samples it holds.
    pub fn count(&self) -> u16 {
        match self {
            Self::Xor(chunk) => chunk.count(),
        }
    }

    /// Timestamp and bits of the value of the last sample pushed, or of the last one before the
    /// chunk was taken by [`OpenChunk::seal`]; zeros where there was none.
    pub fn last(&self) -> (i64, u64) {
        match self {
            Self::Xor(chunk) => chunk.last(),
        }
    }

    /// The bytes of its samples, with unused room.
    pub fn capacity_bytes(&self) -> usize {
        match self {
            Self::Xor(chunk) => chunk.capacity_bytes(),
        }
    }

    /// The encoded samples, without the header that they get when the chunk is sealed.
    pub fn samples(&self) -> &[u8] {
        match self {
            Self::Xor(chunk) => chunk.samples(),
        }
    }

    /// Calls `each` with the first `count` samples, or all if there are fewer, until it breaks;
    /// says whether it did.
    ///
    /// # Errors
    /// Only a bug makes the bytes of an open chunk unreadable.
    pub fn for_each(
        &self,
        count: u16,
        each: impl FnMut(i64, f64) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ChunkError> {
        match self {
            Self::Xor(chunk) => chunk.reader().for_each(count, each),
        }
    }

    /// Takes the samples out as a sealed chunk and leaves this one empty. The caller knows the
    /// smallest and the largest timestamp.
    pub fn seal(&mut self, min_ms: i64, max_ms: i64) -> SealedChunk {
        let count = self.count();
        let (encoding, bytes) = match self {
            Self::Xor(chunk) => (Encoding::Xor, chunk.take_bytes()),
        };
        SealedChunk {
            min_ms,
            max_ms,
            bytes,
            count,
            encoding,
        }
    }
}

/// A chunk that does not change any more.
#[derive(Clone, Debug)]
pub struct SealedChunk {
    min_ms: i64,
    max_ms: i64,
    bytes: Box<[u8]>,
    count: u16,
    encoding: Encoding,
}

impl SealedChunk {
    /// Smallest timestamp, in milliseconds.
    pub fn min_ms(&self) -> i64 {
        self.min_ms
    }

    /// Largest timestamp, in milliseconds.
    pub fn max_ms(&self) -> i64 {
        self.max_ms
    }

    /// How many samples it holds.
    pub fn count(&self) -> u16 {
        self.count
    }

    /// The encoded samples.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The encoded samples without the header.
    pub fn samples(&self) -> &[u8] {
        match self.encoding {
            Encoding::Xor => self.bytes.get(xor::HEADER_BYTES..).unwrap_or(&[]),
        }
    }

    /// Calls `each` with the first `count` samples, or all if there are fewer, until it breaks;
    /// says whether it did.
    ///
    /// # Errors
    /// The bytes are no such chunk.
    pub fn for_each(
        &self,
        count: u16,
        each: impl FnMut(i64, f64) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ChunkError> {
        match self.encoding {
            Encoding::Xor => XorReader::new(&self.bytes)?.for_each(count, each),
        }
    }
}
