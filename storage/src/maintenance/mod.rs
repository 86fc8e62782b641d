//! What joins the parts of the store: heads become segments.

pub mod flush;
