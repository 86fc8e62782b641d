//! What stops a bench.

use std::fmt;

/// Why a load could not be made, a peer not be started, a request not be sent: a text for whoever
/// runs the bench. Nothing acts on its kind, so it has none.
pub struct Error(String);

/// A result with such an error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error that says so.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
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

/// Says what an error is about.
pub trait About<T> {
    /// The same, its error beginning with `what`.
    ///
    /// # Errors
    /// The error that was there.
    fn about(self, what: impl fmt::Display) -> Result<T>;
}

impl<T, E: fmt::Display> About<T> for Result<T, E> {
    fn about(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Error(format!("{what}: {error}")))
    }
}
