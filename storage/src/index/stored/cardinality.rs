//! What a stored index has most of.

use super::names::Name;
use super::{IndexError, RowsAt, StoredIndex};
use crate::index::LabelCounts;
use crate::model::{Cardinality, ReadBounds, SymbolId};

/// How many values are counted at once.
const BATCH: usize = 4096;

impl StoredIndex {
    /// How many series and labels there are, and of which most: as many as the bounds say. Reads
    /// the names, the postings and the symbols, and no series.
    ///
    /// # Errors
    /// The index cannot be read; the read was ended.
    pub fn cardinality_within(&self, bounds: ReadBounds<'_>) -> Result<Cardinality, IndexError> {
        let mut counts = LabelCounts::new(bounds);
        let _names = bounds.hold_all::<Name>(self.names.count() as usize)?;
        let mut names = Vec::new();
        self.names.for_each(|name| {
            names.push(*name);
            Ok(())
        })?;
        let mut text = String::new();
        for name in &names {
            bounds.check()?;
            let symbol = [SymbolId(name.symbol)];
            self.symbols
                .texts(&symbol, |_, own| own.clone_into(&mut text))?;
            counts.begin(&text)?;
            self.count_values(name, &mut counts, bounds)?;
        }
        let series = self.lists.get(RowsAt::List(self.all))?.len();
        Ok(counts.finish(series)?)
    }

    /// Adds the values of a name.
    fn count_values(
        &self,
        name: &Name,
        counts: &mut LabelCounts<'_>,
        bounds: ReadBounds<'_>,
    ) -> Result<(), IndexError> {
        let (mut values, mut rows) = (Vec::new(), Vec::new());
        self.names.for_each_value(name, 0..u32::MAX, |value| {
            values.push(SymbolId(value.symbol));
            rows.push(value.rows);
            if values.len() >= BATCH {
                self.count_batch(&values, &rows, counts, bounds)?;
                values.clear();
                rows.clear();
            }
            Ok(())
        })?;
        self.count_batch(&values, &rows, counts, bounds)
    }

    fn count_batch(
        &self,
        values: &[SymbolId],
        rows: &[RowsAt],
        counts: &mut LabelCounts<'_>,
        bounds: ReadBounds<'_>,
    ) -> Result<(), IndexError> {
        let mut series = self.lists.counts(rows, bounds)?.into_iter();
        let mut going_on = Ok(());
        self.symbols.texts(values, |_, text| {
            // Once told to end, what is left of these is read and not looked at.
            if let (Ok(()), Some(series)) = (going_on, series.next()) {
                going_on = counts.value(text, series);
            }
        })?;
        Ok(going_on?)
    }
}
