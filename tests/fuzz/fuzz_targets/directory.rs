//! See `storage/src/db/fuzz.rs`.
#![no_main]

silverback_fuzz::target!("directory", 128 << 20, 1024);
