//! Section 1: series used for the first time, with their labels.
//!
//! Series of one request mostly share most of their labels with the one before, so each label
//! is written as a difference to the label at its place in the series before.

use std::str;

use super::{BODY_BYTES_MAX, DecodeError, Input};
use crate::codec::varint::{put_i64, put_u64};
use crate::model::{Labels, SeriesDefinition, SeriesId};

/// The label, name and value, is that of the series before.
const SAME_LABEL: u64 = 0;
/// The name is that of the series before; a value follows.
const SAME_NAME: u64 = 1;
/// A name of that many bytes less follows, and a value.
const NEW_NAME: u64 = 2;

/// Bytes of all names and values.
pub(super) fn label_bytes(definitions: &[SeriesDefinition]) -> usize {
    let labels = definitions
        .iter()
        .flat_map(|definition| definition.labels.iter());
    labels.map(|(name, value)| name.len() + value.len()).sum()
}

pub(super) fn put(out: &mut Vec<u8>, definitions: &[SeriesDefinition]) {
    put_u64(out, definitions.len() as u64);
    let mut expected_id = 0;
    let none = Labels::default();
    let mut before = &none;
    for SeriesDefinition { id, labels } in definitions {
        put_i64(out, i64::from(id.0) - expected_id);
        expected_id = i64::from(id.0) + 1;
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
            let shared = shared_prefix(value.as_bytes(), value_before.as_bytes());
            put_u64(out, shared as u64);
            put_u64(out, (value.len() - shared) as u64);
            out.extend_from_slice(&value.as_bytes()[shared..]);
        }
        before = labels;
    }
}

fn shared_prefix(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

/// Names and values of one series, as they are read.
#[derive(Default)]
struct LabelText {
    bytes: Vec<u8>,
    /// For each name and each value in turn, where it ends in `bytes`.
    ends: Vec<usize>,
}

impl LabelText {
    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    fn end(&mut self) {
        self.ends.push(self.bytes.len());
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

    fn labels(&self) -> Result<Labels, &'static str> {
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

pub(super) fn take(
    input: &mut Input<'_>,
    definitions: &mut Vec<SeriesDefinition>,
) -> Result<(), DecodeError> {
    // An id and a number of labels: at least a byte each.
    let count = input.count(1, "a bad number of series")?;
    definitions.reserve_exact(count.min(input.rest.len() / 2));
    let mut expected_id = 0i64;
    let mut label_bytes = 0;
    let (mut before, mut text) = (LabelText::default(), LabelText::default());
    for _ in 0..count {
        let step = input.signed("a bad series id")?;
        let id = expected_id
            .checked_add(step)
            .and_then(|id| u32::try_from(id).ok());
        let id = id.ok_or_else(|| input.corrupt("a series id that is no u32"))?;
        expected_id = i64::from(id) + 1;
        text.clear();
        let labels = input.count(1, "a bad number of labels")?;
        for place in 0..labels {
            take_label(input, place, &before, &mut text)?;
            // A label may repeat a long one at the cost of a byte: the sum is what has a limit.
            if label_bytes + text.bytes.len() > BODY_BYTES_MAX {
                return Err(input.corrupt("more label bytes than a record may define"));
            }
        }
        label_bytes += text.bytes.len();
        definitions.push(SeriesDefinition {
            id: SeriesId(id),
            labels: text.labels().map_err(|what| input.corrupt(what))?,
        });
        std::mem::swap(&mut before, &mut text);
    }
    Ok(())
}

fn take_label(
    input: &mut Input<'_>,
    place: usize,
    before: &LabelText,
    text: &mut LabelText,
) -> Result<(), DecodeError> {
    let label_before = before.label(place);
    let (name_before, value_before) = label_before.unwrap_or_default();
    let head = input.number("a bad label")?;
    if head < NEW_NAME {
        if label_before.is_none() {
            return Err(input.corrupt("a label that repeats none"));
        }
        text.bytes.extend_from_slice(name_before);
    } else {
        let length = usize::try_from(head - NEW_NAME).unwrap_or(usize::MAX);
        let name = input.take(length, "a label name cut short")?;
        text.bytes.extend_from_slice(name);
    }
    text.end();
    if head == SAME_LABEL {
        text.bytes.extend_from_slice(value_before);
    } else {
        let shared = input.number("a bad label value")?;
        let shared = usize::try_from(shared)
            .ok()
            .and_then(|shared| value_before.get(..shared));
        let shared = shared.ok_or_else(|| input.corrupt("a label value that shares too much"))?;
        text.bytes.extend_from_slice(shared);
        let length = input.count(1, "a label value cut short")?;
        let suffix = input.take(length, "a label value cut short")?;
        text.bytes.extend_from_slice(suffix);
    }
    text.end();
    Ok(())
}
