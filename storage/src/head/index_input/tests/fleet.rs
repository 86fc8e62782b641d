//! Series as a fleet of targets has them: target after target, each with its exporter's families
//! in order, histograms among them.

use crate::model::Labels;

const BOUNDS: [&str; 12] = [
    "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf",
];
const METHODS: [&str; 3] = ["GET", "POST", "DELETE"];
const CODES: [&str; 4] = ["200", "204", "404", "500"];

type Pairs = Vec<(&'static str, String)>;

/// The series of `targets` targets, about 1,600 each.
pub(super) fn series(targets: u32) -> impl Iterator<Item = Labels> {
    let kinds = [exposed("api"), exposed("node")];
    (0..targets).flat_map(move |target| {
        let kind = (target % 2) as usize;
        let job = ["api", "node"][kind];
        let [_, high, middle, low] = target.to_be_bytes();
        let shared = [
            ("cluster", format!("production-{}", target / 2 % 2)),
            ("instance", format!("10.{high}.{middle}.{low}:9104")),
            ("job", job.to_owned()),
            ("namespace", format!("team-{}", target % 11)),
            (
                "pod",
                format!(
                    "{job}-{:08x}-{target}",
                    (target + 1).wrapping_mul(0x9e37_79b9)
                ),
            ),
            (
                "zone",
                format!("eu-west-1{}", ["a", "b", "c"][target as usize % 3]),
            ),
        ];
        let sets = kinds[kind].iter().map(move |own| {
            let pairs = own.iter().chain(&shared);
            Labels::from_pairs(pairs.map(|(name, value)| (*name, value.as_str()))).unwrap()
        });
        sets.collect::<Vec<_>>()
    })
}

/// What one target exposes.
fn exposed(job: &'static str) -> Vec<Pairs> {
    let mut sets: Vec<Pairs> = Vec::new();
    for family in 0..150 {
        sets.push(vec![(
            "__name__",
            format!("{job}_process_gauge_{family}_bytes"),
        )]);
    }
    for family in 0..40 {
        for device in 0..6 {
            let name = format!("{job}_device_{family}_operations_total");
            sets.push(vec![
                ("__name__", name),
                ("device", format!("nvme{device}n1")),
            ]);
        }
    }
    for family in 0..2 {
        for method in METHODS {
            for handler in 0..10 {
                let handler = format!("/api/v1/handler_{handler}");
                for code in CODES {
                    sets.push(vec![
                        ("__name__", format!("http_{family}_requests_total")),
                        ("code", code.to_owned()),
                        ("handler", handler.clone()),
                        ("method", method.to_owned()),
                    ]);
                }
                for le in BOUNDS {
                    sets.push(vec![
                        (
                            "__name__",
                            format!("http_{family}_request_duration_seconds_bucket"),
                        ),
                        ("handler", handler.clone()),
                        ("le", le.to_owned()),
                        ("method", method.to_owned()),
                    ]);
                }
                for end in ["sum", "count"] {
                    sets.push(vec![
                        (
                            "__name__",
                            format!("http_{family}_request_duration_seconds_{end}"),
                        ),
                        ("handler", handler.clone()),
                        ("method", method.to_owned()),
                    ]);
                }
            }
        }
    }
    sets
}
