//! See `server/src/remote_write/fuzz.rs`.
#![no_main]

silverback_fuzz::target!("write_v1", 16 << 20, 1024);
