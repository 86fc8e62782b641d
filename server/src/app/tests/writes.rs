//! What requests of both versions leave in the database, and what they are answered.

use silverback_storage::model::{
    BucketSpan, CUSTOM_SCHEMA, Histogram, HistogramCounts, MetricType, ResetHint, Sample, Value,
};
use silverback_storage::{MatchOp, Matcher, TimeRange};

use super::*;
use crate::config::{LabelLimits, SizeLimits};
use crate::remote_write::test_encoder::v2::{self, histogram_field, sample};
use crate::remote_write::test_encoder::{
    empty_histogram, exemplar, histogram, metadata, zero_sample,
};

/// Observations in two buckets above zero, in one below, and at zero.
fn integers() -> Histogram {
    let span = |offset, length| BucketSpan { offset, length };
    Histogram {
        schema: 3,
        zero_threshold: 1e-128,
        sum: 18.4,
        reset_hint: ResetHint::NoReset,
        positive_spans: vec![span(0, 1), span(2, 1)],
        negative_spans: vec![span(-3, 1)],
        custom_bounds: vec![],
        counts: HistogramCounts::Integer {
            count: 5,
            zero_count: 1,
            positive_deltas: vec![2, -1],
            negative_deltas: vec![1],
        },
    }
}

/// Much the same as floats, a gauge.
fn floats() -> Histogram {
    Histogram {
        reset_hint: ResetHint::Gauge,
        counts: HistogramCounts::Float {
            count: 5.5,
            zero_count: 1.0,
            positive: vec![2.0, 1.25],
            negative: vec![1.25],
        },
        ..integers()
    }
}

fn custom() -> Histogram {
    let positive_spans = vec![BucketSpan {
        offset: 0,
        length: 3,
    }];
    Histogram {
        schema: CUSTOM_SCHEMA,
        zero_threshold: 0.0,
        positive_spans,
        negative_spans: vec![],
        custom_bounds: vec![0.5, 2.5],
        counts: HistogramCounts::Integer {
            count: 6,
            zero_count: 0,
            positive_deltas: vec![1, 1, 1],
            negative_deltas: vec![],
        },
        ..integers()
    }
}

impl TestApp {
    async fn write_v2(&self, message: &[u8]) -> Answer {
        self.post_write(&v2::HEADERS, snappy(message)).await
    }

    /// The points of the one series of a name.
    fn points(&self, name: &str) -> Vec<Sample> {
        let matcher = Matcher::new(MatchOp::Equal, "__name__", name).unwrap();
        let view = self.app.db.view();
        let selection = view.select(&[matcher], TimeRange::ALL).unwrap();
        let mut points = Vec::new();
        if !selection.is_empty() {
            assert_eq!(selection.len(), 1);
            selection.points(0, &mut points).unwrap();
        }
        points
    }
}

impl Answer {
    /// The counts of what was written: samples, histograms, exemplars.
    fn written(&self) -> Option<[u64; 3]> {
        let count = |kind| {
            let name = format!("x-prometheus-remote-write-{kind}-written");
            self.header(&name).parse().ok()
        };
        Some([count("samples")?, count("histograms")?, count("exemplars")?])
    }

