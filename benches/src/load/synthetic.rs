//! A recording that nobody recorded, for where the real one is not: it has the shape of one, and
//! no more. What is measured with it says nothing about data of this world.

use super::Labels;
use super::column::Column;
use super::recording::{Exporter, Recording, SHARES};
use crate::rng::Rng;

/// Series of each kind, of an exporter.
const SERIES_PER_KIND: usize = 12;

#[derive(Clone, Copy)]
enum Kind {
    /// A counter of whole things.
    Requests,
    /// A counter of seconds, with two decimals.
    Seconds,
    /// A number that goes up and down.
    Gauge,
    /// One that stays.
    Limit,
    /// A quantile of something that often did not happen, NaN then, as in a real recording.
    Quantile,
}

const KINDS: [(&str, Kind); 5] = [
    ("synthetic_requests_total", Kind::Requests),
    ("synthetic_busy_seconds_total", Kind::Seconds),
    ("synthetic_temperature_celsius", Kind::Gauge),
    ("synthetic_limit_bytes", Kind::Limit),
    ("synthetic_duration_seconds", Kind::Quantile),
];

impl Recording {
    /// Numbers made up, the same on each call: so many scrapes of three exporters with 60 series
    /// each, about as late as real ones are.
    pub fn synthetic(scrapes: usize) -> Self {
        let scrapes = scrapes.max(2);
        let exporter = |(number, (name, share)): (usize, &(&str, usize))| {
            let mut rng = Rng::new(0x5eed, number as u64);
            let kinds = KINDS.iter().flat_map(|kind| vec![kind; SERIES_PER_KIND]);
            let kinds: Vec<_> = kinds.enumerate().collect();
            Exporter {
                name: (*name).to_owned(),
                share: *share,
                series: kinds.iter().map(|(n, kind)| labels(*n, kind.0)).collect(),
                columns: kinds
                    .iter()
                    .map(|(_, kind)| Column::new(&column(kind.1, scrapes, &mut rng)))
                    .collect(),
            }
        };
        let mut rng = Rng::new(0x5eed, SHARES.len() as u64);
        Self {
            exporters: SHARES.iter().enumerate().map(exporter).collect(),
            jitter_ms: (0..scrapes).map(|_| rng.below(5) as i32).collect(),
        }
    }
}

fn labels(number: usize, name: &str) -> Labels {
    let pairs = [
        ("__name__", name.to_owned()),
        (
            "handler",
            format!("/api/v1/things/{}", number % SERIES_PER_KIND),
        ),
        ("code", "200".to_owned()),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

fn column(kind: Kind, scrapes: usize, rng: &mut Rng) -> Vec<f64> {
    let mut sum = rng.below(10_000);
    let mut next = || match kind {
        Kind::Requests => {
            sum += rng.below(20);
            sum as f64
        }
        Kind::Seconds => {
            sum += rng.below(13);
            sum as f64 / 100.0
        }
        Kind::Gauge => 20.0 + rng.below(300) as f64 / 10.0,
        Kind::Limit => sum as f64,
        Kind::Quantile if rng.below(10) < 3 => f64::NAN,
        Kind::Quantile => rng.below(1_000) as f64 / 1_000.0,
    };
    (0..scrapes).map(|_| next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::recording::metric_name;

    #[test]
    fn it_has_the_shape_of_a_recording() {
        let recording = Recording::synthetic(50);
        let shares = recording.exporters.iter().map(|exporter| exporter.share);
        assert_eq!(shares.sum::<usize>(), 100);
        assert_eq!(recording.jitter_ms.len(), 50);
        for exporter in &recording.exporters {
            assert_eq!((exporter.series.len(), exporter.columns.len()), (60, 60));
            assert!(exporter.columns.iter().all(|column| column.len() == 50));
            assert_eq!(
                metric_name(&exporter.series[59]),
                "synthetic_duration_seconds"
            );
            let mut series = exporter.series.clone();
            series.sort();
            series.dedup();
            assert_eq!(series.len(), 60);
        }
    }
}
