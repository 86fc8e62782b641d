//! Lists of integers, encoded as columns of timestamps are: by how they differ, bit-packed.

use super::SLICE_SAMPLES;
use crate::codec::varint::{put_u64, take_u64};
use crate::column::{decode_timestamps, encode_timestamps};

/// Appends the length of the encoded list, then the list. How many integers there are is not
/// among it.
pub(super) fn put_ints(out: &mut Vec<u8>, integers: impl Iterator<Item = i64>) {
    let integers: Vec<i64> = integers.collect();
    let mut bytes = Vec::new();
    encode_timestamps(&integers, &mut bytes);
    put_u64(out, bytes.len() as u64);
    out.extend_from_slice(&bytes);
}

/// Takes so many integers off the front. Says what is wrong with the bytes.
pub(super) fn take_ints(input: &mut &[u8], count: usize) -> Result<Vec<i64>, &'static str> {
    let bytes = take_bytes(input)?;
    // Each chunk of a column has a byte at least, however many integers it stands for.
    if count.div_ceil(SLICE_SAMPLES) > bytes.len() {
        return Err("a list of integers is shorter than it can be");
    }
    let mut integers = vec![0; count];
    match decode_timestamps(bytes, &mut integers) {
        Ok(()) => Ok(integers),
        Err(_) => Err("a list of integers is none"),
    }
}

/// As [`take_ints`], of integers that are no less than 0 and below 2^32.
pub(super) fn take_u32s(input: &mut &[u8], count: usize) -> Result<Vec<u32>, &'static str> {
    let integers = take_ints(input, count)?.into_iter().map(u32::try_from);
    let integers: Result<_, _> = integers.collect();
    integers.map_err(|_| "an integer has more than 32 bits")
}

/// Takes a length and so many bytes off the front.
pub(super) fn take_bytes<'a>(input: &mut &'a [u8]) -> Result<&'a [u8], &'static str> {
    let length = take_u64(input).and_then(|length| usize::try_from(length).ok());
    let split = length.and_then(|length| input.split_at_checked(length));
    let (bytes, rest) = split.ok_or("a list is cut short")?;
    *input = rest;
    Ok(bytes)
}
