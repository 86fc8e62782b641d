//! Tables of many keys.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::limits::{Limits, Swept};

/// What is known by keys, of which there may be a million: label sets or symbols.
///
/// A table that grows hashes its keys anew, a tenth of a second for a million label sets, and
/// nothing ends that. So it holds their hashes, which take milliseconds; and keys are freed as
/// [`Swept`] frees them.
pub(super) struct KeyTable<'l, K: Send + 'static> {
    hasher: RandomState,
    /// Hashes, and places of keys.
    places: HashTable<(u64, usize)>,
    /// Keys in the order in which they came, and what is known of them.
    keys: Swept<'l, Vec<(K, usize)>>,
}

/// What the table takes for each key beside what the key holds: lists and tables have room for as
/// many again.
pub(super) const fn key_bytes<K>() -> usize {
    2 * (size_of::<(K, usize)>() + size_of::<(u64, usize)>() + 2)
}

impl<'l, K: Eq + Hash + Send + 'static> KeyTable<'l, K> {
    pub(super) fn new(limits: &'l Limits<'l>) -> Self {
        Self {
            hasher: RandomState::default(),
            places: HashTable::new(),
            keys: Swept::new(Vec::new(), limits),
        }
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// What is known of a key; `value` where nothing was.
    pub(super) fn get_or_insert(&mut self, key: K, value: usize) -> usize {
        let hash = self.hasher.hash_one(&key);
        match self.find(hash, |known| *known == key) {
            Some(known) => known,
            None => {
                self.add(hash, key, value);
                value
            }
        }
    }

    /// The same, the key being made where it is new; the hash is that of `like`.
    ///
    /// # Errors
    /// Those of `make`.
    pub(super) fn get_or_make<Q, E>(
        &mut self,
        like: &Q,
        make: impl FnOnce() -> Result<(K, usize), E>,
    ) -> Result<usize, E>
    where
        Q: Hash + Eq + ?Sized,
        K: std::borrow::Borrow<Q>,
    {
        let hash = self.hasher.hash_one(like);
        if let Some(known) = self.find(hash, |known| known.borrow() == like) {
            return Ok(known);
        }
        let (key, value) = make()?;
        self.add(hash, key, value);
        Ok(value)
    }

    fn find(&self, hash: u64, is_same: impl Fn(&K) -> bool) -> Option<usize> {
        let same = |&(known, at): &(u64, usize)| {
            known == hash && self.keys.get(at).is_some_and(|(key, _)| is_same(key))
        };
        let &(_, at) = self.places.find(hash, same)?;
        self.keys.get(at).map(|(_, value)| *value)
    }

    fn add(&mut self, hash: u64, key: K, value: usize) {
        let place = (hash, self.keys.len());
        self.places.insert_unique(hash, place, |&(hash, _)| hash);
        self.keys.push((key, value));
    }

    /// Keys and what is known of them, in the order in which they came.
    pub(super) fn into_keys(self) -> Swept<'l, Vec<(K, usize)>> {
        self.keys
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;

    use super::*;
    use crate::limits::Budget;

    #[test]
    fn a_key_is_known_by_what_came_with_it_first() {
        let budget = Arc::new(Budget::new(0));
        let limits = Limits::new(&budget, 0, None, None);
        let mut table = KeyTable::new(&limits);
        for number in 0..5000 {
            let key = (number % 1000).to_string();
            assert_eq!(table.get_or_insert(key, number), number % 1000);
        }
        assert_eq!(table.len(), 1000);
        let known = table.get_or_make("7", || panic!("it is there"));
        assert_eq!(known, Ok::<_, Infallible>(7));
        let made = table.get_or_make("x", || Ok::<_, Infallible>(("x".to_owned(), 1)));
        assert_eq!(made, Ok(1));
        let keys = table.into_keys();
        assert_eq!((&*keys[42].0, keys[42].1, keys.len()), ("42", 42, 1001));
    }
}
