//! Label names, values and label sets of a stored index.

use std::ops::ControlFlow;

use roaring::RoaringBitmap;

use super::access::VALUES_PACE;
use super::names::Name;
use super::{IndexError, ListRef, RowsAt, StoredIndex};
use crate::index::taken;
use crate::model::{ReadBounds, SymbolId, Tally};

/// What reading the labels of a row costs, where a byte of a list costs 1.
const ROW_COST: u64 = 24;
/// What reading a value without its list costs.
const VALUE_COST: u64 = 5;
/// Reading the labels of this many rows costs about as much as the rows of a name.
const ROWS_A_NAME: u64 = 64;
/// How many rows' labels are asked for at once.
const ROWS_BATCH: usize = 4096;
/// How many strings are read at once.
const TEXTS_BATCH: usize = 4096;
/// How many symbols are gathered at least before those that repeat are taken out.
const SYMBOLS_UNSORTED: usize = 64 << 10;

impl StoredIndex {
    /// The string of a symbol.
    ///
    /// # Errors
    /// The index cannot be read, or has no such symbol.
    #[cfg(test)]
    pub fn text(&self, symbol: SymbolId) -> Result<String, IndexError> {
        let mut text = String::new();
        self.symbols
            .texts(&[symbol], |_, own| own.clone_into(&mut text))?;
        Ok(text)
    }

    /// Calls `each` with the strings of `symbols`, which rise: cheaper than one by one.
    ///
    /// # Errors
    /// The index cannot be read, or has no such symbol; `each` may have been called with some.
    pub fn texts(
        &self,
        symbols: &[SymbolId],
        each: impl FnMut(SymbolId, &str),
    ) -> Result<(), IndexError> {
        self.symbols.texts(symbols, each)
    }

    /// Adds names and values of a row to `out`, in order of name; nothing for a row without a
    /// series.
    ///
    /// # Errors
    /// The index cannot be read, or has no such row.
    #[cfg(test)]
    pub fn symbols_of(
        &self,
        row: u32,
        out: &mut Vec<(SymbolId, SymbolId)>,
    ) -> Result<(), IndexError> {
        self.series.labels(&[row], |_, labels| {
            out.extend_from_slice(labels);
        })
    }

    /// Calls `each` with names and values of `rows`, which rise: cheaper than one by one.
    ///
    /// # Errors
    /// The index cannot be read, or has no such row; `each` may have been called with some.
    pub fn symbols_of_rows(
        &self,
        rows: &[u32],
        each: impl FnMut(u32, &[(SymbolId, SymbolId)]),
    ) -> Result<(), IndexError> {
        self.series.labels(rows, each)
    }

    /// The label names, sorted, of all rows or of some: as many of the first as the bounds say.
    ///
    /// # Errors
    /// The index cannot be read; the read was ended.
    pub fn label_names_within(
        &self,
        rows: Option<&RoaringBitmap>,
        bounds: ReadBounds<'_>,
    ) -> Result<Vec<String>, IndexError> {
        let mut names = Vec::new();
        match rows {
            Some(rows) if rows.len() < ROWS_A_NAME * u64::from(self.names.count()) => {
                self.collect(rows, &mut names, bounds, |name, _| Some(name))?;
            }
            _ => self.names.for_each(|name| {
                bounds.check()?;
                let has_any = match rows {
                    Some(rows) => !rows.is_disjoint(&self.lists.get(RowsAt::List(name.present))?),
                    None => true,
                };
                if has_any {
                    names.push(SymbolId(name.symbol));
                }
                Ok(())
            })?,
        }
        self.sorted_texts(&names, bounds)
    }

    /// The values of a label, sorted, of all rows or of some: as many of the first as the bounds
    /// say.
    ///
    /// # Errors
    /// The index cannot be read; the read was ended.
    pub fn label_values_within(
        &self,
        name: &str,
        rows: Option<&RoaringBitmap>,
        bounds: ReadBounds<'_>,
    ) -> Result<Vec<String>, IndexError> {
        let name = match self.symbols.lookup(name)? {
            Some(symbol) => self.names.find(symbol.0)?,
            None => None,
        };
        let Some(name) = name else {
            return Ok(Vec::new());
        };
        let values = match rows {
            Some(rows) => self.values_of_rows(&name, rows, bounds)?,
            None => self.first_values(&name, bounds)?,
        };
        self.sorted_texts(&values, bounds)
    }

