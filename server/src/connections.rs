//! The connections that are open: when there are too many, which one makes room.
//!
//! Thousands of clients that send a byte now and then, or nothing, would otherwise hold every
//! connection there may be until their time is up, and who has something to say would wait as long.
//! So a new connection takes the place of the one that has waited for its client longest: for the
//! headers of a request, or for more of its body. One whose request is being answered is left alone.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody};
use axum::http::{Request, Response};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use parking_lot::Mutex;
use prometheus::IntCounter;
use tokio::sync::Notify;
use tower_service::Service;

/// How often it is looked whether one can make room, while none can.
const RETRY_PAUSE: Duration = Duration::from_millis(10);
/// A connection that does not wait for its client.
const BUSY: u64 = u64::MAX;

/// All open connections.
#[derive(Debug)]
pub(crate) struct Connections {
    max: usize,
    started: Instant,
    open: Mutex<Open>,
    /// How many were closed to make room.
    evicted: IntCounter,
}

#[derive(Debug, Default)]
struct Open {
    next_number: u64,
    states: HashMap<u64, Arc<State>>,
}

/// What is known of a connection.
#[derive(Debug)]
struct State {
    started: Instant,
    /// Since when it has waited for its client, in milliseconds since the server's start.
    waiting_since: AtomicU64,
    /// When the request that it is about came, in the same way.
    request_since: AtomicU64,
    evict: Notify,
}

/// An open connection; no more one of them when this is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    connections: Arc<Connections>,
    number: u64,
    state: Arc<State>,
}

impl Connections {
    /// None open yet, and at most `max` at once.
    pub(crate) fn new(max: usize, evicted: IntCounter) -> Arc<Self> {
        Arc::new(Self {
            max,
            started: Instant::now(),
            open: Mutex::default(),
            evicted,
        })
    }

    /// A place for one more connection. Waits while all others are being answered.
    pub(crate) async fn open(self: &Arc<Self>) -> Connection {
        loop {
            if let Some(connection) = self.try_open() {
                return connection;
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    fn try_open(self: &Arc<Self>) -> Option<Connection> {
        let mut open = self.open.lock();
        if open.states.len() >= self.max {
            let waiting = open.states.iter();
            let waiting =
                waiting.map(|(number, state)| (state.waiting_since.load(Relaxed), *number));
            let (_, number) = waiting.filter(|(since, _)| *since != BUSY).min()?;
            if let Some(state) = open.states.remove(&number) {
                state.evict.notify_one();
                self.evicted.inc();
            }
        }
        let number = open.next_number;
        open.next_number += 1;
        let state = Arc::new(State {
            started: self.started,
            waiting_since: AtomicU64::new(0),
            request_since: AtomicU64::new(0),
            evict: Notify::new(),
        });
        state.wait_for_request();
        open.states.insert(number, Arc::clone(&state));
        Some(Connection {
            connections: Arc::clone(self),
            number,
            state,
        })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.connections.open.lock().states.remove(&self.number);
    }
}

impl Connection {
    /// Resolves when the connection is to make room for another one.
    pub(crate) async fn evicted(&self) {
        self.state.evict.notified().await;
    }

    /// A service that tells when it waits for the client.
    pub(crate) fn watch<S>(&self, inner: S) -> Watched<S> {
        Watched {
            inner,
            state: Arc::clone(&self.state),
        }
    }
}

impl State {
    fn now(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    fn wait_for_request(&self) {
        self.waiting_since.store(self.now(), Relaxed);
    }

    fn begin_request(&self) {
        self.request_since.store(self.now(), Relaxed);
        self.waiting_since.store(BUSY, Relaxed);
    }

    /// A body that comes in drops has been waited for since its request began.
    fn wait_for_body(&self) {
        let since = self.request_since.load(Relaxed);
        self.waiting_since.store(since, Relaxed);
    }

    fn go_on(&self) {
        self.waiting_since.store(BUSY, Relaxed);
    }
}

/// A service on a connection.
#[derive(Clone, Debug)]
pub(crate) struct Watched<S> {
    inner: S,
    state: Arc<State>,
}

impl<S, B> Service<Request<B>> for Watched<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response<Answer>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.state.begin_request();
        let state = Arc::clone(&self.state);
        let watched = |inner| Incoming {
            inner,
            state: Arc::clone(&state),
        };
        let answered = self
            .inner
            .call(request.map(|body| Body::new(watched(body))));
        Box::pin(async move {
            let response = answered.await?;
            // Whatever is left of the request's body is not waited for by anybody but hyper.
            state.go_on();
            Ok(response.map(|inner| Answer { inner, state }))
        })
    }
}

/// The body of a request.
struct Incoming<B> {
    inner: B,
    state: Arc<State>,
}

impl<B: HttpBody<Data = Bytes> + Unpin> HttpBody for Incoming<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        match polled {
            Poll::Pending => self.state.wait_for_body(),
            Poll::Ready(_) => self.state.go_on(),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The body of an answer: once it is sent, or given up, the next request is waited for.
#[derive(Debug)]
pub(crate) struct Answer {
    inner: Body,
    state: Arc<State>,
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.state.wait_for_request();
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(max: usize) -> Arc<Connections> {
        Connections::new(max, IntCounter::new("evicted", "help").unwrap())
    }

    /// Lets a connection have waited for that many milliseconds less than it has.
    fn age(connection: &Connection, since: u64) {
        connection.state.waiting_since.store(since, Relaxed);
    }

    async fn is_evicted(connection: &Connection) -> bool {
        let evicted = tokio::time::timeout(Duration::from_millis(20), connection.evicted());
        evicted.await.is_ok()
    }

    #[tokio::test]
    async fn the_one_that_has_waited_longest_makes_room() {
        let connections = connections(2);
        let (old, older) = (connections.open().await, connections.open().await);
        age(&old, 7);
        age(&older, 3);
        let new = connections.open().await;
        assert!(is_evicted(&older).await);
        assert!(!is_evicted(&old).await && !is_evicted(&new).await);
        assert_eq!(connections.evicted.get(), 1);
        // It has given its place away already.
        drop(older);
        assert_eq!(connections.open.lock().states.len(), 2);
    }

    #[tokio::test]
    async fn one_that_is_being_answered_stays() {
        let connections = connections(1);
        let busy = connections.open().await;
        busy.state.begin_request();
        assert!(connections.try_open().is_none());
        busy.state.wait_for_body();
        assert!(connections.try_open().is_some());
        assert!(is_evicted(&busy).await);
    }

    #[tokio::test]
    async fn a_place_is_free_once_its_connection_is_closed() {
        let connections = connections(1);
        let busy = connections.open().await;
        busy.state.begin_request();
        let waiting = tokio::spawn({
            let connections = Arc::clone(&connections);
            async move { connections.open().await }
        });
        tokio::time::sleep(RETRY_PAUSE * 2).await;
        assert!(!waiting.is_finished());
        drop(busy);
        waiting.await.unwrap();
        assert_eq!(connections.evicted.get(), 0);
    }
}
