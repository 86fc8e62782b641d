//! See `server/src/remote_write/relabel/fuzz.rs`.
#![no_main]

silverback_fuzz::target!("relabel", 96 << 20, 1024);
