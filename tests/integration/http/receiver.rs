//! A receiver of remote write 2.0 as the specification has it, and stricter than its public tests:
//! whatever is answered is also read back, before and after a crash.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use silverback_storage::model::{HistogramCounts, MetricType, Sample, Value};
use silverback_storage::{Db, MatchOp, Matcher, Options, TimeRange};
use silverback_tests::Result;
use silverback_tests::api::Reply;
use silverback_tests::remote_write_v2::Field::{self, Exemplar, Histogram, Metadata, Reserved};
use silverback_tests::remote_write_v2::{Buckets, Request};
use silverback_tests::server::Server;

use super::base_ms;

/// What the reply says was written: samples, histograms, exemplars.
fn written(reply: &Reply) -> [Option<u64>; 3] {
    ["samples", "histograms", "exemplars"].map(|kind| {
        let name = format!("x-prometheus-remote-write-{kind}-written");
        reply
            .headers
            .get(&name)
            .and_then(|count| count.parse().ok())
    })
}

fn assert_written(what: &str, reply: &Reply, status: u16, counts: [u64; 3]) {
    let got = (reply.status, written(reply));
    assert_eq!(got, (status, counts.map(Some)), "{what}: {}", reply.body);
    assert_eq!(reply.body.is_empty(), status == 204, "{what}");
}

/// The points of each series of a name, by labels, from the files of a server that was stopped.
fn stored(server: &Server, name: &str) -> BTreeMap<String, Vec<Sample>> {
    let db = Db::open(server.data_dir(), Options::default()).unwrap();
    let view = db.view();
    let matcher = Matcher::new(MatchOp::Equal, "__name__", name).unwrap();
    let selection = view.select(&[matcher], TimeRange::ALL).unwrap();
    let series = (0..selection.len()).map(|place| {
        let mut points = Vec::new();
        selection.points(place, &mut points).unwrap();
        (selection.labels(place).to_string(), points)
    });
    series.collect()
}

fn float(timestamp_ms: i64, start_timestamp_ms: Option<i64>, value: f64) -> Sample {
    Sample {
        timestamp_ms,
        start_timestamp_ms,
        value: Value::Float(value),
    }
}

fn exponential(counts: &[i64]) -> Buckets<'_> {
    Buckets {
        schema: 2,
        offset: -1,
        counts,
        bounds: &[],
        sum: 12.5,
        count: counts.iter().sum::<i64>().cast_unsigned(),
    }
}

/// A request with all kinds, and more than one way to say some of them.
fn all_kinds(t: i64) -> Request {
    let sample = |at, start, value| Field::Sample(at, start, value);
    let custom = Buckets {
        schema: -53,
        offset: 0,
        counts: &[1, 0, 4],
        bounds: &[0.1, 2.5],
        sum: 9.0,
        count: 5,
    };
    let mut request = Request::default();
    request
        // Not in order of name, and with a label that has no value.
        .series(
            &[
                ("zone", "b"),
                ("empty", ""),
                ("__name__", "hits_total"),
                ("a", "é\n\""),
            ],
            &[
                sample(t, t - 1000, 1.0),
                sample(t + 1, t - 1000, f64::INFINITY),
                sample(t + 2, 0, -0.0),
                Reserved(7),
                Exemplar(&[("trace_id", "1"), ("span_id", "é")], t, 0.5),
                Exemplar(&[], t + 1, f64::NEG_INFINITY),
                Metadata(1, "Hits.", ""),
            ],
        )
        .series(
            &[("__name__", "took_seconds")],
            &[
                Histogram(t, exponential(&[1, 5, 2])),
                Histogram(t + 1, exponential(&[])),
                Histogram(t + 2, custom),
                Exemplar(&[("trace_id", "2")], t, 0.25),
                Metadata(3, "How long.", "seconds"),
            ],
        )
        // The same series once more, as for another start.
        .series(
            &[("__name__", "hits_total"), ("a", "é\n\""), ("zone", "b")],
            &[sample(t + 3, t + 2, 1.0)],
        )
        .series(
            &[("__name__", "a name.with: all"), ("label name", "v")],
            &[sample(t, 0, 1.0)],
        );
    request
}

