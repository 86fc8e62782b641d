//! `stats`: what a query took, beside its answer.

use serde_json::Value as Json;
use silverback_tests::Result;
use silverback_tests::api::seconds;
use silverback_tests::remote_write::TimeSeries;
use silverback_tests::server::Server;

use crate::http::base_ms;

/// The nodes of a plan, as `operation: series, samples, read`, each behind what asked for it.
fn nodes(plan: &Json, depth: usize, out: &mut Vec<String>) {
    for node in plan.as_array().unwrap() {
        assert!(
            node["seconds"].is_number() && node["bytes"].is_u64(),
            "{node}"
        );
        out.push(format!(
            "{}{}: {}, {}, {}",
            "  ".repeat(depth),
            node["operation"].as_str().unwrap(),
            node["series"],
            node["samples"],
            node["samplesRead"]
        ));
        nodes(&node["children"], depth + 1, out);
    }
}

#[test]
fn a_plan_says_what_was_done() -> Result<()> {
    let server = Server::start()?;
    let base_ms = base_ms();
    let mut series = TimeSeries::new(&[("__name__", "m"), ("n", "1")]);
    for at in 0..60 {
        series = series.sample(base_ms + at * 10_000, at as f64);
    }
    assert_eq!(server.write(&[series])?.status, 204);
    let (start, end) = (seconds(base_ms + 300_000), seconds(base_ms + 360_000));
    let query = "sum by (n) (rate(m[1m])) / (1 + sum by (n) (rate(m[1m])))";
    let params = [
        ("query", query),
        ("start", &start),
        ("end", &end),
        ("step", "30"),
    ];
    let params = [&params[..], &[("explain", "true")]].concat();
    let reply = server.api().get("/api/v1/query_range", &params)?;
    let json: Json = serde_json::from_str(&reply.body).unwrap();
    let mut found = Vec::new();
    nodes(&json["data"]["explain"], 0, &mut found);
    assert_eq!(
        found,
        [
            "operators /: 1, 3, 12",
            "  evaluated once for 2 uses: 1, 3, 12",
            "    sum by (n): 1, 3, 12",
            "      rate over 60 s of {__name__=\"m\"}: 1, 3, 12",
            "  operators + with a scalar: 1, 3, 0",
            "    evaluated once for 2 uses: 1, 3, 0",
        ]
    );
    Ok(())
}

#[test]
fn statistics_count_what_prometheus_counts() -> Result<()> {
    let server = Server::start()?;
    let base_ms = base_ms();
    let mut request = Vec::new();
    for n in ["1", "2"] {
        let mut series = TimeSeries::new(&[("__name__", "m"), ("n", n)]);
        for at in 0..60 {
            series = series.sample(base_ms + at * 10_000, at as f64);
        }
        request.push(series);
    }
    assert_eq!(server.write(&request)?.status, 204);
    // By hand, after Prometheus's `TestQueryStatistics`: a step counts the samples of its
    // windows, and as read those that the step before did not have.
    let (start, end) = (seconds(base_ms + 300_000), seconds(base_ms + 360_000));
    for (query, queryable, read) in [
        ("m", vec![2, 2, 2], vec![2, 2, 2]),
        ("sum(rate(m[1m]))", vec![12, 12, 12], vec![12, 6, 6]),
        ("rate(m[1m] @ 0)", vec![0, 0, 0], vec![0, 0, 0]),
        ("max_over_time(m[40s:10s])", vec![8, 8, 8], vec![8, 6, 6]),
        ("m and m", vec![4, 4, 4], vec![4, 4, 4]),
        ("1", vec![0, 0, 0], vec![0, 0, 0]),
    ] {
        let params = [
            ("query", query),
            ("start", &start),
            ("end", &end),
            ("step", "30"),
        ];
        let params = [&params[..], &[("stats", "all")]].concat();
        let reply = server.api().get("/api/v1/query_range", &params)?;
        let json: Json = serde_json::from_str(&reply.body).unwrap();
        let samples = &json["data"]["stats"]["samples"];
        let per_step = |name: &str| -> Vec<u64> {
            let steps = samples[name].as_array().unwrap().iter();
            steps.map(|step| step[1].as_u64().unwrap()).collect()
        };
        assert_eq!(
            per_step("totalQueryableSamplesPerStep"),
            queryable,
            "{query}"
        );
        assert_eq!(per_step("samplesReadPerStep"), read, "{query}");
        assert_eq!(
            samples["totalQueryableSamples"],
            queryable.iter().sum::<u64>(),
            "{query}"
        );
        assert_eq!(samples["samplesRead"], read.iter().sum::<u64>(), "{query}");
        assert!(samples["peakSamples"].is_u64(), "{query}");
        let timings = &json["data"]["stats"]["timings"];
        assert!(timings["execTotalTime"].as_f64() >= timings["innerEvalTime"].as_f64());
    }
    let reply = server
        .api()
        .get("/api/v1/query", &[("query", "m"), ("stats", "true")])?;
    let json: Json = serde_json::from_str(&reply.body).unwrap();
    let samples = &json["data"]["stats"]["samples"];
    assert!(
        samples["totalQueryableSamplesPerStep"].is_null(),
        "{samples}"
    );
    let reply = server.api().get("/api/v1/query", &[("query", "m")])?;
    assert!(!reply.body.contains("stats"), "{}", reply.body);
    Ok(())
}