    fn assert_says(&self, status: u16, parts: &[&str]) {
        let text = self.text();
        assert_eq!(self.status, status, "{text}");
        for part in parts {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}

fn point(timestamp_ms: i64, start_timestamp_ms: Option<i64>, value: Value) -> Sample {
    Sample {
        timestamp_ms,
        start_timestamp_ms,
        value,
    }
}

fn of(histogram: Histogram) -> Value {
    Value::Histogram(Box::new(histogram))
}

#[tokio::test]
async fn all_kinds_of_1_0_are_kept() {
    let app = TestApp::new();
    let now_ms = clock::now_ms() / 1000 * 1000;
    let mut series = TestSeries::new(&[("__name__", "rpc_seconds"), ("job", "a")], &[]);
    let sent = [integers(), floats(), custom()];
    let messages = (0..).zip(&sent);
    series.histograms = messages
        .map(|(i, it)| histogram(it, now_ms + i, 0))
        .collect();
    series.exemplars = vec![exemplar(&[("trace_id", "x<y")], now_ms - 500, 0.25)];
    let body = [
        write_request(&[series], 0),
        metadata("rpc_seconds", 3, "How long \"calls\" took.", "seconds"),
        metadata("up", 2, "", ""),
    ];
    let written = app.write(&body.concat()).await;
    assert_eq!((written.status, written.text()), (204, ""));
    assert_eq!(written.written(), None);
    let expected = (0..).zip(sent);
    let expected: Vec<Sample> = expected
        .map(|(i, it)| point(now_ms + i, None, of(it)))
        .collect();
    assert_eq!(app.points("rpc_seconds"), expected);

    let asked = "/api/v1/query_exemplars?query=rate(rpc_seconds[5m])";
    let seconds = now_ms / 1000 - 1;
    assert_eq!(
        app.get(asked).await.text(),
        format!(
            r#"{{"status":"success","data":[{{"seriesLabels":{{"__name__":"rpc_seconds","job":"a"}},"exemplars":[{{"labels":{{"trace_id":"x<y"}},"value":"0.25","timestamp":{seconds}.500}}]}}]}}"#
        )
    );
    let said = app.get("/api/v1/metadata").await;
    assert_eq!(
        said.text(),
        r#"{"status":"success","data":{"rpc_seconds":[{"type":"histogram","unit":"seconds","help":"How long \"calls\" took."}],"up":[{"type":"gauge","unit":"","help":""}]}}"#
    );
    for (name, count) in [("histograms", 3.0), ("exemplars", 1.0), ("samples", 3.0)] {
        let metric = format!("silverback_remote_write_{name}_total");
        assert_eq!(app.metric(&metric).await, count);
    }
}

#[tokio::test]
async fn exemplars_and_metadata_are_asked_for_in_part() {
    let app = TestApp::new();
    let now_ms = clock::now_ms() / 1000 * 1000;
    let mut series = up(now_ms);
    series.exemplars = vec![
        exemplar(&[], now_ms, 1.0),
        exemplar(&[], now_ms - 5000, 2.0),
    ];
    let said = [metadata("a", 1, "", ""), metadata("b", 1, "", "")].concat();
    let body = [write_request(&[series], 0), said].concat();
    assert_eq!(app.write(&body).await.status, 204);
    let now = now_ms / 1000;
    for (query, count) in [
        (format!("query=up&start={}&end={now}", now - 9), 2),
        (format!("query=up&start={}&end={now}", now - 4), 1),
        ("query=up%2Bup".to_owned(), 2),
        ("query=down".to_owned(), 0),
        ("query=1".to_owned(), 0),
    ] {
        let answer = app.get(&format!("/api/v1/query_exemplars?{query}")).await;
        assert_eq!(answer.status, 200);
        let found = answer.text().matches("timestamp").count();
        assert_eq!(found, count, "{query}: {}", answer.text());
    }
    for (query, families) in [
        ("limit=1", 1),
        ("limit=0", 0),
        ("limit=-1&limit_per_metric=1", 2),
        ("metric=a", 1),
        ("metric=x", 0),
    ] {
        let said = app.get(&format!("/api/v1/metadata?{query}")).await;
        assert_eq!(said.text().matches("\"type\"").count(), families, "{query}");
    }
    for (query, error) in [
        (
            "query_exemplars?query=up&start=2&end=1",
            "end timestamp must not be before start timestamp",
        ),
        ("query_exemplars?query=(", "1:2: parse error"),
        (
            "query_exemplars?query=up&start=x",
            "invalid time value for 'start'",
        ),
        ("metadata?limit=x", "\"error\":\"limit must be a number\""),
        ("metadata?limit_per_metric=x", "limit_per_metric must be"),
    ] {
        let answer = app.get(&format!("/api/v1/{query}")).await;
        answer.assert_says(400, &["\"errorType\":\"bad_data\"", error]);
    }
}

/// A request of version 2.0 with one of each kind, and more.
fn of_all_kinds(now_ms: i64) -> v2::Request {
    let mut request = v2::Request::default();
    let counter = [
        request.refs(&[("job", "a"), ("__name__", "hits_total")]),
        sample(now_ms, now_ms - 60_000, 1.0),
        sample(now_ms + 1, 0, f64::from_bits(0x7ff0_0000_0000_0002)),
        request.exemplar(&[("trace_id", "x")], now_ms, 1.0),
        request.metadata(1, "Hits.", ""),
    ];
    request.series(&counter);
    let native = [
        request.refs(&[("__name__", "rpc_seconds")]),
        histogram_field(&integers(), now_ms, now_ms - 50_000),
        histogram_field(&custom(), now_ms + 1, 0),
        request.exemplar(&[], now_ms, 2.0),
        request.exemplar(&[], now_ms - 1, 2.0),
        request.metadata(3, "Calls.", "seconds"),
    ];
    request.series(&native);
    let classic = [
        request.refs(&[("__name__", "old_seconds_bucket"), ("le", "1")]),
        sample(now_ms, 0, 3.0),
        request.metadata(3, "Old calls.", "seconds"),
    ];
    request.series(&classic);
    request
}

#[tokio::test]
async fn all_kinds_of_2_0_are_kept_and_counted() {
    let app = TestApp::new();
    let now_ms = clock::now_ms();
    let message = of_all_kinds(now_ms).encode();
    // A retry changes nothing and is told the same.
    for _ in 0..2 {
        let written = app.write_v2(&message).await;
        assert_eq!((written.status, written.text()), (204, ""));
        assert_eq!(written.written(), Some([3, 2, 3]));
    }
    let hits = app.points("hits_total");
    let first = point(now_ms, Some(now_ms - 60_000), Value::Float(1.0));
    assert_eq!(hits[0], first);
    let Value::Float(stale) = hits[1].value else {
        panic!("{hits:?}");
    };
    let stale = (hits[1].start_timestamp_ms, stale.to_bits());
    assert_eq!(stale, (None, 0x7ff0_0000_0000_0002));
    let expected = [
        point(now_ms, Some(now_ms - 50_000), of(integers())),
        point(now_ms + 1, None, of(custom())),
    ];
    assert_eq!(app.points("rpc_seconds"), expected);
    let view = app.app.db.view();
    let exemplars = view.exemplars(&[], TimeRange::ALL).unwrap();
    let counts: Vec<usize> = exemplars.iter().map(|one| one.exemplars.len()).collect();
    assert_eq!(counts, [1, 2]);
    let said = view.metadata(None).unwrap();
    let said: Vec<_> = said
        .iter()
        .map(|(name, it)| (name.as_str(), it.metric_type, it.help.as_str()))
        .collect();
    assert_eq!(
        said,
        [
            ("hits_total", MetricType::Counter, "Hits."),
            ("old_seconds", MetricType::Histogram, "Old calls."),
            ("rpc_seconds", MetricType::Histogram, "Calls."),
        ]
    );
}

#[tokio::test]
async fn of_a_bad_request_of_2_0_the_rest_is_stored_and_counted() {
    let app = TestApp::new();
    let now_ms = clock::now_ms();
    let mut request = of_all_kinds(now_ms);
    let bad = Histogram {
        schema: 9,
        ..empty_histogram()
    };
    let broken = [
        request.refs(&[("__name__", "broken")]),
        histogram_field(&bad, now_ms, 0),
        sample(i64::MAX, 0, 1.0),
        sample(i64::MIN, 0, 1.0),
        sample(now_ms, 0, 5.0),
        request.exemplar(&[("a", "1"), ("a", "2")], now_ms, 1.0),
        request.exemplar(&[], i64::MAX, 1.0),
    ];
    request.series(&broken);
    let twice = [
        request.refs(&[("__name__", "twice"), ("a", "1"), ("a", "1")]),
        sample(now_ms, 0, 1.0),
        histogram_field(&integers(), now_ms, 0),
        request.exemplar(&[], now_ms, 1.0),
    ];
    request.series(&twice);
    let written = app.write_v2(&request.encode()).await;
    written.assert_says(
        400,
        &[
            "1 series with 2 samples refused for their labels, the first one {__name__=\"twice\"",
            "1 native histograms refused, the first one of {__name__=\"broken\"}",
            "schema 9",
            "2 samples out of bounds refused",
            "2 exemplars refused, the first one of {__name__=\"broken\"}",
            "1 exemplars out of bounds refused",
            "the other 6 samples were stored",
        ],
    );
    assert_eq!(written.written(), Some([4, 2, 3]));
    for (reason, count) in [
        ("labels", 2.0),
        ("invalid_histogram", 1.0),
        ("too_far_in_future", 1.0),
        ("before_retention", 1.0),
    ] {
        let series =
            format!("silverback_remote_write_rejected_samples_total{{reason=\"{reason}\"}}");
        assert_eq!(app.metric(&series).await, count, "{reason}");
    }
    let exemplars = "silverback_remote_write_rejected_exemplars_total";
    assert_eq!(app.metric(exemplars).await, 3.0);
    let failed = r#"silverback_remote_write_failed_requests_total{reason="partial"}"#;
    assert_eq!(app.metric(failed).await, 1.0);
    let kept = point(now_ms, None, Value::Float(5.0));
    assert_eq!(app.points("broken"), [kept]);
    assert_eq!(app.points("twice"), []);
}

#[tokio::test]
async fn a_request_of_2_0_that_fails_says_that_nothing_was_written() {
    let app = TestApp::new();
    let answer = app.write_v2(b"\x2a\x09").await;
    answer.assert_says(
        400,
        &["io.prometheus.write.v2.Request: Request at byte 0: it ends too early"],
    );
    assert_eq!(answer.written(), Some([0; 3]));
    let [kind, _] = v2::HEADERS;
    for (encoding, status) in [("gzip", 415), ("zstd", 415), ("snappy", 400)] {
        let headers = [kind, ("content-encoding", encoding)];
        let answer = app.post_write(&headers, b"\xff".to_vec()).await;
        let got = (answer.status, answer.written());
        assert_eq!(got, (status, Some([0; 3])), "{encoding}");
    }
    app.app.db.close().unwrap();
    let answer = app.write_v2(&of_all_kinds(clock::now_ms()).encode()).await;
    assert_eq!((answer.status, answer.written()), (503, Some([0; 3])));
    assert_eq!(answer.header("retry-after"), "5");
    // And one of 1.0 says nothing of it.
    let answer = app.write(&write_request(&[up(clock::now_ms())], 0)).await;
    assert_eq!((answer.status, answer.written()), (503, None));
}

#[tokio::test]
async fn requests_of_2_0_without_samples_are_taken() {
    let app = TestApp::new();
    let now_ms = clock::now_ms();
    assert_eq!(app.write_v2(b"").await.written(), Some([0; 3]));
    let mut request = v2::Request::default();
    let fields = [
        request.refs(&[("__name__", "m")]),
        request.exemplar(&[("a", "b")], now_ms, 1.0),
        request.metadata(2, "M.", ""),
    ];
    request.series(&fields);
    let answer = app.write_v2(&request.encode()).await;
    assert_eq!((answer.status, answer.written()), (204, Some([0, 0, 1])));
    assert_eq!(app.app.db.view().metadata(None).unwrap().len(), 1);
}

#[tokio::test]
async fn vmagent_asks_and_sends_zstd() {
    let app = TestApp::new();
    let asked = app.get("/api/v1/write?get_vm_proto_version=1").await;
    assert_eq!((asked.status, asked.text()), (200, "1"));
    assert_eq!(app.get("/api/v1/write").await.status, 405);
    let now_ms = clock::now_ms();
    let message = write_request(&[up(now_ms)], 0);
    let headers = [
        ("content-type", "application/x-protobuf"),
        ("content-encoding", "zstd"),
        ("x-victoriametrics-remote-write-version", "1"),
    ];
    let packed = zstd::bulk::compress(&message, 1).unwrap();
    let answer = app.post_write(&headers, packed.clone()).await;
    assert_eq!(answer.status, 204);
    // Of one form under the other's name, as after vmagent's restart.
    let answer = app.post_write(&headers, snappy(&message)).await;
    assert_eq!(answer.status, 204);
    let answer = app.post_write(&test_encoder::HEADERS, packed.clone()).await;
    assert_eq!(answer.status, 204);
    let stored = point(now_ms, None, Value::Float(1.0));
    assert_eq!(app.points("up"), [stored]);
    let mut later = headers;
    later[2].1 = "2";
    let answer = app.post_write(&later, packed.clone()).await;
    answer.assert_says(415, &["\"2\" is not known; send 1"]);
    let cut = packed[..packed.len() - 1].to_vec();
    let answer = app.post_write(&headers, cut).await;
    answer.assert_says(400, &["is not zstd"]);
}

#[tokio::test]
async fn every_limit_has_its_flag() {
    let app = TestApp::configured(Config {
        sizes: SizeLimits {
            body_bytes_max: 1000,
            decoded_bytes_max: 2000,
            in_flight_bytes_max: 10_000,
            ..SizeLimits::default()
        },
        labels: LabelLimits {
            labels_max: 3,
            name_bytes_max: 20,
            value_bytes_max: 100,
        },
        ..Config::default()
    });
    let now_ms = clock::now_ms();
    let with = |labels: &[(&str, &str)]| {
        let series = TestSeries::new(&[&[("__name__", "m")], labels].concat(), &[(now_ms, 1.0)]);
        write_request(&[series, up(now_ms)], 0)
    };
    let long = "x".repeat(101);
    for (labels, flag) in [
        (
            &[("a", "1"), ("b", "2"), ("c", "3")][..],
            "limit of 3 (--max-labels-per-series)",
        ),
        (
            &[("long_label_name_too_long", "1")],
            "limit of 20 (--max-label-name-length)",
        ),
        (&[("a", &long)], "limit of 100 (--max-label-value-length)"),
    ] {
        let answer = app.write(&with(labels)).await;
        answer.assert_says(400, &[flag, "the other 1 samples were stored\n"]);
    }
    let limits = r#"silverback_remote_write_rejected_samples_total{reason="label_limits"}"#;
    assert_eq!(app.metric(limits).await, 3.0);

    let many: Vec<TestSeries> = (0..60).map(|i| up(now_ms + i)).collect();
    let answer = app.write(&write_request(&many, 0)).await;
    answer.assert_says(413, &["limit of 2000 (--remote-write-max-decoded-size)"]);
    let answer = app.post_write(&test_encoder::HEADERS, vec![1; 1001]).await;
    answer.assert_says(413, &["limit of 1000 bytes (--remote-write-max-body-size)"]);
    // Two bytes a sample in the body.
    let mut empty = up(now_ms);
    empty.samples = vec![zero_sample(); 100];
    let answer = app.write(&write_request(&[empty], 0)).await;
    answer.assert_says(413, &["takes more than 5000 bytes of memory"]);
    let failed = r#"silverback_remote_write_failed_requests_total{reason="too_large"}"#;
    assert_eq!(app.metric(failed).await, 3.0);
}

#[tokio::test]
async fn the_last_that_was_said_of_a_metric_is_told() {
    let app = TestApp::new();
    for (help, other) in [("a", "x"), ("a", "y"), ("b", "y"), ("a", "x"), ("a", "x")] {
        let mut request = v2::Request::default();
        for (name, help) in [("m", help), ("n", other), ("m", help)] {
            let fields = [
                request.refs(&[("__name__", name)]),
                request.metadata(1, help, ""),
            ];
            request.series(&fields);
        }
        assert_eq!(app.write_v2(&request.encode()).await.status, 204);
        let said = app.app.db.view().metadata(None).unwrap();
        let said: Vec<_> = said.iter().map(|(_, it)| it.help.as_str()).collect();
        assert_eq!(said, [help, other]);
    }
}

#[tokio::test]
async fn new_series_of_a_metric_have_a_limit() {
    let app = TestApp::configured(Config {
        series_of_metric_max: Some(1),
        ..Config::default()
    });
    let now_ms = clock::now_ms();
    let other = TestSeries::new(&[("__name__", "up"), ("job", "b")], &[(now_ms, 1.0)]);
    let answer = app.write(&write_request(&[up(now_ms), other], 0)).await;
    answer.assert_says(
        400,
        &["1 series of this metric, the most it may have (--max-series-per-metric)"],
    );
    let refused = "silverback_remote_write_rejected_samples_total";
    let refused = format!("{refused}{{reason=\"too_many_series_of_metric\"}}");
    assert_eq!(app.metric(&refused).await, 1.0);
}
