//! What a write did, apart from becoming durable.

use crate::model::Labels;

/// What became of what a batch holds.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct WriteReport {
    /// Samples taken, floats and histograms, exact repeats of stored samples included.
    pub accepted: u64,
    /// Of these, the histograms.
    pub histograms_accepted: u64,
    /// Samples refused because they lie too far in the future.
    pub too_far_in_future: u64,
    /// Samples refused because they are older than the retention.
    pub before_retention: u64,
    /// Samples refused because their series is new and the head has as many as it may.
    pub too_many_series: u64,
    /// Samples refused because their series is new and the head has as many of its metric as it
    /// may.
    pub too_many_of_metric: u64,
    /// Exemplars taken, exact repeats included.
    pub exemplars_accepted: u64,
    /// Exemplars refused, for the same reasons as samples.
    pub exemplars_rejected: u64,
    /// The first refused sample, or the first refused exemplar where all samples were taken.
    pub first_rejected: Option<Rejection>,
}

impl WriteReport {
    /// Samples refused, for whatever reason.
    pub fn rejected(&self) -> u64 {
        self.too_far_in_future
            + self.before_retention
            + self.too_many_series
            + self.too_many_of_metric
    }
}

/// What a refused row is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rejected {
    /// A float sample.
    Sample,
    /// A histogram sample.
    Histogram,
    /// An exemplar.
    Exemplar,
}

impl std::fmt::Display for Rejected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sample => "sample",
            Self::Histogram => "histogram",
            Self::Exemplar => "exemplar",
        })
    }
}

/// A refused sample or exemplar.
#[derive(Clone, PartialEq, Debug)]
pub struct Rejection {
    /// Which of them.
    pub what: Rejected,
    /// Its series.
    pub labels: Labels,
    /// Its timestamp, in milliseconds.
    pub timestamp_ms: i64,
    /// Why it was refused.
    pub reason: RejectReason,
}

/// Why a sample was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RejectReason {
    /// It lies after the latest timestamp taken, given in milliseconds.
    TooFarInFuture {
        /// The latest timestamp taken.
        latest_ms: i64,
    },
    /// It lies before the earliest timestamp kept, given in milliseconds.
    BeforeRetention {
        /// The earliest timestamp kept.
        earliest_ms: i64,
    },
    /// Its series is new and the head has as many as it may.
    TooManySeries {
        /// How many that are.
        series_max: u64,
    },
    /// Its series is new and the head has as many of its metric as it may.
    TooManySeriesOfMetric {
        /// How many that are.
        series_max: u64,
    },
}

impl std::fmt::Display for Rejection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            what,
            labels,
            timestamp_ms,
            reason,
        } = self;
        match reason {
            RejectReason::TooFarInFuture { latest_ms } => write!(
                f,
                "{what} of {labels} at {timestamp_ms} ms is too far in the future: the latest taken is {latest_ms} ms"
            ),
            RejectReason::BeforeRetention { earliest_ms } => write!(
                f,
                "{what} of {labels} at {timestamp_ms} ms is before the retention: the earliest kept is {earliest_ms} ms"
            ),
            RejectReason::TooManySeriesOfMetric { series_max } => write!(
                f,
                "{what} of the new series {labels} at {timestamp_ms} ms: the head has {series_max} series of this metric, the most it may have (--max-series-per-metric)"
            ),
            RejectReason::TooManySeries { series_max } => write!(
                f,
                "{what} of the new series {labels} at {timestamp_ms} ms: the head has {series_max} series, the most it may have (--max-series)"
            ),
        }
    }
}
