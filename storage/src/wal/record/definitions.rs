//! Section 1: series used for the first time, with their labels.

use super::{BODY_BYTES_MAX, DecodeError, Input};
use crate::codec::labels::{LabelText, put_labels};
use crate::codec::varint::{put_i64, put_u64};
use crate::model::{Labels, SeriesDefinition, SeriesId};

/// Bytes of all names and values.
pub(super) fn label_bytes<'a>(sets: impl Iterator<Item = &'a Labels>) -> usize {
    let labels = sets.flat_map(Labels::iter);
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
        put_labels(out, labels, before);
        before = labels;
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
    let mut sets = LabelSets::default();
    for _ in 0..count {
        let step = input.signed("a bad series id")?;
        let id = expected_id
            .checked_add(step)
            .and_then(|id| u32::try_from(id).ok());
        let id = id.ok_or_else(|| input.corrupt("a series id that is no u32"))?;
        expected_id = i64::from(id) + 1;
        definitions.push(SeriesDefinition {
            id: SeriesId(id),
            labels: sets.take(input)?,
        });
    }
    Ok(())
}

/// Label sets that are read one after the other.
#[derive(Default)]
pub(super) struct LabelSets {
    before: LabelText,
    text: LabelText,
    /// Bytes of all so far: the sum is what has a limit.
    bytes: usize,
}

impl LabelSets {
    pub(super) fn take(&mut self, input: &mut Input<'_>) -> Result<Labels, DecodeError> {
        let bytes_max = BODY_BYTES_MAX - self.bytes;
        self.text
            .take(&mut input.rest, &self.before, bytes_max)
            .map_err(|what| input.corrupt(what))?;
        self.bytes += self.text.len();
        let labels = self.text.labels().map_err(|what| input.corrupt(what))?;
        std::mem::swap(&mut self.before, &mut self.text);
        Ok(labels)
    }
}