fn assert_answers_all_kinds(server: &Server, t: i64) -> Result<()> {
    let api = server.api();
    let found = api.get(
        "/api/v1/query_exemplars",
        &[("query", "hits_total or took_seconds")],
    )?;
    let json: Json = serde_json::from_str(&found.body).unwrap();
    let seconds = t as f64 / 1000.0;
    let expected = serde_json::json!([
        {"seriesLabels": {"__name__": "hits_total", "a": "é\n\"", "zone": "b"}, "exemplars": [
            {"labels": {"span_id": "é", "trace_id": "1"}, "value": "0.5", "timestamp": seconds},
            {"labels": {}, "value": "-Inf", "timestamp": seconds + 0.001},
        ]},
        {"seriesLabels": {"__name__": "took_seconds"}, "exemplars": [
            {"labels": {"trace_id": "2"}, "value": "0.25", "timestamp": seconds},
        ]},
    ]);
    // Times are written with no or with three decimals: the same numbers.
    assert_eq!(
        json["data"].to_string().replace(".0,", ","),
        expected.to_string().replace(".0,", ",")
    );
    let said = api.get("/api/v1/metadata", &[])?;
    assert_eq!(
        said.body,
        r#"{"status":"success","data":{"hits_total":[{"type":"counter","unit":"","help":"Hits."}],"took_seconds":[{"type":"histogram","unit":"seconds","help":"How long."}]}}"#
    );
    Ok(())
}

fn assert_holds_all_kinds(server: &Server, t: i64) {
    let hits = stored(server, "hits_total");
    let expected = [
        float(t, Some(t - 1000), 1.0),
        float(t + 1, Some(t - 1000), f64::INFINITY),
        float(t + 2, None, -0.0),
        float(t + 3, Some(t + 2), 1.0),
    ];
    let points: Vec<_> = hits.values().collect();
    assert_eq!(points, [&expected]);
    assert_eq!(stored(server, "a name.with: all").len(), 1);
    let took = stored(server, "took_seconds");
    let shown = took.values().flatten().map(|point| match &point.value {
        Value::Histogram(it) => (
            it.schema,
            it.sum,
            it.custom_bounds.clone(),
            it.counts.clone(),
        ),
        other => panic!("no histogram: {other:?}"),
    });
    let counts = |count, deltas: &[i64]| HistogramCounts::Integer {
        count,
        zero_count: 0,
        positive_deltas: deltas.to_vec(),
        negative_deltas: vec![],
    };
    let expected = [
        (2, 12.5, vec![], counts(8, &[1, 4, -3])),
        (2, 12.5, vec![], counts(0, &[])),
        (-53, 9.0, vec![0.1, 2.5], counts(5, &[1, -1, 4])),
    ];
    assert_eq!(shown.collect::<Vec<_>>(), expected);
}

#[test]
fn every_kind_is_written_counted_and_read_back() -> Result<()> {
    let mut server = Server::start()?;
    let t = base_ms();
    let request = all_kinds(t);
    // A sender that heard no answer repeats itself, and is told the same.
    for _ in 0..2 {
        assert_written("all kinds", &request.send(&server)?, 204, [5, 3, 3]);
    }
    assert_answers_all_kinds(&server, t)?;
    server.kill()?;
    server.restart()?;
    assert_answers_all_kinds(&server, t)?;
    server.stop()?;
    assert_holds_all_kinds(&server, t);
    Ok(())
}

