//! See `server/src/fuzz/eval.rs`.
#![no_main]

silverback_fuzz::target!("promql_eval", 48 << 20, 512);
