//! A table by series id that may have gaps.

use crate::model::SeriesId;

/// Entries a page.
const PAGE: usize = 1024;

/// One entry a series id, in pages that are made when used: ids are dense but for those whose
/// definition was lost to damage, or that were given up long ago, and such a gap must cost
/// pages' pointers and not their entries.
#[derive(Clone, Debug)]
pub(super) struct IdTable<T> {
    pages: Vec<Option<Box<[Option<T>]>>>,
}

impl<T> Default for IdTable<T> {
    fn default() -> Self {
        Self { pages: Vec::new() }
    }
}

impl<T> IdTable<T> {
    pub(super) fn get(&self, id: SeriesId) -> Option<&T> {
        let page = self.pages.get(id.index() / PAGE)?.as_ref()?;
        page[id.index() % PAGE].as_ref()
    }

    /// Sets an entry, in place of what was there.
    pub(super) fn insert(&mut self, id: SeriesId, entry: T) {
        let index = id.index() / PAGE;
        if index >= self.pages.len() {
            self.pages.resize_with(index + 1, || None);
        }
        let page = self.pages[index]
            .get_or_insert_with(|| std::iter::repeat_with(|| None).take(PAGE).collect());
        page[id.index() % PAGE] = Some(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_cost_pointers() {
        let mut table = IdTable::default();
        table.insert(SeriesId(5), 'a');
        table.insert(SeriesId(40_000_000), 'b');
        assert_eq!(table.get(SeriesId(5)), Some(&'a'));
        assert_eq!(table.get(SeriesId(40_000_000)), Some(&'b'));
        for absent in [0, 4, 6, 1024, 20_000_000, 40_000_001, u32::MAX] {
            assert_eq!(table.get(SeriesId(absent)), None);
        }
        assert_eq!(table.pages.iter().flatten().count(), 2);
    }
}
