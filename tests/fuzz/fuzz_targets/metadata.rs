//! See `storage/src/immutable/fuzz.rs`.
#![no_main]

silverback_fuzz::target!("metadata", 2 << 20, 512);
