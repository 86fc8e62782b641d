//! Expressions that Prometheus and Silverback must answer alike.
//!
//! The peer is Prometheus 3.5, the reference 3.14. What is known to differ between those two is
//! kept out of the list, and is Silverback's to do as 3.14 does:
//! - `first_over_time` needs a feature flag before 3.14; `mad_over_time` of a NaN is 0 before.
//! - Duration expressions (`[5m + 1m]`) need a feature flag before 3.14.
//! - `topk(NaN, ...)` is an error from 3.6 on.
//! - Sums: 3.6 turned off compiler optimisations that moved the last digit; the tolerance of
//!   the comparison covers that.
//! - `label_replace`, `label_join` and unary minus: 3.9 refuses equal label sets at one step
//!   alone, 3.5 over the whole range.
//! - `sort` in a range query: a warning from 3.12 on.
//! - Case-insensitive regular expressions in matchers lose values before 3.14.
//! - `histogram_fraction` with the lower bound in the first bucket: fixed in 3.8.

use std::time::Duration;

use silverback_tests::compare::Ties;

use super::recording::Recording;

/// An expression to compare.
pub(super) struct Case {
    pub(super) expr: String,
    pub(super) ties: Ties,
}

impl Case {
    /// How far back an expression of the list looks at most, offset and window together.
    pub(super) const REACH_MAX: Duration = Duration::from_secs(15);
}

/// Expressions whose answer leaves no choice.
const EXACT: &[&str] = &[
    // Selectors, offsets, times
    r#"up"#,
    r#"{job="node"}"#,
    r#"{__name__=~"node_network_.*_bytes_total", device!~"lo|veth.*"}"#,
    r#"node_cpu_seconds_total offset 5s"#,
    r#"node_load1 @ end()"#,
    r#"node_cpu_seconds_total{mode="idle"} @ start()"#,
    // Rates
    r#"rate(node_cpu_seconds_total[10s])"#,
    r#"increase(prometheus_http_requests_total[15s])"#,
    r#"delta(node_memory_MemFree_bytes[10s])"#,
    r#"irate(node_cpu_seconds_total{mode!="idle"}[5s])"#,
    r#"idelta(go_goroutines[5s])"#,
    r#"rate(prometheus_tsdb_head_samples_appended_total[5s] offset 5s)"#,
    r#"resets(process_cpu_seconds_total[15s]) + changes(process_start_time_seconds[15s])"#,
    r#"deriv(go_memstats_alloc_bytes[10s])"#,
    r#"predict_linear(node_memory_MemFree_bytes[10s], 60)"#,
    // Over time
    r#"avg_over_time(node_load1[10s])"#,
    r#"max_over_time(go_goroutines[10s]) - min_over_time(go_goroutines[10s])"#,
    r#"sum_over_time(up[10s]) / count_over_time(up[10s])"#,
    r#"last_over_time({job="node"}[10s])"#,
    r#"stddev_over_time(go_goroutines[10s])"#,
    r#"quantile_over_time(0.9, go_memstats_alloc_bytes[10s])"#,
    r#"present_over_time(node_load1[5s])"#,
    r#"max_over_time(rate(node_cpu_seconds_total{mode="user"}[5s])[8s:1s])"#,
    r#"sum_over_time((node_load1 > bool 0.1)[6s:700ms] offset 2s)"#,
    // Aggregations
    r#"sum by (mode) (rate(node_cpu_seconds_total[10s]))"#,
    r#"avg without (cpu) (node_cpu_seconds_total)"#,
    r#"count by (job) ({__name__=~"go_.+"})"#,
    r#"max(node_cpu_seconds_total) by (cpu) - min(node_cpu_seconds_total) by (cpu)"#,
    r#"stddev by (job) (prometheus_http_requests_total)"#,
    r#"quantile(0.9, node_cpu_seconds_total)"#,
    r#"count_values("value", up)"#,
    r#"group by (job) (up)"#,
    // Operators
    r#"100 * (1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)"#,
    r#"2 ^ go_goroutines % 7 - -node_load1"#,
    r#"-node_load1"#,
    r#"node_cpu_seconds_total > 1"#,
    r#"node_cpu_seconds_total > bool 1"#,
    r#"up == on (job) group_left up"#,
    r#"up and on (job) go_goroutines{job="prometheus"}"#,
    r#"node_load1 or up"#,
    r#"up unless on (job) node_load1"#,
    r#"rate(node_cpu_seconds_total[10s])
        / ignoring (mode) group_left sum without (mode) (rate(node_cpu_seconds_total[10s]))"#,
    r#"node_cpu_seconds_total * on (instance) group_left (nodename) node_uname_info"#,
    // Functions
    r#"histogram_quantile(0.9, rate(prometheus_http_request_duration_seconds_bucket[10s]))"#,
    r#"histogram_quantile(0.5,
        sum by (le) (prometheus_http_request_duration_seconds_bucket))"#,
    r#"label_replace(up, "host", "$1", "instance", "(.+):.+")"#,
    r#"label_join(up, "both", "-", "job", "instance")"#,
    r#"round(node_load1, 0.1) + ceil(node_load1) + sqrt(node_load5)"#,
    r#"time()"#,
    r#"time() - timestamp(up)"#,
    r#"scalar(up{job="node"})"#,
    r#"vector(time()) + hour() + minute(vector(time()))"#,
    r#"absent(node_load1{job="nothing"})"#,
    // Some of the window, for the exporter was away; the stale marker ends the series.
    r#"absent(node_load1) or node_load1"#,
];

/// Expressions that may answer either of equal values.
const TIED: &[(&str, Ties)] = &[
    (r#"topk(3, node_cpu_seconds_total)"#, Ties::Lowest),
    (
        r#"bottomk(2, prometheus_http_requests_total)"#,
        Ties::Highest,
    ),
];

/// All of them, about a recording.
pub(super) fn all(recording: &Recording) -> Vec<Case> {
    let exact = EXACT.iter().map(|&expr| (expr.to_owned(), Ties::No));
    let tied = TIED.iter().map(|&(expr, ties)| (expr.to_owned(), ties));
    let fixed = format!("up @ {}", recording.middle_s());
    exact
        .chain(tied)
        .chain([(fixed, Ties::No)])
        .map(|(expr, ties)| Case { expr, ties })
        .collect()
}
