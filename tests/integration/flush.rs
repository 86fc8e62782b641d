//! The head as segments: asked for over HTTP, through kills, and with a segment that is cut under
//! its readers.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use silverback_tests::api::{Data, Reply, Series};
use silverback_tests::remote_write::TimeSeries;
use silverback_tests::server::Server;
use silverback_tests::{Error, Result};

/// Series a test writes.
const SERIES: usize = 200;

fn now_ms() -> Result<i64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Ok(now.map_err(|e| Error::about("clock", e))?.as_millis() as i64)
}

/// One sample of each series.
fn scrape(metric: &str, timestamp_ms: i64, value: f64) -> Vec<TimeSeries> {
    (0..SERIES)
        .map(|n| {
            let labels = [("__name__", metric), ("n", &n.to_string())];
            TimeSeries::new(&labels).sample(timestamp_ms, value + n as f64)
        })
        .collect()
}

fn write(server: &Server, request: &[TimeSeries]) -> Result<()> {
    let reply = server.write(request)?;
    assert_eq!((reply.status, reply.body.as_str()), (204, ""));
    Ok(())
}

fn flush(server: &Server) -> Result<Reply> {
    server.api().post("/api/v1/admin/tsdb/flush", &[], &[])
}

/// Everything of a metric, sorted by label.
fn raw(server: &Server, metric: &str, at_ms: i64) -> Result<Vec<Series>> {
    match server.api().query(&format!("{metric}[1h]"), at_ms)? {
        Data::Matrix(mut series) => {
            series.sort_by_key(|series| series.labels["n"].parse::<usize>().ok());
            Ok(series)
        }
        other => panic!("no matrix: {other:?}"),
    }
}

fn figure(server: &Server, name: &str) -> Result<f64> {
    let text = server.api().get("/metrics", &[])?.body;
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    let found = lines.find(|(own, _)| *own == name);
    Ok(found
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(f64::NAN))
}

#[test]
fn a_flush_and_a_merge_need_the_admin_flag() -> Result<()> {
    let server = Server::start()?;
    let compacted = server.api().post("/api/v1/admin/tsdb/compact", &[], &[])?;
    for reply in [flush(&server)?, compacted] {
        assert_eq!(
            (reply.status, reply.body.as_str()),
            (
                503,
                r#"{"status":"error","errorType":"unavailable","error":"admin APIs disabled"}"#
            )
        );
    }
    Ok(())
}

#[test]
fn what_is_flushed_is_read_and_written_over_and_outlives_a_kill() -> Result<()> {
    let mut server = Server::start_with(&["--enable-admin-api"])?;
    let base_ms = now_ms()? - 600_000;
    write(&server, &scrape("m", base_ms, 1.0))?;
    write(&server, &scrape("m", base_ms + 15_000, 2.0))?;
    assert_eq!(flush(&server)?.status, 204);
    assert_eq!(figure(&server, "silverback_segments")?, 1.0);
    // Into the time of the segment: between its samples, and over one of them.
    write(&server, &scrape("m", base_ms + 5_000, 3.0))?;
    write(&server, &scrape("m", base_ms, 4.0))?;
    let check = |server: &Server| -> Result<()> {
        let series = raw(server, "m", base_ms + 60_000)?;
        assert_eq!(series.len(), SERIES);
        for (n, series) in series.iter().enumerate() {
            let points = series.points.iter();
            let points: Vec<_> = points
                .map(|point| (point.timestamp_ms - base_ms, point.value.clone()))
                .collect();
            let value = |base: usize| (base + n).to_string();
            let expected = [(0, value(4)), (5_000, value(3)), (15_000, value(2))];
            assert_eq!(points, expected, "series {n}");
        }
        Ok(())
    };
    check(&server)?;
    server.kill()?;
    server.restart()?;
    check(&server)?;
    assert_eq!(flush(&server)?.status, 204);
    assert_eq!(figure(&server, "silverback_segments")?, 2.0);
    check(&server)?;
    server.kill()?;
    server.restart()?;
    check(&server)?;
    // With nothing in memory there is nothing to do.
    assert_eq!(flush(&server)?.status, 204);
    assert_eq!(figure(&server, "silverback_segments")?, 2.0);
    Ok(())
}

