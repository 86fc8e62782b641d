//! What somebody sends who means harm: it costs no memory beyond its cap, no other client its
//! latency, and the server nothing but an answer.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use silverback_storage::model::Value;
use silverback_storage::{Db, MatchOp, Matcher, Options, Samples, TimeRange};
use silverback_tests::Result;
use silverback_tests::api::Reply;
use silverback_tests::remote_write::{self, HEADERS, TimeSeries};
use silverback_tests::remote_write_v2::{self, Field, Request};
use silverback_tests::server::Server;

use super::base_ms;

const WRITE: &str = "/api/v1/write";
/// What the process may take at most while it is attacked: it has 256 MiB for bodies, as much for
/// what is made of them, and its own.
const MEMORY_MAX: f64 = 800e6;

fn good() -> TimeSeries {
    TimeSeries::new(&[("__name__", "good")]).sample(base_ms(), 1.0)
}

fn metric(server: &Server, name: &str) -> Result<f64> {
    let text = server.api().get("/metrics", &[])?.body;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    Ok(line
        .and_then(|value| value.trim().parse().ok())
        .unwrap_or(f64::NAN))
}

fn assert_small(server: &Server) -> Result<()> {
    let memory = metric(server, "process_resident_memory_bytes ")?;
    assert!(memory < MEMORY_MAX, "{memory} bytes");
    Ok(())
}

/// That it is refused with this status and a short text that has `part` in it, and that the server
/// takes what is good.
fn assert_refused(
    what: &str,
    server: &Server,
    reply: &Reply,
    status: u16,
    part: &str,
) -> Result<()> {
    let text = &reply.body;
    assert!(
        reply.status == status && text.contains(part) && text.len() < 4096,
        "{what}: {} {text}",
        reply.status
    );
    assert_eq!(server.write(&[good()])?.status, 204, "after {what}");
    assert_small(server)
}

#[test]
fn a_body_never_becomes_more_than_it_may() -> Result<()> {
    let server = Server::start()?;
    let api = server.api();
    let v1 = |message: &[u8]| api.post(WRITE, &HEADERS, &remote_write::compress(message)?);
    let repeated = |bytes: &[u8]| bytes.repeat((16 << 20) / bytes.len());
    // 64 MiB of zeros in 3 MiB.
    let reply = v1(&vec![0; 64 << 20])?;
    assert_refused(
        "a bomb",
        &server,
        &reply,
        413,
        "--remote-write-max-decoded-size",
    )?;
    let bomb = zstd_bomb();
    let headers = [HEADERS[0], ("Content-Encoding", "zstd")];
    let reply = api.post(WRITE, &headers, &bomb)?;
    assert_refused(
        "a bomb of zstd",
        &server,
        &reply,
        413,
        "--remote-write-max-decoded-size",
    )?;
    // Two bytes each, of what takes many times as much in memory.
    for (what, field, part) in [
        ("labels", 1, "there are more than 65536 labels"),
        ("samples", 2, "there are more than 1048576 samples"),
        ("exemplars", 3, "bytes of histograms and exemplars"),
        ("histograms", 4, "bytes of histograms and exemplars"),
    ] {
        let mut series = vec![1 << 3 | 2, 0x80, 0x80, 0x80, 0x08];
        series.extend(repeated(&[field << 3 | 2, 0]));
        assert_refused(what, &server, &v1(&series)?, 400, part)?;
    }
    // Eight million samples of eight million series.
    let named = remote_write::encode(&[TimeSeries::new(&[("__name__", "m")])]);
    let reply = v1(&[named, vec![1 << 3 | 2, 0]].concat().repeat(1 << 20))?;
    assert_refused(
        "series without labels",
        &server,
        &reply,
        400,
        "refused for their labels",
    )?;
    let tiny = remote_write::encode(&[TimeSeries::new(&[("__name__", "m")]).sample(1, 1.0)]);
    let reply = v1(&repeated(&tiny))?;
    assert!([400, 413].contains(&reply.status), "{}", reply.body);
    assert_small(&server)
}

