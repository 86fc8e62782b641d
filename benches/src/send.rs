//! Sends a load: a connection a file, each with one request on its way (a closed loop).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::http::{Client, Request};
use crate::load::request_file::RequestReader;

/// How long a server may take to answer a request.
const ANSWER_MAX: Duration = Duration::from_secs(120);
/// How long a request is sent again and again that is answered with 429 or 5xx.
const RETRY_MAX: Duration = Duration::from_secs(120);
/// Pause before a request is sent again.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

const HEADERS: [(&str, &str); 4] = [
    ("Content-Type", "application/x-protobuf"),
    ("Content-Encoding", "snappy"),
    ("X-Prometheus-Remote-Write-Version", "0.1.0"),
    ("User-Agent", "silverback-side-by-side"),
];

/// What was sent and acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) requests: u64,
    pub(crate) samples: u64,
    /// How often a request was sent again.
    pub(crate) retries: u64,
    /// From the first request until the last answer.
    pub(crate) wall: Duration,
    pub(crate) latencies: Latencies,
}

/// For each request the time until it was acknowledged, retries included.
#[derive(Debug, Default)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    /// The smallest latency that at least this share of the requests, from 0 to 1, did not
    /// exceed; zero where there were no requests.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.max(1) - 1).copied().unwrap_or_default()
    }
}

/// Sends the requests of each file over a connection of its own, all at once, to
/// `/api/v1/write`.
///
/// # Errors
/// The first of: a connection that fails, an answer that is an error and stays one, a file that
/// cannot be read. The other connections stop at their next request.
pub(crate) fn send(address: SocketAddr, files: &[PathBuf]) -> Result<Sent> {
    let began = Instant::now();
    let stop = AtomicBool::new(false);
    let results: Vec<Result<Sent>> = thread::scope(|scope| {
        let lanes: Vec<_> = files
            .iter()
            .map(|file| scope.spawn(|| send_file(address, file, &stop)))
            .collect();
        let joined = lanes.into_iter().map(thread::ScopedJoinHandle::join);
        joined
            .map(|lane| lane.unwrap_or_else(|_| Err(Error::new("a sender panicked"))))
            .collect()
    });
    let mut all = Sent::default();
    for sent in results {
        let sent = sent?;
        all.requests += sent.requests;
        all.samples += sent.samples;
        all.retries += sent.retries;
        all.latencies.0.extend(sent.latencies.0);
    }
    all.latencies.0.sort_unstable();
    all.wall = began.elapsed();
    Ok(all)
}

fn send_file(address: SocketAddr, file: &Path, stop: &AtomicBool) -> Result<Sent> {
    let result = send_requests(address, file, stop);
    if result.is_err() {
        stop.store(true, Ordering::Relaxed);
    }
    result
}

fn send_requests(address: SocketAddr, file: &Path, stop: &AtomicBool) -> Result<Sent> {
    let mut reader = RequestReader::open(file)?;
    let mut client = Client::new(address, ANSWER_MAX);
    let mut sent = Sent::default();
    let mut body = Vec::new();
    while let Some(samples) = reader.next(&mut body)? {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let began = Instant::now();
        sent.retries += send_one(&mut client, &body)?;
        sent.latencies.0.push(began.elapsed());
        sent.requests += 1;
        sent.samples += samples as u64;
    }
    Ok(sent)
}

