//! The inverted index: which series have which label.

mod matchers;
mod postings;
mod symbols;

pub use matchers::{IndexAccess, evaluate};
pub use postings::PostingsIndex;
pub use symbols::{SymbolTable, SymbolTableFull};
