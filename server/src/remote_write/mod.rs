//! Remote write 1.0: what Prometheus, Alloy, vmagent and the OpenTelemetry collector push.
//!
//! `headers` says whether a request can be read, `body` reads it within bounds, `v1` walks the
//! message over the wire format of `protobuf` and the shortcuts of `shape`, `handler` stores it and answers, `refusal` is
//! every way in which it cannot.

mod body;
mod handler;
mod headers;
mod protobuf;
mod refusal;
mod scratch;
mod shape;
mod tally;
#[cfg(test)]
pub(crate) mod test_encoder;
mod v1;

pub(crate) use body::{Limits, Shortage, read_body};
pub(crate) use handler::write;
pub(crate) use refusal::Reason;
pub(crate) use scratch::ScratchPool;
pub(crate) use tally::LeftOut;
