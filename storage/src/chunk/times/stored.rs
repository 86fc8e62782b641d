//! Time columns in a file (`docs/format/chunk.md`): the first timestamp, then the deltas less the
//! smallest of them, in as many bits as the largest of those takes. The jitter of a scrape takes
//! three or four bits a sample that way.

use super::{CHUNK_SAMPLES_MAX, Deltas, TimeColumn};
use crate::codec::bits::BitReader;
use crate::codec::varint;
use crate::model::TimeRange;

/// Deltas of a column are below 2^32.
const WIDTH_MAX: u8 = 32;

/// No encoded column is longer: count, first timestamp, smallest delta, width, deltas.
pub const TIMES_BYTES_MAX: usize =
    1 + 10 + 5 + 1 + (CHUNK_SAMPLES_MAX as usize - 1) * WIDTH_MAX as usize / 8;

impl TimeColumn {
    /// Appends the column as a file holds it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.count() as u8);
        varint::put_i64(out, self.first_ms);
        match &self.deltas {
            Deltas::Narrow(deltas) => pack(deltas, out),
            Deltas::Wide(deltas) => pack(deltas, out),
        }
    }
}

fn pack<T: Copy + Into<u32>>(deltas: &[T], out: &mut Vec<u8>) {
    let deltas = || deltas.iter().map(|&delta| delta.into());
    let (Some(least), Some(most)) = (deltas().min(), deltas().max()) else {
        return;
    };
    let width = 32 - (most - least).leading_zeros();
    varint::put_u64(out, u64::from(least));
    out.push(width as u8);
    // From the most significant bit on; fewer than 8 bits wait between two deltas.
    let (mut bits, mut count) = (0u64, 0);
    for delta in deltas() {
        bits = bits << width | u64::from(delta - least);
        count += width;
        while count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    if count > 0 {
        out.push((bits << (8 - count)) as u8);
    }
}

/// What stands before the deltas of a column.
#[derive(Clone, Copy, Debug)]
struct Head {
    count: u8,
    first_ms: i64,
    /// Smallest delta and bits of each; 0 in a column of one timestamp.
    least: u32,
    width: u32,
}

impl Head {
    /// Reads it; also the bytes of the deltas and what follows.
    fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (&count, mut rest) = bytes.split_first()?;
        if count == 0 || u16::from(count) > CHUNK_SAMPLES_MAX {
            return None;
        }
        let first_ms = varint::take_i64(&mut rest)?;
        let mut head = Self {
            count,
            first_ms,
            least: 0,
            width: 0,
        };
        if count > 1 {
            head.least = u32::try_from(varint::take_u64(&mut rest)?).ok()?;
            let (&width, packed) = rest.split_first()?;
            if width > WIDTH_MAX {
                return None;
            }
            head.width = width.into();
            rest = packed;
        }
        Some((head, rest))
    }
}

/// Reads a column off the front of `bytes` into `out`, which is emptied first. What is read rises
/// strictly. None where no column begins there, or it does not end.
pub fn decode_times(bytes: &[u8], out: &mut Vec<i64>) -> Option<()> {
    out.clear();
    let (head, packed) = Head::read(bytes)?;
    let mut timestamp_ms = head.first_ms;
    out.push(timestamp_ms);
    let mut bits = BitReader::new(packed);
    for _ in 1..head.count {
        let delta = i64::from(head.least) + bits.read(head.width).ok()? as i64;
        if delta == 0 {
            return None;
        }
        timestamp_ms = timestamp_ms.checked_add(delta)?;
        out.push(timestamp_ms);
    }
    Some(())
}

