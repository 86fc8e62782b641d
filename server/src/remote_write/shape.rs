//! The bytes that labels and samples nearly always have, matched as a whole.
//!
//! Every sender writes the fields of these two messages in order and once each. What has another
//! shape is no error: it takes the walk over its fields.

use super::v1::Sample;

const NAME_TAG: u8 = 1 << 3 | 2;
const VALUE_TAG: u8 = 2 << 3 | 2;
const DOUBLE_TAG: u8 = 1 << 3 | 1;
const TIMESTAMP_TAG: u8 = 2 << 3;
/// Longest string whose length takes one byte.
const SHORT_MAX: u8 = 0x7f;

/// A label of a name and a value of at most 127 bytes each.
#[inline]
pub(super) fn label(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[name_tag, name_len], rest) = message.split_first_chunk()?;
    let (name, rest) = rest.split_at_checked(usize::from(name_len))?;
    let (&[value_tag, value_len], value) = rest.split_first_chunk()?;
    let fits = name_tag == NAME_TAG
        && value_tag == VALUE_TAG
        && name_len <= SHORT_MAX
        && value_len <= SHORT_MAX
        && value.len() == usize::from(value_len);
    fits.then_some((name, value))
}

/// A sample with a value and a timestamp, both other than 0.
#[inline]
pub(super) fn sample(message: &[u8]) -> Option<Sample> {
    let (&double_tag, rest) = message.split_first()?;
    let (&bits, rest) = rest.split_first_chunk()?;
    let (&timestamp_tag, varint) = rest.split_first()?;
    // Nine bytes hold any timestamp that is not negative.
    let is_varint = varint.len() <= 9
        && varint
            .split_last()
            .is_some_and(|(&last, front)| last < 0x80 && front.iter().all(|&byte| byte >= 0x80));
    if double_tag != DOUBLE_TAG || timestamp_tag != TIMESTAMP_TAG || !is_varint {
        return None;
    }
    let timestamp =
        (varint.iter().rev()).fold(0, |sum: u64, byte| sum << 7 | u64::from(byte & 0x7f));
    Some(Sample {
        timestamp_ms: timestamp.cast_signed(),
        value: f64::from_le_bytes(bits),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_bytes_are_recognized() {
        assert_eq!(label(b"\x0a\x01a\x12\x02bc"), Some((&b"a"[..], &b"bc"[..])));
        assert_eq!(label(b"\x0a\x01a\x12\x02b"), None);
        assert_eq!(label(b"\x12\x02bc\x0a\x01a"), None);
        let bytes = [&[9][..], &1.5f64.to_le_bytes(), &[0x10, 0xac, 0x02]].concat();
        let expected = Sample {
            timestamp_ms: 300,
            value: 1.5,
        };
        assert_eq!(sample(&bytes), Some(expected));
        assert_eq!(sample(&bytes[..11]), None);
    }
}
