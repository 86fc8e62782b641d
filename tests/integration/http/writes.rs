//! What was acknowledged is there: at once, to the bit, in any order, and after a crash.

use silverback_tests::Result;
use silverback_tests::api::{Data, Point, Series};
use silverback_tests::remote_write::TimeSeries;
use silverback_tests::server::Server;

use super::base_ms;

fn write(server: &Server, request: &[TimeSeries]) -> Result<()> {
    let reply = server.write(request)?;
    assert_eq!((reply.status, reply.body.as_str()), (204, ""));
    Ok(())
}

/// All samples of the series that match, from an hour before `base_ms` to half an hour after.
fn raw(server: &Server, selector: &str, base_ms: i64) -> Result<Vec<Series>> {
    let expr = format!("{selector}[90m]");
    match server.api().query(&expr, base_ms + 30 * 60_000)? {
        Data::Matrix(series) => Ok(series),
        other => panic!("no matrix: {other:?}"),
    }
}

fn points(samples: &[(i64, &str)]) -> Vec<Point> {
    samples
        .iter()
        .map(|&(timestamp_ms, value)| Point {
            timestamp_ms,
            value: value.to_owned(),
        })
        .collect()
}

#[test]
fn floats_come_back_with_their_bits() -> Result<()> {
    let server = Server::start()?;
    let base_ms = base_ms();
    // All exponents, with mantissas that no short decimal has, and the edges.
    let patterns = (0..2046_u64).map(|e| f64::from_bits((e << 52) | ((e + 1) * 0x7_3f1a_90e3)));
    let edges = [
        0.0,
        -0.0,
        f64::MIN_POSITIVE,
        5e-324,
        f64::MAX,
        f64::MIN,
        0.1 + 0.2,
    ];
    let floats: Vec<f64> = patterns.chain(edges).collect();
    let mut series = TimeSeries::new(&[("__name__", "floats")]);
    for (i, &float) in (0..).zip(&floats) {
        series = series.sample(base_ms + i, float);
    }
    write(&server, &[series])?;
    let stored = raw(&server, "floats", base_ms)?;
    let got: Vec<u64> = stored[0]
        .points
        .iter()
        .map(|point| point.value.parse::<f64>().unwrap().to_bits())
        .collect();
    let expected: Vec<u64> = floats.iter().map(|float| float.to_bits()).collect();
    assert_eq!(got, expected);
    Ok(())
}

#[test]
fn late_samples_are_taken_and_the_last_write_wins() -> Result<()> {
    let mut server = Server::start()?;
    let t = base_ms();
    let late = || TimeSeries::new(&[("__name__", "late"), ("job", "a")]);
    write(&server, &[late().sample(t, 1.0).sample(t + 2000, 3.0)])?;
    write(
        &server,
        &[late().sample(t - 50 * 60_000, 0.0).sample(t + 1000, 2.0)],
    )?;
    // The same again, as a sender does that heard no answer.
    write(
        &server,
        &[late().sample(t - 50 * 60_000, 0.0).sample(t + 1000, 2.0)],
    )?;
    // Another value for a sample that is there, alone and twice in a request.
    write(&server, &[late().sample(t, 10.0)])?;
    write(
        &server,
        &[late().sample(t + 2000, 7.0).sample(t + 2000, 30.0)],
    )?;
    // Labels in another order are the same series.
    let turned = TimeSeries::new(&[("job", "a"), ("__name__", "late"), ("empty", "")]);
    write(&server, &[turned.sample(t + 3000, 4.0)])?;
    let expected = points(&[
        (t - 50 * 60_000, "0"),
        (t, "10"),
        (t + 1000, "2"),
        (t + 2000, "30"),
        (t + 3000, "4"),
    ]);
    for _ in 0..2 {
        let stored = raw(&server, "late", t)?;
        assert_eq!(stored.len(), 1);
        assert_eq!(stored[0].points, expected);
        server.kill()?;
        server.restart()?;
    }
    Ok(())
}

#[test]
fn what_was_acknowledged_survives_sigkill() -> Result<()> {
    let mut server = Server::start()?;
    let base_ms = base_ms();
    let (rounds, requests, series) = (4, 10, 50);
    for round in 0..rounds {
        for request in 0..requests {
            let t = base_ms + (round * requests + request) * 1000;
            // Some are new in each request, some go on.
            let batch: Vec<TimeSeries> = (0..series)
                .map(|i| {
                    let name = if i % 5 == 0 {
                        format!("new_{t}_{i}")
                    } else {
                        format!("old_{i}")
                    };
                    TimeSeries::new(&[("__name__", "kept"), ("id", &name)])
                        .sample(t, (t + i) as f64)
                })
                .collect();
            write(&server, &batch)?;
        }
        server.kill()?;
        server.restart()?;
        let stored = raw(&server, "kept", base_ms)?;
        let count: i64 = stored.iter().map(|one| one.points.len() as i64).sum();
        assert_eq!(count, (round + 1) * requests * series, "after kill {round}");
    }
    let stored = raw(&server, r#"kept{id="old_7"}"#, base_ms)?;
    let expected: Vec<Point> = (0..rounds * requests)
        .map(|i| Point {
            timestamp_ms: base_ms + i * 1000,
            value: (base_ms + i * 1000 + 7).to_string(),
        })
        .collect();
    assert_eq!(stored[0].points, expected);
    Ok(())
}

#[test]
fn sigterm_ends_it_cleanly() -> Result<()> {
    let mut server = Server::start()?;
    let t = base_ms();
    write(
        &server,
        &[TimeSeries::new(&[("__name__", "kept")]).sample(t, 1.0)],
    )?;
    let status = server.stop()?;
    assert!(status.success(), "{status}");
    server.restart()?;
    assert_eq!(raw(&server, "kept", t)?[0].points, points(&[(t, "1")]));
    Ok(())
}
