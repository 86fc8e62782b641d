//! What a client can get wrong: each answered with a status and a reason, none with a crash,
//! and none in the way of what is right in the same request.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value as Json;
use silverback_tests::Result;
use silverback_tests::api::{Api, Data, Reply};
use silverback_tests::remote_write::{self, HEADERS, TimeSeries};
use silverback_tests::server::Server;

use super::base_ms;

const WRITE: &str = "/api/v1/write";
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

fn good(base_ms: i64) -> TimeSeries {
    TimeSeries::new(&[("__name__", "good"), ("job", "a")]).sample(base_ms, 1.0)
}

/// How many samples of the series `good` there are in the hour before and after.
fn good_samples(api: &Api, base_ms: i64) -> Result<usize> {
    match api.query("good[2h]", base_ms + 60 * MINUTE_MS)? {
        Data::Matrix(series) => Ok(series.iter().map(|one| one.points.len()).sum()),
        other => panic!("no matrix: {other:?}"),
    }
}

/// That the reply refuses with this status, and says all of `reasons`.
fn assert_refused(what: &str, reply: &Reply, status: u16, reasons: &[&str]) {
    let text = reply.body.to_lowercase();
    let told = reasons
        .iter()
        .all(|reason| text.contains(&reason.to_lowercase()));
    assert!(
        reply.status == status && !text.trim().is_empty() && told,
        "{what}: expected {status} that says {reasons:?}, got {} {:?}",
        reply.status,
        reply.body
    );
}

#[test]
fn a_write_with_wrong_headers_is_415() -> Result<()> {
    let server = Server::start()?;
    let api = server.api();
    let body = remote_write::compress(&remote_write::encode(&[good(base_ms())]))?;
    let (protobuf, snappy) = ("application/x-protobuf", "snappy");
    let v3 = "application/x-protobuf;proto=io.prometheus.write.v3.Request";
    for (kind, encoding, reason) in [
        ("application/json", snappy, "application/json"),
        ("image/png", snappy, "image/png"),
        (v3, snappy, "v3.Request"),
        (protobuf, "gzip", "gzip"),
        (protobuf, "deflate", "deflate"),
    ] {
        let headers = [("Content-Type", kind), ("Content-Encoding", encoding)];
        // Refused for its headers, whatever the body is.
        for body in [body.as_slice(), b"\xff"] {
            let reply = api.post(WRITE, &headers, body)?;
            assert_refused(&format!("{headers:?}"), &reply, 415, &[reason]);
        }
    }
    assert_eq!(good_samples(&api, base_ms())?, 0);
    Ok(())
}

#[test]
fn a_write_that_cannot_be_decoded_is_400() -> Result<()> {
    let server = Server::start()?;
    let api = server.api();
    let message = remote_write::encode(&[good(base_ms())]);
    let reply = api.post(WRITE, &HEADERS, &message)?;
    assert_refused("not compressed", &reply, 400, &["snappy"]);
    let reply = api.post(WRITE, &HEADERS, b"")?;
    assert_refused("no body", &reply, 400, &[]);
    let reply = api.post(WRITE, &HEADERS, &remote_write::compress(b"\xff\xff")?)?;
    assert_refused("no protobuf", &reply, 400, &["WriteRequest"]);
    let compressed = remote_write::compress(&message)?;
    for end in 0..compressed.len() {
        let reply = api.post(WRITE, &HEADERS, &compressed[..end])?;
        assert_refused(&format!("snappy cut at {end}"), &reply, 400, &[]);
    }
    for end in 1..message.len() {
        let cut = remote_write::compress(&message[..end])?;
        let reply = api.post(WRITE, &HEADERS, &cut)?;
        assert_refused(&format!("message cut at {end}"), &reply, 400, &[]);
    }
    assert_eq!(good_samples(&api, base_ms())?, 0);
    Ok(())
}