    /// The values of a name, sorted, as many as the bounds say.
    fn first_values(
        &self,
        name: &Name,
        bounds: ReadBounds<'_>,
    ) -> Result<Vec<SymbolId>, IndexError> {
        let count = bounds.limit.min(name.values as usize);
        let _values = bounds.hold_all::<SymbolId>(count)?;
        let mut pace = bounds.pace(VALUES_PACE);
        let mut values = Vec::new();
        self.names.while_value(name, 0..u32::MAX, |value| {
            if values.len() == count {
                return Ok(ControlFlow::Break(()));
            }
            pace.step(1)?;
            values.push(SymbolId(value.symbol));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(values)
    }

    /// The values that some rows have of a name, sorted.
    fn values_of_rows(
        &self,
        name: &Name,
        rows: &RoaringBitmap,
        bounds: ReadBounds<'_>,
    ) -> Result<Vec<SymbolId>, IndexError> {
        let by_rows = rows.len().saturating_mul(ROW_COST);
        let of_values = u64::from(name.values) * VALUE_COST;
        if by_rows < of_values {
            return self.values_by_rows(name, rows, bounds);
        }
        let (mut values, mut lists, mut symbols) = (Vec::new(), Vec::new(), Vec::new());
        let mut bytes = 0u64;
        let _lists = bounds.hold_all::<(ListRef, SymbolId)>(name.values as usize)?;
        let mut pace = bounds.pace(VALUES_PACE);
        self.names.for_each_value(name, 0..u32::MAX, |value| {
            pace.step(1)?;
            match value.rows {
                RowsAt::One(row) if rows.contains(row) => values.push(SymbolId(value.symbol)),
                RowsAt::One(_) => {}
                RowsAt::List(list) => {
                    bytes = bytes.saturating_add(list.bytes);
                    lists.push(list);
                    symbols.push(SymbolId(value.symbol));
                }
            }
            Ok(())
        })?;
        if by_rows < of_values.saturating_add(bytes) {
            return self.values_by_rows(name, rows, bounds);
        }
        let mut symbols = symbols.into_iter();
        self.lists
            .for_each_intersecting(&lists, rows, bounds, |intersects| {
                values.extend(symbols.next().filter(|_| intersects));
            })?;
        values.sort_unstable();
        Ok(values)
    }

    fn values_by_rows(
        &self,
        name: &Name,
        rows: &RoaringBitmap,
        bounds: ReadBounds<'_>,
    ) -> Result<Vec<SymbolId>, IndexError> {
        let mut values = Vec::new();
        self.collect(rows, &mut values, bounds, |own, value| {
            (own.0 == name.symbol).then_some(value)
        })?;
        Ok(values)
    }

    /// Adds the different symbols that `pick` takes from the labels of `rows`, sorted.
    fn collect(
        &self,
        rows: &RoaringBitmap,
        out: &mut Vec<SymbolId>,
        bounds: ReadBounds<'_>,
        pick: impl Fn(SymbolId, SymbolId) -> Option<SymbolId>,
    ) -> Result<(), IndexError> {
        let mut rows = rows.iter();
        let mut length_max = SYMBOLS_UNSORTED;
        let mut tally = Tally::new(bounds);
        tally.grow(length_max * size_of::<SymbolId>())?;
        loop {
            bounds.check()?;
            let batch: Vec<u32> = rows.by_ref().take(ROWS_BATCH).collect();
            self.series.labels(&batch, |_, labels| {
                out.extend(labels.iter().filter_map(|&(name, value)| pick(name, value)));
            })?;
            if batch.is_empty() || out.len() > length_max {
                out.sort_unstable();
                out.dedup();
                // Twice as many, so that they are not sorted again and again.
                let twice = out.len() * 2 + SYMBOLS_UNSORTED;
                tally.grow(twice.saturating_sub(length_max) * size_of::<SymbolId>())?;
                length_max = twice;
            }
            if batch.is_empty() {
                return Ok(());
            }
        }
    }

    /// The strings of symbols, which rise: as many as the bounds say.
    fn sorted_texts(
        &self,
        symbols: &[SymbolId],
        bounds: ReadBounds<'_>,
    ) -> Result<Vec<String>, IndexError> {
        let symbols = symbols.get(..bounds.limit).unwrap_or(symbols);
        let mut texts = Vec::new();
        let mut tally = Tally::new(bounds);
        for symbols in symbols.chunks(TEXTS_BATCH) {
            bounds.check()?;
            let mut held = Ok(());
            self.symbols.texts(symbols, |_, text| {
                let text = text.to_owned();
                held = held.and_then(|()| tally.grow(taken(&text)));
                texts.push(text);
            })?;
            held?;
        }
        Ok(texts)
    }
}
