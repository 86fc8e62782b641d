//! See `storage/src/wal/fuzz.rs`.
#![no_main]

silverback_fuzz::target!("wal_record", 2 << 20, 512);
