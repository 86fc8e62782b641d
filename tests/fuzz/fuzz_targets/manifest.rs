//! See `storage/src/manifest/fuzz.rs`.
#![no_main]

silverback_fuzz::target!("manifest", 2 << 20, 512);
