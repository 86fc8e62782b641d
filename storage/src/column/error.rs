//! Bytes that are not a column.

use thiserror::Error;

/// Why bytes are not a column, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("byte {offset} of the column: {fault}")]
pub struct ColumnError {
    /// What is wrong.
    pub fault: Fault,
    /// How many bytes of the column were read when it showed.
    pub offset: usize,
}

/// What is wrong with a column.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Fault {
    /// More samples are asked for than the bytes hold.
    #[error("the bytes end too early")]
    Truncated,
    /// More bytes than the samples take.
    #[error("{0} bytes are left over")]
    Trailing(usize),
    /// A tag that this version does not know.
    #[error("there is no encoding {0:#04x}")]
    Encoding(u8),
    /// A tag of integers that this version does not know.
    #[error("there is no form {0:#04x} of integers")]
    Integers(u8),
    /// A power of ten that no decimal has.
    #[error("there is no exponent {0}")]
    Exponent(u8),
    /// A number of more bits than a word has.
    #[error("there is no width {0}")]
    Width(u8),
    /// A patch or an exception that lies outside of the samples.
    #[error("a sample is named that is not there")]
    Position,
    /// Samples that lie outside of the column.
    #[error("samples beyond the column's are asked for")]
    Range,
    /// An encoding inside of one that does not take it.
    #[error("encoding {0:#04x} does not belong there")]
    Nested(u8),
}
