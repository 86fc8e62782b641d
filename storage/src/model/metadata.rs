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

impl MetricType {
    /// The type with that number on the wire.
    pub fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Unknown,
            1 => Self::Counter,
            2 => Self::Gauge,
            3 => Self::Histogram,
            4 => Self::GaugeHistogram,
            5 => Self::Summary,
            6 => Self::Info,
            7 => Self::StateSet,
            _ => return None,
        })
    }
}

/// The name of the metric family that a series belongs to.
///
/// Remote write 1.0 sends metadata by family, which is how it is kept; remote write 2.0 sends it
/// with each series. There the family is the series' metric name, but for the suffixes that the
/// series of a histogram or a summary have.
///
/// # Examples
/// ```
/// use silverback_storage::model::{MetricType, family_name};
/// assert_eq!(family_name("rpc_seconds_bucket", MetricType::Histogram), "rpc_seconds");
/// assert_eq!(family_name("disk_count", MetricType::Gauge), "disk_count");
/// ```
pub fn family_name(metric_name: &str, metric_type: MetricType) -> &str {
    let suffixes: &[&str] = match metric_type {
        MetricType::Histogram => &["_bucket", "_count", "_sum"],
        MetricType::GaugeHistogram => &["_bucket", "_gcount", "_gsum"],
        MetricType::Summary => &["_count", "_sum"],
        _ => &[],
    };
    suffixes
        .iter()
        .find_map(|suffix| metric_name.strip_suffix(suffix))
        .filter(|family| !family.is_empty())
        .unwrap_or(metric_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_types() {
        let types: Vec<_> = (0..=255).map_while(MetricType::from_number).collect();
        assert_eq!(types.len(), 8);
        assert!(types.iter().enumerate().all(|(i, &t)| t as usize == i));
    }

    #[test]
    fn a_family_has_no_suffix_of_its_series() {
        let of = family_name;
        assert_eq!(of("a_sum", MetricType::Summary), "a");
        assert_eq!(of("a_bucket", MetricType::Summary), "a_bucket");
        assert_eq!(of("a_gsum", MetricType::GaugeHistogram), "a");
        assert_eq!(of("a", MetricType::Histogram), "a");
        assert_eq!(of("_sum", MetricType::Histogram), "_sum");
        assert_eq!(of("a_total", MetricType::Counter), "a_total");
    }
}
