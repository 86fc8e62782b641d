//! See `storage/src/chunk/fuzz.rs`.
#![no_main]

silverback_fuzz::target!("chunk_values", 2 << 20, 512);
