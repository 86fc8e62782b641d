//! A running server as its clients see it: over HTTP alone.

pub(crate) mod answers;
mod attacks;
mod bad_input;
mod receiver;
mod writes;

use std::time::{SystemTime, UNIX_EPOCH};

/// A full minute about an hour ago, in milliseconds: within any retention, and a time that
/// reads the same in seconds.
pub(crate) fn base_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    (since.as_secs() / 60 - 60) as i64 * 60_000
}
