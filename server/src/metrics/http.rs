//! Requests by handler and code, and how long they took.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
};

/// From a write of one sample to the default time limit of a query, in seconds.
const DURATION_BUCKETS_SECONDS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0,
];

/// What a client that went away before its answer got: nginx's code, as Prometheus has it.
const CLIENT_CLOSED: &str = "499";

#[derive(Debug)]
pub(crate) struct HttpMetrics {
    requests: IntCounterVec,
    duration: HistogramVec,
    /// Requests being answered.
    pub(crate) in_flight: IntGauge,
    /// Connections closed to make room for others.
    pub(crate) evicted: IntCounter,
}

impl HttpMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let requests = IntCounterVec::new(
            Opts::new(
                "silverback_http_requests_total",
                "HTTP requests by handler and status code.",
            ),
            &["handler", "code"],
        )?;
        let duration = HistogramVec::new(
            HistogramOpts::new(
                "silverback_http_request_duration_seconds",
                "Seconds from a request's headers to its answer's headers, by handler.",
            )
            .buckets(DURATION_BUCKETS_SECONDS.to_vec()),
            &["handler"],
        )?;
        let in_flight = IntGauge::new(
            "silverback_http_requests_in_flight",
            "HTTP requests being answered right now.",
        )?;
        let evicted = IntCounter::new(
            "silverback_http_connections_evicted_total",
            "Connections that were closed while they waited for their client, to make room for others.",
        )?;
        registry.register(Box::new(evicted.clone()))?;
        registry.register(Box::new(in_flight.clone()))?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(duration.clone()))?;
        Ok(Self {
            requests,
            duration,
            in_flight,
            evicted,
        })
    }

    /// Starts the clock of a request. Dropped before [`InFlight::finish`], as it is when the
    /// client goes away, it counts with code 499.
    pub(crate) fn begin(&self, handler: &'static str) -> InFlight<'_> {
        self.in_flight.inc();
        InFlight {
            metrics: self,
            handler,
            begun: Instant::now(),
            finished: false,
        }
    }

    fn count(&self, handler: &str, code: &str, took: Duration) {
        self.requests.with_label_values(&[handler, code]).inc();
        self.duration
            .with_label_values(&[handler])
            .observe(took.as_secs_f64());
    }
}

/// A request being answered.
#[derive(Debug)]
pub(crate) struct InFlight<'a> {
    metrics: &'a HttpMetrics,
    handler: &'static str,
    begun: Instant,
    finished: bool,
}

impl InFlight<'_> {
    /// Counts the request with its answer's code.
    pub(crate) fn finish(mut self, status: StatusCode) {
        self.finished = true;
        self.metrics
            .count(self.handler, status.as_str(), self.begun.elapsed());
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
        if !self.finished {
            self.metrics
                .count(self.handler, CLIENT_CLOSED, self.begun.elapsed());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answered_and_abandoned_requests_are_counted_apart() {
        let metrics = HttpMetrics::register(&Registry::new()).unwrap();
        metrics.begin("/x").finish(StatusCode::NO_CONTENT);
        let abandoned = metrics.begin("/x");
        assert_eq!(metrics.in_flight.get(), 1);
        drop(abandoned);
        assert_eq!(metrics.in_flight.get(), 0);
        let count = |code| metrics.requests.with_label_values(&["/x", code]).get();
        assert_eq!((count("204"), count("499")), (1, 1));
        assert_eq!(
            metrics
                .duration
                .with_label_values(&["/x"])
                .get_sample_count(),
            2
        );
    }
}
