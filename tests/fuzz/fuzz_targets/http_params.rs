//! See `server/src/api/fuzz.rs`.
#![no_main]

silverback_fuzz::target!("http_params", 2 << 20, 512);