/// A range in which `count` timestamps from place `start` on of the column at the front of
/// `bytes` lie, found without reading them; close to theirs where deltas differ by little. None
/// where no column begins there.
pub fn times_within(bytes: &[u8], start: u8, count: u8) -> Option<TimeRange> {
    let (head, _) = Head::read(bytes)?;
    let most = i64::from(head.least) + (1i64 << head.width) - 1;
    let after = |deltas: i64, delta: i64| head.first_ms.saturating_add(deltas * delta);
    let last = (i64::from(start) + i64::from(count) - 1).max(0);
    Some(TimeRange::new(
        after(start.into(), head.least.into()),
        after(last, most),
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(timestamps: &[i64]) -> Vec<u8> {
        let mut column = TimeColumn::new(timestamps[0]);
        for &timestamp_ms in &timestamps[1..] {
            assert!(column.push(timestamp_ms));
        }
        let mut bytes = Vec::new();
        column.encode(&mut bytes);
        assert!(bytes.len() <= TIMES_BYTES_MAX);
        bytes
    }

    #[test]
    fn a_regular_scrape_takes_no_bits_and_jitter_few() {
        let regular: Vec<i64> = (0..120).map(|i| 15_000 * i).collect();
        // Count, first timestamp, 15000, width.
        assert_eq!(encoded(&regular).len(), 1 + 1 + 2 + 1);
        let jitter: Vec<i64> = (0..120).map(|i| 15_000 * i + i * i % 3).collect();
        // Differences of -1 to 1: two bits.
        let bytes = encoded(&jitter);
        assert_eq!(bytes.len(), 5 + 30);
        // The first 20, as far as the smallest and the largest difference can say.
        let range = TimeRange::new(0, 19 * 15_002);
        assert_eq!(times_within(&bytes, 0, 20), Some(range));
    }

    #[test]
    fn the_longest_column_fits() {
        // The first of a column of the largest deltas: each takes all 32 bits less one.
        let mut timestamps = vec![i64::MIN, i64::MIN + 1];
        timestamps.extend((1..119).map(|i| i64::MIN + 1 + i * i64::from(u32::MAX)));
        let bytes = encoded(&timestamps);
        let mut out = Vec::new();
        assert_eq!(decode_times(&bytes, &mut out), Some(()));
        assert_eq!(out, timestamps);
    }

    #[test]
    fn what_does_not_rise_is_refused() {
        let mut out = Vec::new();
        // None at all, too many, two at one timestamp, beyond the last one there is.
        assert_eq!(decode_times(&[], &mut out), None);
        assert_eq!(decode_times(&[0, 0], &mut out), None);
        assert_eq!(decode_times(&[121, 0, 1, 0], &mut out), None);
        assert_eq!(decode_times(&[2, 0, 0, 0], &mut out), None);
        assert_eq!(decode_times(&[2, 0, 1, 33, 0, 0, 0, 0, 0], &mut out), None);
        let mut last = vec![2];
        varint::put_i64(&mut last, i64::MAX);
        last.extend([1, 0]);
        assert_eq!(decode_times(&last, &mut out), None);
    }

    proptest! {
        #[test]
        fn timestamps_come_back(
            first_ms in prop_oneof![Just(0), Just(i64::MIN), -1 << 60..1i64 << 60],
            deltas in prop::collection::vec(
                prop_oneof![20 => 14_990..15_010u32, 1 => 1..u32::MAX, 1 => 65_530..65_540u32],
                0..119,
            ),
            cut in any::<prop::sample::Index>(),
            behind in prop::collection::vec(any::<u8>(), 0..3),
            start in any::<prop::sample::Index>(),
            end in any::<prop::sample::Index>(),
        ) {
            let mut timestamps = vec![first_ms];
            timestamps.extend(deltas.iter().scan(first_ms, |at, &delta| {
                *at += i64::from(delta);
                Some(*at)
            }));
            let mut bytes = encoded(&timestamps);
            let mut out = vec![7];
            let cut = cut.index(bytes.len());
            prop_assert_eq!(decode_times(&bytes[..cut], &mut out), None);
            bytes.extend(behind);
            prop_assert_eq!(decode_times(&bytes, &mut out), Some(()));
            prop_assert_eq!(&out, &timestamps);
            let (a, b) = (start.index(out.len()), end.index(out.len()));
            let (start, end) = (a.min(b), a.max(b));
            let range = times_within(&bytes, start as u8, (end - start + 1) as u8).unwrap();
            prop_assert!(range.contains(out[start]) && range.contains(out[end]), "{range:?}");
        }

        #[test]
        fn any_bytes_decode_to_what_rises_or_fail(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            count in 0..=255u8,
        ) {
            let bytes: Vec<u8> = std::iter::once(count).chain(bytes).collect();
            let mut out = Vec::new();
            let range = times_within(&bytes, 0, count);
            if decode_times(&bytes, &mut out).is_some() {
                let range = range.unwrap();
                prop_assert!(out.iter().all(|&t| range.contains(t)), "{range:?}");
                prop_assert_eq!(out.len(), usize::from(count));
                prop_assert!(out.is_sorted_by(|a, b| a < b));
            }
        }
    }
}
