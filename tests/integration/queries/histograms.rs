//! The same of native histograms, whose buckets are most of what such queries hold.

use silverback_tests::remote_write_v2::{Buckets, Field, Request};
use silverback_tests::server::Server;
use silverback_tests::{Error, Result};

use super::worst::{Bad, TIMEOUT, bad, end_on};
use super::{INTERVAL_MS, crowded};

/// How many series of histograms there are, how many each has, and of how many buckets. All of
/// them together are more than three times what queries may hold.
const SERIES: usize = 200;
const HISTOGRAMS: i64 = 300;
const BUCKETS: usize = 100;

fn write(server: &Server, last_ms: i64) -> Result<()> {
    for number in 0..SERIES {
        let n = number.to_string();
        let fields: Vec<Vec<i64>> = (0..HISTOGRAMS)
            .map(|at| (0..BUCKETS as i64).map(|bucket| bucket % 7 + at).collect())
            .collect();
        let fields: Vec<Field<'_>> = (0..)
            .zip(&fields)
            .map(|(at, counts)| {
                let buckets = Buckets {
                    schema: 3,
                    offset: 0,
                    counts,
                    bounds: &[],
                    sum: at as f64,
                    count: counts.iter().sum::<i64>().cast_unsigned(),
                };
                Field::Histogram(last_ms - (HISTOGRAMS - 1 - at) * INTERVAL_MS, buckets)
            })
            .collect();
        let mut request = Request::default();
        request.series(&[("__name__", "native"), ("n", &n)], &fields);
        let reply = request.send(server)?;
        if reply.status != 204 {
            return Err(Error::new(format!("{}: {}", reply.status, reply.body)));
        }
    }
    Ok(())
}

fn bads() -> Vec<Bad> {
    let steps = |what, query: &str| bad(what, query).over(300, 40);
    vec![
        bad("all histograms", "native[30d]"),
        steps("all histograms at all steps", "native"),
        steps("histograms made others", "native * 2"),
        steps("histograms by histograms", "native + native"),
        steps("histograms below zero", "-native"),
        steps("rates of histograms", "rate(native[10m])"),
        steps("windows that overlap", "sum_over_time(native[1h])"),
        steps("a subquery of histograms", "rate(native[2h:40s])"),
        steps("a set of histograms", "native or (native * 2)"),
        steps(
            "histograms as labels",
            "count_values(\"v\", rate(native[5m]))",
        ),
        steps("a sum of all histograms", "sum(native)"),
        steps(
            "renamed histograms",
            "label_replace(native, \"x\", \"y\", \"\", \"\")",
        ),
        steps("a quantile of each", "histogram_quantile(0.9, native)").may_be_answered(),
        steps("how many there are", "count(native)").may_be_answered(),
        steps("windows of many", "count_over_time(native[1h])").may_be_answered(),
        bad("the last of each", "native").may_be_answered(),
        bad("rates of now", "sum(rate(native[10m]))").may_be_answered(),
    ]
}

#[test]
fn queries_over_native_histograms_end() -> Result<()> {
    let timeout = format!("{}s", TIMEOUT.as_secs());
    let (server, end_ms) = crowded(&["--query-timeout", &timeout])?;
    write(&server, end_ms)?;
    end_on(&server, end_ms, &bads())
}
