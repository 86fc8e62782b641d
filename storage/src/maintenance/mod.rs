//! What joins the parts of the store: heads become segments.

pub mod files;
pub mod flush;
