//! A target to be scraped that has all that the text format knows: counters and histograms with
//! exemplars, types, units and help texts. Each scrape finds it one step further.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Result;

/// How long a scraper may take to send its request.
const READ_MAX: Duration = Duration::from_secs(10);

/// An exporter on a port of its own, until it is dropped.
#[derive(Debug)]
pub struct Exporter {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    scrapes: AtomicU64,
    stop: AtomicBool,
}

impl Exporter {
    /// Starts an exporter.
    ///
    /// # Errors
    /// No port.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", crate::process::free_port()?))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let thread = spawn(move || {
            for stream in listener.incoming().flatten() {
                if own.stop.load(Ordering::Relaxed) {
                    return;
                }
                // A scraper that went away scrapes again.
                let _ = answer(stream, &own.scrapes);
            }
        });
        Ok(Self {
            address,
            shared,
            thread: Some(thread),
        })
    }

    /// Its address, such as `127.0.0.1:20003`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// How often it was scraped.
    pub fn scrapes(&self) -> u64 {
        self.shared.scrapes.load(Ordering::Relaxed)
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // Wakes it, so that it sees that.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(stream: TcpStream, scrapes: &AtomicU64) -> Result<()> {
    stream.set_read_timeout(Some(READ_MAX))?;
    let mut reader = BufReader::new(&stream);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let text = exposition(scrapes.fetch_add(1, Ordering::Relaxed) + 1);
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text; version=1.0.0; \
         charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        text.len()
    );
    (&stream).write_all(head.as_bytes())?;
    (&stream).write_all(text.as_bytes())?;
    Ok(())
}

/// What the scrape with this number finds, in OpenMetrics's text format.
fn exposition(n: u64) -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = since.map_or(0.0, |since| (since.as_secs_f64() * 1000.0).trunc() / 1000.0);
    let slow = n / 2;
    format!(
        "# TYPE exporter_hits counter\n\
         # HELP exporter_hits Hits, \\\"counted\\\".\n\
         exporter_hits_total{{path=\"/\"}} {n} # {{trace_id=\"hit{n}\"}} 1.5 {now:.3}\n\
         # TYPE exporter_seconds histogram\n\
         # UNIT exporter_seconds seconds\n\
         # HELP exporter_seconds How long a hit took.\n\
         exporter_seconds_bucket{{le=\"0.1\"}} {n} # {{trace_id=\"fast{n}\"}} 0.07 {now:.3}\n\
         exporter_seconds_bucket{{le=\"2.5\"}} {both}\n\
         exporter_seconds_bucket{{le=\"+Inf\"}} {all}\n\
         exporter_seconds_count {all}\n\
         exporter_seconds_sum {sum}\n\
         # TYPE exporter_level gauge\n\
         # HELP exporter_level A level.\n\
         exporter_level {level}\n\
         # EOF\n",
        both = n + slow,
        all = n + slow + 1,
        sum = n as f64 * 0.05 + slow as f64,
        level = -(n as f64) / 3.0,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Api;

    #[test]
    fn each_scrape_finds_it_one_step_further() -> Result<()> {
        let exporter = Exporter::start()?;
        let api = Api::new(&format!("http://{}", exporter.address()));
        for n in 1..3 {
            let reply = api.get("/metrics", &[])?;
            let line =
                format!("exporter_hits_total{{path=\"/\"}} {n} # {{trace_id=\"hit{n}\"}} 1.5 ");
            assert!(reply.body.contains(&line), "{}", reply.body);
        }
        assert_eq!(exporter.scrapes(), 2);
        Ok(())
    }
}
