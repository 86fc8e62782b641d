//! Other bytes that label sets came in: labels that were not sorted, or had empty values.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::codec::label_hash::LabelHash;
use crate::model::SeriesId;

/// Other bytes of a series that are remembered. A sender has one order of labels, so more come
/// from many senders, or from one that means harm.
const ALIASES_MAX: u8 = 4;

/// Series by the hash of bytes that are not those of [`put_fields`](crate::codec::label_fields).
#[derive(Debug, Default)]
pub(super) struct Aliases {
    table: HashTable<Alias>,
    counts: HashMap<SeriesId, u8, RandomState>,
}

#[derive(Clone, Copy, Debug)]
struct Alias {
    hash: LabelHash,
    id: SeriesId,
}

impl Aliases {
    pub(super) fn find(&self, hash: LabelHash) -> Option<SeriesId> {
        let alias = self
            .table
            .find(hash.high, |alias: &Alias| alias.hash == hash)?;
        Some(alias.id)
    }

    /// Whether a series may have one more.
    pub(super) fn has_room(&self, id: SeriesId) -> bool {
        self.counts
            .get(&id)
            .is_none_or(|&count| count < ALIASES_MAX)
    }

    /// Remembers one, if it is new and the series has not too many.
    pub(super) fn insert(&mut self, hash: LabelHash, id: SeriesId) {
        if !self.has_room(id) || self.find(hash).is_some() {
            return;
        }
        *self.counts.entry(id).or_default() += 1;
        self.table
            .insert_unique(hash.high, Alias { hash, id }, |alias| alias.hash.high);
    }
}
