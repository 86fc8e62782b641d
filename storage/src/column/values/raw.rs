//! The bits of doubles as they are, eight bytes each, little endian: what nothing else shortens.

use super::tag;
use crate::column::error::Fault;

/// How many bytes `count` values take.
pub(super) fn bytes(count: usize) -> usize {
    1 + count * size_of::<f64>()
}

/// Appends values.
pub(super) fn encode(values: &[f64], out: &mut Vec<u8>) {
    out.push(tag::RAW);
    out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

/// Reads what stands after [`tag::RAW`].
pub(super) fn decode(input: &mut &[u8], out: &mut [f64]) -> Result<(), Fault> {
    let bytes = size_of_val(out);
    let (values, rest) = input.split_at_checked(bytes).ok_or(Fault::Truncated)?;
    *input = rest;
    for (slot, bytes) in out.iter_mut().zip(values.as_chunks().0) {
        *slot = f64::from_le_bytes(*bytes);
    }
    Ok(())
}
