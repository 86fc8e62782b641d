//! Byte and bit tools. Pure: they know neither series nor files.

pub(crate) mod bits;
pub(crate) mod exemplars;
#[cfg(feature = "fuzz-internals")]
pub(crate) mod fuzz;
pub(crate) mod histogram;
pub(crate) mod label_fields;
pub(crate) mod label_hash;
pub(crate) mod labels;
pub(crate) mod varint;
