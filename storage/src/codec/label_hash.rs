//! Hashes that may stand for the bytes they are of, whoever chose the bytes.
//!
//! Up to [`SHORT_BYTES_MAX`] bytes are hashed as UMAC does it (RFC 4418, sections 5.2 and 5.4),
//! with words of 64 bits: NH sums up products of pairs of words, each plus a word of the key, modulo
//! 2^128; the sum and the length are brought to 64 bits by a strongly universal function
//! (Dietzfelbinger's multiply-shift). Two of these with keys of their own are the hash. For any
//! two byte strings that were chosen without the key, both collide with a probability of about
//! 2^-125, which a proof says and no cryptanalysis can change. Nothing that depends on the key but
//! equality is ever shown. Longer bytes, which are rare, take SipHash twice.

use crate::sys::Secret;

/// Bytes that one product takes in.
const BLOCK_BYTES: usize = 16;
/// The longest bytes for which there is a key: most label sets have less than 300.
const SHORT_BYTES_MAX: usize = 1024;
const BLOCKS: usize = SHORT_BYTES_MAX / BLOCK_BYTES;

/// The hash of some bytes under the key of one [`LabelHasher`]: where two are equal, so are the
/// bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LabelHash {
    /// Any of its bits are as good as chance.
    pub high: u64,
    low: u64,
}

/// A key for hashes.
pub struct LabelHasher {
    blocks: Box<[BlockKey; BLOCKS]>,
    outputs: [OutputKey; 2],
    long: [Secret; 2],
}

/// What is added to the two words of a block, for the first and for the second sum.
#[derive(Clone, Copy, Default)]
struct BlockKey {
    first: [u64; 2],
    second: [u64; 2],
}

#[derive(Clone, Copy)]
struct OutputKey {
    factors: [u128; 2],
    addend: u128,
}

impl OutputKey {
    /// 64 bits of a sum.
    #[inline]
    fn shorten(&self, sum: u128) -> u64 {
        let low = self.factors[0].wrapping_mul(sum & u128::from(u64::MAX));
        let high = self.factors[1].wrapping_mul(sum >> 64);
        (self.addend.wrapping_add(low).wrapping_add(high) >> 64) as u64
    }
}

/// The two sums of products.
#[derive(Clone, Copy, Default)]
struct Sums {
    first: u128,
    second: u128,
}

impl Sums {
    #[inline(always)]
    fn add(&mut self, block: &[u8; BLOCK_BYTES], key: &BlockKey) {
        let block = u128::from_le_bytes(*block);
        let words = [block as u64, (block >> 64) as u64];
        self.first = self.first.wrapping_add(product(words, key.first));
        self.second = self.second.wrapping_add(product(words, key.second));
    }
}

#[inline]
fn product(words: [u64; 2], key: [u64; 2]) -> u128 {
    let left = words[0].wrapping_add(key[0]);
    let right = words[1].wrapping_add(key[1]);
    u128::from(left) * u128::from(right)
}

impl Default for LabelHasher {
    /// With a key of its own.
    fn default() -> Self {
        let secret = Secret::new();
        let mut place = 0;
        let mut word = || {
            place += 1;
            secret.word(place)
        };
        let mut blocks = Box::new([BlockKey::default(); BLOCKS]);
        for key in &mut *blocks {
            *key = BlockKey {
                first: [word(), word()],
                second: [word(), word()],
            };
        }
        let mut wide = || u128::from(word()) << 64 | u128::from(word());
        let outputs = [(); 2].map(|()| OutputKey {
            factors: [wide(), wide()],
            addend: wide(),
        });
        Self {
            blocks,
            outputs,
            long: [Secret::new(), Secret::new()],
        }
    }
}

impl LabelHasher {
    /// The hash of some bytes.
    ///
    /// Not inlined: beside other code there are no registers left for the sums, and the loop over
    /// the blocks takes a third longer.
    #[inline(never)]
    pub fn hash(&self, bytes: &[u8]) -> LabelHash {
        if bytes.len() > SHORT_BYTES_MAX {
            return self.hash_long(bytes);
        }
        let mut sums = Sums::default();
        let (whole, rest) = bytes.as_chunks::<BLOCK_BYTES>();
        for (block, key) in whole.iter().zip(&*self.blocks) {
            sums.add(block, key);
        }
        if !rest.is_empty()
            && let Some(key) = self.blocks.get(whole.len())
        {
            match bytes.last_chunk() {
                // Those before them once more: the length says how many.
                Some(last) => sums.add(last, key),
                None => sums.add(&padded(rest), key),
            }
        }
        let len = bytes.len() as u128;
        LabelHash {
            high: self.outputs[0].shorten(sums.first.wrapping_add(len)),
            low: self.outputs[1].shorten(sums.second.wrapping_add(len)),
        }
    }

    #[cold]
    fn hash_long(&self, bytes: &[u8]) -> LabelHash {
        let [high, low] = [0, 1].map(|i| self.long[i].hash(bytes));
        LabelHash { high, low }
    }
}

/// A block of which there are only the first bytes: zeros behind.
#[cold]
fn padded(rest: &[u8]) -> [u8; BLOCK_BYTES] {
    let mut block = [0; BLOCK_BYTES];
    block[..rest.len()].copy_from_slice(rest);
    block
}

/// Without the key.
impl std::fmt::Debug for LabelHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LabelHasher").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_bit_and_every_length_counts() {
        let hasher = LabelHasher::default();
        let mut seen = HashSet::new();
        let mut bytes = Vec::new();
        let mut count = 0;
        for length in (0..70).chain([1008, 1023, 1024, 1025, 2000]) {
            bytes.resize(length, 0);
            for bit in std::iter::once(None).chain((0..length * 8).map(Some)) {
                let flip = |bytes: &mut Vec<u8>| {
                    if let Some(bit) = bit {
                        bytes[bit / 8] ^= 1 << (bit % 8);
                    }
                };
                flip(&mut bytes);
                let hash = hasher.hash(&bytes);
                assert_eq!(hash, hasher.hash(&bytes.clone()));
                seen.insert((hash.high, hash.low));
                count += 1;
                flip(&mut bytes);
            }
        }
        // Both halves by themselves, too.
        assert_eq!(seen.len(), count);
        let halves = |half: fn(&(u64, u64)) -> u64| seen.iter().map(half).collect::<HashSet<_>>();
        assert_eq!(halves(|hash| hash.0).len(), count);
        assert_eq!(halves(|hash| hash.1).len(), count);
    }

    #[test]
    fn words_that_change_places_are_other_bytes() {
        let hasher = LabelHasher::default();
        let words: Vec<[u8; 8]> = (0..8u64).map(u64::to_le_bytes).collect();
        let straight = hasher.hash(&words.concat());
        for one in 0..8 {
            for other in 0..one {
                let mut words = words.clone();
                words.swap(one, other);
                assert_ne!(hasher.hash(&words.concat()), straight);
            }
        }
    }

    #[test]
    fn keys_differ() {
        let (one, other) = (LabelHasher::default(), LabelHasher::default());
        for bytes in [&[][..], b"a", &[7; 100], &[7; 2000]] {
            assert_ne!(one.hash(bytes), other.hash(bytes));
        }
    }
}
