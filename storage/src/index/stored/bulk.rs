//! Walking an index from end to end, as whoever merges files does.

use super::{IndexError, RowsAt, StoredIndex};
use crate::model::SymbolId;

/// Where the rows that have a value of a label name stand.
#[derive(Clone, Copy, Debug)]
pub struct ValueRows(RowsAt);

impl StoredIndex {
    /// How many symbols there are: they are below this.
    pub fn symbols(&self) -> u32 {
        self.symbols.count()
    }

    /// The symbol of a string, if a row has it as a label's name or value.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn lookup(&self, text: &str) -> Result<Option<SymbolId>, IndexError> {
        self.symbols.lookup(text)
    }

    /// Where the rows of each value of a label name stand, in order of value; nothing for a name
    /// that no row has.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn value_rows(&self, name: SymbolId) -> Result<Vec<ValueRows>, IndexError> {
        let mut all = Vec::new();
        if let Some(name) = self.names.find(name.0)? {
            self.names.for_each_value(&name, 0..u32::MAX, |value| {
                all.push(ValueRows(value.rows));
                Ok(())
            })?;
        }
        Ok(all)
    }

    /// Adds the rows that have a value to `out`, in rising order.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn rows_of(&self, value: &ValueRows, out: &mut Vec<u32>) -> Result<(), IndexError> {
        out.extend(self.lists.get(value.0)?);
        Ok(())
    }

    /// The rows of series that have no label of a name, in rising order.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn rows_without(&self, name: Option<SymbolId>) -> Result<Vec<u32>, IndexError> {
        let mut rows = self.lists.get(RowsAt::List(self.all))?;
        let name = match name {
            Some(name) => self.names.find(name.0)?,
            None => None,
        };
        if let Some(name) = name {
            rows -= self.lists.get(RowsAt::List(name.present))?;
        }
        Ok(rows.into_iter().collect())
    }
}
