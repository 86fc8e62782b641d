//! Which label set has which series id.

use hashbrown::HashTable;
use parking_lot::{RwLock, RwLockReadGuard};
use thiserror::Error;

use super::aliases::Aliases;
use super::id_table::IdTable;
use super::label_sets::{LabelSet, LabelSets};
use super::lookup::{Lookup, Registrar, hash_labels};
use crate::codec::label_hash::{LabelHash, LabelHasher};
use crate::index::{SymbolTable, SymbolTableFull};
use crate::model::{Labels, LabelsRef, SeriesId, SymbolId};

/// Why a series could not be registered or defined.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum RegistryError {
    /// Every u32 has been given to a series.
    #[error("no series id is left: {} were given out", u32::MAX)]
    IdsExhausted,
    /// The label strings do not fit.
    #[error(transparent)]
    SymbolsFull(#[from] SymbolTableFull),
    /// The labels of all series together do not fit.
    #[error(
        "the labels of the head's series take more than {} bytes as symbols",
        u32::MAX
    )]
    TooManyLabels,
    /// An id is defined twice, with different labels.
    #[error("series {} is defined as {new} and was defined as {old}", id.0)]
    IdTaken {
        /// The id.
        id: SeriesId,
        /// Its labels so far.
        old: Labels,
        /// The labels it cannot get.
        new: Labels,
    },
    /// Labels are defined twice, with different ids.
    #[error("series {labels} is defined with id {} and had id {}", new.0, old.0)]
    LabelsTaken {
        /// The labels.
        labels: Labels,
        /// Their id so far.
        old: SeriesId,
        /// The id they cannot get.
        new: SeriesId,
    },
}

/// Label sets by id and ids by label set.
///
/// The hash of its labels stands for a series: whoever does not know the key, which is another
/// one in each head, cannot find two label sets of one hash.
#[derive(Debug, Default)]
pub(super) struct Registry {
    hasher: LabelHasher,
    /// Request threads resolve series under the shared lock; only new series take the other.
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
pub(super) struct Inner {
    sets: LabelSets,
    entries: IdTable<Entry>,
    ids: HashTable<SeriesId>,
    pub(super) aliases: Aliases,
    /// The id the next new series gets, as u64: one more than u32 holds means that none is left.
    next_id: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: LabelHash,
    set: LabelSet,
}

impl Registry {
    /// For the series of a request, to be found.
    pub(super) fn lookup(&self) -> Lookup<'_> {
        Lookup::new(&self.hasher, self.inner.read())
    }

    /// For the series of a request, to be registered.
    pub(super) fn registrar(&self) -> Registrar<'_> {
        Registrar::new(&self.hasher, self.inner.write())
    }

    pub(super) fn define(&self, id: SeriesId, labels: &Labels) -> Result<(), RegistryError> {
        let hash = hash_labels(&self.hasher, labels.as_ref(), &mut Vec::new());
        let mut inner = self.inner.write();
        if let Some(entry) = inner.entries.get(id) {
            if entry.hash == hash {
                return Ok(());
            }
            return Err(RegistryError::IdTaken {
                id,
                old: inner.sets.labels(entry.set),
                new: labels.clone(),
            });
        }
        if let Some(old) = inner.find(hash) {
            return Err(RegistryError::LabelsTaken {
                labels: labels.clone(),
                old,
                new: id,
            });
        }
        inner.insert(id, hash, labels.as_ref())
    }

    /// Sees to it that no new series gets `id` or an id below it.
    pub(super) fn keep_free(&self, id: SeriesId) {
        let mut inner = self.inner.write();
        inner.next_id = inner.next_id.max(u64::from(id.0) + 1);
    }

    pub(super) fn view(&self) -> LabelsView<'_> {
        LabelsView {
            inner: self.inner.read(),
        }
    }
}

impl Inner {
    /// How many series there are.
    pub(super) fn len(&self) -> u64 {
        self.ids.len() as u64
    }

    /// Whether the labels of that series have this hash.
    #[inline]
    pub(super) fn has(&self, id: SeriesId, hash: LabelHash) -> bool {
        let entry = self.entries.get(id);
        entry.is_some_and(|entry| entry.hash == hash)
    }

    /// The series whose labels, or bytes that they came in, have this hash.
    #[inline]
    pub(super) fn find(&self, hash: LabelHash) -> Option<SeriesId> {
        let found = self.ids.find(hash.high, |&id| self.has(id, hash));
        found.copied().or_else(|| self.aliases.find(hash))
    }

    /// The labels of a series; none for an id never defined.
    pub(super) fn labels_of(&self, id: SeriesId) -> Option<Labels> {
        let entry = self.entries.get(id)?;
        Some(self.sets.labels(entry.set))
    }

    /// Gives the next id to labels that are new.
    pub(super) fn add(
        &mut self,
        hash: LabelHash,
        labels: LabelsRef<'_>,
    ) -> Result<SeriesId, RegistryError> {
        let id = u32::try_from(self.next_id).map_err(|_| RegistryError::IdsExhausted)?;
        self.insert(SeriesId(id), hash, labels)?;
        Ok(SeriesId(id))
    }

