//! Loads that the benches share.
