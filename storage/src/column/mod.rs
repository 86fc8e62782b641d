//! Columns: the values of a series, or timestamps that series share, in the smallest of several
//! encodings. They do not change once they are written; blocks are made of them.
//!
//! A column's bytes do not say how many samples there are: whoever keeps the column knows.
//! `docs/format/column.md` has the layout. From the bottom up: `bitpack` packs numbers of one
//! width; `residuals` packs numbers that are small mostly; `integers` predicts integers and
//! leaves residuals; `values` turns doubles into integers where it can; `chunks` cuts what is
//! long.

mod bitpack;
mod chunks;
mod divisor;
mod error;
#[cfg(feature = "fuzz-internals")]
pub(crate) mod fuzz;
mod integers;
mod residuals;
mod stats;
mod times;
mod values;

pub use error::{ColumnError, Fault};
pub use stats::ColumnStats;

/// Appends a column of values of any bits to `out`, and says what they come to.
///
/// That the bytes give the values back, to the bit, has been checked when this returns.
pub fn encode_values(values: &[f64], out: &mut Vec<u8>) -> ColumnStats {
    values::Encoder::default().encode(values, out)
}

/// Encodes columns of values one after the other. What it learns of one it knows in the next: it
/// finds more than [`encode_values`], which has one column to learn from.
#[derive(Debug)]
pub struct ValuesEncoder(values::Encoder);

impl Default for ValuesEncoder {
    fn default() -> Self {
        Self(values::Encoder::learning())
    }
}

impl ValuesEncoder {
    /// As [`encode_values`].
    pub fn encode(&mut self, values: &[f64], out: &mut Vec<u8>) -> ColumnStats {
        self.0.encode(values, out)
    }
}

/// Reads all values of a column: as many as `out` takes.
///
/// # Errors
/// The bytes are not a column of so many values. `out` may hold anything then.
pub fn decode_values(bytes: &[u8], out: &mut [f64]) -> Result<(), ColumnError> {
    values::decode(bytes, out.len(), 0, out)
}

/// Reads the values from `start` on, as many as `out` takes, of a column of `count`. Of a long
/// column it decodes the chunks that hold them alone.
///
/// # Errors
/// There are no such values, or the bytes that are looked at are not of a column of `count`
/// values. `out` may hold anything then.
pub fn decode_values_range(
    bytes: &[u8],
    count: usize,
    start: usize,
    out: &mut [f64],
) -> Result<(), ColumnError> {
    values::decode(bytes, count, start, out)
}

/// Appends a column of timestamps, in milliseconds, to `out`. Any will do, in any order; those
/// that rise in even steps take a few bytes.
pub fn encode_timestamps(timestamps_ms: &[i64], out: &mut Vec<u8>) {
    times::encode(timestamps_ms, out);
}

/// Reads all timestamps of a column: as many as `out` takes. Whether they rise is not checked.
///
/// # Errors
/// The bytes are not a column of so many timestamps. `out` may hold anything then.
pub fn decode_timestamps(bytes: &[u8], out: &mut [i64]) -> Result<(), ColumnError> {
    times::decode(bytes, out.len(), 0, out)
}

/// Reads the timestamps from `start` on, as many as `out` takes, of a column of `count`, as
/// [`decode_values_range`] reads values.
///
/// # Errors
/// As [`decode_values_range`].
pub fn decode_timestamps_range(
    bytes: &[u8],
    count: usize,
    start: usize,
    out: &mut [i64],
) -> Result<(), ColumnError> {
    times::decode(bytes, count, start, out)
}

#[cfg(test)]
mod tests;
