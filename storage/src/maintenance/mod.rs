//! What joins the parts of the store: heads become segments, and segments blocks.

pub mod files;
pub mod flush;
pub mod merge;
pub mod plan;
pub mod stored;
