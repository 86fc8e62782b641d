//! How old and how new a sample may be.

use std::sync::Arc;
use std::time::Duration;

use super::report::{RejectReason, Rejection, WriteReport};
use super::write_batch::{BatchFloat, WriteBatch};
use crate::model::TimeRange;
use crate::sys::Clock;

/// The limits on timestamps, as configured.
#[derive(Debug)]
pub(super) struct Bounds {
    clock: Arc<dyn Clock>,
    retention_ms: Option<i64>,
    max_future_ms: Option<i64>,
}

impl Bounds {
    pub(super) fn new(
        clock: Arc<dyn Clock>,
        retention: Option<Duration>,
        max_future: Option<Duration>,
    ) -> Self {
        Self {
            clock,
            retention_ms: retention.map(whole_ms),
            max_future_ms: max_future.map(whole_ms),
        }
    }

    /// The timestamps taken and shown at this moment.
    ///
    /// Retention counts from the wall clock or from the newest stored sample, whichever is
    /// older: a clock that jumps ahead must not make data look expired.
    pub(super) fn window(&self, newest_stored_ms: Option<i64>) -> TimeRange {
        let now_ms = self.clock.now_ms();
        let anchor_ms = newest_stored_ms.map_or(now_ms, |newest_ms| newest_ms.min(now_ms));
        TimeRange {
            start_ms: self
                .retention_ms
                .map_or(i64::MIN, |ms| anchor_ms.saturating_sub(ms)),
            end_ms: self
                .max_future_ms
                .map_or(i64::MAX, |ms| now_ms.saturating_add(ms)),
        }
    }
}

fn whole_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The samples of a batch that lie within the window, and a report of those that do not.
pub(super) fn sift(batch: &WriteBatch, window: TimeRange) -> (Vec<BatchFloat>, WriteReport) {
    let mut report = WriteReport::default();
    let mut accepted = Vec::with_capacity(batch.sample_count());
    for &sample in batch.floats() {
        let reason = if sample.timestamp_ms < window.start_ms {
            report.before_retention += 1;
            RejectReason::BeforeRetention {
                earliest_ms: window.start_ms,
            }
        } else if sample.timestamp_ms > window.end_ms {
            report.too_far_in_future += 1;
            RejectReason::TooFarInFuture {
                latest_ms: window.end_ms,
            }
        } else {
            accepted.push(sample);
            continue;
        };
        report.first_rejected.get_or_insert_with(|| Rejection {
            labels: batch.labels(sample.series).to_owned(),
            timestamp_ms: sample.timestamp_ms,
            reason,
        });
    }
    report.accepted = accepted.len() as u64;
    (accepted, report)
}
