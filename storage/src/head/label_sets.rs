//! Label sets as symbols: the names once for all series of a shape, the values one after the
//! other, each in as few bytes as it needs. Symbols that many series have were mostly the first
//! and have the smallest numbers.

use std::hash::BuildHasher;
use std::num::NonZeroU32;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::registry::RegistryError;
use crate::codec::varint;
use crate::index::SymbolTable;
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
    /// Names of the set that is being added; kept for its memory.
    scratch: Vec<SymbolId>,
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
        for (name, value) in labels.iter() {
            let interned = self
                .symbols
                .intern(name)
                .and_then(|name| Ok((name, self.symbols.intern(value)?)));
            match interned {
                Ok((name, value)) => {
                    self.scratch.push(name);
                    varint::put_u64(&mut self.values, value.0.into());
                }
                Err(full) => {
                    self.values.truncate(start);
                    return Err(full.into());
                }
            }
        }
        Ok(LabelSet {
            shape: self.shape()?,
            start: offset,
        })
    }

    /// The shape whose names stand in `scratch`.
    fn shape(&mut self) -> Result<NonZeroU32, RegistryError> {
        let Self {
            shape_names: names,
            shape_ends: ends,
            hasher,
            ..
        } = self;
        let hash = hasher.hash_one(&*self.scratch);
        let number = match self
            .shapes
            .find(hash, |&shape| list(names, ends, shape) == self.scratch)
        {
            Some(&shape) => shape,
            None => {
                let shape = u32::try_from(ends.len()).map_err(|_| RegistryError::TooManyLabels)?;
                let end = u32::try_from(names.len() + self.scratch.len())
                    .map_err(|_| RegistryError::TooManyLabels)?;
                names.extend_from_slice(&self.scratch);
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