#[test]
fn a_write_that_is_too_large_is_413_before_it_is_read() -> Result<()> {
    let server = Server::start()?;
    // Snappy's block format begins with the length it decodes to: here 1 GiB.
    let bomb = [0x80, 0x80, 0x80, 0x80, 0x04, 0x00];
    let reply = server.api().post(WRITE, &HEADERS, &bomb)?;
    assert_refused("1 GiB once decoded", &reply, 413, &["33554432"]);

    let address = server.url().replace("http://", "");
    let mut stream = TcpStream::connect(&address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let headers: String = HEADERS
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let length = 64 << 20;
    // Not one byte of the body follows: an answer can only come of the length.
    let head = format!(
        "POST {WRITE} HTTP/1.1\r\nHost: {address}\r\n{headers}Content-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    assert_eq!(&answer, b"HTTP/1.1 413");
    Ok(())
}

#[test]
fn bad_series_are_named_and_the_others_of_the_request_stored() -> Result<()> {
    let server = Server::start()?;
    let api = server.api();
    let base_ms = base_ms();
    let series = |labels: &[(&str, &str)]| TimeSeries::new(labels).sample(base_ms, 1.0);
    let bad = || TimeSeries::new(&[("__name__", "bad"), ("instance", "culprit")]);
    let name = ("__name__", "bad");
    let cases: [(&str, TimeSeries, &[&str]); 8] = [
        (
            "no name",
            series(&[("job", "culprit")]),
            &["__name__", "culprit"],
        ),
        (
            "empty name",
            series(&[("__name__", ""), ("job", "culprit")]),
            &["__name__", "culprit"],
        ),
        ("no labels", series(&[]), &["__name__"]),
        (
            "label twice",
            series(&[name, ("a", "1"), ("a", "2")]),
            &["bad", "\"a\""],
        ),
        (
            "label without a name",
            series(&[name, ("", "culprit")]),
            &["bad", "culprit"],
        ),
        (
            "after max-future",
            bad().sample(base_ms + DAY_MS, 1.0),
            &["bad", "culprit"],
        ),
        (
            "at the end of time",
            bad().sample(i64::MAX, 1.0),
            &["bad", "culprit"],
        ),
        (
            "before retention",
            bad().sample(base_ms - 60 * DAY_MS, 1.0),
            &["bad", "culprit"],
        ),
    ];
    for (round, (what, bad, reasons)) in (1..).zip(cases) {
        let good = |offset_ms: i64| good(base_ms + i64::from(round) * 1000 + offset_ms);
        // Good ones before and after.
        let reply = server.write(&[good(0), bad, good(500)])?;
        assert_refused(what, &reply, 400, reasons);
        assert_eq!(good_samples(&api, base_ms)?, 2 * round as usize, "{what}");
    }
    let stored = api.query(r#"count({__name__=~".*[^d]"})"#, base_ms + MINUTE_MS)?;
    assert_eq!(stored, Data::Vector(vec![]));
    Ok(())
}

#[test]
fn names_that_are_not_text_are_400() -> Result<()> {
    let server = Server::start()?;
    let marked = TimeSeries::new(&[("__name__", "bad"), ("job", "@@")]).sample(base_ms(), 1.0);
    let mut message = remote_write::encode(&[good(base_ms()), marked]);
    let at = message.windows(2).position(|pair| pair == b"@@").unwrap();
    message[at] = 0xff;
    let body = remote_write::compress(&message)?;
    let reply = server.api().post(WRITE, &HEADERS, &body)?;
    assert_refused("a label value that is not UTF-8", &reply, 400, &["utf-8"]);
    Ok(())
}

#[test]
fn unknown_paths_and_methods_are_json_errors() -> Result<()> {
    let server = Server::start()?;
    let api = server.api();
    for path in [
        "/nothing",
        "/api/v1/nothing",
        "/api/v2/query",
        "/api/v1/query/x",
    ] {
        let reply = api.get(path, &[])?;
        let json: Json = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(
            (reply.status, &json["status"]),
            (404, &"error".into()),
            "{path}"
        );
        assert_eq!(json["errorType"], "not_found", "{path}");
        assert_ne!(json["error"], Json::Null, "{path}");
    }
    let reply = api.get(WRITE, &[])?;
    assert_eq!(reply.status, 405);
    assert_eq!(reply.headers.get("allow").map(String::as_str), Some("POST"));
    let json: Json = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(json["status"], "error");
    Ok(())
}

#[test]
fn no_expression_brings_the_server_down() -> Result<()> {
    let server = Server::start()?;
    let api = server.api();
    let deep = 100_000;
    let matchers = vec!["a=\"b\""; 20_000].join(",");
    let expressions = [
        "(".repeat(deep),
        format!("{}1{}", "(".repeat(deep), ")".repeat(deep)),
        "-".repeat(deep),
        format!("{}1", "-".repeat(deep)),
        format!("1{}", "+1".repeat(deep)),
        format!("{}1", "1^".repeat(deep)),
        format!("up{{{matchers}}}"),
        format!("up{{job=~\"{}\"}}", "(".repeat(deep)),
        "up{job=~\"((a{1000}){1000}){1000}\"}".to_owned(),
        "\"\\".to_owned(),
        "up\0".to_owned(),
        "up[99999999999999999999y]".to_owned(),
        "up offset 9223372036854775807s".to_owned(),
        "up @ 1e300".to_owned(),
        "\u{10ffff}".to_owned(),
    ];
    for expr in expressions {
        let shown: String = expr.chars().take(40).collect();
        let reply = api.post_form("/api/v1/query", &[("query", &expr)])?;
        assert!(
            [200, 400, 422].contains(&reply.status),
            "{shown}: {}",
            reply.status
        );
        let json: Json = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(json["status"] == "success", reply.status == 200, "{shown}");
        assert_eq!(api.get("/-/healthy", &[])?.status, 200, "after {shown}");
    }
    Ok(())
}
