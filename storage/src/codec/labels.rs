//! Label sets in bytes, each as its difference to the one before it.
//!
//! Label sets that stand together mostly share most of their labels, or at least the names. So
//! each label is written as a difference to the label at its place in the set before:
//! a head (0: the same name and value; 1: the same name; n: a name of n - 2 bytes follows), the
//! bytes of a new name, and of a new value how many of its first bytes it shares with the value
//! before, how many follow, and these.

use std::str;

use super::varint::{put_u64, take_u64};
use crate::model::Labels;

/// The label, name and value, is that of the set before.
const SAME_LABEL: u64 = 0;
/// The name is that of the set before; a value follows.
const SAME_NAME: u64 = 1;
/// A name of that many bytes less follows, and a value.
const NEW_NAME: u64 = 2;

/// Appends a label set after `before`; the first one of a sequence comes after the empty set.
pub(crate) fn put_labels(out: &mut Vec<u8>, labels: &Labels, before: &Labels) {
    put_u64(out, labels.len() as u64);
    let mut labels_before = before.iter();
    for (name, value) in labels.iter() {
        let (name_before, value_before) = labels_before.next().unwrap_or_default();
        if name == name_before && value == value_before {
            put_u64(out, SAME_LABEL);
            continue;
        }
        if name == name_before {
            put_u64(out, SAME_NAME);
        } else {
            put_u64(out, NEW_NAME + name.len() as u64);
            out.extend_from_slice(name.as_bytes());
        }
        put_suffix(out, value.as_bytes(), value_before.as_bytes());
    }
}

/// Appends `bytes` as how many it shares with `before` from the start, and the rest.
pub(crate) fn put_suffix(out: &mut Vec<u8>, bytes: &[u8], before: &[u8]) {
    let shared = bytes.iter().zip(before).take_while(|(a, b)| a == b).count();
    put_u64(out, shared as u64);
    put_u64(out, (bytes.len() - shared) as u64);
    out.extend_from_slice(&bytes[shared..]);
}

/// Reads what [`put_suffix`] wrote, to the end of `out`.
pub(crate) fn take_suffix(
    input: &mut &[u8],
    before: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), &'static str> {
    let shared = take_u64(input).ok_or("a bad text")?;
    let shared = usize::try_from(shared)
        .ok()
        .and_then(|shared| before.get(..shared));
    out.extend_from_slice(shared.ok_or("a text that shares too much")?);
    let suffix = take_bytes(input, "a text cut short")?;
    out.extend_from_slice(suffix);
    Ok(())
}

/// Reads a length and so many bytes.
fn take_bytes<'a>(input: &mut &'a [u8], what: &'static str) -> Result<&'a [u8], &'static str> {
    let length = take_u64(input).ok_or(what)?;
    split(input, length, what)
}

fn split<'a>(
    input: &mut &'a [u8],
    length: u64,
    what: &'static str,
) -> Result<&'a [u8], &'static str> {
    let length = usize::try_from(length).map_err(|_| what)?;
    let (taken, rest) = input.split_at_checked(length).ok_or(what)?;
    *input = rest;
    Ok(taken)
}

/// Names and values of a set, as they are read.
#[derive(Debug, Default)]
pub(crate) struct LabelText {
    bytes: Vec<u8>,
    /// For each name and each value in turn, where it ends in `bytes`.
    ends: Vec<usize>,
}

impl LabelText {
    /// Bytes of names and values.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Takes the place of what it was: the label set that comes next in `input`, after `before`.
    /// Says what is wrong with the bytes, or that the names and values have more than
    /// `bytes_max`: a label may repeat a long one at the cost of a byte.
    pub(crate) fn take(
        &mut self,
        input: &mut &[u8],
        before: &Self,
        bytes_max: usize,
    ) -> Result<(), &'static str> {
        const BAD_NUMBER: &str = "a bad number of labels";
        self.bytes.clear();
        self.ends.clear();
        let labels = take_u64(input).ok_or(BAD_NUMBER)?;
        if labels > input.len() as u64 {
            return Err(BAD_NUMBER);
        }
        for place in 0..labels as usize {
            self.take_label(input, before.label(place))?;
            if self.bytes.len() > bytes_max {
                return Err("more label bytes than a record may define");
            }
        }
        Ok(())
    }

    fn take_label(
        &mut self,
        input: &mut &[u8],
        before: Option<(&[u8], &[u8])>,
    ) -> Result<(), &'static str> {
        let (name_before, value_before) = before.unwrap_or_default();
        let head = take_u64(input).ok_or("a bad label")?;
        if head < NEW_NAME {
            if before.is_none() {
                return Err("a label that repeats none");
            }
            self.bytes.extend_from_slice(name_before);
        } else {
            let name = split(input, head - NEW_NAME, "a label name cut short")?;
            self.bytes.extend_from_slice(name);
        }
        self.ends.push(self.bytes.len());
        if head == SAME_LABEL {
            self.bytes.extend_from_slice(value_before);
        } else {
            take_suffix(input, value_before, &mut self.bytes)?;
        }
        self.ends.push(self.bytes.len());
        Ok(())
    }

    /// Name and value of the label at that place.
    fn label(&self, place: usize) -> Option<(&[u8], &[u8])> {
        let &[middle, end] = self.ends.get(2 * place..2 * place + 2)? else {
            return None;
        };
        let start = match place {
            0 => 0,
            _ => self.ends[2 * place - 1],
        };
        Some((&self.bytes[start..middle], &self.bytes[middle..end]))
    }

    /// The label set, or why it is none.
    pub(crate) fn labels(&self) -> Result<Labels, &'static str> {
        let mut pairs = Vec::with_capacity(self.ends.len() / 2);
        for place in 0..self.ends.len() / 2 {
            let (name, value) = self.label(place).unwrap_or_default();
            let (Ok(name), Ok(value)) = (str::from_utf8(name), str::from_utf8(value)) else {
                return Err("a label that is not UTF-8");
            };
            if value.is_empty() {
                return Err("a label with an empty value");
            }
            pairs.push((name, value));
        }
        if !pairs.is_sorted_by(|one, other| one.0 < other.0) {
            return Err("labels out of order");
        }
        Labels::from_pairs(pairs).map_err(|_| "labels that are no label set")
    }
}
