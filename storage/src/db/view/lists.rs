//! Label sets of a selection, as symbols of its own.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::error::{Error, ErrorKind};
use crate::index::SymbolTable;
use crate::model::{Labels, SymbolId};

/// The label sets of a selection's series, by place.
///
/// A set costs eight bytes and four a label: the names stand once for all sets that have the
/// same ones. The strings stand once for the selection.
#[derive(Debug, Default)]
pub(super) struct LabelLists {
    symbols: SymbolTable,
    shapes: Shapes,
    sets: Vec<Set>,
    /// The values of all sets, back to back, each set's in the order of its names.
    values: Vec<u32>,
    hasher: RandomState,
}

/// One label set.
#[derive(Clone, Copy, Debug)]
struct Set {
    shape: u32,
    /// Where its values start.
    start: u32,
}

/// A label set on its way in: names, as the number of their list, and values.
#[derive(Clone, Copy, Debug)]
pub(super) struct List<'a> {
    shape: u32,
    values: &'a [u32],
}

impl LabelLists {
    /// The symbol of a string, made if it is new.
    ///
    /// # Errors
    /// The strings together would be longer than 4 GiB.
    pub(super) fn intern(&mut self, text: &str) -> Result<SymbolId, Error> {
        self.symbols
            .intern(text)
            .map_err(|full| Error::with_source(ErrorKind::TooManySeries, full.to_string(), full))
    }

    /// A label set by the symbols of its names and of its values.
    ///
    /// # Errors
    /// More lists of names than a u32 counts.
    pub(super) fn list<'v>(&mut self, names: &[u32], values: &'v [u32]) -> Result<List<'v>, Error> {
        debug_assert_eq!(names.len(), values.len());
        let shape = self.shapes.of(names, &self.hasher)?;
        Ok(List { shape, values })
    }

    /// Adds a label set; returns its place.
    ///
    /// # Errors
    /// More series or more labels than a u32 counts.
    pub(super) fn push(&mut self, list: List<'_>) -> Result<u32, Error> {
        let place = count(self.sets.len())?;
        let start = count(self.values.len())?;
        self.values.extend_from_slice(list.values);
        self.sets.push(Set {
            shape: list.shape,
            start,
        });
        Ok(place)
    }

    /// Gives back the memory that more sets would have taken.
    pub(super) fn shrink(&mut self) {
        self.sets.shrink_to_fit();
        self.values.shrink_to_fit();
    }

    /// What they take in memory.
    pub(super) fn bytes(&self) -> usize {
        /// What a string takes beside its bytes.
        const SYMBOL_BYTES: usize = 16;
        self.sets.capacity() * size_of::<Set>()
            + self.values.capacity() * size_of::<u32>()
            + self.symbols.text_bytes()
            + self.symbols.len() * SYMBOL_BYTES
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.sets.len()
    }

    /// The label set at a place below [`LabelLists::len`].
    pub(super) fn at(&self, place: usize) -> List<'_> {
        let Set { shape, start } = self.sets[place];
        let end = start as usize + self.shapes.names(shape).len();
        List {
            shape,
            values: &self.values[start as usize..end],
        }
    }

    /// Whether the set at a place is this one.
    pub(super) fn is(&self, place: usize, list: List<'_>) -> bool {
        // Sets of one shape have as many values as each other.
        let own = self.sets[place];
        own.shape == list.shape && self.values[own.start as usize..].starts_with(list.values)
    }

    /// The hash of a label set, the same throughout this selection.
    pub(super) fn hash(&self, list: List<'_>) -> u64 {
        self.hasher.hash_one((list.shape, list.values))
    }

    /// Symbols of names and values of the set at a place, in order of name.
    pub(super) fn symbols_at(
        &self,
        place: usize,
    ) -> impl ExactSizeIterator<Item = (SymbolId, SymbolId)> + Clone + '_ {
        let List { shape, values } = self.at(place);
        let names = self.shapes.names(shape).iter();
        names
            .zip(values)
            .map(|(&name, &value)| (SymbolId(name), SymbolId(value)))
    }

    /// The set at a place as strings.
    pub(super) fn labels(&self, place: usize) -> Labels {
        Labels::from_label_set(
            self.symbols_at(place)
                .map(|(name, value)| (self.symbols.text(name), self.symbols.text(value))),
        )
    }

    /// The symbol of a string that a label has as its name or value.
    pub(super) fn symbol(&self, text: &str) -> Option<SymbolId> {
        self.symbols.get(text)
    }
}

/// Lists of label names, each once.
#[derive(Debug, Default)]
struct Shapes {
    /// All lists back to back.
    names: Vec<u32>,
    ends: Vec<u32>,
    table: HashTable<u32>,
    /// The list asked for last: most often it is asked for again.
    last: u32,
}

impl Shapes {
    fn of(&mut self, names: &[u32], hasher: &RandomState) -> Result<u32, Error> {
        let Self {
            names: all,
            ends,
            table,
            last,
        } = self;
        if (*last as usize) < ends.len() && list(all, ends, *last) == names {
            return Ok(*last);
        }
        let hash = hasher.hash_one(names);
        let found = table.find(hash, |&shape| list(all, ends, shape) == names);
        let shape = match found {
            Some(&shape) => shape,
            None => {
                let shape = count(ends.len())?;
                let end = count(all.len() + names.len())?;
                all.extend_from_slice(names);
                ends.push(end);
                table.insert_unique(hash, shape, |&other| {
                    hasher.hash_one(list(all, ends, other))
                });
                shape
            }
        };
        *last = shape;
        Ok(shape)
    }

    fn names(&self, shape: u32) -> &[u32] {
        list(&self.names, &self.ends, shape)
    }
}

fn list<'a>(names: &'a [u32], ends: &[u32], shape: u32) -> &'a [u32] {
    let shape = shape as usize;
    let start = if shape == 0 { 0 } else { ends[shape - 1] };
    &names[start as usize..ends[shape] as usize]
}

/// A number of series, labels or rows of a selection.
///
/// # Errors
/// More than a u32 counts.
pub(super) fn count(of: usize) -> Result<u32, Error> {
    u32::try_from(of).map_err(|_| {
        let message = format!("a selection of more than {} series or labels", u32::MAX);
        Error::new(ErrorKind::TooManySeries, message)
    })
}
