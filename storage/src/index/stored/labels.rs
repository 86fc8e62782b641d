//! Label names, values and label sets of a stored index.

use roaring::RoaringBitmap;

use super::names::Value;
use super::{IndexError, RowsAt, StoredIndex};
#[cfg(test)]
use crate::model::SymbolId;

/// Reading the labels of a row costs about as much as this many values' lists.
const ROWS_A_VALUE: u64 = 2;
/// Reading the labels of this many rows costs about as much as the rows of a name.
const ROWS_A_NAME: u64 = 64;
/// How many rows' labels are asked for at once.
const ROWS_BATCH: usize = 4096;
/// How many symbols are gathered at least before those that repeat are taken out.
const SYMBOLS_UNSORTED: usize = 64 << 10;

impl StoredIndex {
    /// How many symbols there are: they are below this.
    #[cfg(test)]
    pub fn symbols(&self) -> u32 {
        self.symbols.count()
    }

    /// The symbol of a string, if a row has it as a label's name or value.
    ///
    /// # Errors
    /// The index cannot be read.
    #[cfg(test)]
    pub fn lookup(&self, text: &str) -> Result<Option<SymbolId>, IndexError> {
        self.symbols.lookup(text)
    }

    /// The string of a symbol.
    ///
    /// # Errors
    /// The index cannot be read, or has no such symbol.
    #[cfg(test)]
    pub fn text(&self, symbol: SymbolId) -> Result<String, IndexError> {
        let mut text = String::new();
        self.symbols
            .texts(&[symbol.0], |_, own| own.clone_into(&mut text))?;
        Ok(text)
    }

    /// Calls `each` with the strings of `symbols`, which rise: cheaper than one by one.
    ///
    /// # Errors
    /// The index cannot be read, or has no such symbol; `each` may have been called with some.
    pub fn texts(&self, symbols: &[u32], each: impl FnMut(u32, &str)) -> Result<(), IndexError> {
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
            let labels = labels.iter().copied();
            out.extend(labels.map(|(name, value)| (SymbolId(name), SymbolId(value))));
        })
    }

    /// Calls `each` with names and values of `rows`, which rise, as numbers of symbols: cheaper
    /// than one by one.
    ///
    /// # Errors
    /// The index cannot be read, or has no such row; `each` may have been called with some.
    pub fn symbols_of_rows(
        &self,
        rows: &[u32],
        each: impl FnMut(u32, &[(u32, u32)]),
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
                    names.push(name.symbol);
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
        let mut values = Vec::new();
        match rows {
            Some(rows) if rows.len() < ROWS_A_VALUE * u64::from(name.values) => {
                self.collect(rows, &mut values, |own, value| {
                    (own == name.symbol).then_some(value)
                })?;
            }
            Some(rows) => {
                let mut lists = Vec::new();
                self.names.for_each_value(&name, 0..u32::MAX, |value| {
                    match value.rows {
                        RowsAt::One(row) if rows.contains(row) => values.push(value.symbol),
                        RowsAt::One(_) => {}
                        RowsAt::List(list) => lists.push((list, value)),
                    }
                    Ok(())
                })?;
                self.values_of_lists(rows, &lists, &mut values)?;
                values.sort_unstable();
            }
            None => self.names.for_each_value(&name, 0..u32::MAX, |value| {
                values.push(value.symbol);
                Ok(())
            })?,
        }
        self.sorted_texts(&values)
    }

    /// Adds the values whose lists have one of `rows`.
    fn values_of_lists(
        &self,
        rows: &RoaringBitmap,
        lists: &[(super::ListRef, Value)],
        out: &mut Vec<u32>,
    ) -> Result<(), IndexError> {
        let refs: Vec<_> = lists.iter().map(|&(list, _)| list).collect();
        let mut values = lists.iter().map(|&(_, value)| value.symbol);
        self.lists.for_each(&refs, |list, bytes| {
            let value = values.next();
            if self.lists.intersects(list, bytes, rows)? {
                out.extend(value);
            }
            Ok(())
        })
    }

    /// Adds the different symbols that `pick` takes from the labels of `rows`, sorted.
    fn collect(
        &self,
        rows: &RoaringBitmap,
        out: &mut Vec<u32>,
        pick: impl Fn(u32, u32) -> Option<u32>,
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

    fn sorted_texts(&self, symbols: &[u32]) -> Result<Vec<String>, IndexError> {
        let mut texts = Vec::with_capacity(symbols.len());
        self.symbols
            .texts(symbols, |_, text| texts.push(text.to_owned()))?;
        Ok(texts)
    }
}
