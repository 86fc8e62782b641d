//! See `storage/src/block/fuzz.rs`.
#![no_main]

silverback_fuzz::target!("block", 96 << 20, 1024);