    fn insert(
        &mut self,
        id: SeriesId,
        hash: LabelHash,
        labels: LabelsRef<'_>,
    ) -> Result<(), RegistryError> {
        let set = self.sets.add(labels)?;
        self.entries.insert(id, Entry { hash, set });
        let entries = &self.entries;
        self.ids.insert_unique(hash.high, id, |&other| {
            entries.get(other).map_or(0, |entry| entry.hash.high)
        });
        self.next_id = self.next_id.max(u64::from(id.0) + 1);
        Ok(())
    }
}

/// The labels of the series of a head, borrowed: no new series can be registered while it lives,
/// so take it for some thousands of series at a time and never twice in a thread.
#[derive(Debug)]
pub struct LabelsView<'a> {
    inner: RwLockReadGuard<'a, Inner>,
}

impl LabelsView<'_> {
    /// Names and values of a series as symbols, in order of name; none for an id never defined.
    pub fn symbols_of(
        &self,
        id: SeriesId,
    ) -> Option<impl ExactSizeIterator<Item = (SymbolId, SymbolId)> + Clone + '_> {
        let entry = self.inner.entries.get(id)?;
        Some(self.inner.sets.symbols_of(entry.set))
    }

    /// The labels of a series; none for an id never defined.
    pub fn labels(&self, id: SeriesId) -> Option<Labels> {
        self.inner.labels_of(id)
    }

    /// The symbols. They stay valid as long as the head.
    pub fn symbols(&self) -> &SymbolTable {
        self.inner.sets.symbols()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        Labels::from_pairs(pairs.iter().copied()).unwrap()
    }

    fn resolve(registry: &Registry, labels: &Labels) -> Option<SeriesId> {
        registry.lookup().find_labels(labels.as_ref(), None)
    }

    fn register(registry: &Registry, labels: &Labels) -> Result<SeriesId, RegistryError> {
        let registered = registry
            .registrar()
            .register(labels.as_ref(), None, |_| true)?;
        Ok(registered.unwrap().0)
    }

    #[test]
    fn ids_rise_and_stay() {
        let registry = Registry::default();
        for id in 0..3000u32 {
            let labels = labels(&[("a", &id.to_string()), ("b", "x")]);
            assert_eq!(resolve(&registry, &labels), None);
            assert_eq!(register(&registry, &labels), Ok(SeriesId(id)));
        }
        for id in 0..3000u32 {
            let labels = labels(&[("a", &id.to_string()), ("b", "x")]);
            assert_eq!(resolve(&registry, &labels), Some(SeriesId(id)));
            assert_eq!(register(&registry, &labels), Ok(SeriesId(id)));
            assert_eq!(registry.view().labels(SeriesId(id)), Some(labels));
        }
        assert_eq!(registry.view().labels(SeriesId(3000)), None);
        // Both names, one shape; 3000 values and "x".
        assert_eq!(registry.view().symbols().len(), 3003);
    }

    #[test]
    fn the_same_strings_cut_elsewhere_are_other_series() {
        let registry = Registry::default();
        let sets = [
            labels(&[]),
            labels(&[("ab", "c")]),
            labels(&[("a", "bc")]),
            labels(&[("a", "b"), ("c", "d")]),
            labels(&[("a", "b")]),
            labels(&[("b", "a")]),
        ];
        for (id, set) in (0u32..).zip(&sets) {
            assert_eq!(register(&registry, set), Ok(SeriesId(id)));
        }
        for (id, set) in (0u32..).zip(&sets) {
            assert_eq!(resolve(&registry, set), Some(SeriesId(id)));
        }
    }

    #[test]
    fn definitions_may_repeat_and_leave_gaps_but_not_conflict() {
        let registry = Registry::default();
        let (a, b) = (labels(&[("x", "a")]), labels(&[("x", "b")]));
        registry.define(SeriesId(7), &a).unwrap();
        registry.define(SeriesId(7), &a).unwrap();
        registry.define(SeriesId(3), &b).unwrap();
        assert_eq!(
            registry.define(SeriesId(7), &b).unwrap_err().to_string(),
            "series 7 is defined as {x=\"b\"} and was defined as {x=\"a\"}"
        );
        assert_eq!(
            registry.define(SeriesId(8), &a).unwrap_err().to_string(),
            "series {x=\"a\"} is defined with id 8 and had id 7"
        );
        registry.keep_free(SeriesId(9));
        let new = register(&registry, &labels(&[("x", "c")]));
        assert_eq!(new, Ok(SeriesId(10)));
    }

    #[test]
    fn the_last_id_is_u32_max() {
        let registry = Registry::default();
        registry.keep_free(SeriesId(u32::MAX - 1));
        let last = register(&registry, &labels(&[("x", "a")]));
        assert_eq!(last, Ok(SeriesId(u32::MAX)));
        let none = register(&registry, &labels(&[("x", "b")]));
        assert_eq!(none, Err(RegistryError::IdsExhausted));
    }
}
