//! One connection at work: what it sends when, and how long each request took.

use std::thread;
use std::time::{Duration, Instant};

use super::latency::Answer;
use super::pace::Pace;
use crate::error::Result;

/// Time since the start of a run.
pub(crate) trait Clock {
    fn now(&self) -> Duration;
    /// Waits until that time; not at all where it has passed.
    fn wait_until(&self, time: Duration);
}

/// The real one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RealClock {
    began: Instant,
}

impl RealClock {
    /// A clock that starts now.
    pub(crate) fn start() -> Self {
        Self {
            began: Instant::now(),
        }
    }
}

impl Clock for RealClock {
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn wait_until(&self, time: Duration) {
        // A thread that spun until the very microsecond would take the CPU from the server; what
        // it oversleeps is counted, and said beside the latency.
        thread::sleep(time.saturating_sub(self.now()));
    }
}

/// What a connection sent.
#[derive(Debug, Default)]
pub(crate) struct LaneLog {
    pub(crate) samples: u64,
    pub(crate) retries: u64,
    pub(crate) answers: Vec<Answer>,
}

/// Sends requests one after the other until there are no more. With a pace each waits until it
/// is due; one that is due while the connection is busy is sent as soon as it is free.
///
/// `next` puts the next request in place of what is in the buffer and returns its samples,
/// `post` sends it until it is acknowledged and returns how often it was sent again.
///
/// # Errors
/// The first of `next` and `post`.
pub(crate) fn run_lane(
    clock: &impl Clock,
    pace: Option<&Pace>,
    mut next: impl FnMut(&mut Vec<u8>) -> Result<Option<usize>>,
    mut post: impl FnMut(&[u8]) -> Result<u64>,
) -> Result<LaneLog> {
    let mut log = LaneLog::default();
    let mut body = Vec::new();
    let mut free = Duration::ZERO;
    while let Some(samples) = next(&mut body)? {
        let due = pace.map(|pace| pace.due(log.samples));
        if let Some(due) = due {
            clock.wait_until(due);
        }
        let sent = clock.now();
        log.retries += post(&body)?;
        let answered = clock.now();
        log.answers.push(match due {
            Some(due) => Answer::scheduled(due, free, sent, answered),
            None => Answer::unscheduled(sent, answered),
        });
        free = answered;
        log.samples += samples as u64;
    }
    Ok(log)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A clock that stands still unless somebody waits; it oversleeps by `oversleeps`.
    #[derive(Debug, Default)]
    struct FakeClock {
        now: Cell<Duration>,
        oversleeps: Duration,
    }

    impl Clock for FakeClock {
        fn now(&self) -> Duration {
            self.now.get()
        }

        fn wait_until(&self, time: Duration) {
            if time > self.now() {
                self.now.set(time + self.oversleeps);
            }
        }
    }

    /// The log of a server that takes so many milliseconds for each request of 10 samples.
    fn log(pace: Option<&Pace>, oversleeps: Duration, takes_ms: &[u32]) -> Result<LaneLog> {
        let clock = FakeClock {
            oversleeps,
            ..FakeClock::default()
        };
        let (mut sent, mut takes) = (0, takes_ms.iter());
        let next = |body: &mut Vec<u8>| {
            sent += 1;
            body.clear();
            Ok((sent <= takes_ms.len()).then_some(10))
        };
        let post = |_: &[u8]| {
            let takes = *takes.next().unwrap_or(&0);
            clock.now.set(clock.now() + takes * MS);
            Ok(u64::from(takes > 99))
        };
        run_lane(&clock, pace, next, post)
    }

    fn latencies_ms(log: &LaneLog) -> Vec<u128> {
        let latencies = log.answers.iter().map(Answer::latency);
        latencies.map(|latency| latency.as_millis()).collect()
    }

    /// A request each 10 ms.
    fn pace() -> Pace {
        Pace::of_lanes(1_000.0, &[1_000], 10)[0]
    }

    #[test]
    fn a_request_that_is_due_while_the_connection_is_busy_counts_its_wait() -> Result<()> {
        // A stall of 35 ms: the three requests after it were due meanwhile.
        let stalled = log(Some(&pace()), Duration::ZERO, &[1, 35, 1, 1, 1, 1])?;
        assert_eq!(latencies_ms(&stalled), [1, 35, 26, 17, 8, 1]);
        assert_eq!((stalled.samples, stalled.retries), (60, 0));
        // A closed loop sees one slow request, and not what was kept from being sent.
        let closed = log(None, Duration::ZERO, &[1, 35, 1, 1, 1, 1])?;
        assert_eq!(latencies_ms(&closed), [1, 35, 1, 1, 1, 1]);
        Ok(())
    }

    #[test]
    fn a_server_that_is_too_slow_gets_ever_later() -> Result<()> {
        let slow = log(Some(&pace()), Duration::ZERO, &[15; 5])?;
        assert_eq!(latencies_ms(&slow), [15, 20, 25, 30, 35]);
        assert!(slow.answers.iter().all(|a| a.own_delay().is_zero()));
        Ok(())
    }

    #[test]
    fn what_the_sender_oversleeps_counts_and_is_told_apart() -> Result<()> {
        let sleepy = log(Some(&pace()), 2 * MS, &[1, 15, 1])?;
        // The third was due while the second was on its way: nobody slept.
        assert_eq!(latencies_ms(&sleepy), [3, 17, 8]);
        let own: Vec<_> = sleepy.answers.iter().map(Answer::own_delay).collect();
        assert_eq!(own, [2 * MS, 2 * MS, Duration::ZERO]);
        Ok(())
    }

    #[test]
    fn retries_are_counted() -> Result<()> {
        assert_eq!(log(None, Duration::ZERO, &[1, 100, 100])?.retries, 2);
        Ok(())
    }
}