#[test]
fn what_is_flushed_becomes_blocks_and_outlives_a_kill() -> Result<()> {
    let mut server = Server::start_with(&["--enable-admin-api"])?;
    let base_ms = now_ms()? - 600_000;
    for number in 0..3 {
        write(&server, &scrape("m", base_ms + number * 15_000, 1.0))?;
        // Over a sample of the flush before.
        write(&server, &scrape("m", base_ms, number as f64))?;
        assert_eq!(flush(&server)?.status, 204);
    }
    let compacted = server.api().post("/api/v1/admin/tsdb/compact", &[], &[])?;
    assert_eq!((compacted.status, compacted.body.as_str()), (204, ""));
    for _ in 0..2 {
        assert_eq!(figure(&server, "silverback_segments")?, 0.0);
        // Two hours may have ended meanwhile.
        assert!((1.0..=2.0).contains(&figure(&server, "silverback_blocks")?));
        assert!(figure(&server, "silverback_blocks_size_bytes")? > 0.0);
        let series = raw(&server, "m", base_ms + 60_000)?;
        assert_eq!(series.len(), SERIES);
        for (n, series) in series.iter().enumerate() {
            let points = series.points.iter();
            let points: Vec<_> = points
                .map(|point| (point.timestamp_ms - base_ms, point.value.clone()))
                .collect();
            let value = |base: usize| (base + n).to_string();
            let expected = [(0, value(2)), (15_000, value(1)), (30_000, value(1))];
            assert_eq!(points, expected, "series {n}");
        }
        server.kill()?;
        server.restart()?;
    }
    Ok(())
}

#[test]
fn new_series_beyond_the_limit_are_refused_and_others_go_on() -> Result<()> {
    let server = Server::start_with(&["--enable-admin-api", "--max-series=2"])?;
    let at_ms = now_ms()?;
    let one = |n: &str| TimeSeries::new(&[("__name__", "m"), ("n", n)]).sample(at_ms, 1.0);
    write(&server, &[one("0"), one("1")])?;
    let reply = server.write(&[one("0"), one("2")])?;
    assert_eq!(reply.status, 400, "{}", reply.body);
    assert!(
        reply.body.contains(r#"series m{n="2"}"#) && reply.body.contains("--max-series"),
        "{}",
        reply.body
    );
    write(&server, &[one("1")])?;
    assert_eq!(flush(&server)?.status, 204);
    write(&server, &[one("2")])?;
    assert_eq!(raw(&server, "m", at_ms + 1)?.len(), 3);
    Ok(())
}

#[test]
fn a_segment_that_is_cut_under_load_costs_what_it_held() -> Result<()> {
    let mut server = Server::start_with(&["--enable-admin-api"])?;
    let base_ms = now_ms()? - 600_000;
    for scrape_number in 0..30 {
        let at_ms = base_ms + scrape_number * 15_000;
        // Values that take room: no two alike.
        write(&server, &scrape("lost", at_ms, at_ms as f64 / 7.0))?;
    }
    assert_eq!(flush(&server)?.status, 204);
    write(&server, &scrape("kept", base_ms, 1.0))?;
    // Maps it, and leaves some of it checked.
    assert_eq!(raw(&server, "lost", base_ms + 500_000)?.len(), SERIES);

    let segments = server.data_dir().join("segments");
    let entry = fs::read_dir(&segments).and_then(|mut entries| {
        let first = entries.next();
        first.unwrap_or_else(|| Err(std::io::ErrorKind::NotFound.into()))
    });
    let path = entry.map_err(|e| Error::about("segments", e))?.path();
    let cut = |server: &Server| -> Result<()> {
        let api = server.api();
        for _ in 0..20 {
            let at = (base_ms + 500_000) / 1000;
            let reply = api.get(
                "/api/v1/query",
                &[("query", "lost[1h]"), ("time", &at.to_string())],
            )?;
            assert!(
                reply.status == 200 || reply.body.contains("segment"),
                "{}: {}",
                reply.status,
                reply.body
            );
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..4).map(|_| scope.spawn(|| cut(&server))).collect();
        let file = fs::File::options().write(true).open(&path);
        file.and_then(|file| file.set_len(5_000))
            .map_err(|e| Error::about("cut", e))?;
        readers
            .into_iter()
            .try_for_each(|reader| reader.join().unwrap())
    })?;
    cut(&server)?;
    // The process lives, and the rest is served.
    assert_eq!(server.api().get("/-/healthy", &[])?.status, 200);
    write(&server, &scrape("kept", base_ms + 15_000, 2.0))?;
    server.kill()?;
    server.restart()?;
    assert_eq!(figure(&server, "silverback_segments_damaged")?, 1.0);
    assert_eq!(raw(&server, "kept", base_ms + 60_000)?.len(), SERIES);
    assert!(raw(&server, "lost", base_ms + 500_000)?.is_empty());
    Ok(())
}
