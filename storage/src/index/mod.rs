//! The inverted index: which series have which label.

mod access;
mod matchers;
mod postings;
mod prefixes;
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        unused_imports,
        reason = "the files that hold such an index come with the segments"
    )
)]
pub mod stored;
mod symbols;

pub use access::IndexAccess;
pub use matchers::evaluate;
pub use postings::PostingsIndex;
pub use symbols::{SymbolTable, SymbolTableFull};