/// A frame of zstd that decodes to 64 MiB and is 8 KiB long: blocks of one byte repeated.
fn zstd_bomb() -> Vec<u8> {
    // The magic number; a frame header that says: one segment, a length of four bytes.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0b1010_0000];
    frame.extend((64u32 << 20).to_le_bytes());
    let block_bytes = 128u32 << 10;
    let blocks = (64 << 20) / block_bytes;
    for block in 0..blocks {
        let is_last = u32::from(block + 1 == blocks);
        // Three bytes: last, type (1: repeated), size; then the byte.
        let header = (block_bytes << 3 | 1 << 1 | is_last).to_le_bytes();
        frame.extend(&header[..3]);
        frame.push(0);
    }
    frame
}

#[test]
fn references_to_one_long_string_do_not_make_many() -> Result<()> {
    let server = Server::start()?;
    let long = "x".repeat(16 << 10);
    let labels: Vec<String> = (0..200).map(|i| format!("label_{i}")).collect();
    let mut labels: Vec<(&str, &str)> = labels
        .iter()
        .map(|it| (it.as_str(), long.as_str()))
        .collect();
    labels.push(("__name__", "m"));
    // 400 bytes of references each, and 3 MiB of labels.
    let mut request = Request::default();
    for i in 0..500 {
        request.series(&labels, &[Field::Sample(base_ms() + i, 0, 1.0)]);
    }
    let reply = request.send(&server)?;
    assert_refused(
        "long labels",
        &server,
        &reply,
        413,
        "bytes of memory once it is read",
    )?;
    let mut request = Request::default();
    let exemplars = vec![Field::Exemplar(&labels[..100], base_ms(), 1.0); 500];
    request.series(&[("__name__", "m")], &exemplars);
    let reply = request.send(&server)?;
    assert_refused(
        "long exemplars",
        &server,
        &reply,
        400,
        "bytes of histograms and exemplars",
    )?;
    let mut request = Request::default();
    let help = "x".repeat(10 << 10);
    for i in 0..10_000 {
        let name = format!("m{i}");
        request.series(&[("__name__", &name)], &[Field::Metadata(1, &help, "")]);
    }
    let reply = request.send(&server)?;
    assert_refused(
        "long help texts",
        &server,
        &reply,
        413,
        "bytes of memory once it is read",
    )
}

#[test]
fn labels_beyond_reason_are_refused_and_the_rest_stored() -> Result<()> {
    let server = Server::start()?;
    let names: Vec<String> = (0..10_000).map(|i| format!("label_{i:05}")).collect();
    let mut many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "v")).collect();
    many.push(("__name__", "many"));
    let long = "é".repeat(5 << 20);
    for (what, labels, part) in [
        (
            "10,000 labels",
            &many[..],
            "it has 10001 labels, more than the limit of 256",
        ),
        (
            "a value of 10 MB",
            &[("__name__", "m"), ("a", &long)],
            "the value of label \"a\" has 10485760 bytes, more than the limit of 16384",
        ),
        (
            "a name of 10 MB",
            &[("__name__", "m"), (&long, "a")],
            "a label name has 10485760 bytes, more than the limit of 1024",
        ),
        (
            "a metric name of 10 MB",
            &[("__name__", &long)],
            "the value of label \"__name__\" has 10485760 bytes",
        ),
    ] {
        let reply = server.write(&[TimeSeries::new(labels).sample(base_ms(), 1.0), good()])?;
        assert_refused(what, &server, &reply, 400, part)?;
        let mut request = Request::default();
        request.series(labels, &[Field::Sample(base_ms(), 0, 1.0)]);
        let reply = request.send(&server)?;
        assert_refused(what, &server, &reply, 400, part)?;
    }
    let limits = "silverback_remote_write_rejected_samples_total{reason=\"label_limits\"} ";
    assert_eq!(metric(&server, limits)?, 8.0);
    Ok(())
}

