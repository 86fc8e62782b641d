//! An index in memory, which may stand behind locks, as matchers see it.

use std::borrow::Cow;

use roaring::RoaringBitmap;

use super::matchers::{Searchable, SeriesLists};
use super::{PostingsIndex, SymbolTable};
use crate::model::{Ended, ReadBounds, SymbolId, Tally};

/// How many values a regular expression is tried on while the symbols are borrowed once.
const SCAN_BATCH: usize = 1024;

/// How many values are listed from one check to the next.
const LIST_PACE: usize = 64 << 10;
/// How many bytes of values a regular expression is tried on from one check to the next: at ten
/// megabytes a second, as it is with the worst of expressions, some milliseconds.
pub(super) const SCAN_PACE: usize = 64 << 10;
/// What a value adds to that beside its bytes.
pub(super) const SCAN_WORK: usize = 32;

/// An index and its symbols, borrowed for a short time at a time: where they stand behind locks,
/// a regular expression over a million values must not keep writers out for as long as it runs.
pub trait IndexAccess {
    /// Calls `read` with the postings.
    fn with_postings<R>(&self, read: impl FnOnce(&PostingsIndex) -> R) -> R;
    /// Calls `read` with the symbols that the postings are kept by.
    fn with_symbols<R>(&self, read: impl FnOnce(&SymbolTable) -> R) -> R;
}

impl IndexAccess for (&PostingsIndex, &SymbolTable) {
    fn with_postings<R>(&self, read: impl FnOnce(&PostingsIndex) -> R) -> R {
        read(self.0)
    }

    fn with_symbols<R>(&self, read: impl FnOnce(&SymbolTable) -> R) -> R {
        read(self.1)
    }
}

impl<A: IndexAccess> Searchable for A {
    type Error = Ended;

    fn lookup(&self, text: &str) -> Result<Option<SymbolId>, Ended> {
        Ok(self.with_symbols(|symbols| symbols.get(text)))
    }

    fn pick_values(
        &self,
        name: SymbolId,
        _pattern: Option<&str>,
        pick: &dyn Fn(&str) -> bool,
        bounds: ReadBounds<'_>,
    ) -> Result<Vec<SymbolId>, Ended> {
        let mut tally = Tally::new(bounds);
        let values = self.with_postings(|index| -> Result<Vec<SymbolId>, Ended> {
            tally.grow(2 * index.count_values(name) * size_of::<SymbolId>())?;
            let mut pace = bounds.pace(LIST_PACE);
            let values = index.values(name);
            values.map(|value| pace.step(1).map(|()| value)).collect()
        })?;
        let mut picked = Vec::new();
        let mut pace = bounds.pace(SCAN_PACE);
        for batch in values.chunks(SCAN_BATCH) {
            self.with_symbols(|symbols| {
                for &value in batch {
                    let text = symbols.text(value);
                    pace.step(SCAN_WORK + text.len())?;
                    if pick(text) {
                        picked.push(value);
                    }
                }
                Ok(())
            })?;
        }
        Ok(picked)
    }

    fn with_lists<R>(&self, read: impl FnOnce(&dyn SeriesLists<Ended>) -> R) -> R {
        self.with_postings(|index| read(index))
    }
}

impl SeriesLists<Ended> for PostingsIndex {
    fn all(&self) -> Result<Cow<'_, RoaringBitmap>, Ended> {
        Ok(Cow::Borrowed(self.all()))
    }

    fn present(&self, name: SymbolId) -> Result<Cow<'_, RoaringBitmap>, Ended> {
        Ok(match self.present(name) {
            Some(bitmap) => Cow::Borrowed(bitmap),
            None => Cow::default(),
        })
    }

    fn postings(&self, name: SymbolId, value: SymbolId) -> Result<Cow<'_, RoaringBitmap>, Ended> {
        Ok(match self.postings(name, value) {
            Some(postings) => postings.to_bitmap(),
            None => Cow::default(),
        })
    }

    fn union(
        &self,
        name: SymbolId,
        values: &[SymbolId],
        bounds: ReadBounds<'_>,
    ) -> Result<RoaringBitmap, Ended> {
        self.union(name, values, bounds)
    }
}
