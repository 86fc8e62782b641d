//! The exemplars of a row, in the order in which they came, in blocks.

use crate::codec::exemplars::for_each;
use crate::codec::varint::{put_u64, take_u64};
use crate::model::{Exemplar, TimeRange};

/// Appends the blocks of a row.
pub fn put_exemplars<'b>(out: &mut Vec<u8>, blocks: impl Iterator<Item = &'b [u8]>) {
    for block in blocks {
        put_u64(out, block.len() as u64);
        out.extend_from_slice(block);
    }
}

/// Adds the exemplars in `range` to `found`, as they came. Says what is wrong with the bytes.
pub fn take_exemplars(
    mut bytes: &[u8],
    range: TimeRange,
    found: &mut Vec<Exemplar>,
) -> Result<(), String> {
    while !bytes.is_empty() {
        let length = take_u64(&mut bytes).and_then(|length| usize::try_from(length).ok());
        let block = length.and_then(|length| bytes.split_at_checked(length));
        let (block, rest) = block.ok_or("a block of exemplars is cut short")?;
        bytes = rest;
        for_each(block, |entry| {
            if range.contains(entry.timestamp_ms) {
                found.push(entry.to_exemplar());
            }
        })
        .map_err(|(place, what)| format!("exemplar {place} of a block: {what}"))?;
    }
    Ok(())
}
