//! What goes wrong in a test's surroundings.

use std::fmt;

/// Why a program did not start, a request was not answered, or answers differ: a text for
/// whoever reads the failed test. Nothing acts on its kind, so it has none.
pub struct Error(String);

/// A result with such an error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error that says so.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// An error about `what`, caused by `cause`.
    pub fn about(what: impl fmt::Display, cause: impl fmt::Display) -> Self {
        Self(format!("{what}: {cause}"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Plain, for a test that returns it fails with its Debug form.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self(format!("i/o: {error}"))
    }
}
