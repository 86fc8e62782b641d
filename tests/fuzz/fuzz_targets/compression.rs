//! See `server/src/remote_write/fuzz.rs`.
#![no_main]

silverback_fuzz::target!("compression", 2 << 20, 512);
