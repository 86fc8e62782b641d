//! What a series means: type, unit and help, as the exporter declares them.

/// Metadata of a metric.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Metadata {
    /// Its type.
    pub metric_type: MetricType,
    /// Its unit, empty where there is none.
    pub unit: String,
    /// Its help text, empty where there is none.
    pub help: String,
}

/// The metric types of the remote-write protocols, with their numbers on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum MetricType {
    /// Not said.
    #[default]
    Unknown = 0,
    /// Rises until reset.
    Counter = 1,
    /// Rises and falls.
    Gauge = 2,
    /// Classic or native histogram.
    Histogram = 3,
    /// A histogram of current values.
    GaugeHistogram = 4,
    /// Quantiles with sum and count.
    Summary = 5,
    /// Labels as information, the value always 1.
    Info = 6,
    /// One of several states.
    StateSet = 7,
}
