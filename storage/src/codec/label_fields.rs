//! Label sets as remote write 1.0 has them: the repeated field `labels`, number 1, of its message
//! `TimeSeries`, in the order of the names and without anything that could be left out.
//!
//! For each label 0x0a and the length of what follows: 0x0a, the length of the name, the name,
//! 0x12, the length of the value, the value; lengths as varints. No two label sets have the same
//! bytes, and most senders send them, so a hash of the bytes finds a series before anything of
//! them is looked at.

use super::varint::put_u64;
use crate::model::LabelsRef;

const LABEL_TAG: u8 = 0x0a;
const NAME_TAG: u8 = 0x0a;
const VALUE_TAG: u8 = 0x12;

/// Appends the fields of a label set.
pub(crate) fn put_fields(out: &mut Vec<u8>, labels: LabelsRef<'_>) {
    for (name, value) in labels.iter() {
        put_field(out, name, value);
    }
}

/// Appends the field of a label.
pub(crate) fn put_field(out: &mut Vec<u8>, name: &str, value: &str) {
    let bytes = field_bytes(name) + field_bytes(value);
    out.push(LABEL_TAG);
    put_u64(out, bytes as u64);
    for (tag, text) in [(NAME_TAG, name), (VALUE_TAG, value)] {
        out.push(tag);
        put_u64(out, text.len() as u64);
        out.extend_from_slice(text.as_bytes());
    }
}

/// Whether `fields` are what [`put_fields`] writes for these labels, which are a label set: none
/// is empty, and they are sorted. No may also mean that a label is long. Quick where the labels
/// are parts of `fields`.
pub(crate) fn are_fields(fields: &[u8], labels: &[(&str, &str)]) -> bool {
    let mut rest = fields;
    for (name, value) in labels {
        let Some((&[LABEL_TAG, length], after)) = rest.split_first_chunk() else {
            return false;
        };
        rest = after;
        let bytes = 4 + name.len() + value.len();
        if bytes >= 0x80
            || bytes != usize::from(length)
            || !skip_string(&mut rest, NAME_TAG, name)
            || !skip_string(&mut rest, VALUE_TAG, value)
        {
            return false;
        }
    }
    rest.is_empty()
}

/// Takes a string of less than 128 bytes from the front, if it is there.
fn skip_string(rest: &mut &[u8], tag: u8, text: &str) -> bool {
    let Some((&[found, length], after)) = rest.split_first_chunk() else {
        return false;
    };
    let Some((bytes, after)) = after.split_at_checked(text.len()) else {
        return false;
    };
    *rest = after;
    let is_same = || std::ptr::eq(bytes, text.as_bytes()) || bytes == text.as_bytes();
    found == tag && usize::from(length) == text.len() && is_same()
}

/// Bytes of a string with its tag and its length.
fn field_bytes(text: &str) -> usize {
    let length_bits = usize::BITS - (text.len() | 1).leading_zeros();
    1 + length_bits.div_ceil(7) as usize + text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Labels;

    #[test]
    fn bytes_are_those_of_protobuf() {
        let long = "x".repeat(200);
        let labels = Labels::from_pairs([("__name__", "up"), ("b", &long)]).unwrap();
        let mut out = Vec::new();
        put_fields(&mut out, labels.as_ref());
        let mut want =
            b"\x0a\x0e\x0a\x08__name__\x12\x02up\x0a\xce\x01\x0a\x01b\x12\xc8\x01".to_vec();
        want.extend_from_slice(long.as_bytes());
        assert_eq!(out, want);
        assert!(
            !are_fields(&out, &[("__name__", "up"), ("b", &long)]),
            "long"
        );
    }

    #[test]
    fn no_other_bytes_are_taken_for_those_of_a_label_set() {
        let pairs = [("__name__", "up"), ("b", "1"), ("c", "23")];
        let labels = Labels::from_pairs(pairs).unwrap();
        let mut fields = Vec::new();
        put_fields(&mut fields, labels.as_ref());
        assert!(are_fields(&fields, &pairs));
        assert!(are_fields(&[], &[]));
        assert!(!are_fields(&fields, &pairs[..2]));
        assert!(!are_fields(&fields[..fields.len() - 1], &pairs));
        for at in 0..fields.len() {
            for bit in 0..8 {
                let mut flipped = fields.clone();
                flipped[at] ^= 1 << bit;
                assert!(!are_fields(&flipped, &pairs), "byte {at}, bit {bit}");
            }
        }
        // The value before the name, and a length that is longer than it needs to be.
        assert!(!are_fields(b"\x0a\x06\x12\x011\x0a\x01b", &[("b", "1")]));
        assert!(!are_fields(
            b"\x0a\x86\x00\x0a\x01b\x12\x011",
            &[("b", "1")]
        ));
        assert!(!are_fields(
            b"\x0a\x07\x0a\x81\x00b\x12\x011",
            &[("b", "1")]
        ));
    }
}
