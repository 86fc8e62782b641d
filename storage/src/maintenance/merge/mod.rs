//! Merging segments and blocks into blocks.

mod cursor;
mod error;
mod join;
mod label_log;
mod labels;
mod output_index;
mod overlay;
mod pass;
mod run_lists;
mod segment_rows;
mod series;
mod source;
mod symbols;
#[cfg(test)]
mod tests;
mod times;

pub use error::MergeError;
pub use source::Source;
