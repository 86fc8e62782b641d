//! A client that goes away takes its query with it.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use silverback_tests::api::seconds;
use silverback_tests::server::Server;
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
    holds_nothing(&server)
}

/// What an ended query left is freed behind it.
pub(super) fn holds_nothing(server: &Server) -> Result<()> {
    let began = Instant::now();
    while held_bytes(server)? > 0 {
        if began.elapsed() > WAIT_MAX {
            return Err(Error::new("what ended queries left is not freed"));
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// One turn at a time: a query that was ended has given its own back if the next one is answered.
#[test]
fn queries_that_are_out_of_time_give_back_their_turn_and_their_memory() -> Result<()> {
    let (server, end_ms) = crowded(&["--query-concurrency", "1", "--query-timeout", "300ms"])?;
    let api = server.api();
    let (start, end) = (seconds(end_ms - 50_000_000), seconds(end_ms));
    let params = [
        ("query", "sum(deriv({__name__=~\"metric_.*\"}[5h]))"),
        ("start", &*start),
        ("end", &*end),
        ("step", "5"),
    ];
    for _ in 0..3 {
        let reply = api.post_form("/api/v1/query_range", &params)?;
        assert_eq!(reply.status, 503, "{}", reply.body);
        let told = "query timed out in expression evaluation";
        assert!(reply.body.contains(told), "{}", reply.body);
    }
    holds_nothing(&server)?;
    api.query("sum(metric_1)", end_ms)?;
    Ok(())
}
