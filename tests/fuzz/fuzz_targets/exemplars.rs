//! See `storage/src/codec/fuzz.rs`.
#![no_main]

silverback_fuzz::target!("exemplars", 2 << 20, 512);
