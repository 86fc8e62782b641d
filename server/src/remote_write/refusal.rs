//! Why a request was not stored, or not all of it.

use std::fmt;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use silverback_storage::ErrorKind;

/// The reasons, as the `reason` label of `silverback_remote_write_failed_requests_total`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reason {
    /// The Content-Type is not remote write.
    ContentType,
    /// The Content-Encoding is not one that goes with the Content-Type.
    ContentEncoding,
    /// The body is larger than it may be, compressed or not.
    TooLarge,
    /// The body did not arrive in time.
    BodyTimeout,
    /// The connection broke while the body was read.
    BodyBroken,
    /// The body is not snappy.
    Snappy,
    /// The body is not zstd.
    Zstd,
    /// The body is not the message that the Content-Type names.
    Protobuf,
    /// Some of it was stored; some series or samples cannot be.
    Partial,
    /// Too many requests in flight.
    Busy,
    /// Writes come faster than they can be flushed.
    Overloaded,
    /// The disk is full.
    Full,
    /// An earlier write failed; the server must be started anew.
    Poisoned,
    /// The database is being closed.
    Closed,
    /// The database failed in another way.
    Storage,
}

impl Reason {
    /// Every reason, so that each has its counter from the start.
    pub(crate) const ALL: [Self; 15] = [
        Self::ContentType,
        Self::ContentEncoding,
        Self::TooLarge,
        Self::BodyTimeout,
        Self::BodyBroken,
        Self::Snappy,
        Self::Zstd,
        Self::Protobuf,
        Self::Partial,
        Self::Busy,
        Self::Overloaded,
        Self::Full,
        Self::Poisoned,
        Self::Closed,
        Self::Storage,
    ];

    /// As a label value.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ContentType => "content_type",
            Self::ContentEncoding => "content_encoding",
            Self::TooLarge => "too_large",
            Self::BodyTimeout => "body_timeout",
            Self::BodyBroken => "body_broken",
            Self::Snappy => "snappy",
            Self::Zstd => "zstd",
            Self::Protobuf => "protobuf",
            Self::Partial => "partial",
            Self::Busy => "busy",
            Self::Overloaded => "overloaded",
            Self::Full => "full",
            Self::Poisoned => "poisoned",
            Self::Closed => "closed",
            Self::Storage => "storage",
        }
    }

    /// Senders repeat a request on 5xx and drop it on 4xx, so what may succeed later is 5xx; but
    /// 429, which tells them to slow down, and is repeated by those who are told so.
    fn status(self) -> StatusCode {
        match self {
            Self::ContentType | Self::ContentEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyBroken | Self::Snappy | Self::Zstd | Self::Protobuf | Self::Partial => {
                StatusCode::BAD_REQUEST
            }
            // 408 would say what happened, and make the sender drop its samples.
            Self::BodyTimeout | Self::Busy | Self::Full | Self::Poisoned | Self::Closed => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Overloaded => StatusCode::TOO_MANY_REQUESTS,
            Self::Storage => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// After how many seconds a repeat makes sense.
    fn retry_after_seconds(self) -> Option<u8> {
        match self {
            Self::Busy => Some(1),
            Self::Full | Self::Overloaded | Self::BodyTimeout | Self::Closed => Some(5),
            // Until somebody has started the server anew.
            Self::Poisoned => Some(30),
            _ => None,
        }
    }
}

/// A request that was not stored, or not all of it. Its text is the body of the answer: senders
/// log the first line of it.
#[derive(Debug)]
pub(crate) struct Refusal {
    reason: Reason,
    message: String,
}

impl Refusal {
    /// A refusal; the message says what, where and which limit.
    pub(super) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }

    /// Why.
    pub(super) fn reason(&self) -> Reason {
        self.reason
    }
}

impl From<silverback_storage::Error> for Refusal {
    fn from(error: silverback_storage::Error) -> Self {
        let reason = match error.kind() {
            ErrorKind::Full => Reason::Full,
            ErrorKind::Overloaded => Reason::Overloaded,
            ErrorKind::Poisoned => Reason::Poisoned,
            ErrorKind::Closed => Reason::Closed,
            ErrorKind::TooLarge => Reason::TooLarge,
            _ => Reason::Storage,
        };
        Self::new(reason, error.to_string())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut text = self.message;
        text.push('\n');
        let mut response = (self.reason.status(), text).into_response();
        if let Some(seconds) = self.reason.retry_after_seconds() {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(u16::from(seconds)));
        }
        response
    }
}
