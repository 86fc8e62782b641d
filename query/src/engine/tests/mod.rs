//! Queries from their texts to their answers. What each function and operator gives stands in
//! the scripts of `tests/promql`, which `query/tests/scripts.rs` runs.

mod limits;
mod steps;
