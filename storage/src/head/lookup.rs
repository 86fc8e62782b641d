//! Finding and registering the series of a request under one lock.

use parking_lot::{RwLockReadGuard, RwLockWriteGuard};

use super::registry::{Inner, RegistryError};
use crate::codec::label_fields::{are_fields, put_fields};
use crate::codec::label_hash::{LabelHash, LabelHasher};
use crate::model::{Labels, LabelsRef, SeriesId};

/// After so many series whoever waits for the registry gets a turn.
const TURN_SERIES: u32 = 1024;

/// The hashes of a label set in a head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LabelHashes {
    /// Of the labels as they are kept.
    pub(super) labels: LabelHash,
    /// Of the bytes that they came in, where those are others.
    pub(super) alias: Option<LabelHash>,
}

impl LabelHashes {
    /// Whether the labels came in other bytes than those they are kept in.
    pub fn has_alias(&self) -> bool {
        self.alias.is_some()
    }
}

/// Finds series. New ones wait as long as this is held: no two of them in a thread.
#[derive(Debug)]
pub struct Lookup<'a> {
    hasher: &'a LabelHasher,
    inner: RwLockReadGuard<'a, Inner>,
    /// Senders repeat themselves: the series after this one mostly has the id after this one's.
    next: SeriesId,
    turn: u32,
    /// The fields of a label set, kept for its memory.
    fields: Vec<u8>,
}

/// Registers series. Everybody else waits as long as this is held.
#[derive(Debug)]
pub struct Registrar<'a> {
    hasher: &'a LabelHasher,
    inner: RwLockWriteGuard<'a, Inner>,
    turn: u32,
    fields: Vec<u8>,
}

impl<'a> Lookup<'a> {
    pub(super) fn new(hasher: &'a LabelHasher, inner: RwLockReadGuard<'a, Inner>) -> Self {
        Self {
            hasher,
            inner,
            next: SeriesId(0),
            turn: 0,
            fields: Vec::new(),
        }
    }

    /// The series whose labels came in these bytes before, or are written so by
    /// [`put_fields`].
    #[inline]
    pub fn find_fields(&mut self, fields: &[u8]) -> Option<SeriesId> {
        self.find(self.hasher.hash(fields))
    }

    /// The series with these labels, which have these hashes if that is known.
    pub fn find_labels(
        &mut self,
        labels: LabelsRef<'_>,
        hashes: Option<LabelHashes>,
    ) -> Option<SeriesId> {
        let hash = match hashes {
            Some(hashes) => hashes.labels,
            None => hash_labels(self.hasher, labels, &mut self.fields),
        };
        self.find(hash)
    }

    /// The hashes of labels that came in the bytes `fields`, in that order and not yet as a
    /// label set, if it can be seen that those are what [`put_fields`] writes.
    pub fn hashes_of_fields(&self, fields: &[u8], labels: &[(&str, &str)]) -> Option<LabelHashes> {
        let is_set = labels.is_sorted_by(|a, b| a.0 < b.0)
            && labels.iter().all(|(_, value)| !value.is_empty());
        (is_set && are_fields(fields, labels)).then(|| LabelHashes {
            labels: self.hasher.hash(fields),
            alias: None,
        })
    }

    /// The hashes of labels that came in the bytes `came`.
    pub fn hashes(&mut self, labels: LabelsRef<'_>, came: &[u8]) -> LabelHashes {
        let own = hash_labels(self.hasher, labels, &mut self.fields);
        LabelHashes {
            labels: own,
            alias: (self.fields != came).then(|| self.hasher.hash(came)),
        }
    }

    /// Whether the bytes that these labels came in would be remembered for their series.
    pub fn may_learn(&self, id: SeriesId) -> bool {
        self.inner.aliases.has_room(id)
    }

    #[inline]
    fn find(&mut self, hash: LabelHash) -> Option<SeriesId> {
        self.turn += 1;
        if self.turn == TURN_SERIES {
            self.turn = 0;
            RwLockReadGuard::bump(&mut self.inner);
        }
        let id = match self.inner.has(self.next, hash) {
            true => self.next,
            false => self.inner.find(hash)?,
        };
        self.next = SeriesId(id.0.wrapping_add(1));
        Some(id)
    }
}

impl<'a> Registrar<'a> {
    pub(super) fn new(hasher: &'a LabelHasher, inner: RwLockWriteGuard<'a, Inner>) -> Self {
        Self {
            hasher,
            inner,
            turn: 0,
            fields: Vec::new(),
        }
    }

    /// How many series there are.
    pub fn count(&self) -> u64 {
        self.inner.len()
    }

    /// The labels of a series; none for an id that was not given out.
    pub fn labels_of(&self, id: SeriesId) -> Option<Labels> {
        self.inner.labels_of(id)
    }

    /// The series with these labels, which have these hashes if that is known: the id, and
    /// whether it is new. None where it is new and not `wanted`.
    ///
    /// # Errors
    /// Ids, label strings or labels are used up.
    pub fn register(
        &mut self,
        labels: LabelsRef<'_>,
        hashes: Option<LabelHashes>,
        wanted: impl FnOnce(&Self) -> bool,
    ) -> Result<Option<(SeriesId, bool)>, RegistryError> {
        self.turn += 1;
        if self.turn == TURN_SERIES {
            self.turn = 0;
            RwLockWriteGuard::bump(&mut self.inner);
        }
        let hash = match hashes {
            Some(hashes) => hashes.labels,
            None => hash_labels(self.hasher, labels, &mut self.fields),
        };
        let (id, is_new) = match self.inner.find(hash) {
            Some(id) => (id, false),
            None if !wanted(self) => return Ok(None),
            None => (self.inner.add(hash, labels)?, true),
        };
        if let Some(alias) = hashes.and_then(|hashes| hashes.alias) {
            self.inner.aliases.insert(alias, id);
        }
        Ok(Some((id, is_new)))
    }

    /// Remembers the bytes that labels of a series came in.
    pub fn learn(&mut self, id: SeriesId, hashes: LabelHashes) {
        if let Some(alias) = hashes.alias {
            self.inner.aliases.insert(alias, id);
        }
    }
}

/// The hash of labels as they are kept, whose fields `fields` has then.
pub(super) fn hash_labels(
    hasher: &LabelHasher,
    labels: LabelsRef<'_>,
    fields: &mut Vec<u8>,
) -> LabelHash {
    fields.clear();
    put_fields(fields, labels);
    hasher.hash(fields)
}
