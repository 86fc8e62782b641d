//! Byte and bit tools. Pure: they know neither series nor files.

pub mod bits;
