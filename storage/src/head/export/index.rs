//! The index of a frozen head, to be written to a file.

use std::borrow::Cow;
use std::io;

use parking_lot::RwLockReadGuard;
use roaring::RoaringBitmap;

use super::super::{Head, Index, LabelsView};
use crate::index::Postings;
use crate::index::stored::{IndexInput, InputRows};
use crate::model::{SeriesId, SymbolId};

/// The series of a head that queries find, by row: the row of a series is its id.
///
/// No series can be registered or applied while it lives.
#[derive(Debug)]
pub struct IndexExport<'a> {
    rows: u32,
    labels: LabelsView<'a>,
    index: RwLockReadGuard<'a, Index>,
}

impl Head {
    /// The index, for a head that no longer takes series.
    pub fn export_index(&self) -> IndexExport<'_> {
        IndexExport {
            rows: self.rows(),
            labels: self.labels_view(),
            index: self.index.read(),
        }
    }
}

impl IndexInput for IndexExport<'_> {
    fn symbols_end(&self) -> u32 {
        // The symbols of a table are numbered by u32.
        self.labels.symbols().len() as u32
    }

    fn for_each_symbol(
        &self,
        each: &mut dyn FnMut(SymbolId, &str) -> io::Result<()>,
    ) -> io::Result<()> {
        // Those of series that were registered and never applied are left out.
        let mut used = RoaringBitmap::new();
        for name in self.index.postings.names() {
            used.insert(name.0);
            used.extend(self.index.postings.values(name).map(|value| value.0));
        }
        let symbols = self.labels.symbols();
        let used = used.into_iter().map(SymbolId);
        let mut used: Vec<(&str, SymbolId)> = used.map(|s| (symbols.text(s), s)).collect();
        used.sort_unstable_by_key(|&(text, _)| text);
        used.into_iter()
            .try_for_each(|(text, symbol)| each(symbol, text))
    }

    fn rows(&self) -> u32 {
        self.rows
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
        let present = self.index.postings.present(name);
        Ok(present.map_or_else(Cow::default, Cow::Borrowed))
    }

    fn postings(&self, name: SymbolId, value: SymbolId) -> io::Result<InputRows<'_>> {
        Ok(match self.index.postings.postings(name, value) {
            Some(Postings::One(row)) => InputRows::One(*row),
            Some(Postings::Many(rows)) => InputRows::Many(Cow::Borrowed(rows)),
            None => InputRows::Many(Cow::default()),
        })
    }
}
