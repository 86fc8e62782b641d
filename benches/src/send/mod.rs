//! Sends a load: a connection a file, each with one request on its way, as fast as they are
//! answered (a closed loop) or by a schedule (an open one).

mod lane;
mod latency;
mod pace;

use std::iter::repeat;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::http::{Client, Request};
use crate::load::Load;
use crate::load::request_file::RequestReader;
use lane::{Clock, LaneLog, RealClock, run_lane};
pub(crate) use latency::{Answer, Latencies};
use pace::{Pace, Rounds};

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
    /// How often the load was sent.
    pub(crate) rounds: u64,
    /// How often a request was sent again.
    pub(crate) retries: u64,
    /// From the first request until the last answer.
    pub(crate) wall: Duration,
    /// Each request, in no order.
    pub(crate) answers: Vec<Answer>,
}

impl Sent {
    /// For each request the time until it was acknowledged, retries included: since it was sent
    /// in a closed loop, since it was due in an open one.
    pub(crate) fn latencies(&self) -> Latencies {
        self.answers.iter().map(Answer::latency).collect()
    }

    /// For each request how long the sender itself was late with it.
    pub(crate) fn own_delays(&self) -> Latencies {
        self.answers.iter().map(Answer::own_delay).collect()
    }

    /// Samples by time.
    pub(crate) fn samples_per_s(&self) -> f64 {
        self.samples as f64 / self.wall.as_secs_f64().max(1e-3)
    }
}

/// How a load is sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Plan {
    /// Samples a second for which requests are due (an open loop); where there is none, each
    /// connection sends as soon as its last request was answered (a closed loop).
    pub(crate) samples_per_s: Option<f64>,
    /// To send it again and again; once where there is none.
    pub(crate) repeat: Option<Repeat>,
}

/// A load that is sent again and again while its time goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repeat {
    /// No round begins after that.
    pub(crate) duration: Duration,
    /// By how much the samples of the first round are later than they were written.
    pub(crate) first_shift_ms: i64,
    /// By how much those of each round are later than those of the one before.
    pub(crate) round_ms: i64,
}

impl Plan {
    fn rounds(&self, load: &Load) -> Rounds {
        match (self.repeat, self.samples_per_s) {
            (None, _) => Rounds::Fixed(1),
            (Some(repeat), Some(rate)) => Rounds::at_rate(rate, load.samples, repeat.duration),
            (Some(repeat), None) => Rounds::until(repeat.duration),
        }
    }

    fn shift_ms(&self, round: u64) -> i64 {
        self.repeat.map_or(0, |repeat| {
            repeat.first_shift_ms + round.cast_signed() * repeat.round_ms
        })
    }
}

/// Sends the requests of each file of a load over a connection of its own, all at once, to
/// `/api/v1/write`.
///
/// # Errors
/// The first of: a connection that fails, an answer that is an error and stays one, a file that
/// cannot be read. The other connections stop at their next request.
pub(crate) fn send(address: SocketAddr, load: &Load, plan: &Plan) -> Result<Sent> {
    let lanes = Lanes {
        address,
        plan: *plan,
        rounds: plan.rounds(load),
        clock: RealClock::start(),
        stop: AtomicBool::new(false),
    };
    let request_samples = load.samples / load.requests.max(1);
    let paces = plan
        .samples_per_s
        .map(|rate| Pace::of_lanes(rate, &load.lane_samples, request_samples));
    let paces = paces.iter().flatten().map(Some).chain(repeat(None));
    let results: Vec<Result<(LaneLog, u64)>> = thread::scope(|scope| {
        let lanes = &lanes;
        let files = load.files.iter().zip(&load.lane_samples).zip(paces);
        // One that is empty would begin round after round.
        let files = files.filter(|((_, samples), _)| **samples > 0);
        let threads: Vec<_> = files
            .map(|((file, _), pace)| scope.spawn(move || lanes.send_file(file, pace)))
            .collect();
        let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
        joined
            .map(|lane| lane.unwrap_or_else(|_| Err(Error::new("a sender panicked"))))
            .collect()
    });
    let wall = lanes.clock.now();
    let mut all = Sent {
        wall,
        ..Sent::default()
    };
    for result in results {
        let (log, rounds) = result?;
        all.requests += log.answers.len() as u64;
        all.samples += log.samples;
        all.retries += log.retries;
        all.rounds = all.rounds.max(rounds);
        all.answers.extend(log.answers);
    }
    Ok(all)
}

/// What the connections share.
#[derive(Debug)]
struct Lanes {
    address: SocketAddr,
    plan: Plan,
    rounds: Rounds,
    clock: RealClock,
    stop: AtomicBool,
}

impl Lanes {
    /// Sends a file as often as the plan says; returns also how often that was.
    fn send_file(&self, file: &Path, pace: Option<&Pace>) -> Result<(LaneLog, u64)> {
        let mut client = Client::new(self.address, ANSWER_MAX);
        let mut reader = None;
        let mut rounds = 0;
        let next = |body: &mut Vec<u8>| {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            self.next(file, &mut reader, &mut rounds, body)
        };
        let result = run_lane(&self.clock, pace, next, |body| send_one(&mut client, body));
        if result.is_err() {
            self.stop.store(true, Ordering::Relaxed);
        }
        Ok((result?, rounds))
    }

