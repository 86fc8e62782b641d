//! The bytes that labels and samples nearly always have, matched as a whole.
//!
//! Every sender writes the fields of these two messages in order and once each. What has another
//! shape is no error: it takes the walk over its fields.

use super::v1::Sample;

const NAME_TAG: u8 = 1 << 3 | 2;
const VALUE_TAG: u8 = 2 << 3 | 2;
const DOUBLE_TAG: u8 = 1 << 3 | 1;
const TIMESTAMP_TAG: u8 = 2 << 3;
/// Of the field `samples` of a series.
const SAMPLE_TAG: u8 = 2 << 3 | 2;
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

/// A series that ends with a sample of its own timestamp, in years from 1971 to 2109, and a
/// value or none, which is 0: what comes before the sample, and the sample.
///
/// What comes before need not be labels. Whoever knows that it is, as it is the same bytes as
/// labels that were read before, has read the series.
#[inline]
pub(super) fn last_sample(series: &[u8]) -> Option<(&[u8], Sample)> {
    // Labels of which a sample's bytes could be a part end elsewhere, so nothing is mistaken:
    // fields are read from the front, and there is one way to do that.
    if let Some((fields, tail)) = series.split_last_chunk::<18>()
        && let [
            SAMPLE_TAG,
            16,
            DOUBLE_TAG,
            bits @ ..,
            TIMESTAMP_TAG,
            t0,
            t1,
            t2,
            t3,
            t4,
            t5,
        ] = *tail
        && let Some(timestamp_ms) = six_bytes([t0, t1, t2, t3, t4, t5, 0, 0])
    {
        let value = f64::from_le_bytes(bits);
        return Some((
            fields,
            Sample {
                timestamp_ms,
                value,
            },
        ));
    }
    let (fields, tail) = series.split_last_chunk::<9>()?;
    let [SAMPLE_TAG, 7, TIMESTAMP_TAG, t0, t1, t2, t3, t4, t5] = *tail else {
        return None;
    };
    let timestamp_ms = six_bytes([t0, t1, t2, t3, t4, t5, 0, 0])?;
    let value = 0.0;
    Some((
        fields,
        Sample {
            timestamp_ms,
            value,
        },
    ))
}

/// A varint of exactly six bytes.
#[inline]
fn six_bytes(bytes: [u8; 8]) -> Option<i64> {
    let bytes = u64::from_le_bytes(bytes);
    if bytes & 0x8080_8080_8080 != 0x0080_8080_8080 {
        return None;
    }
    // Seven bits of each byte, then pairs of them, then pairs of those put together.
    let ones = bytes & 0x7f7f_7f7f_7f7f;
    let pairs = ones & 0x007f_007f_007f | (ones & 0x7f00_7f00_7f00) >> 1;
    let fours = pairs & 0x3fff_0000_3fff | (pairs & 0x3fff_0000) >> 2;
    Some((fours & 0x0fff_ffff | fours >> 32 << 28).cast_signed())
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
    #[test]
    fn a_sample_at_the_end_is_recognized() {
        let timestamp = |timestamp_ms: u64| {
            let mut bytes = vec![0x10];
            let mut rest = timestamp_ms;
            while rest >= 0x80 {
                bytes.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            bytes.push(rest as u8);
            bytes
        };
        for timestamp_ms in [
            1_700_000_000_000,
            (1 << 42) - 1,
            1 << 35,
            0x155_5555_5555,
            0x2aa_aaaa_aaaa,
        ] {
            let zero = [&b"labels\x12\x07"[..], &timestamp(timestamp_ms)].concat();
            let value = 1.5f64.to_le_bytes();
            let other = [&b"\x12\x10\x09"[..], &value, &timestamp(timestamp_ms)].concat();
            for (message, fields, value) in [(zero, &b"labels"[..], 0.0), (other, b"", 1.5)] {
                let timestamp_ms = timestamp_ms as i64;
                let sample = Sample {
                    timestamp_ms,
                    value,
                };
                assert_eq!(last_sample(&message), Some((fields, sample)));
                assert_eq!(last_sample(&message[1 + fields.len()..]), None);
            }
        }
        for timestamp_ms in [(1 << 35) - 1, 1 << 42, 0] {
            let bytes = timestamp(timestamp_ms);
            let length = bytes.len() as u8;
            assert_eq!(last_sample(&[&[0x12, length][..], &bytes].concat()), None);
            assert_eq!(last_sample(&[&[0x12, 7][..], &bytes].concat()), None);
        }
    }
}
