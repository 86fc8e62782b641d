//! The hash of a label set that Prometheus has: which series `limit_ratio` picks follows from it.

use super::Labels;

/// Lengths from here on are written in three bytes behind this one.
const LONG: usize = 255;

/// Prometheus's `Labels.Hash`: XXH64 over the names and values in order, the length of each
/// before it (`model/labels/labels_stringlabels.go`).
pub(crate) fn label_hash(labels: &Labels) -> u64 {
    let mut bytes = Vec::with_capacity(labels.text_len() + 8 * labels.len());
    for (name, value) in labels.iter() {
        for text in [name, value] {
            match u8::try_from(text.len()) {
                Ok(length) if usize::from(length) < LONG => bytes.push(length),
                _ => {
                    let [first, second, third, ..] = text.len().to_le_bytes();
                    bytes.extend([LONG as u8, first, second, third]);
                }
            }
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    xxh64(&bytes)
}

const PRIMES: [u64; 5] = [
    0x9e37_79b1_85eb_ca87,
    0xc2b2_ae3d_27d4_eb4f,
    0x1656_67b1_9e37_79f9,
    0x85eb_ca77_c2b2_ae63,
    0x27d4_eb2f_1656_67c5,
];

/// XXH64 with seed 0, as the specification of xxHash has it.
fn xxh64(bytes: &[u8]) -> u64 {
    let (stripes, rest) = bytes.as_chunks::<32>();
    let mut hash = if stripes.is_empty() {
        PRIMES[4]
    } else {
        let mut lanes = [
            PRIMES[0].wrapping_add(PRIMES[1]),
            PRIMES[1],
            0,
            PRIMES[0].wrapping_neg(),
        ];
        for stripe in stripes {
            let (words, _) = stripe.as_chunks::<8>();
            for (lane, word) in lanes.iter_mut().zip(words) {
                *lane = round(*lane, u64::from_le_bytes(*word));
            }
        }
        let [a, b, c, d] = lanes;
        let mut hash = a
            .rotate_left(1)
            .wrapping_add(b.rotate_left(7))
            .wrapping_add(c.rotate_left(12))
            .wrapping_add(d.rotate_left(18));
        for lane in lanes {
            hash = (hash ^ round(0, lane))
                .wrapping_mul(PRIMES[0])
                .wrapping_add(PRIMES[3]);
        }
        hash
    };
    hash = hash.wrapping_add(bytes.len() as u64);
    avalanche(with_rest(hash, rest))
}

fn round(lane: u64, word: u64) -> u64 {
    lane.wrapping_add(word.wrapping_mul(PRIMES[1]))
        .rotate_left(31)
        .wrapping_mul(PRIMES[0])
}

/// Takes in the bytes behind the last whole stripe.
fn with_rest(mut hash: u64, rest: &[u8]) -> u64 {
    let (words, rest) = rest.as_chunks::<8>();
    for word in words {
        hash = (hash ^ round(0, u64::from_le_bytes(*word)))
            .rotate_left(27)
            .wrapping_mul(PRIMES[0])
            .wrapping_add(PRIMES[3]);
    }
    let (halves, rest) = rest.as_chunks::<4>();
    for half in halves {
        let half = u64::from(u32::from_le_bytes(*half));
        hash = (hash ^ half.wrapping_mul(PRIMES[0]))
            .rotate_left(23)
            .wrapping_mul(PRIMES[1])
            .wrapping_add(PRIMES[2]);
    }
    for byte in rest {
        hash = (hash ^ u64::from(*byte).wrapping_mul(PRIMES[4]))
            .rotate_left(11)
            .wrapping_mul(PRIMES[0]);
    }
    hash
}

fn avalanche(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 33)).wrapping_mul(PRIMES[1]);
    hash = (hash ^ (hash >> 29)).wrapping_mul(PRIMES[2]);
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_xxh64() {
        // From the reference implementation.
        for (text, hash) in [
            ("", 0xef46_db37_51d8_e999),
            ("a", 0xd24e_c4f1_a98c_6e5b),
            ("abc", 0x44bc_2cf5_ad77_0999),
            (
                "Nobody inspects the spammish repetition",
                0xfbce_a83c_8a37_8bf1,
            ),
        ] {
            assert_eq!(xxh64(text.as_bytes()), hash, "{text}");
        }
    }

    #[test]
    fn long_texts_have_their_length_in_three_bytes() {
        let of = |length: usize| label_hash(&Labels::from_pairs([("a", "x".repeat(length))]));
        let bytes = |length: &[u8], text: usize| {
            let mut bytes = vec![1, b'a'];
            bytes.extend_from_slice(length);
            bytes.resize(bytes.len() + text, b'x');
            xxh64(&bytes)
        };
        assert_eq!(of(254), bytes(&[254], 254));
        assert_eq!(of(255), bytes(&[255, 255, 0, 0], 255));
        assert_eq!(of(70_000), bytes(&[255, 0x70, 0x11, 1], 70_000));
    }
}