#[test]
fn any_bits_and_any_time_are_data() -> Result<()> {
    let args = ["--retention-time", "0", "--max-future", "0"];
    let mut server = Server::start_with(&args)?;
    let payloads = [
        0x7ff0_0000_0000_0002,
        0x7ff0_0000_0000_0001,
        0x7ff8_0000_0000_0001,
        0xfff8_dead_beef_cafe,
        0xffff_ffff_ffff_ffff,
        0x7fff_ffff_ffff_ffff,
    ];
    let times = [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX];
    let mut series = TimeSeries::new(&[("__name__", "odd")]);
    for (at_ms, bits) in times.into_iter().zip(payloads) {
        series = series.sample(at_ms, f64::from_bits(bits));
    }
    assert_eq!(server.write(&[series])?.status, 204);
    for query in [
        "odd",
        "odd[1h]",
        "count_over_time(odd[1h])",
        "timestamp(odd)",
    ] {
        for time in ["0", "9223372036854775", "-9223372036854775"] {
            let params = [("query", query), ("time", time)];
            let reply = server.api().get("/api/v1/query", &params)?;
            assert!([200, 400, 422].contains(&reply.status), "{}", reply.body);
        }
    }
    server.kill()?;
    server.restart()?;
    server.stop()?;
    let options = Options {
        max_future: None,
        ..Options::default()
    };
    let db = Db::open(server.data_dir(), options).unwrap();
    let view = db.view();
    let matcher = Matcher::new(MatchOp::Equal, "__name__", "odd").unwrap();
    let selection = view.select(&[matcher], TimeRange::ALL).unwrap();
    let mut samples = Samples::default();
    selection.samples(0, &mut samples).unwrap();
    assert_eq!(samples.timestamps_ms, times);
    let bits: Vec<u64> = samples.values.iter().map(|value| value.to_bits()).collect();
    assert_eq!(bits, payloads);
    let mut points = Vec::new();
    selection.points(0, &mut points).unwrap();
    assert!(matches!(points[0].value, Value::Float(_)));
    Ok(())
}

/// The head of a write request with a body of this length.
fn head(length: usize) -> String {
    let headers: String = remote_write_v2::HEADERS
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!("POST {WRITE} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {length}\r\n\r\n")
}

fn connect(server: &Server) -> Result<TcpStream> {
    let stream = TcpStream::connect(server.url().replace("http://", ""))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    Ok(stream)
}

#[test]
fn a_body_that_stops_half_way_is_given_up() -> Result<()> {
    let server = Server::start_with(&["--remote-write-body-timeout", "1s"])?;
    let mut stopped = connect(&server)?;
    stopped.write_all(head(1000).as_bytes())?;
    stopped.write_all(&[7; 500])?;
    let mut gone = connect(&server)?;
    gone.write_all(head(1000).as_bytes())?;
    gone.write_all(&[7; 500])?;
    drop(gone);
    let mut answer = String::new();
    stopped.read_to_string(&mut answer)?;
    let lower = answer.to_lowercase();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    for part in [
        "retry-after: 5",
        "x-prometheus-remote-write-samples-written: 0",
        "did not arrive within 1 s (--remote-write-body-timeout)",
    ] {
        assert!(lower.contains(part), "{part} is not in {answer}");
    }
    assert_eq!(server.write(&[good()])?.status, 204);
    Ok(())
}

#[test]
fn slow_connections_make_room_for_those_that_have_something_to_say() -> Result<()> {
    const CONNECTIONS_MAX: usize = 60;
    let server = Server::start_with(&["--max-connections", &CONNECTIONS_MAX.to_string()])?;
    let mut slow = Vec::new();
    let start = Instant::now();
    let mut slowest = Duration::ZERO;
    for i in 0..600 {
        let mut stream = connect(&server)?;
        let half = head(1000);
        let sent = match i % 3 {
            0 => "",
            1 => &half[..40],
            _ => &half,
        };
        // One that made room already takes nothing more.
        let _ = stream.write_all(sent.as_bytes());
        slow.push(stream);
        // Each a connection of its own: the client keeps none between tests.
        if i % 20 == 19 {
            let began = Instant::now();
            assert_eq!(server.write(&[good()])?.status, 204);
            slowest = slowest.max(began.elapsed());
        }
    }
    println!(
        "600 slow connections in {:?}, slowest write {slowest:?}",
        start.elapsed()
    );
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    let evicted = metric(&server, "silverback_http_connections_evicted_total ")?;
    assert!(evicted >= (600 - CONNECTIONS_MAX) as f64, "{evicted}");
    assert_small(&server)
}
