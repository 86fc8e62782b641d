//! The inverted index: which series have which label.

mod access;
mod matchers;
mod postings;
mod prefixes;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the database reads no segment yet")
)]
pub mod stored;
mod symbols;

pub use access::IndexAccess;
pub use matchers::evaluate;
pub use postings::{Postings, PostingsIndex};
pub use symbols::{SymbolTable, SymbolTableFull};
