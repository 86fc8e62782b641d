//! The labels of a frozen head as the input of a stored index.

use std::borrow::Cow;
use std::io;

use parking_lot::RwLockReadGuard;
use roaring::RoaringBitmap;

use super::{Head, Index, LabelsView};
use crate::index::Postings;
use crate::index::stored::{IndexInput, InputRows};
use crate::model::{SeriesId, SymbolId};

/// The series of a head by row. A row is an id: there is one for each up to the last that was
/// applied, and that of an id between that was not has no labels and is in no list.
///
/// Registry and index stay borrowed while it lives: it is for a head that is no longer written.
#[derive(Debug)]
pub struct HeadInput<'a> {
    labels: LabelsView<'a>,
    index: RwLockReadGuard<'a, Index>,
}

impl<'a> HeadInput<'a> {
    /// The labels of `head`, which takes no more writes.
    pub fn new(head: &'a Head) -> Self {
        Self {
            labels: head.registry.view(),
            index: head.index.read(),
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
        // With their first bytes, so that few comparisons fetch strings.
        let mut sorted: Vec<_> = used
            .map(|(symbol, _)| {
                (
                    first_bytes(symbols.text(SymbolId(symbol))),
                    SymbolId(symbol),
                )
            })
            .collect();
        sorted.sort_unstable_by(|&(one_first, one), &(other_first, other)| {
            let by_text = || symbols.text(one).cmp(symbols.text(other));
            one_first.cmp(&other_first).then_with(by_text)
        });
        sorted
    }
}

/// The first eight bytes, zeros after a string that has fewer: in the order of the strings, but
/// that strings which differ after them are alike.
fn first_bytes(text: &str) -> u64 {
    let mut first = [0; 8];
    let length = text.len().min(8);
    first[..length].copy_from_slice(&text.as_bytes()[..length]);
    u64::from_be_bytes(first)
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
        sorted.try_for_each(|(_, symbol)| each(symbol, symbols.text(symbol)))
    }

    fn rows(&self) -> u32 {
        // The last id of all has no row after it: ids end below `u32::MAX` long before that.
        let last = self.index.postings.all().max();
        last.map_or(0, |last| last.saturating_add(1))
    }

    fn all(&self) -> io::Result<Cow<'_, RoaringBitmap>> {
        Ok(Cow::Borrowed(self.index.postings.all()))
    }

    fn labels(&self, row: u32, out: &mut Vec<(SymbolId, SymbolId)>) -> io::Result<()> {
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
        Ok(match self.index.postings.postings(name, value) {
            Some(Postings::One(row)) => InputRows::One(*row),
            Some(Postings::Many(rows)) => InputRows::Many(Cow::Borrowed(rows)),
            None => InputRows::Many(Cow::default()),
        })
    }
}

#[cfg(test)]
mod tests;
