//! Integers in as few bytes as they need: LEB128, seven bits a byte, the lowest first; the top
//! bit says that more follow. Signed ones are zigzag-coded before (0, -1, 1, -2 -> 0, 1, 2, 3).

/// Appends `value`: 1 to 10 bytes.
pub(crate) fn put_u64(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends `value`, zigzag-coded: 1 to 10 bytes.
pub(crate) fn put_i64(out: &mut Vec<u8>, value: i64) {
    put_u64(out, zigzag(value));
}

/// Takes a number off the front of `input`; `None`, with `input` somewhere behind, where the
/// bytes end too early or hold more than 64 bits.
pub(crate) fn take_u64(input: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = input.split_first()?;
        *input = rest;
        let bits = u64::from(byte & 0x7f);
        // The tenth byte has room for one bit.
        if shift == 63 && byte > 1 {
            return None;
        }
        value |= bits << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Takes a zigzag-coded number off the front of `input`, as [`take_u64`] does.
pub(crate) fn take_i64(input: &mut &[u8]) -> Option<i64> {
    take_u64(input).map(unzigzag)
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_are_those_of_leb128() {
        for (value, bytes) in [
            (0, vec![0]),
            (127, vec![127]),
            (300, vec![0xac, 2]),
            (
                u64::MAX,
                vec![255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
            ),
        ] {
            let mut out = Vec::new();
            put_u64(&mut out, value);
            assert_eq!(out, bytes);
        }
        let mut out = Vec::new();
        put_i64(&mut out, -1);
        assert_eq!(out, [1]);
    }

    #[test]
    fn what_is_cut_or_too_long_is_refused() {
        for bytes in [&[][..], &[0x80], &[0xff; 9], &[0xff; 11]] {
            assert_eq!(take_u64(&mut &bytes[..]), None);
        }
        let mut too_many_bits = [0xff; 10];
        too_many_bits[9] = 2;
        assert_eq!(take_u64(&mut &too_many_bits[..]), None);
    }

    proptest! {
        #[test]
        fn numbers_come_back(unsigned: u64, signed: i64, shift in 0..64u32) {
            let (unsigned, signed) = (unsigned >> shift, signed >> shift);
            let mut out = Vec::new();
            put_u64(&mut out, unsigned);
            put_i64(&mut out, signed);
            let mut input = &out[..];
            prop_assert_eq!(take_u64(&mut input), Some(unsigned));
            prop_assert_eq!(take_i64(&mut input), Some(signed));
            prop_assert!(input.is_empty());
        }
    }
}
