//! What remote write took, refused and left out.

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};
use silverback_storage::WriteReport;

use crate::remote_write::{LeftOut, Reason};

#[derive(Debug)]
pub(crate) struct RemoteWriteMetrics {
    received: IntCounterVec,
    requests: IntCounter,
    failed: IntCounterVec,
    samples: IntCounter,
    histograms: IntCounter,
    exemplars: IntCounter,
    refused_labels: IntCounter,
    refused_limits: IntCounter,
    refused_histograms: IntCounter,
    refused_future: IntCounter,
    refused_retention: IntCounter,
    refused_series: IntCounter,
    refused_of_metric: IntCounter,
    refused_exemplars: IntCounter,
    refused_metadata: IntCounter,
    dropped_relabel: IntCounter,
    dropped_replica: IntCounter,
}

impl RemoteWriteMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str| -> Result<IntCounter, prometheus::Error> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let vector = |name: &str, help: &str, labels: &[&str]| {
            let vector = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(vector.clone()))?;
            Ok::<IntCounterVec, prometheus::Error>(vector)
        };
        let failed = vector(
            "silverback_remote_write_failed_requests_total",
            "Remote-write requests that were not stored, or not all of them, by reason.",
            &["reason"],
        )?;
        for reason in Reason::ALL {
            // Made now, so that a rate over the first failure is not empty.
            failed.with_label_values(&[reason.as_str()]);
        }
        let refused = vector(
            "silverback_remote_write_rejected_samples_total",
            "Samples of remote-write requests that were refused, by reason.",
            &["reason"],
        )?;
        let dropped = vector(
            "silverback_remote_write_dropped_samples_total",
            "Samples of remote-write requests that were not wanted, by reason: dropped by a relabeling rule, or sent by another replica of their cluster too.",
            &["reason"],
        )?;
        Ok(Self {
            dropped_relabel: dropped.with_label_values(&["relabel"]),
            dropped_replica: dropped.with_label_values(&["replica"]),
            received: vector(
                "silverback_remote_write_received_total",
                "Remote-write requests whose body was read, by version of the protocol and compression.",
                &["version", "compression"],
            )?,
            requests: counter(
                "silverback_remote_write_requests_total",
                "Remote-write requests whose samples were stored, wholly or in part.",
            )?,
            failed,
            samples: counter(
                "silverback_remote_write_samples_total",
                "Samples stored through remote write, floats and histograms.",
            )?,
            histograms: counter(
                "silverback_remote_write_histograms_total",
                "Native histograms stored through remote write.",
            )?,
            exemplars: counter(
                "silverback_remote_write_exemplars_total",
                "Exemplars stored through remote write.",
            )?,
            refused_exemplars: counter(
                "silverback_remote_write_rejected_exemplars_total",
                "Exemplars of remote-write requests that were refused, for their labels, those of their series, or their time.",
            )?,
            refused_metadata: counter(
                "silverback_remote_write_rejected_metadata_total",
                "Metadata of remote-write requests that were refused, for what they say or how long they are.",
            )?,
            refused_labels: refused.with_label_values(&["labels"]),
            refused_limits: refused.with_label_values(&["label_limits"]),
            refused_histograms: refused.with_label_values(&["invalid_histogram"]),
            refused_future: refused.with_label_values(&["too_far_in_future"]),
            refused_retention: refused.with_label_values(&["before_retention"]),
            refused_of_metric: refused.with_label_values(&["too_many_series_of_metric"]),
            refused_series: refused.with_label_values(&["too_many_series"]),
        })
    }

    /// Counts a request whose body was read.
    pub(crate) fn received(&self, version: &str, compression: &str) {
        self.received
            .with_label_values(&[version, compression])
            .inc();
    }

    /// Counts a request that became durable.
    pub(crate) fn stored(&self, report: &WriteReport, left_out: &LeftOut) {
        self.requests.inc();
        self.samples.inc_by(report.accepted);
        self.histograms.inc_by(report.histograms_accepted);
        self.exemplars.inc_by(report.exemplars_accepted);
        self.refused_future.inc_by(report.too_far_in_future);
        self.refused_retention.inc_by(report.before_retention);
        self.refused_series.inc_by(report.too_many_series);
        self.refused_of_metric.inc_by(report.too_many_of_metric);
        self.refused_labels.inc_by(left_out.label_samples);
        self.refused_histograms.inc_by(left_out.histograms);
        self.dropped_relabel.inc_by(left_out.relabeled.samples());
        self.dropped_replica.inc_by(left_out.replica.samples());
        self.refused_limits.inc_by(left_out.limit_samples);
        self.refused_exemplars
            .inc_by(left_out.exemplars + report.exemplars_rejected);
        self.refused_metadata.inc_by(left_out.metadata);
    }

    /// Counts a request that was not stored, or not all of it.
    pub(crate) fn failed(&self, reason: Reason) {
        self.failed.with_label_values(&[reason.as_str()]).inc();
    }
}
