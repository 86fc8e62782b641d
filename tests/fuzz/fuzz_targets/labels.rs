//! See `storage/src/codec/fuzz.rs`.
#![no_main]

silverback_fuzz::target!("labels", 2 << 20, 512);
