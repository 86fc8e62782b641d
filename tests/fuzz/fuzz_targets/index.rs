//! See `storage/src/index/fuzz.rs`.
#![no_main]

silverback_fuzz::target!("index", 8 << 20, 1024);
