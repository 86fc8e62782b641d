//! Interned strings.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use thiserror::Error;

use crate::model::SymbolId;

/// Strings by number and numbers by string. Nothing is ever taken out.
///
/// All strings stand in one buffer: a symbol costs its bytes, four for its end and about nine
/// in the hash table.
#[derive(Clone, Debug, Default)]
pub struct SymbolTable {
    text: String,
    /// Where each symbol ends in `text`; it starts where the one before ends.
    ends: Vec<u32>,
    table: HashTable<SymbolId>,
    hasher: RandomState,
}

/// No more strings fit into a symbol table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error(
    "symbol table is full: it holds {bytes} bytes of label strings and at most {} fit",
    u32::MAX
)]
pub struct SymbolTableFull {
    /// Bytes of strings it holds.
    pub bytes: usize,
}

impl SymbolTable {
    /// The symbol of a string, made if it is new.
    ///
    /// # Errors
    /// The strings together would be longer than `u32::MAX` bytes.
    pub fn intern(&mut self, text: &str) -> Result<SymbolId, SymbolTableFull> {
        let hash = self.hasher.hash_one(text);
        if let Some(symbol) = self.find(hash, text) {
            return Ok(symbol);
        }
        let full = SymbolTableFull {
            bytes: self.text.len(),
        };
        let end = u32::try_from(self.text.len() + text.len()).map_err(|_| full)?;
        let symbol = SymbolId(u32::try_from(self.ends.len()).map_err(|_| full)?);
        self.text.push_str(text);
        self.ends.push(end);
        let Self {
            text,
            ends,
            table,
            hasher,
        } = self;
        table.insert_unique(hash, symbol, |&other| {
            hasher.hash_one(slice(text, ends, other))
        });
        Ok(symbol)
    }

    /// The symbol of a string, if it was interned.
    pub fn get(&self, text: &str) -> Option<SymbolId> {
        self.find(self.hasher.hash_one(text), text)
    }

    /// The string of a symbol.
    ///
    /// # Panics
    /// For a symbol of another table: a bug.
    pub fn text(&self, symbol: SymbolId) -> &str {
        slice(&self.text, &self.ends, symbol)
    }

    /// How many symbols there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of the strings alone.
    pub fn text_bytes(&self) -> usize {
        self.text.len()
    }

    fn find(&self, hash: u64, text: &str) -> Option<SymbolId> {
        self.table
            .find(hash, |&symbol| self.text(symbol) == text)
            .copied()
    }
}

fn slice<'a>(text: &'a str, ends: &[u32], symbol: SymbolId) -> &'a str {
    let index = symbol.index();
    let start = if index == 0 { 0 } else { ends[index - 1] };
    &text[start as usize..ends[index] as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_has_one_symbol_whatever_came_between() {
        let mut symbols = SymbolTable::default();
        let texts: Vec<String> = (0..5000).map(|i| format!("s{i}")).collect();
        let ids: Vec<_> = texts.iter().map(|t| symbols.intern(t).unwrap()).collect();
        let empty = symbols.intern("").unwrap();
        for (text, &id) in texts.iter().zip(&ids) {
            assert_eq!(symbols.intern(text).unwrap(), id);
            assert_eq!(symbols.get(text), Some(id));
            assert_eq!(symbols.text(id), text);
        }
        assert_eq!(symbols.text(empty), "");
        assert_eq!(symbols.get("s5000"), None);
        assert_eq!(symbols.len(), 5001);
        assert_eq!(
            symbols.text_bytes(),
            texts.iter().map(String::len).sum::<usize>()
        );
    }
}
