//! Where a message is not what its protocol says.

use std::fmt;

use super::protobuf::WireError;

/// A body that is not the message that its Content-Type names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct DecodeError {
    error: WireError,
    /// The message and field it is in.
    field: &'static str,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { error, field } = self;
        write!(f, "{field} at byte {}: {}", error.offset, error.what)
    }
}

/// Puts the name of the message or field to an error of the wire format.
pub(super) fn within<T>(
    field: &'static str,
    result: Result<T, WireError>,
) -> Result<T, DecodeError> {
    result.map_err(|error| DecodeError { error, field })
}
