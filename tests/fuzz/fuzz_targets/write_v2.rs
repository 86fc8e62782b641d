//! See `server/src/remote_write/fuzz.rs`.
#![no_main]

silverback_fuzz::target!("write_v2", 32 << 20, 1024);
