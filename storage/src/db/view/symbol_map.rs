//! Symbols of one source as symbols of a selection.

use crate::model::SymbolId;

/// Entries a page.
const PAGE: usize = 64;
/// An entry or a page that is not there. No symbol table and no list of pages gets so long: a
/// symbol takes bytes of text, of which there are 4 GiB.
const NONE: u32 = u32::MAX;

/// A table in pages that are made when used: a selection of one series from a source with a
/// million symbols costs some pages, and one of all its series no hashing.
#[derive(Debug, Default)]
pub(super) struct SymbolMap {
    /// Where the page of each [`PAGE`] symbols stands in `entries`, in pages.
    pages: Vec<u32>,
    entries: Vec<u32>,
}

impl SymbolMap {
    pub(super) fn get(&self, symbol: SymbolId) -> Option<SymbolId> {
        let page = *self.pages.get(symbol.index() / PAGE)? as usize;
        // A page that is not there lies behind all entries.
        let entry = *self.entries.get(page * PAGE + symbol.index() % PAGE)?;
        (entry != NONE).then_some(SymbolId(entry))
    }

    /// Sets an entry. Takes memory for all symbols of the source below `symbol`, a sixteenth of
    /// a byte each, so `symbol` must be known to be one of it.
    pub(super) fn insert(&mut self, symbol: SymbolId, to: SymbolId) {
        let index = symbol.index() / PAGE;
        if index >= self.pages.len() {
            self.pages.resize(index + 1, NONE);
        }
        if self.pages[index] == NONE {
            self.pages[index] = (self.entries.len() / PAGE) as u32;
            self.entries.resize(self.entries.len() + PAGE, NONE);
        }
        let page = self.pages[index] as usize;
        self.entries[page * PAGE + symbol.index() % PAGE] = to.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_far_apart_cost_a_page_each() {
        let mut map = SymbolMap::default();
        let symbols = [0, 1, 63, 64, 1000, 3_000_000];
        for (to, &symbol) in (7..).zip(&symbols) {
            assert_eq!(map.get(SymbolId(symbol)), None);
            map.insert(SymbolId(symbol), SymbolId(to));
        }
        for (to, &symbol) in (7..).zip(&symbols) {
            assert_eq!(map.get(SymbolId(symbol)), Some(SymbolId(to)));
        }
        for absent in [2, 62, 65, 128, 999, 2_999_999, 3_000_001, u32::MAX] {
            assert_eq!(map.get(SymbolId(absent)), None);
        }
        assert_eq!(map.entries.len(), 4 * PAGE);
    }
}
