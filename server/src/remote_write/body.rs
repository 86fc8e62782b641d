//! Reading request bodies within bounds of size, memory and time.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::SizeLimits;

/// How long a request waits for room to be decoded before it is sent away.
const DECODE_WAIT: Duration = Duration::from_secs(10);

/// Bounds on the memory of write requests in flight.
///
/// Bodies and their decoded form have a budget each. One budget for both could be filled by
/// bodies that all wait for room to be decoded; with two, who holds decoded bytes waits for
/// nothing but the disk.
#[derive(Debug)]
pub(crate) struct Limits {
    sizes: SizeLimits,
    bodies: Arc<Semaphore>,
    decoded: Arc<Semaphore>,
}

/// Why a body was not read.
#[derive(Debug)]
pub(crate) enum Shortage {
    /// It is larger than the bound, given in bytes.
    TooLarge(usize),
    /// It took longer than the deadline.
    Late(Duration),
    /// The budget of all bodies, given in bytes, is used up.
    Busy(usize),
    /// The connection broke.
    Broken(axum::Error),
}

impl std::fmt::Display for Shortage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLarge(bytes_max) => {
                write!(
                    f,
                    "request body is larger than the limit of {bytes_max} bytes"
                )
            }
            Self::Late(deadline) => {
                write!(
                    f,
                    "request body did not arrive within {} s",
                    deadline.as_secs()
                )
            }
            Self::Busy(bytes_max) => write!(
                f,
                "too many requests in flight: their bodies hold {bytes_max} bytes already (--remote-write-max-in-flight)"
            ),
            Self::Broken(error) => write!(f, "request body could not be read: {error}"),
        }
    }
}

/// A body with its share of the budget, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) bytes: Vec<u8>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Limits {
    pub(crate) fn new(sizes: SizeLimits) -> Self {
        // The largest request there may be must find room.
        let most = sizes
            .body_bytes_max
            .max(sizes.decoded_bytes_max)
            .saturating_mul(2);
        let sizes = SizeLimits {
            in_flight_bytes_max: sizes
                .in_flight_bytes_max
                .max(most)
                .min(Semaphore::MAX_PERMITS),
            ..sizes
        };
        Self {
            bodies: Arc::new(Semaphore::new(sizes.in_flight_bytes_max)),
            decoded: Arc::new(Semaphore::new(sizes.in_flight_bytes_max)),
            sizes,
        }
    }

    /// Largest body as it comes over the wire, in bytes.
    pub(super) fn body_bytes_max(&self) -> usize {
        self.sizes.body_bytes_max
    }

    /// Largest body once it is decompressed, in bytes.
    pub(super) fn decoded_bytes_max(&self) -> usize {
        self.sizes.decoded_bytes_max
    }

    /// What the rows of one request may take in memory, in bytes: less than there is for all, so
    /// that a request which is refused for lack of room can succeed later.
    pub(crate) fn row_bytes_max(&self) -> usize {
        self.sizes.in_flight_bytes_max / 2
    }

    /// Waits for room for a decoded body of this many bytes, the most that one may have; none
    /// if it does not come in time.
    pub(super) async fn room_to_decode(&self, bytes: usize) -> Option<Room> {
        let bytes = u32::try_from(bytes).ok()?;
        let room = Arc::clone(&self.decoded).acquire_many_owned(bytes);
        let permit = tokio::time::timeout(DECODE_WAIT, room).await.ok()?.ok()?;
        Some(Room(permit))
    }
}

/// A request's share of the budget of decoded bytes, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Room(OwnedSemaphorePermit);

impl Room {
    /// Takes that many bytes more, if there are as many; does not wait, as it holds some already.
    pub(super) fn grow(&mut self, limits: &Limits, bytes: usize) -> bool {
        let more = u32::try_from(bytes).ok().and_then(|bytes| {
            Arc::clone(&limits.decoded)
                .try_acquire_many_owned(bytes)
                .ok()
        });
        let has_grown = more.is_some();
        if let Some(more) = more {
            self.0.merge(more);
        }
        has_grown
    }
}

/// Reads a body of at most `bytes_max` bytes. What has arrived counts towards the budget of all
/// bodies, not what was announced, so that a slow client holds no room it does not use.
///
/// # Errors
/// See [`Shortage`].
pub(crate) async fn read_body(
    limits: &Limits,
    body: Body,
    bytes_max: usize,
) -> Result<Held, Shortage> {
    read_within(limits.sizes.body_deadline, limits, body, bytes_max).await
}

