//! Randomness of the operating system.

use std::hash::{BuildHasher, RandomState};

/// A key that nobody outside of the process knows, and a function of it that nobody can tell
/// from chance without it: SipHash-1-3, of which the standard library keeps the key.
#[derive(Clone, Debug, Default)]
pub struct Secret(RandomState);

impl Secret {
    /// Another key than all before.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number that the key has for `place`.
    pub fn word(&self, place: u64) -> u64 {
        self.0.hash_one(place)
    }

    /// The number that the key has for some bytes.
    pub fn hash(&self, bytes: &[u8]) -> u64 {
        self.0.hash_one(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stays_and_another_differs() {
        let (one, other) = (Secret::new(), Secret::new());
        assert_eq!(one.word(7), one.word(7));
        assert_ne!(one.word(7), one.word(8));
        assert_ne!(one.word(7), other.word(7));
        assert_eq!(one.hash(b"abc"), one.clone().hash(b"abc"));
        assert_ne!(one.hash(b"abc"), other.hash(b"abc"));
    }
}
