//! Which label set has which series id.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use parking_lot::{RwLock, RwLockReadGuard};
use thiserror::Error;

use super::id_table::IdTable;
use super::label_sets::{LabelSet, LabelSets};
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
#[derive(Debug, Default)]
pub(super) struct Registry {
    /// Keyed anew for each head. It can be attacked with much effort, so labels are compared in
    /// full wherever hashes agree.
    hasher: RandomState,
    /// Request threads resolve series under the shared lock; only a new series takes the other.
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    sets: LabelSets,
    entries: IdTable<Entry>,
    ids: HashTable<SeriesId>,
    /// The id the next new series gets, as u64: one more than u32 holds means that none is left.
    next_id: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Kept so that a growing table need not gather all label strings again.
    hash: Hash,
    set: LabelSet,
}

/// The hash of a label set. Half of its bits are kept, as there is one for every series; labels
/// are compared wherever they agree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Hash(u32);

impl Hash {
    fn of(hasher: &RandomState, labels: LabelsRef<'_>) -> Self {
        Self((hasher.hash_one(labels) >> 32) as u32)
    }

    /// For the table, which finds a place by the lowest bits and compares the highest ones.
    fn spread(self) -> u64 {
        u64::from(self.0) << 32 | u64::from(self.0)
    }
}

impl Registry {
    pub(super) fn resolve(&self, labels: LabelsRef<'_>) -> Option<SeriesId> {
        let hash = Hash::of(&self.hasher, labels);
        self.inner.read().find(hash, labels)
    }

    /// The ids of label sets, if all have one.
    ///
    /// Senders repeat themselves: the series after this one mostly has the id after this one's.
    /// So its labels are compared first, which costs neither hash nor table.
    pub(super) fn resolve_all<'a>(
        &self,
        sets: impl Iterator<Item = LabelsRef<'a>>,
    ) -> Option<Vec<SeriesId>> {
        let inner = self.inner.read();
        let mut guess = SeriesId(0);
        sets.map(|labels| {
            let id = match inner.has(guess, labels) {
                true => guess,
                false => inner.find(Hash::of(&self.hasher, labels), labels)?,
            };
            guess = SeriesId(id.0.wrapping_add(1));
            Some(id)
        })
        .collect()
    }

    pub(super) fn register(&self, labels: LabelsRef<'_>) -> Result<SeriesId, RegistryError> {
        let hash = Hash::of(&self.hasher, labels);
        let mut inner = self.inner.write();
        if let Some(id) = inner.find(hash, labels) {
            return Ok(id);
        }
        let id = u32::try_from(inner.next_id).map_err(|_| RegistryError::IdsExhausted)?;
        inner.insert(SeriesId(id), hash, labels)?;
        Ok(SeriesId(id))
    }

    pub(super) fn define(&self, id: SeriesId, labels: &Labels) -> Result<(), RegistryError> {
        let hash = Hash::of(&self.hasher, labels.as_ref());
        let mut inner = self.inner.write();
        if let Some(entry) = inner.entries.get(id) {
            if inner.sets.is(entry.set, labels.as_ref()) {
                return Ok(());
            }
            return Err(RegistryError::IdTaken {
                id,
                old: inner.sets.labels(entry.set),
                new: labels.clone(),
            });
        }
        if let Some(old) = inner.find(hash, labels.as_ref()) {
            return Err(RegistryError::LabelsTaken {
                labels: labels.clone(),
                old,
                new: id,
            });
        }
        inner.insert(id, hash, labels.as_ref())
    }

    /// How many series there are.
    pub(super) fn len(&self) -> u64 {
        self.inner.read().ids.len() as u64
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
    /// Whether these are the labels of that series.
    fn has(&self, id: SeriesId, labels: LabelsRef<'_>) -> bool {
        let entry = self.entries.get(id);
        entry.is_some_and(|entry| self.sets.is(entry.set, labels))
    }

    fn find(&self, hash: Hash, labels: LabelsRef<'_>) -> Option<SeriesId> {
        let is_it = |&id: &SeriesId| {
            self.entries
                .get(id)
                .is_some_and(|entry| entry.hash == hash && self.sets.is(entry.set, labels))
        };
        self.ids.find(hash.spread(), is_it).copied()
    }

    fn insert(
        &mut self,
        id: SeriesId,
        hash: Hash,
        labels: LabelsRef<'_>,
    ) -> Result<(), RegistryError> {
        let set = self.sets.add(labels)?;
        self.entries.insert(id, Entry { hash, set });
        let entries = &self.entries;
        self.ids.insert_unique(hash.spread(), id, |&other| {
            entries.get(other).map_or(0, |entry| entry.hash.spread())
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
        let entry = self.inner.entries.get(id)?;
        Some(self.inner.sets.labels(entry.set))
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

    #[test]
    fn ids_rise_and_stay() {
        let registry = Registry::default();
        for id in 0..3000u32 {
            let labels = labels(&[("a", &id.to_string()), ("b", "x")]);
            assert_eq!(registry.resolve(labels.as_ref()), None);
            assert_eq!(registry.register(labels.as_ref()), Ok(SeriesId(id)));
        }
        for id in 0..3000u32 {
            let labels = labels(&[("a", &id.to_string()), ("b", "x")]);
            assert_eq!(registry.resolve(labels.as_ref()), Some(SeriesId(id)));
            assert_eq!(registry.register(labels.as_ref()), Ok(SeriesId(id)));
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
            assert_eq!(registry.register(set.as_ref()), Ok(SeriesId(id)));
        }
        for (id, set) in (0u32..).zip(&sets) {
            assert_eq!(registry.resolve(set.as_ref()), Some(SeriesId(id)));
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
        let new = registry.register(labels(&[("x", "c")]).as_ref());
        assert_eq!(new, Ok(SeriesId(10)));
    }

    #[test]
    fn the_last_id_is_u32_max() {
        let registry = Registry::default();
        registry.keep_free(SeriesId(u32::MAX - 1));
        let last = registry.register(labels(&[("x", "a")]).as_ref());
        assert_eq!(last, Ok(SeriesId(u32::MAX)));
        let none = registry.register(labels(&[("x", "b")]).as_ref());
        assert_eq!(none, Err(RegistryError::IdsExhausted));
    }
}
