//! Metrics whose values live elsewhere: read when they are asked for.

use std::collections::HashMap;

use prometheus::core::Desc;
use prometheus::proto::{Counter, Gauge, Metric, MetricFamily, MetricType};

/// Name, help and type of a metric without labels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spec {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
}

/// Whether it may fall.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Counter,
    Gauge,
}

impl Spec {
    pub(super) const fn counter(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            help,
            kind: Kind::Counter,
        }
    }

    pub(super) const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            help,
            kind: Kind::Gauge,
        }
    }

    /// What the registry knows it by.
    pub(super) fn desc(&self) -> Result<Desc, prometheus::Error> {
        Desc::new(
            self.name.to_owned(),
            self.help.to_owned(),
            Vec::new(),
            HashMap::new(),
        )
    }

    /// The metric with its value.
    pub(super) fn family(&self, value: f64) -> MetricFamily {
        let mut metric = Metric::default();
        let mut family = MetricFamily::default();
        match self.kind {
            Kind::Counter => {
                let mut counter = Counter::default();
                counter.set_value(value);
                metric.set_counter(counter);
                family.set_field_type(MetricType::COUNTER);
            }
            Kind::Gauge => {
                let mut gauge = Gauge::default();
                gauge.set_value(value);
                metric.set_gauge(gauge);
                family.set_field_type(MetricType::GAUGE);
            }
        }
        family.set_name(self.name.to_owned());
        family.set_help(self.help.to_owned());
        family.set_metric(vec![metric]);
        family
    }
}
