//! Remote write: what Prometheus, Alloy, vmagent and the OpenTelemetry collector push.
//!
//! `headers` says whether a request can be read, `body` reads it within bounds, `compression`
//! says what it decompresses to, `snappy` decompresses one form. `v1` and `v2` walk the message of a version over the wire format
//! of `protobuf`; what both have stands in `histogram` and `beside`. `rules` are the limits on
//! labels, `tally` puts what keeps them into a batch and counts the rest, `receive` joins all that,
//! `handler` stores it and answers, `refusal` is every way in which it cannot. `relabel` and `ha`
//! change or drop series on their way, where that is asked for.

mod beside;
mod body;
mod compression;
mod decode_error;
#[cfg(feature = "fuzz-internals")]
pub(crate) mod fuzz;
mod ha;
mod handler;
mod headers;
mod histogram;
mod protobuf;
mod receive;
mod refusal;
mod relabel;
mod rules;
mod said;
mod scratch;
mod shape;
mod snappy;
mod tally;
#[cfg(any(test, feature = "fuzz-internals"))]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "some of it is used by tests alone")
)]
pub(crate) mod test_encoder;
mod v1;
mod v2;

pub(crate) use body::{Limits, Shortage, read_body};
pub(crate) use ha::HaTracker;
pub(crate) use handler::{handshake, write};
#[cfg(feature = "bench-internals")]
pub use receive::bench;
pub(crate) use refusal::Reason;
pub(crate) use relabel::Relabeling;
pub(crate) use rules::Rules;
pub(crate) use scratch::ScratchPool;
pub(crate) use tally::LeftOut;

/// The versions of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Version {
    /// 1.0: labels as strings, metadata in messages of its own.
    V1,
    /// 2.0: labels as references to a table of strings.
    V2,
}

impl Version {
    const ALL: [Self; 2] = [Self::V1, Self::V2];

    /// As people call it.
    fn number(self) -> &'static str {
        match self {
            Self::V1 => "1.0",
            Self::V2 => "2.0",
        }
    }

    /// The protobuf message of a request.
    fn message(self) -> &'static str {
        match self {
            Self::V1 => "prometheus.WriteRequest",
            Self::V2 => "io.prometheus.write.v2.Request",
        }
    }
}
