//! Numbers of one width side by side, the first in the lowest bits of the first byte.
//!
//! Unpacking works on eight numbers at a time, which end on a byte whatever their width is, and
//! has a function for each width: shifts and masks are constants then, and nothing branches.

/// Most numbers that are packed together.
pub(super) const BLOCK: usize = 128;
/// Bytes beyond the numbers that unpacking may look at.
const SLACK_BYTES: usize = 16;
/// Bytes of a block of the widest numbers.
const BLOCK_BYTES: usize = BLOCK * size_of::<u64>();

/// How many bytes `count` numbers of `width` bits take.
pub(super) fn packed_bytes(count: usize, width: u32) -> usize {
    (count * width as usize).div_ceil(8)
}

/// The lowest `width` bits.
pub(super) fn low_bits(width: u32) -> u64 {
    if width == 0 {
        return 0;
    }
    u64::MAX >> (64 - width.min(64))
}

/// Appends the lowest `width` (0..=64) bits of each of `values`.
pub(super) fn pack(values: &[u64], width: u32, out: &mut Vec<u8>) {
    if width == 0 {
        return;
    }
    let mask = low_bits(width);
    let end = out.len() + packed_bytes(values.len(), width);
    let mut word = 0u64;
    let mut used = 0;
    for value in values {
        let value = value & mask;
        word |= value << used;
        used += width;
        if used >= 64 {
            out.extend_from_slice(&word.to_le_bytes());
            used -= 64;
            // What did not fit.
            word = value.checked_shr(width - used).unwrap_or(0);
        }
    }
    out.extend_from_slice(&word.to_le_bytes());
    out.truncate(end);
}

/// Unpacks the first `count` numbers of `width` bits to the front of `out`, and says how many
/// bytes they took. What stands behind them in `out` may be anything afterwards. `None` if the
/// bytes are too few, the numbers more than a block, or the width beyond 64.
#[inline]
pub(super) fn unpack(
    bytes: &[u8],
    width: u32,
    count: usize,
    out: &mut [u64; BLOCK],
) -> Option<usize> {
    let unpack_groups = UNPACK.get(width as usize)?;
    if count > BLOCK {
        return None;
    }
    let taken = packed_bytes(count, width);
    // Whole groups are unpacked, and a number is read as eight bytes.
    let groups = count.div_ceil(GROUP);
    if let Some(bytes) = bytes.get(..groups * width as usize + SLACK_BYTES) {
        unpack_groups(bytes, groups, out);
        return Some(taken);
    }
    let mut padded = [0; BLOCK_BYTES + SLACK_BYTES];
    padded
        .get_mut(..taken)?
        .copy_from_slice(bytes.get(..taken)?);
    unpack_groups(&padded, groups, out);
    Some(taken)
}

/// Numbers that are unpacked at a time.
const GROUP: usize = 8;

type UnpackGroups = fn(&[u8], usize, &mut [u64; BLOCK]);

/// By width.
static UNPACK: [UnpackGroups; 65] = {
    macro_rules! widths {
        ($($width:literal)*) => { [$(unpack_groups::<$width>),*] };
    }
    widths!(
        0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32
        33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62
        63 64
    )
};

fn unpack_groups<const WIDTH: usize>(bytes: &[u8], groups: usize, out: &mut [u64; BLOCK]) {
    // The last number of a group begins in byte 7 * WIDTH / 8 and ends at most nine bytes on.
    let window_bytes = 7 * WIDTH / 8 + 9;
    let (out, _) = out.as_chunks_mut::<GROUP>();
    for (index, group) in out.iter_mut().take(groups).enumerate() {
        let start = index * WIDTH;
        let Some(window) = bytes.get(start..start + window_bytes) else {
            return;
        };
        for (number, slot) in group.iter_mut().enumerate() {
            let bit = number * WIDTH;
            *slot = read::<WIDTH>(window, bit / 8, bit % 8);
        }
    }
}

/// The number that begins at bit `shift` of `window[byte]`. Inlined where all but the window's
/// contents is known, so that nothing is left to check.
#[inline(always)]
fn read<const WIDTH: usize>(window: &[u8], byte: usize, shift: usize) -> u64 {
    if WIDTH == 0 {
        return 0;
    }
    let Some((word, after)) = window.get(byte..).and_then(<[u8]>::split_first_chunk::<8>) else {
        return 0;
    };
    let mut number = u64::from_le_bytes(*word) >> shift;
    if shift + WIDTH > 64 {
        number |= u64::from(after.first().copied().unwrap_or(0)) << (64 - shift);
    }
    number & (u64::MAX >> (64 - WIDTH))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A bit at a time.
    fn unpack_slowly(bytes: &[u8], width: u32, count: usize) -> Vec<u64> {
        let bit = |at: usize| u64::from(bytes[at / 8] >> (at % 8) & 1);
        let number = |index: usize| {
            let bits = (0..width as usize).map(|b| bit(index * width as usize + b) << b);
            bits.sum()
        };
        (0..count).map(number).collect()
    }

    fn unpacked(bytes: &[u8], width: u32, count: usize) -> Option<(usize, Vec<u64>)> {
        let mut out = [0; BLOCK];
        let taken = unpack(bytes, width, count, &mut out)?;
        Some((taken, out[..count].to_vec()))
    }

    #[test]
    fn five_bits_each() {
        let mut bytes = Vec::new();
        pack(&[1, 2, 3, 0xffff_ffff], 5, &mut bytes);
        assert_eq!(bytes, [0b0100_0001, 0b1000_1100, 0b1111]);
    }

    #[test]
    fn too_few_bytes_or_no_such_width() {
        assert_eq!(unpacked(&[0; 15], 1, 121), None);
        assert_eq!(unpacked(&[0; 16], 1, 121), Some((16, vec![0; 121])));
        assert_eq!(unpacked(&[0; 2000], 65, 1), None);
        let mut out = [0; BLOCK];
        assert_eq!(unpack(&[0; 2000], 1, BLOCK + 1, &mut out), None);
    }

    proptest! {
        #[test]
        fn every_width_comes_back(
            seeds in prop::collection::vec(any::<u64>(), 0..=BLOCK),
            behind in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            for width in 0..=64 {
                let values: Vec<u64> = seeds.iter().map(|s| s & low_bits(width)).collect();
                let mut bytes = vec![7];
                pack(&seeds, width, &mut bytes);
                let taken = packed_bytes(values.len(), width);
                prop_assert_eq!(bytes.len(), 1 + taken);
                prop_assert_eq!(&unpack_slowly(&bytes[1..], width, values.len()), &values);
                bytes.extend_from_slice(&behind);
                prop_assert_eq!(unpacked(&bytes[1..], width, values.len()), Some((taken, values)));
            }
        }
    }
}
