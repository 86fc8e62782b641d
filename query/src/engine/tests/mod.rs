//! Queries from their texts to their answers. What each function and operator gives stands in
//! the scripts of `tests/promql`, which `query/tests/scripts.rs` runs.

mod ends;
mod histograms;
mod limits;
mod steps;
mod threads;
mod work;

use crate::Labels;
use crate::source::memory::MemorySource;

/// `series` series of a sample each second for `samples` seconds.
fn source(series: usize, samples: i64) -> MemorySource {
    let mut source = MemorySource::default();
    for number in 0..series {
        let labels = Labels::from_pairs([("__name__", "m"), ("n", &number.to_string())]);
        for at in 0..samples {
            source.push(&labels, at * 1000, at as f64);
        }
    }
    source
}

/// Every kind of node, over series of a hundred samples.
const KINDS: [&str; 22] = [
    "m",
    "rate(m[10s])",
    "m + m",
    "m * on (n) group_left () m",
    "m and m",
    "m or m",
    "m unless on () m",
    "sum by (n) (m)",
    "avg(m)",
    "quantile(0.5, m)",
    "topk(3, m)",
    "limitk(3, m)",
    "count_values(\"v\", m)",
    "label_replace(m, \"x\", \"y$1\", \"n\", \"(.*)\")",
    "label_join(m, \"x\", \"-\", \"n\", \"n\")",
    "max_over_time(m[30s:2s])",
    "histogram_quantile(0.5, label_replace(m, \"le\", \"$1\", \"n\", \"(.*)\"))",
    "absent(m)",
    "scalar(m) + m",
    "vector(time())",
    "m @ 50",
    "info(m)",
];
