//! The labels of a frozen head as the input of a stored index.

use std::borrow::Cow;
use std::fmt;
use std::io;

use parking_lot::RwLockReadGuard;
use roaring::RoaringBitmap;

use super::{Head, Index, LabelsView};
use crate::index::stored::{IndexInput, InputRows};
use crate::index::{Postings, SymbolTable};
use crate::model::{SeriesId, SymbolId};

/// Bytes of strings that are compared at a time.
const KEY_BYTES: usize = 8;
/// Strings alike so far are compared whole if they are no more than this,
const ALIKE_MIN: usize = 3;
/// or if they are alike up to here.
const OFFSET_MAX: usize = 128;

/// The series of a head by row. A row is an id: there is one for each up to the last that was
/// applied, and that of an id between that was not has no labels and is in no list.
///
/// Registry and index stay borrowed while it lives: it is for a head that is no longer written.
pub struct HeadInput<'a> {
    labels: LabelsView<'a>,
    index: RwLockReadGuard<'a, Index>,
    step: &'a dyn Fn(),
}

impl fmt::Debug for HeadInput<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeadInput")
            .field("labels", &self.labels)
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

impl<'a> HeadInput<'a> {
    /// The labels of `head`, which takes no more writes. Calls `step` as often as something is
    /// asked for.
    pub fn new(head: &'a Head, step: &'a dyn Fn()) -> Self {
        Self {
            labels: head.registry.view(),
            index: head.index.read(),
            step,
        }
    }

    /// The symbols that series have, by string.
    fn sorted_symbols(&self) -> Vec<(u64, SymbolId)> {
        let symbols = self.labels.symbols();
        let postings = &self.index.postings;
        let mut is_used = vec![false; symbols.len()];
        for name in postings.names() {
            for symbol in postings.values(name).chain([name]) {
                if let Some(is_used) = is_used.get_mut(symbol.index()) {
                    *is_used = true;
                }
            }
        }
        let used = (0..).zip(is_used).filter(|&(_, is_used)| is_used);
        let mut sorted: Vec<_> = used.map(|(symbol, _)| (0, SymbolId(symbol))).collect();
        sort_from(&mut sorted, symbols, 0);
        sorted
    }
}

/// Sorts symbols whose strings are alike up to `offset`. Eight bytes of each are held beside it:
/// strings lie far from each other in memory, and this fetches each once a step instead of twice
/// a comparison.
fn sort_from(some: &mut [(u64, SymbolId)], symbols: &SymbolTable, offset: usize) {
    for (key, symbol) in &mut *some {
        *key = key_at(symbols.text(*symbol), offset);
    }
    some.sort_unstable();
    for alike in some.chunk_by_mut(|one, other| one.0 == other.0) {
        // A long string that many have the beginning of must not take many steps.
        if alike.len() > ALIKE_MIN && offset < OFFSET_MAX {
            sort_from(alike, symbols, offset + KEY_BYTES);
        } else if alike.len() > 1 {
            alike.sort_unstable_by_key(|&(_, symbol)| symbols.text(symbol));
        }
    }
}

/// Eight bytes of a string, zeros behind its end: in the order of the strings, but that strings
/// which differ after them are alike.
fn key_at(text: &str, offset: usize) -> u64 {
    let rest = text.as_bytes().get(offset..).unwrap_or_default();
    let length = rest.len().min(KEY_BYTES);
    let mut key = [0; KEY_BYTES];
    key[..length].copy_from_slice(&rest[..length]);
    u64::from_be_bytes(key)
}

impl IndexInput for HeadInput<'_> {
    fn symbols_end(&self) -> u32 {
        // A symbol is a u32, so there are no more.
        u32::try_from(self.labels.symbols().len()).unwrap_or(u32::MAX)
    }

    fn for_each_symbol(
        &self,
        each: &mut dyn FnMut(SymbolId, &str) -> io::Result<()>,
    ) -> io::Result<()> {
        let symbols = self.labels.symbols();
        let mut sorted = self.sorted_symbols().into_iter();
        sorted.try_for_each(|(_, symbol)| {
            (self.step)();
            each(symbol, symbols.text(symbol))
        })
    }

    fn rows(&self) -> u32 {
        let last = self.index.postings.all().max();
        last.map_or(0, |last| last.saturating_add(1))
    }

    fn all(&self) -> io::Result<Cow<'_, RoaringBitmap>> {
        Ok(Cow::Borrowed(self.index.postings.all()))
    }

    fn labels(&self, row: u32, out: &mut Vec<(SymbolId, SymbolId)>) -> io::Result<()> {
        (self.step)();
        if self.index.postings.all().contains(row) {
            out.extend(self.labels.symbols_of(SeriesId(row)).into_iter().flatten());
        }
        Ok(())
    }

    fn names(&self) -> io::Result<Vec<SymbolId>> {
        Ok(self.index.postings.names().collect())
    }

    fn values(&self, name: SymbolId) -> io::Result<Vec<SymbolId>> {
        Ok(self.index.postings.values(name).collect())
    }

    fn present(&self, name: SymbolId) -> io::Result<Cow<'_, RoaringBitmap>> {
        Ok(match self.index.postings.present(name) {
            Some(rows) => Cow::Borrowed(rows),
            None => Cow::default(),
        })
    }

    fn postings(&self, name: SymbolId, value: SymbolId) -> io::Result<InputRows<'_>> {
        (self.step)();
        Ok(match self.index.postings.postings(name, value) {
            Some(Postings::One(row)) => InputRows::One(*row),
            Some(Postings::Many(rows)) => InputRows::Many(Cow::Borrowed(rows)),
            None => InputRows::Many(Cow::default()),
        })
    }
}

#[cfg(test)]
mod tests;
