//! The server's own metrics in its own database, so that an empty one answers queries too.

use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus::proto::{Metric, MetricFamily, MetricType};
use silverback_storage::{LabelError, WriteBatch};

use crate::app::App;
use crate::clock;

const JOB: &str = "silverback";

/// Stores the metrics once.
///
/// # Errors
/// The database's, as a text for the log.
pub(crate) async fn scrape(app: &App) -> Result<(), String> {
    let begun = Instant::now();
    let timestamp_ms = clock::now_ms();
    let families = app.metrics.gather();
    let instance = app.local_addr.to_string();
    let mut target = Target {
        instance: &instance,
        timestamp_ms,
        batch: WriteBatch::new(),
    };
    for family in &families {
        target.family(family).map_err(|error| error.to_string())?;
    }
    let took = begun.elapsed().as_secs_f64();
    for (name, value) in [("up", 1.0), ("scrape_duration_seconds", took)] {
        target
            .sample(name, &[], value)
            .map_err(|error| error.to_string())?;
    }
    let submitted = app
        .db
        .submit(&target.batch)
        .map_err(|error| error.to_string())?;
    submitted.commit.await.map_err(|error| error.to_string())
}

/// Stores the metrics at every interval until it is dropped. Failures are logged when they
/// begin, not every time.
pub(crate) async fn run(app: Arc<App>, interval: Duration) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    // The first tick is at once, and the server does the first scrape itself.
    ticks.tick().await;
    let mut failing = false;
    loop {
        ticks.tick().await;
        match scrape(&app).await {
            Ok(()) => failing = false,
            Err(error) => {
                if !failing {
                    tracing::warn!(%error, "own metrics could not be stored");
                }
                failing = true;
            }
        }
    }
}

/// Samples of one scrape on their way to the database.
struct Target<'a> {
    instance: &'a str,
    timestamp_ms: i64,
    batch: WriteBatch,
}

impl Target<'_> {
    fn family(&mut self, family: &MetricFamily) -> Result<(), LabelError> {
        let name = family.name();
        for metric in family.get_metric() {
            match family.get_field_type() {
                MetricType::COUNTER => {
                    self.metric(name, metric, None, metric.get_counter().get_value())?;
                }
                MetricType::GAUGE => {
                    self.metric(name, metric, None, metric.get_gauge().get_value())?;
                }
                MetricType::HISTOGRAM => self.histogram(name, metric)?,
                // Nothing here makes summaries or untyped metrics.
                MetricType::SUMMARY | MetricType::UNTYPED => {}
            }
        }
        Ok(())
    }

    fn histogram(&mut self, name: &str, metric: &Metric) -> Result<(), LabelError> {
        let histogram = metric.get_histogram();
        let count = histogram.get_sample_count() as f64;
        let bucket = format!("{name}_bucket");
        for one in histogram.get_bucket() {
            let bound = one.upper_bound().to_string();
            self.metric(&bucket, metric, Some(&bound), one.cumulative_count() as f64)?;
        }
        self.metric(&bucket, metric, Some("+Inf"), count)?;
        self.metric(
            &format!("{name}_sum"),
            metric,
            None,
            histogram.get_sample_sum(),
        )?;
        self.metric(&format!("{name}_count"), metric, None, count)
    }

    fn metric(
        &mut self,
        name: &str,
        metric: &Metric,
        le: Option<&str>,
        value: f64,
    ) -> Result<(), LabelError> {
        let labels = metric
            .get_label()
            .iter()
            .map(|label| (label.name(), label.value()));
        let labels: Vec<_> = labels.chain(le.map(|le| ("le", le))).collect();
        self.sample(name, &labels, value)
    }

    fn sample(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        value: f64,
    ) -> Result<(), LabelError> {
        let target = [
            ("__name__", name),
            ("job", JOB),
            ("instance", self.instance),
        ];
        let series = self.batch.series(&[&target, labels].concat())?;
        self.batch.float(series, self.timestamp_ms, value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use prometheus::core::Collector;
    use prometheus::{HistogramOpts, HistogramVec};

    use super::*;

    #[test]
    fn histograms_become_series() {
        let opts = HistogramOpts::new("took_seconds", "help").buckets(vec![0.5, 1.0]);
        let histogram = HistogramVec::new(opts, &["handler"]).unwrap();
        histogram.with_label_values(&["/"]).observe(0.7);
        let mut target = Target {
            instance: "127.0.0.1:1",
            timestamp_ms: 1,
            batch: WriteBatch::new(),
        };
        for family in histogram.collect() {
            target.family(&family).unwrap();
        }
        // Two buckets and +Inf, the sum, the count.
        assert_eq!(target.batch.sample_count(), 5);
    }
}
