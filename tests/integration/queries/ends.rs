//! A client that goes away takes its query with it.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use silverback_tests::{Error, Result};

use super::{crowded, held_bytes};

/// Longest wait for something that happens within milliseconds.
const WAIT_MAX: Duration = Duration::from_secs(10);

fn running(text: &str) -> Option<&str> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("silverback_queries_running "));
    line.map(str::trim)
}

#[test]
fn a_query_that_nobody_waits_for_ends() -> Result<()> {
    let (server, end_ms) = crowded(&[])?;
    let api = server.api();
    let wait = |count: &str| -> Result<Instant> {
        let began = Instant::now();
        while running(&api.get("/metrics", &[])?.body) != Some(count) {
            if began.elapsed() > WAIT_MAX {
                return Err(Error::new(format!("there are not {count} queries")));
            }
        }
        Ok(Instant::now())
    };
    // Some seconds of work that needs no memory.
    let query = "sum(deriv({__name__=~\"metric_.*\"}[5h]))";
    let end_s = end_ms / 1000;
    let request = format!(
        "GET /api/v1/query_range?query={}&start={}&end={end_s}&step=5 HTTP/1.1\r\nHost: x\r\n\r\n",
        query
            .replace('{', "%7B")
            .replace('}', "%7D")
            .replace('"', "%22"),
        end_s - 50_000,
    );
    let address = server.url().replace("http://", "");
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(request.as_bytes())?;
    wait("1")?;
    thread::sleep(Duration::from_millis(100));
    assert_eq!(
        running(&api.get("/metrics", &[])?.body),
        Some("1"),
        "it ended by itself"
    );
    let gone = Instant::now();
    drop(stream);
    let took = wait("0")?.duration_since(gone);
    println!("a query whose client went away ended after {took:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(held_bytes(&server)?, 0);
    Ok(())
}
