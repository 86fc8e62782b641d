//! Many series that are new, with long label sets and few samples: what a deployment of
//! everything looks like.

use super::remote_write::EncodedLabels;
use super::{Labels, Lanes, Load, Output, Part};
use crate::error::{Error, Result};
use std::collections::BTreeMap;

const METRICS: [&str; 5] = ["request", "response", "upstream", "downstream", "handshake"];
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
const STATUSES: [&str; 2] = ["200", "503"];
const BOUNDS: [&str; 10] = [
    "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf",
];
const SERVICES: [&str; 4] = [
    "checkout-service",
    "delivery-service",
    "inventory-store",
    "payment-gateway",
];

/// Series of one pod: all combinations of the above.
const SERIES_PER_POD: usize = METRICS.len() * METHODS.len() * STATUSES.len() * BOUNDS.len();
const PODS_PER_NODE: usize = 10;

/// How many new series, and how long they live.
#[derive(Clone, Debug)]
pub struct NewSeriesOptions {
    /// Number of distinct series, whose labels' names and values have about 290 bytes together.
    pub series: usize,
    /// Samples of each.
    pub scrapes: usize,
    /// Milliseconds between them.
    pub interval_ms: u32,
    /// Timestamp of the first sample, in milliseconds since the Unix epoch.
    pub start_ms: i64,
}

/// Writes the requests to files: all series once, then all again.
///
/// # Errors
/// No series, no scrapes or no interval; those of the files.
pub fn write(options: &NewSeriesOptions, output: &Output) -> Result<Load> {
    if options.series == 0 || options.scrapes == 0 || options.interval_ms == 0 {
        let (series, scrapes) = (options.series, options.scrapes);
        return Err(Error::new(format!(
            "{series} series of {scrapes} samples each {} ms: none may be 0",
            options.interval_ms
        )));
    }
    let encoded: Vec<EncodedLabels> = (0..options.series)
        .map(|number| EncodedLabels::new(labels(number)))
        .collect();
    let mut lanes = Lanes::create(output)?;
    for scrape in 0..options.scrapes {
        let timestamp_ms = options.start_ms + scrape as i64 * i64::from(options.interval_ms);
        for (number, labels) in encoded.iter().enumerate() {
            // A bucket that counts up, each at a pace of its own.
            let value = (number % 1_013 + scrape * (number % 7)) as f64;
            lanes
                .of(number / SERIES_PER_POD)
                .push(labels, timestamp_ms, value)?;
        }
    }
    let mut parts: BTreeMap<String, Part> = BTreeMap::new();
    for number in 0..options.series {
        let selector = selector(number);
        let part = parts.entry(selector.clone()).or_insert(Part {
            selector,
            samples: 0,
            nans: 0,
        });
        part.samples += options.scrapes as u64;
    }
    let span_ms = options.scrapes as i64 * i64::from(options.interval_ms);
    let span_ms = (options.start_ms, options.start_ms + span_ms);
    lanes.finish(
        options.series as u64,
        span_ms,
        parts.into_values().collect(),
    )
}

/// What finds a series, and those of its metric and node.
fn selector(number: usize) -> String {
    let (pod, within) = (number / SERIES_PER_POD, number % SERIES_PER_POD);
    let metric = within * METRICS.len() / SERIES_PER_POD;
    format!(
        "{}{{node=\"{}\"}}",
        metric_name(metric),
        node_name(pod / PODS_PER_NODE)
    )
}

fn metric_name(metric: usize) -> String {
    format!("http_server_{}_duration_seconds_bucket", METRICS[metric])
}

fn node_name(node: usize) -> String {
    let [_, high, middle, low] = (node as u32).to_be_bytes();
    format!("ip-10-{high}-{middle}-{low}.eu-west-1.compute.internal")
}

/// The labels of a series; no two numbers have the same.
fn labels(number: usize) -> Labels {
    let (pod, mut within) = (number / SERIES_PER_POD, number % SERIES_PER_POD);
    let mut pick = |values: &[&'static str]| {
        let at = within % values.len();
        within /= values.len();
        values[at]
    };
    let bound = pick(&BOUNDS);
    let status = pick(&STATUSES);
    let method = pick(&METHODS);
    let metric = metric_name(within);
    let service = SERVICES[pod % SERVICES.len()];
    let [_, high, middle, low] = (pod as u32).to_be_bytes();
    // Odd, so that no two pods have the same; the second part shows the replica set.
    let suffix = (pod as u32).wrapping_add(1).wrapping_mul(0x9e37_79b9);
    let pairs = [
        ("__name__", metric),
        ("cluster", "production-eu-west-1".to_owned()),
        ("container", service.to_owned()),
        ("instance", format!("10.{high}.{middle}.{low}:8080")),
        ("job", format!("shop/{service}")),
        ("le", bound.to_owned()),
        ("method", method.to_owned()),
        ("namespace", "shop-production".to_owned()),
        ("node", node_name(pod / PODS_PER_NODE)),
        ("pod", format!("{service}-7d9f8b6c5d-{suffix:08x}")),
        ("status", status.to_owned()),
        (
            "zone",
            format!("eu-west-1{}", ["a", "b", "c"][pod / PODS_PER_NODE % 3]),
        ),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::remote_write;
    use super::*;
    use crate::error::About;

    #[test]
    fn label_sets_are_long_and_distinct() {
        let sets: BTreeSet<Labels> = (0..20_000).map(labels).collect();
        assert_eq!(sets.len(), 20_000);
        let len = |labels: &Labels| labels.iter().map(|(n, v)| n.len() + v.len()).sum::<usize>();
        let mean = sets.iter().map(len).sum::<usize>() / sets.len();
        assert!((285..=295).contains(&mean), "{mean}");
    }

    #[test]
    fn all_series_are_opened_before_the_second_sample() -> Result<()> {
        let dir = tempfile::tempdir().about("temporary directory")?;
        let options = NewSeriesOptions {
            series: 7_300,
            scrapes: 3,
            interval_ms: 15_000,
            start_ms: 1_000,
        };
        let output = Output {
            dir: dir.path(),
            connections: 2,
            movable: false,
        };
        let load = write(&options, &output)?;
        assert_eq!((load.series, load.samples), (7_300, 21_900));
        let samples: u64 = load.parts.iter().map(|part| part.samples).sum();
        // The second node has 2,300 series: four pods of all metrics, and three metrics of one.
        assert_eq!((load.parts.len(), samples), (10, 21_900));
        let mut series = BTreeSet::new();
        for file in &load.files {
            let samples = remote_write::tests::decode_file(file)?.concat();
            assert!(samples.is_sorted_by_key(|(_, timestamp_ms, _)| *timestamp_ms));
            series.extend(samples.into_iter().map(|(labels, ..)| labels));
        }
        assert_eq!(series.len(), 7_300);
        for part in &load.parts {
            let (metric, node) = part.selector.split_once("{node=\"").unwrap();
            let metric = format!("__name__={metric},");
            let node = format!("node={},", node.trim_end_matches("\"}"));
            let found = series
                .iter()
                .filter(|s| s.contains(&metric) && s.contains(&node));
            assert_eq!(found.count() as u64 * 3, part.samples, "{}", part.selector);
        }
        assert!(
            write(
                &NewSeriesOptions {
                    scrapes: 0,
                    ..options
                },
                &output
            )
            .is_err()
        );
        Ok(())
    }
}
