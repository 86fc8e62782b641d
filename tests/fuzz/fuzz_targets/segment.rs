//! See `storage/src/segment/fuzz.rs`.
#![no_main]

silverback_fuzz::target!("segment", 8 << 20, 1024);
