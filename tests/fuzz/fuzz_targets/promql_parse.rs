//! See `query/src/parse/fuzz.rs`.
#![no_main]

silverback_fuzz::target!("promql_parse", 2 << 20, 512);