/// What is wrong, in which series, and what is right of that.
type Wrong = (&'static str, Series, [u64; 3]);
type Series = (Vec<(&'static str, &'static str)>, Vec<Field<'static>>);

fn wrong_series(t: i64) -> Vec<Wrong> {
    let name = ("__name__", "bad");
    let fields = [
        Field::Sample(t, 0, 1.0),
        Histogram(t + 1, exponential(&[1])),
        Exemplar(&[], t, 1.0),
    ];
    let wrong_count = Buckets {
        count: 99,
        ..exponential(&[1])
    };
    vec![
        (
            "no name",
            (vec![("job", "culprit")], fields.to_vec()),
            [0; 3],
        ),
        (
            "an empty name",
            (vec![("__name__", ""), ("job", "culprit")], fields.to_vec()),
            [0; 3],
        ),
        ("no label", (vec![], fields.to_vec()), [0; 3]),
        (
            "a label twice",
            (vec![name, ("a", "1"), ("a", "2")], fields.to_vec()),
            [0; 3],
        ),
        (
            "a count that is not the buckets'",
            (
                vec![name],
                vec![Histogram(t, wrong_count), Field::Sample(t + 9, 0, 1.0)],
            ),
            [1, 0, 0],
        ),
        (
            "both ends of time",
            (
                vec![name],
                vec![
                    Field::Sample(i64::MAX, 0, 1.0),
                    Field::Sample(i64::MIN, 0, 1.0),
                    Histogram(i64::MAX, exponential(&[1])),
                    Field::Sample(t + 8, 0, 1.0),
                ],
            ),
            [1, 0, 0],
        ),
        (
            "exemplars alone are wrong",
            (
                vec![name],
                vec![
                    Exemplar(&[("a", "1"), ("a", "2")], t, 1.0),
                    Exemplar(&[], i64::MAX, 1.0),
                    Exemplar(&[], t, 1.0),
                    Field::Sample(t + 7, 0, 1.0),
                ],
            ),
            [1, 0, 1],
        ),
    ]
}

#[test]
fn of_a_request_with_errors_what_is_right_is_written_and_counted() -> Result<()> {
    let mut server = Server::start()?;
    let t = base_ms();
    let mut good = 0;
    for (what, (labels, fields), counts) in wrong_series(t) {
        let mut request = Request::default();
        let ok = |at| [Field::Sample(at, 0, 1.0)];
        request
            .series(&[("__name__", "good")], &ok(t + good))
            .series(&labels, &fields)
            .series(&[("__name__", "good")], &ok(t + good + 1));
        good += 2;
        let [samples, histograms, exemplars] = counts;
        let counts = [samples + 2, histograms, exemplars];
        assert_written(what, &request.send(&server)?, 400, counts);
    }
    server.stop()?;
    let goods = stored(&server, "good").into_values().next().unwrap();
    assert_eq!(goods.len() as i64, good);
    let bad: Vec<i64> = stored(&server, "bad")
        .into_values()
        .flatten()
        .map(|point| point.timestamp_ms)
        .collect();
    assert_eq!(bad, [t + 7, t + 8, t + 9]);
    Ok(())
}

#[test]
fn every_metric_type_comes_back() -> Result<()> {
    let server = Server::start()?;
    let mut request = Request::default();
    let names: Vec<String> = (0..10).map(|number| format!("type_{number}")).collect();
    for (number, name) in (0..).zip(&names) {
        let fields = [
            Field::Sample(base_ms(), 0, 1.0),
            Metadata(number, "help", ""),
        ];
        request.series(&[("__name__", name)], &fields);
    }
    assert_written("types", &request.send(&server)?, 204, [10, 0, 0]);
    let said = server.api().get("/api/v1/metadata", &[])?;
    let json: Json = serde_json::from_str(&said.body).unwrap();
    for (number, name) in (0..).zip(&names) {
        // One that is not known yet is unknown.
        let known = MetricType::from_number(number).unwrap_or_default();
        let expected = format!("{known:?}").to_lowercase();
        assert_eq!(json["data"][name][0]["type"], expected, "{name}");
    }
    Ok(())
}

#[test]
fn a_request_that_cannot_be_read_writes_nothing_and_says_so() -> Result<()> {
    let server = Server::start()?;
    let api = server.api();
    let mut request = Request::default();
    request.series(&[("__name__", "m")], &[Field::Sample(base_ms(), 0, 1.0)]);
    let message = request.encode();
    let post = |headers: &[(&str, &str)], body: &[u8]| api.post("/api/v1/write", headers, body);
    let kind = (
        "Content-Type",
        silverback_tests::remote_write_v2::HEADERS[0].1,
    );
    for encoding in ["gzip", "deflate", "zstd", ""] {
        let reply = post(&[kind, ("Content-Encoding", encoding)], b"\xff")?;
        assert_written(encoding, &reply, 415, [0; 3]);
    }
    let snappy = ("Content-Encoding", "snappy");
    assert_written("not snappy", &post(&[kind, snappy], &message)?, 400, [0; 3]);
    for end in 1..message.len() {
        let cut = silverback_tests::remote_write::compress(&message[..end])?;
        let reply = post(&[kind, snappy], &cut)?;
        // Cut between two fields it is a shorter request.
        if reply.status != 204 {
            assert_written("a cut message", &reply, 400, [0; 3]);
        }
    }
    // 1.0 by the name of 2.0 is an empty request: its fields are reserved there.
    let series = silverback_tests::remote_write::TimeSeries::new(&[("__name__", "m")]);
    let v1 = silverback_tests::remote_write::encode(&[series.sample(base_ms(), 1.0)]);
    let body = silverback_tests::remote_write::compress(&v1)?;
    assert_written("1.0 as 2.0", &post(&[kind, snappy], &body)?, 204, [0; 3]);
    let found = api.get("/api/v1/series", &[("match[]", "m")])?;
    assert_eq!(found.body, r#"{"status":"success","data":[]}"#);
    Ok(())
}
