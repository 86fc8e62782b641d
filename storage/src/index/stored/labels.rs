//! Label names, values and label sets of a stored index.

use roaring::RoaringBitmap;

use super::names::Name;
use super::{IndexError, RowsAt, StoredIndex};
use crate::model::SymbolId;

/// What reading the labels of a row costs, where a byte of a list costs 1.
const ROW_COST: u64 = 24;
/// What reading a value without its list costs.
const VALUE_COST: u64 = 5;
/// Reading the labels of this many rows costs about as much as the rows of a name.
const ROWS_A_NAME: u64 = 64;
/// How many rows' labels are asked for at once.
const ROWS_BATCH: usize = 4096;
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

    /// The label names, sorted, of all rows or of some.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn label_names(&self, rows: Option<&RoaringBitmap>) -> Result<Vec<String>, IndexError> {
        let mut names = Vec::new();
        match rows {
            Some(rows) if rows.len() < ROWS_A_NAME * u64::from(self.names.count()) => {
                self.collect(rows, &mut names, |name, _| Some(name))?;
            }
            _ => self.names.for_each(|name| {
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
        self.sorted_texts(&names)
    }

    /// The values of a label, sorted, of all rows or of some.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn label_values(
        &self,
        name: &str,
        rows: Option<&RoaringBitmap>,
    ) -> Result<Vec<String>, IndexError> {
        let name = match self.symbols.lookup(name)? {
            Some(symbol) => self.names.find(symbol.0)?,
            None => None,
        };
        let Some(name) = name else {
            return Ok(Vec::new());
        };
        let values = match rows {
            Some(rows) => self.values_of_rows(&name, rows)?,
            None => {
                let mut values = Vec::new();
                self.names.for_each_value(&name, 0..u32::MAX, |value| {
                    values.push(SymbolId(value.symbol));
                    Ok(())
                })?;
                values
            }
        };
        self.sorted_texts(&values)
    }

    /// The values that some rows have of a name, sorted.
    fn values_of_rows(
        &self,
        name: &Name,
        rows: &RoaringBitmap,
    ) -> Result<Vec<SymbolId>, IndexError> {
        let by_rows = rows.len().saturating_mul(ROW_COST);
        let of_values = u64::from(name.values) * VALUE_COST;
        if by_rows < of_values {
            return self.values_by_rows(name, rows);
        }
        let (mut values, mut lists, mut symbols) = (Vec::new(), Vec::new(), Vec::new());
        let mut bytes = 0u64;
        self.names.for_each_value(name, 0..u32::MAX, |value| {
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
            return self.values_by_rows(name, rows);
        }
        let mut symbols = symbols.into_iter();
        self.lists
            .for_each_intersecting(&lists, rows, |intersects| {
                values.extend(symbols.next().filter(|_| intersects));
            })?;
        values.sort_unstable();
        Ok(values)
    }

    fn values_by_rows(
        &self,
        name: &Name,
        rows: &RoaringBitmap,
    ) -> Result<Vec<SymbolId>, IndexError> {
        let mut values = Vec::new();
        self.collect(rows, &mut values, |own, value| {
            (own.0 == name.symbol).then_some(value)
        })?;
        Ok(values)
    }

    /// Adds the different symbols that `pick` takes from the labels of `rows`, sorted.
    fn collect(
        &self,
        rows: &RoaringBitmap,
        out: &mut Vec<SymbolId>,
        pick: impl Fn(SymbolId, SymbolId) -> Option<SymbolId>,
    ) -> Result<(), IndexError> {
        let mut rows = rows.iter();
        let mut length_max = SYMBOLS_UNSORTED;
        loop {
            let batch: Vec<u32> = rows.by_ref().take(ROWS_BATCH).collect();
            self.series.labels(&batch, |_, labels| {
                out.extend(labels.iter().filter_map(|&(name, value)| pick(name, value)));
            })?;
            if batch.is_empty() || out.len() > length_max {
                out.sort_unstable();
                out.dedup();
                // Twice as many, so that they are not sorted again and again.
                length_max = out.len() * 2 + SYMBOLS_UNSORTED;
            }
            if batch.is_empty() {
                return Ok(());
            }
        }
    }

    fn sorted_texts(&self, symbols: &[SymbolId]) -> Result<Vec<String>, IndexError> {
        let mut texts = Vec::with_capacity(symbols.len());
        self.symbols
            .texts(symbols, |_, text| texts.push(text.to_owned()))?;
        Ok(texts)
    }
}
