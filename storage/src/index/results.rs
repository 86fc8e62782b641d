//! What matchers were found to do to an answer, kept for the next time they are asked for.

use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::model::{MatchOp, Matcher};

/// Bytes of a container of a bitmap beside its values, and of its allocation.
const CONTAINER_BYTES: usize = 40 + 16;
/// Bytes of a container that has a bit for each value.
const BITS_BYTES: usize = 8 << 10;

/// Whether more than a lookup is needed to find the series that a matcher is about: it tries an
/// expression on values, or joins the series of several.
pub fn is_costly(matcher: &Matcher) -> bool {
    let is_regex = matches!(matcher.op(), MatchOp::Regex | MatchOp::NotRegex);
    let is_of_all = matches!(matcher.value(), ".*" | ".+");
    let is_one = || matcher.literals().is_some_and(|all| all.count() == 1);
    is_regex && !is_of_all && !is_one()
}

/// What one matcher does to an answer over an index that does not change.
#[derive(Debug)]
pub struct MatcherResult {
    series: RoaringBitmap,
    is_excluded: bool,
    bytes: usize,
}

impl MatcherResult {
    /// Only `series` pass, or all but them.
    pub fn new(series: &RoaringBitmap, is_excluded: bool) -> Self {
        let mut series = series.clone();
        series.optimize();
        // Copied once more: a copy has no room to spare.
        let series = series.clone();
        let has = series.statistics();
        let bytes = size_of::<Self>()
            + has.n_containers as usize * CONTAINER_BYTES
            + has.n_values_array_containers as usize * size_of::<u16>()
            + has.n_bytes_run_containers as usize
            + has.n_bitset_containers as usize * BITS_BYTES;
        Self {
            series,
            is_excluded,
            bytes,
        }
    }

    /// The series it is about.
    pub fn series(&self) -> &RoaringBitmap {
        &self.series
    }

    /// Whether these are what does not pass.
    pub fn is_excluded(&self) -> bool {
        self.is_excluded
    }

    /// What it takes in memory.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Results of some matchers over one index.
#[derive(Debug, Default)]
pub struct Memory<'a> {
    /// What was known before, by the place of the matcher.
    known: &'a [Option<Arc<MatcherResult>>],
    /// What was found out, with the place of the matcher.
    found: Vec<(usize, MatcherResult)>,
}

impl<'a> Memory<'a> {
    /// Of what is known, by the place of the matcher.
    pub fn new(known: &'a [Option<Arc<MatcherResult>>]) -> Self {
        Self {
            known,
            found: Vec::new(),
        }
    }

    /// What was found out, with the place of the matcher.
    pub fn into_found(self) -> Vec<(usize, MatcherResult)> {
        self.found
    }

    pub(super) fn known_at(&self, place: usize) -> Option<Arc<MatcherResult>> {
        self.known.get(place)?.clone()
    }

    /// Adds what was found out of the matcher at a place; gives the bytes that it takes.
    pub(super) fn note(
        &mut self,
        place: usize,
        series: &RoaringBitmap,
        is_excluded: bool,
    ) -> usize {
        let result = MatcherResult::new(series, is_excluded);
        let bytes = result.bytes();
        self.found.push((place, result));
        bytes
    }
}