    /// The next request of a file that is read again and again; `rounds` counts how often it was
    /// begun.
    fn next(
        &self,
        file: &Path,
        reader: &mut Option<RequestReader>,
        rounds: &mut u64,
        body: &mut Vec<u8>,
    ) -> Result<Option<usize>> {
        loop {
            if let Some(reader) = reader {
                let shift_ms = self.plan.shift_ms(*rounds - 1);
                let request = reader.next_moved(body, shift_ms)?;
                if request.is_some() {
                    return Ok(request);
                }
            }
            if !self.rounds.goes_on(*rounds, self.clock.now()) {
                return Ok(None);
            }
            *reader = Some(RequestReader::open(file)?);
            *rounds += 1;
        }
    }
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
    use crate::START_MS;
    use crate::error::About;
    use crate::load::movable::Patch;
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

    /// A load of so many requests by connection, of 10 samples each, in `dir`.
    fn load(dir: &Path, requests: &[usize]) -> Result<Load> {
        let mut load = Load {
            files: Vec::new(),
            lane_samples: requests.iter().map(|count| *count as u64 * 10).collect(),
            requests: requests.iter().sum::<usize>() as u64,
            samples: requests.iter().sum::<usize>() as u64 * 10,
            series: 10,
            request_bytes: 0,
            start_ms: START_MS,
            end_ms: START_MS + 1,
            parts: Vec::new(),
        };
        for (lane, count) in requests.iter().enumerate() {
            let path = dir.join(lane.to_string());
            let mut writer = RequestWriter::create(&path)?;
            for number in 0..*count {
                // The last byte is the first one of the timestamp.
                let body = format!("{lane}/{number} ");
                let patch = Patch {
                    at: body.len() as u32 - 1,
                    index: 0,
                    timestamp_ms: START_MS,
                };
                writer.append(10, body.as_bytes(), &[patch])?;
            }
            writer.flush()?;
            load.files.push(path);
        }
        Ok(load)
    }

    /// Sends a load by a plan to a server that answers so.
    fn sent(
        requests: &[usize],
        plan: &Plan,
        statuses: &'static [u16],
    ) -> Result<(Sent, Vec<Vec<u8>>)> {
        let dir = tempfile::tempdir().about("temporary directory")?;
        let load = load(dir.path(), requests)?;
        let listener = TcpListener::bind("127.0.0.1:0").about("listen")?;
        let address = listener.local_addr().about("address")?;
        let connections = requests.iter().filter(|count| **count > 0).count();
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
        let sent = send(address, &load, plan)?;
        Ok((sent, server.join().unwrap()))
    }

    #[test]
    fn all_is_sent_once_and_in_order() -> Result<()> {
        let (sent, mut bodies) = sent(&[300, 2], &Plan::default(), &[])?;
        assert_eq!((sent.requests, sent.samples, sent.retries), (302, 3_020, 0));
        let latencies = sent.latencies();
        let (p50, max) = (latencies.quantile(0.5), latencies.quantile(1.0));
        assert!(p50 > Duration::ZERO && p50 <= max && max <= sent.wall);
        let of = |lane: usize, count: usize| {
            (0..count).map(move |n| format!("{lane}/{n} ").into_bytes())
        };
        // Whichever connection was accepted first.
        if bodies[0] == b"1/0 " {
            bodies.rotate_left(2);
        }
        assert!(bodies.into_iter().eq(of(0, 300).chain(of(1, 2))));
        Ok(())
    }

    #[test]
    fn what_passes_is_sent_again_and_what_does_not_ends_the_run() -> Result<()> {
        let (retried, bodies) = sent(&[2], &Plan::default(), &[503, 429, 204])?;
        assert_eq!((retried.requests, retried.retries), (2, 2));
        assert_eq!(bodies, [b"0/0 ", b"0/0 ", b"0/0 ", b"0/1 "]);
        let error = sent(&[2], &Plan::default(), &[204, 400]).unwrap_err();
        assert!(
            error.to_string().contains("400 (0 retries): sad"),
            "{error}"
        );
        Ok(())
    }

    #[test]
    fn a_schedule_is_kept() -> Result<()> {
        // 2,000 samples a second are 200 requests: 20 of them take 95 ms and more.
        let plan = Plan {
            samples_per_s: Some(2_000.0),
            repeat: None,
        };
        let (sent, _) = sent(&[10, 10], &plan, &[])?;
        assert_eq!((sent.requests, sent.rounds), (20, 1));
        assert!(sent.wall >= Duration::from_millis(95), "{:?}", sent.wall);
        assert_eq!(sent.own_delays().count(), 20);
        Ok(())
    }

    #[test]
    fn rounds_are_sent_by_all_with_times_that_go_on() -> Result<()> {
        let repeat = Repeat {
            duration: Duration::from_millis(1),
            first_shift_ms: 1,
            round_ms: 2,
        };
        let plan = Plan {
            samples_per_s: Some(60_000.0),
            repeat: Some(repeat),
        };
        // 60 samples a millisecond, of 30 a round.
        let (open, mut bodies) = sent(&[2, 1, 0], &plan, &[])?;
        assert_eq!((open.rounds, open.requests, open.samples), (2, 6, 60));
        bodies.sort();
        let stamp = |shift_ms: i64| (START_MS + shift_ms) as u8 & 0x7f | 0x80;
        let body = |text: &str, shift_ms: i64| [text.as_bytes(), &[stamp(shift_ms)]].concat();
        let mut expected = Vec::new();
        for text in ["0/0", "0/1", "1/0"] {
            expected.extend([body(text, 1), body(text, 3)]);
        }
        expected.sort();
        assert_eq!(bodies, expected);
        // In a closed loop at least one.
        let plan = Plan {
            samples_per_s: None,
            repeat: Some(repeat),
        };
        let (closed, bodies) = sent(&[2, 1], &plan, &[])?;
        assert!(closed.rounds >= 1 && closed.requests == 3 * closed.rounds);
        assert_eq!(bodies.len() as u64, closed.requests);
        Ok(())
    }
}
