//! See `storage/src/column/fuzz.rs`.
#![no_main]

silverback_fuzz::target!("column_values", 2 << 20, 512);
