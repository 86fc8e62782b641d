//! See `storage/src/wal/fuzz.rs`.
#![no_main]

silverback_fuzz::target!("wal_log", 8 << 20, 512);
