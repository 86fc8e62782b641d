//! See `query/src/parse/fuzz.rs`.
#![no_main]

silverback_fuzz::target!("promql_literals", 2 << 20, 512);
