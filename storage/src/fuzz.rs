//! Fuzz targets: what holds of any bytes whatever, one function for each decoder, each beside
//! the decoder it is about.
//!
//! The fuzzer (`tests/fuzz`) calls them with bytes of its own, an ordinary test with the corpus
//! that is kept: see `docs/fuzzing.md`. A target panics where something that must hold does not,
//! and says whether the decoder took the bytes: a corpus of which nothing is taken any more is
//! one of another format.

pub(crate) mod files;

use std::borrow::Cow;

use crate::section::{Bytes, SectionError};
use crate::{block, chunk, codec, column, db, immutable, index, manifest, segment, wal};

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What it is called, in `tests/fuzz` too.
    pub name: &'static str,
    /// Runs it; whether the bytes were taken.
    pub run: fn(&[u8]) -> bool,
    /// Inputs to begin with, all of which are taken.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of this crate.
pub const TARGETS: &[Target] = &[
    target("block", block::fuzz::run, block::fuzz::seeds),
    target("chunk_times", chunk::fuzz::times, chunk::fuzz::times_seeds),
    target(
        "chunk_values",
        chunk::fuzz::values,
        chunk::fuzz::values_seeds,
    ),
    target("chunk_xor", chunk::fuzz::xor, chunk::fuzz::xor_seeds),
    target(
        "column_times",
        column::fuzz::times,
        column::fuzz::times_seeds,
    ),
    target(
        "column_values",
        column::fuzz::values,
        column::fuzz::values_seeds,
    ),
    target(
        "column_encode",
        column::fuzz::encode,
        column::fuzz::encode_seeds,
    ),
    target("directory", db::fuzz::run, db::fuzz::seeds),
    target(
        "exemplars",
        codec::fuzz::exemplars,
        codec::fuzz::exemplars_seeds,
    ),
    target(
        "histogram",
        codec::fuzz::histogram,
        codec::fuzz::histogram_seeds,
    ),
    target("index", index::fuzz::stored, index_seeds),
    target("labels", codec::fuzz::labels, codec::fuzz::labels_seeds),
    target("manifest", manifest::fuzz::run, manifest::fuzz::seeds),
    target("matcher", index::fuzz::matcher, index::fuzz::matcher_seeds),
    target(
        "metadata",
        immutable::fuzz::metadata,
        immutable::fuzz::metadata_seeds,
    ),
    target("segment", segment::fuzz::run, segment::fuzz::seeds),
    target("wal_log", wal::fuzz::log, wal::fuzz::log_seeds),
    target("wal_record", wal::fuzz::record, wal::fuzz::record_seeds),
];

const fn target(name: &'static str, run: fn(&[u8]) -> bool, seeds: fn() -> Vec<Vec<u8>>) -> Target {
    Target { name, run, seeds }
}

fn index_seeds() -> Vec<Vec<u8>> {
    let files = [segment::fuzz::seeds(), block::fuzz::seeds()].concat();
    files
        .iter()
        .filter_map(|file| index::fuzz::stored_seed(file))
        .collect()
}

/// What stands between the parts of an input that is several things. A length before each would
/// lead a fuzzer that inserts a byte to other parts altogether.
pub const CUT: &[u8] = b"\xffCUT\xff";

/// The parts of an input: one more than there are [`CUT`]s.
pub(crate) fn parts(data: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (0, 0);
    while let Some(rest) = data.get(at..) {
        if rest.starts_with(CUT) {
            parts.push(data.get(start..at).unwrap_or_default());
            at += CUT.len();
            start = at;
        } else {
            at += 1;
        }
    }
    parts.push(data.get(start..).unwrap_or_default());
    parts
}

/// The input with these parts.
pub(crate) fn join<T: AsRef<[u8]>>(parts: &[T]) -> Vec<u8> {
    let mut data = Vec::new();
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            data.extend_from_slice(CUT);
        }
        assert_eq!(self::parts(part.as_ref()).len(), 1, "a part that is two");
        data.extend_from_slice(part.as_ref());
    }
    data
}

/// Takes values off an input; zeros where it has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut taken = [0; N];
        for (slot, &byte) in taken.iter_mut().zip(self.bytes(N)) {
            *slot = byte;
        }
        taken
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    /// Up to `count` bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// Bits of floats, which compare as they are kept.
pub(crate) fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// An input as the bytes of a section.
#[derive(Debug)]
pub(crate) struct Raw(pub(crate) Vec<u8>);

impl Bytes for Raw {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn get(&self, offset: u64, bytes: usize) -> Result<Cow<'_, [u8]>, SectionError> {
        Bytes::get(self.0.as_slice(), offset, bytes)
    }
}
