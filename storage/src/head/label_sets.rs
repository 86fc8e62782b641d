//! Label sets as symbols: the names once for all series of a shape, the values one after the
//! other, each in as few bytes as it needs. Symbols that many series have were mostly the first
//! and have the smallest numbers.

use std::hash::BuildHasher;
use std::num::NonZeroU32;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::registry::RegistryError;
use crate::codec::varint;
use crate::index::{SymbolTable, SymbolTableFull};
use crate::model::{Labels, LabelsRef, SymbolId};

/// The symbols of all label sets and what they stand for.
#[derive(Debug, Default)]
pub(super) struct LabelSets {
    symbols: SymbolTable,
    /// Lists of label names, each once, back to back.
    shape_names: Vec<SymbolId>,
    /// Where each list ends in `shape_names`.
    shape_ends: Vec<u32>,
    shapes: HashTable<u32>,
    hasher: RandomState,
    /// Values of all sets as varints, back to back, each set's in the order of its shape's names.
    values: Vec<u8>,
    /// The set that was added last, and its shape: the next one is mostly much the same.
    before: Vec<(SymbolId, SymbolId)>,
    shape_before: Option<NonZeroU32>,
    /// The set that is being added; kept for its memory, as are its names.
    scratch: Vec<(SymbolId, SymbolId)>,
    names: Vec<SymbolId>,
}

/// One label set of a [`LabelSets`].
#[derive(Clone, Copy, Debug)]
pub(super) struct LabelSet {
    /// Number of the shape, from 1.
    shape: NonZeroU32,
    /// Where its values start, in bytes.
    start: u32,
}

impl LabelSets {
    /// Stores a label set. The caller knows that it is new.
    pub(super) fn add(&mut self, labels: LabelsRef<'_>) -> Result<LabelSet, RegistryError> {
        let start = self.values.len();
        let offset = u32::try_from(start).map_err(|_| RegistryError::TooManyLabels)?;
        self.scratch.clear();
        let mut has_names_before = labels.len() == self.before.len();
        for (place, (name, value)) in labels.iter().enumerate() {
            let before = self.before.get(place).copied();
            let interned = self
                .intern(name, before.map(|before| before.0))
                .and_then(|name| Ok((name, self.intern(value, before.map(|before| before.1))?)));
            match interned {
                Ok((name, value)) => {
                    has_names_before &= before.is_some_and(|before| before.0 == name);
                    self.scratch.push((name, value));
                    varint::put_u64(&mut self.values, value.0.into());
                }
                Err(full) => {
                    self.values.truncate(start);
                    return Err(full.into());
                }
            }
        }
        let shape = match self.shape_before {
            Some(shape) if has_names_before => shape,
            _ => self.shape()?,
        };
        self.shape_before = Some(shape);
        std::mem::swap(&mut self.before, &mut self.scratch);
        Ok(LabelSet {
            shape,
            start: offset,
        })
    }

    /// The symbol of a string, which may be `guess`: comparing costs less than to hash.
    fn intern(&mut self, text: &str, guess: Option<SymbolId>) -> Result<SymbolId, SymbolTableFull> {
        match guess {
            Some(guess) if self.symbols.text(guess) == text => Ok(guess),
            _ => self.symbols.intern(text),
        }
    }

    /// The shape with the names of the set in `scratch`.
    fn shape(&mut self) -> Result<NonZeroU32, RegistryError> {
        self.names.clear();
        self.names.extend(self.scratch.iter().map(|label| label.0));
        let Self {
            shape_names: names,
            shape_ends: ends,
            hasher,
            ..
        } = self;
        let hash = hasher.hash_one(&*self.names);
        let number = match self
            .shapes
            .find(hash, |&shape| list(names, ends, shape) == self.names)
        {
            Some(&shape) => shape,
            None => {
                let shape = u32::try_from(ends.len()).map_err(|_| RegistryError::TooManyLabels)?;
                let end = u32::try_from(names.len() + self.names.len())
                    .map_err(|_| RegistryError::TooManyLabels)?;
                names.extend_from_slice(&self.names);
                ends.push(end);
                self.shapes.insert_unique(hash, shape, |&other| {
                    hasher.hash_one(list(names, ends, other))
                });
                shape
            }
        };
        NonZeroU32::MIN
            .checked_add(number)
            .ok_or(RegistryError::TooManyLabels)
    }

    /// Names and values of a set, in order of name.
    pub(super) fn symbols_of(
        &self,
        set: LabelSet,
    ) -> impl ExactSizeIterator<Item = (SymbolId, SymbolId)> + Clone + '_ {
        let names = list(&self.shape_names, &self.shape_ends, set.shape.get() - 1);
        let mut values = &self.values[set.start as usize..];
        names.iter().map(move |&name| {
            let value = varint::take_u64(&mut values);
            (name, SymbolId(value.unwrap_or_default() as u32))
        })
    }

    pub(super) fn labels(&self, set: LabelSet) -> Labels {
        Labels::from_label_set(
            self.symbols_of(set)
                .map(|(name, value)| (self.symbols.text(name), self.symbols.text(value))),
        )
    }

    pub(super) fn symbols(&self) -> &SymbolTable {
        &self.symbols
    }
}

fn list<'a>(names: &'a [SymbolId], ends: &[u32], shape: u32) -> &'a [SymbolId] {
    let shape = shape as usize;
    let start = if shape == 0 { 0 } else { ends[shape - 1] };
    &names[start as usize..ends[shape] as usize]
}
