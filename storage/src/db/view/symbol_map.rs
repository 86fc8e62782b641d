//! Symbols of one source as symbols of a selection.

use crate::model::SymbolId;

/// Entries a page.
const PAGE: usize = 64;
/// An entry or a page that is not there, and an entry that was met and not yet set. No symbol
/// table and no list of pages gets so long: a symbol takes bytes of text, of which there are
/// 4 GiB.
const NONE: u32 = u32::MAX;
const MET: u32 = u32::MAX - 1;

/// A table in pages that are made when used: a selection of one series from a source with a
/// million symbols costs some pages, and one of all its series no hashing. Four bytes for each
/// [`PAGE`] symbols of the source below the highest one met are taken in any case.
#[derive(Debug, Default)]
pub(super) struct SymbolMap {
    /// Where the page of each [`PAGE`] symbols stands in `entries`, in pages.
    pages: Vec<u32>,
    entries: Vec<u32>,
}

impl SymbolMap {
    /// The entry of a symbol, if it was set.
    pub(super) fn get(&self, symbol: SymbolId) -> Option<SymbolId> {
        let page = *self.pages.get(symbol.index() / PAGE)? as usize;
        // A page that is not there lies behind all entries.
        let entry = *self.entries.get(page * PAGE + symbol.index() % PAGE)?;
        (entry < MET).then_some(SymbolId(entry))
    }

    /// Whether a symbol is met for the first time.
    pub(super) fn meet(&mut self, symbol: SymbolId) -> bool {
        let entry = self.entry(symbol);
        let is_new = *entry == NONE;
        if is_new {
            *entry = MET;
        }
        is_new
    }

    /// Sets the entry of a symbol.
    pub(super) fn set(&mut self, symbol: SymbolId, to: SymbolId) {
        *self.entry(symbol) = to.0;
    }

    fn entry(&mut self, symbol: SymbolId) -> &mut u32 {
        let index = symbol.index() / PAGE;
        if index >= self.pages.len() {
            self.pages.resize(index + 1, NONE);
        }
        if self.pages[index] == NONE {
            self.pages[index] = (self.entries.len() / PAGE) as u32;
            self.entries.resize(self.entries.len() + PAGE, NONE);
        }
        let page = self.pages[index] as usize;
        &mut self.entries[page * PAGE + symbol.index() % PAGE]
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
            assert!(map.meet(SymbolId(symbol)));
            assert!(!map.meet(SymbolId(symbol)));
            assert_eq!(map.get(SymbolId(symbol)), None);
            map.set(SymbolId(symbol), SymbolId(to));
            assert!(!map.meet(SymbolId(symbol)));
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
