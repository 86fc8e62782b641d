//! The write path, from labels and samples to acknowledged.

fn main() {}
