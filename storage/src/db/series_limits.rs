//! How many series a head takes, in all and of one metric.

use std::collections::HashMap;

use super::report::RejectReason;
use crate::config::Options;
use crate::head::Head;
use crate::model::{LabelsRef, METRIC_NAME, SeriesId};

/// The limits, and what has been counted for them.
#[derive(Debug)]
pub(super) struct SeriesLimits {
    series_max: Option<u64>,
    of_metric_max: Option<u64>,
    /// Series by metric name, where there is a limit on them.
    of_metric: HashMap<Box<str>, u64>,
}

impl SeriesLimits {
    /// Limits for a head that has series already, after a restart.
    pub(super) fn new(options: &Options, head: &Head) -> Self {
        let mut limits = Self {
            series_max: options.series_max,
            of_metric_max: options.series_of_metric_max,
            of_metric: HashMap::new(),
        };
        if limits.of_metric_max.is_some() {
            let registered = head.registrar().count();
            let view = head.labels_view();
            let known = (0..=u32::MAX).filter_map(|id| view.labels(SeriesId(id)));
            // Ids may be left out, so the series are counted, not the ids.
            for labels in known.take(registered as usize) {
                limits.note(labels.as_ref());
            }
        }
        limits
    }

    /// Why a new series is not taken by a head of so many, if it is not.
    pub(super) fn refuses(&self, registered: u64, labels: LabelsRef<'_>) -> Option<RejectReason> {
        if let Some(series_max) = self.series_max
            && registered >= series_max
        {
            return Some(RejectReason::TooManySeries { series_max });
        }
        let series_max = self.of_metric_max?;
        let count = self.of_metric.get(labels.get(METRIC_NAME).unwrap_or(""));
        (count.copied().unwrap_or(0) >= series_max)
            .then_some(RejectReason::TooManySeriesOfMetric { series_max })
    }

    /// Counts a series that was taken.
    pub(super) fn note(&mut self, labels: LabelsRef<'_>) {
        if self.of_metric_max.is_none() {
            return;
        }
        let name = labels.get(METRIC_NAME).unwrap_or("");
        match self.of_metric.get_mut(name) {
            Some(count) => *count += 1,
            None => {
                self.of_metric.insert(name.into(), 1);
            }
        }
    }

    /// The same limits for another head, which has no series yet.
    pub(super) fn anew(&self) -> Self {
        Self {
            of_metric: HashMap::new(),
            ..*self
        }
    }
}