/// Sends a request until it is acknowledged, and returns how often it had to be sent again.
fn send_one(client: &mut Client, body: &[u8]) -> Result<u64> {
    let began = Instant::now();
    let mut retries = 0;
    loop {
        let reply = client.request(&Request {
            method: "POST",
            path: "/api/v1/write",
            headers: &HEADERS,
            body,
        })?;
        if reply.is_success() {
            return Ok(retries);
        }
        let passing = reply.status == 429 || reply.status >= 500;
        if !passing || began.elapsed() > RETRY_MAX {
            let (status, text) = (reply.status, reply.text());
            let text = format!("a write was answered with {status} ({retries} retries): {text}");
            return Err(Error::new(text));
        }
        retries += 1;
        thread::sleep(RETRY_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::error::About;
    use crate::load::request_file::RequestWriter;

    /// Reads requests of a connection and answers each with the next of the statuses, or 204.
    fn serve(stream: &mut TcpStream, statuses: &[u16]) -> std::io::Result<Vec<Vec<u8>>> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut bodies = Vec::new();
        loop {
            let mut len = 0;
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line)? == 0 {
                    return Ok(bodies);
                }
                if let Some(value) = line.strip_prefix("Content-Length: ") {
                    len = value.trim().parse().unwrap();
                }
                if line == "\r\n" {
                    break;
                }
            }
            let mut body = vec![0; len];
            reader.read_exact(&mut body)?;
            let status = statuses.get(bodies.len()).copied().unwrap_or(204);
            bodies.push(body);
            let length = if status == 204 {
                ""
            } else {
                "Content-Length: 4\r\n"
            };
            let body = if status == 204 { "" } else { "sad\n" };
            // In one piece: small pieces wait for each other's acknowledgement.
            let reply = format!("HTTP/1.1 {status} X\r\n{length}\r\n{body}");
            stream.write_all(reply.as_bytes())?;
        }
    }

    /// Sends files of so many requests to a server that answers so.
    fn sent(requests: &[usize], statuses: &'static [u16]) -> Result<(Sent, Vec<Vec<u8>>)> {
        let dir = tempfile::tempdir().about("temporary directory")?;
        let mut files = Vec::new();
        for (lane, count) in requests.iter().enumerate() {
            let path = dir.path().join(lane.to_string());
            let mut writer = RequestWriter::create(&path)?;
            for number in 0..*count {
                writer.append(10, format!("{lane}/{number}").as_bytes())?;
            }
            writer.flush()?;
            files.push(path);
        }
        let listener = TcpListener::bind("127.0.0.1:0").about("listen")?;
        let address = listener.local_addr().about("address")?;
        let connections = files.len();
        let server = thread::spawn(move || {
            let lanes: Vec<_> = (0..connections)
                .map(|_| {
                    let (mut stream, _) = listener.accept().unwrap();
                    thread::spawn(move || serve(&mut stream, statuses).unwrap())
                })
                .collect();
            lanes
                .into_iter()
                .flat_map(|lane| lane.join().unwrap())
                .collect()
        });
        let sent = send(address, &files)?;
        Ok((sent, server.join().unwrap()))
    }

    #[test]
    fn all_is_sent_once_and_in_order() -> Result<()> {
        let (sent, mut bodies) = sent(&[300, 2], &[])?;
        assert_eq!((sent.requests, sent.samples, sent.retries), (302, 3_020, 0));
        let (p50, max) = (sent.latencies.quantile(0.5), sent.latencies.quantile(1.0));
        assert!(p50 > Duration::ZERO && p50 <= max && max <= sent.wall);
        let of =
            |lane: usize, count: usize| (0..count).map(move |n| format!("{lane}/{n}").into_bytes());
        // Whichever connection was accepted first.
        if bodies[0] == b"1/0" {
            bodies.rotate_left(2);
        }
        assert!(bodies.into_iter().eq(of(0, 300).chain(of(1, 2))));
        Ok(())
    }

    #[test]
    fn what_passes_is_sent_again_and_what_does_not_ends_the_run() -> Result<()> {
        let (retried, bodies) = sent(&[2], &[503, 429, 204])?;
        assert_eq!((retried.requests, retried.retries), (2, 2));
        assert_eq!(bodies, [b"0/0", b"0/0", b"0/0", b"0/1"]);
        let error = sent(&[2], &[204, 400]).unwrap_err();
        assert!(
            error.to_string().contains("400 (0 retries): sad"),
            "{error}"
        );
        Ok(())
    }

    #[test]
    fn quantiles() {
        let millis = |numbers: &[u64]| {
            Latencies(numbers.iter().map(|n| Duration::from_millis(*n)).collect())
        };
        let ten = millis(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        let quantiles = [0.0, 0.5, 0.51, 0.99, 1.0].map(|share| ten.quantile(share).as_millis());
        assert_eq!(quantiles, [1, 5, 6, 10, 10]);
        assert_eq!(Latencies::default().quantile(0.5), Duration::ZERO);
    }
}
