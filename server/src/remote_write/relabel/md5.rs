//! MD5 (RFC 1321), for the action `hashmod` alone: two servers that share series by it must agree.

/// How far each of the 64 steps turns, four to a round.
const TURNS: [[u32; 4]; 4] = [
    [7, 12, 17, 22],
    [5, 9, 14, 20],
    [4, 11, 16, 23],
    [6, 10, 15, 21],
];
const BLOCK_BYTES: usize = 64;

/// The last eight bytes of the hash as a number, the first of them the most significant: what
/// Prometheus takes the modulus of.
pub(super) fn last_half(text: &[u8]) -> u64 {
    let mut state = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    let (blocks, rest) = text.as_chunks::<BLOCK_BYTES>();
    for block in blocks {
        add_block(&mut state, block);
    }
    // A single bit, zeros, and the length in bits, which take one block or two.
    let mut tail = rest.to_vec();
    tail.push(0x80);
    while tail.len() % BLOCK_BYTES != BLOCK_BYTES - 8 {
        tail.push(0);
    }
    tail.extend((text.len() as u64).wrapping_mul(8).to_le_bytes());
    for block in tail.as_chunks().0 {
        add_block(&mut state, block);
    }
    let [_, _, c, d] = state;
    u64::from(c.swap_bytes()) << 32 | u64::from(d.swap_bytes())
}

fn add_block(state: &mut [u32; 4], block: &[u8; BLOCK_BYTES]) {
    let mut words = [0; 16];
    for (word, bytes) in words.iter_mut().zip(block.as_chunks().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    let [mut a, mut b, mut c, mut d] = *state;
    for step in 0..64 {
        let (mixed, word) = match step / 16 {
            0 => (b & c | !b & d, step),
            1 => (d & b | !d & c, 5 * step + 1),
            2 => (b ^ c ^ d, 3 * step + 5),
            _ => (c ^ (b | !d), 7 * step),
        };
        // The fraction of a sine, in 32 bits.
        let constant = (((step + 1) as f64).sin().abs() * 4_294_967_296.0) as u32;
        let sum = a
            .wrapping_add(mixed)
            .wrapping_add(constant)
            .wrapping_add(words[word % 16]);
        a = d;
        d = c;
        c = b;
        b = b.wrapping_add(sum.rotate_left(TURNS[step / 16][step % 4]));
    }
    for (sum, new) in state.iter_mut().zip([a, b, c, d]) {
        *sum = sum.wrapping_add(new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The halves of the hashes in RFC 1321, appendix A.5.
    #[test]
    fn the_hashes_of_the_rfc() {
        for (text, half) in [
            ("", 0xe980_0998_ecf8_427e),
            ("a", 0x31c3_99e2_6977_2661),
            ("abc", 0xd696_3f7d_28e1_7f72),
            ("message digest", 0x525a_2f31_aaf1_61d0),
            ("abcdefghijklmnopqrstuvwxyz", 0x7dfb_496c_ca67_e13b),
            (
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
                0xa561_1c2c_9f41_9d9f,
            ),
            (
                "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
                0xac49_da2e_2107_b67a,
            ),
        ] {
            assert_eq!(last_half(text.as_bytes()), half, "{text}");
        }
    }
}
