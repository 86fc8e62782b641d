//! See `query/src/parse/fuzz.rs`.
#![no_main]

silverback_fuzz::target!("promql_pattern", 64 << 20, 1024);
