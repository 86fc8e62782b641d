//! An index in memory, which may stand behind locks, as matchers see it.

use std::borrow::Cow;
use std::convert::Infallible;

use roaring::RoaringBitmap;

use super::matchers::{Searchable, SeriesLists};
use super::{PostingsIndex, SymbolTable};
use crate::model::SymbolId;

/// How many values a regular expression is tried on while the symbols are borrowed once.
const SCAN_BATCH: usize = 1024;

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
    type Error = Infallible;

    fn lookup(&self, text: &str) -> Result<Option<SymbolId>, Infallible> {
        Ok(self.with_symbols(|symbols| symbols.get(text)))
    }

    fn pick_values(
        &self,
        name: SymbolId,
        _pattern: Option<&str>,
        pick: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<SymbolId>, Infallible> {
        let values: Vec<SymbolId> = self.with_postings(|index| index.values(name).collect());
        let mut picked = Vec::new();
        for batch in values.chunks(SCAN_BATCH) {
            self.with_symbols(|symbols| {
                let taken = batch.iter().filter(|&&value| pick(symbols.text(value)));
                picked.extend(taken.copied());
            });
        }
        Ok(picked)
    }

    fn with_lists<R>(&self, read: impl FnOnce(&dyn SeriesLists<Infallible>) -> R) -> R {
        self.with_postings(|index| read(index))
    }
}

impl SeriesLists<Infallible> for PostingsIndex {
    fn all(&self) -> Result<Cow<'_, RoaringBitmap>, Infallible> {
        Ok(Cow::Borrowed(self.all()))
    }

    fn present(&self, name: SymbolId) -> Result<Cow<'_, RoaringBitmap>, Infallible> {
        Ok(match self.present(name) {
            Some(bitmap) => Cow::Borrowed(bitmap),
            None => Cow::default(),
        })
    }

    fn postings(
        &self,
        name: SymbolId,
        value: SymbolId,
    ) -> Result<Cow<'_, RoaringBitmap>, Infallible> {
        Ok(match self.postings(name, value) {
            Some(postings) => postings.to_bitmap(),
            None => Cow::default(),
        })
    }

    fn union(&self, name: SymbolId, values: &[SymbolId]) -> Result<RoaringBitmap, Infallible> {
        Ok(self.union(name, values.iter().copied()))
    }
}
