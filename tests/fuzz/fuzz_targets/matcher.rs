//! See `storage/src/index/fuzz.rs`.
#![no_main]

silverback_fuzz::target!("matcher", 64 << 20, 1024);