async fn read_within(
    deadline: Duration,
    limits: &Limits,
    body: Body,
    bytes_max: usize,
) -> Result<Held, Shortage> {
    tokio::time::timeout(deadline, collect(limits, body, bytes_max))
        .await
        .unwrap_or(Err(Shortage::Late(deadline)))
}

async fn collect(limits: &Limits, mut body: Body, bytes_max: usize) -> Result<Held, Shortage> {
    let announced = axum::body::HttpBody::size_hint(&body).lower();
    if announced > bytes_max as u64 {
        return Err(Shortage::TooLarge(bytes_max));
    }
    let mut bytes = Vec::new();
    let mut permit: Option<OwnedSemaphorePermit> = None;
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame.map_err(Shortage::Broken)?.into_data() else {
            continue;
        };
        if bytes.len() + chunk.len() > bytes_max {
            return Err(Shortage::TooLarge(bytes_max));
        }
        let more = u32::try_from(chunk.len())
            .ok()
            .and_then(|len| Arc::clone(&limits.bodies).try_acquire_many_owned(len).ok())
            .ok_or(Shortage::Busy(limits.sizes.in_flight_bytes_max))?;
        match &mut permit {
            Some(permit) => permit.merge(more),
            None => permit = Some(more),
        }
        if bytes.is_empty() {
            // The rest of an announced body will come: one allocation for most requests. An
            // announcement alone reserves little.
            bytes.reserve_exact(chunk.len().max((announced as usize).min(1 << 20)));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Held {
        bytes,
        _permit: permit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const IN_FLIGHT: usize = 256 << 20;

    fn limits() -> Limits {
        Limits::new(SizeLimits::default())
    }

    #[tokio::test]
    async fn a_body_up_to_the_bound_is_read() {
        let limits = limits();
        let held = read_body(&limits, Body::from("abc"), 3).await.unwrap();
        assert_eq!(held.bytes, b"abc");
        assert_eq!(limits.bodies.available_permits(), IN_FLIGHT - 3);
        drop(held);
        assert_eq!(limits.bodies.available_permits(), IN_FLIGHT);
    }

    #[tokio::test]
    async fn a_body_above_the_bound_is_refused_and_gives_its_room_back() {
        let limits = limits();
        let refused = read_body(&limits, Body::from("abcd"), 3).await.unwrap_err();
        assert!(matches!(refused, Shortage::TooLarge(3)), "{refused}");
        assert_eq!(limits.bodies.available_permits(), IN_FLIGHT);
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up() {
        struct Stalled;
        impl axum::body::HttpBody for Stalled {
            type Data = bytes::Bytes;
            type Error = std::convert::Infallible;
            fn poll_frame(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>>
            {
                std::task::Poll::Pending
            }
        }
        let (limits, stalled) = (limits(), Body::new(Stalled));
        let read = read_within(Duration::from_millis(1), &limits, stalled, 3);
        let refused = read.await.unwrap_err();
        assert!(matches!(refused, Shortage::Late(_)), "{refused}");
    }

    #[tokio::test]
    async fn bodies_beyond_the_budget_are_sent_away() {
        let limits = Limits {
            bodies: Arc::new(Semaphore::new(4)),
            ..limits()
        };
        let _first = read_body(&limits, Body::from("abc"), 10).await.unwrap();
        let refused = read_body(&limits, Body::from("de"), 10).await.unwrap_err();
        assert!(matches!(refused, Shortage::Busy(_)), "{refused}");
    }

    #[tokio::test]
    async fn rows_take_room_beside_the_body_and_give_it_back() {
        let limits = limits();
        let mut room = limits.room_to_decode(100).await.unwrap();
        assert!(room.grow(&limits, IN_FLIGHT - 100));
        assert!(!room.grow(&limits, 1));
        drop(room);
        assert_eq!(limits.decoded.available_permits(), IN_FLIGHT);
    }

    #[test]
    fn the_largest_request_finds_room_whatever_is_configured() {
        let limits = Limits::new(SizeLimits {
            in_flight_bytes_max: 10,
            ..SizeLimits::default()
        });
        assert_eq!(limits.row_bytes_max(), limits.decoded_bytes_max());
    }
}
