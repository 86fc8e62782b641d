//! The inverted index: which series have which label.

mod access;
mod cardinality;
#[cfg(feature = "fuzz-internals")]
pub(crate) mod fuzz;
mod matchers;
mod postings;
mod prefixes;
mod results;
mod sorted_list;
pub mod stored;
mod symbols;

pub use access::IndexAccess;
pub use cardinality::LabelCounts;
pub use matchers::evaluate;
pub use postings::{Postings, PostingsIndex};
pub use results::{MatcherResult, Memory, is_costly};
pub use sorted_list::{SortedList, taken};
pub use symbols::{SymbolTable, SymbolTableFull};
