//! When requests are due: the schedule of an open loop, and how often a load is sent.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// From the start until the first request is due, so that all senders are there by then.
const LEAD_IN: Duration = Duration::from_millis(20);

/// The schedule of one connection. A request is due once the connection should have sent all the
/// samples before it, whatever became of them: a server that stands still does not delay what is
/// due, and each request counts what it waited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    samples_per_s: f64,
    first: Duration,
}

impl Pace {
    /// The pace of each of several connections, which have so many samples to send and shall
    /// together send `samples_per_s`: all end at the same time, and their requests, of about
    /// `request_samples`, are due in turns rather than at once.
    pub(crate) fn of_lanes(
        samples_per_s: f64,
        lane_samples: &[u64],
        request_samples: u64,
    ) -> Vec<Self> {
        let all: u64 = lane_samples.iter().sum();
        let lanes = lane_samples.len() as f64;
        let pace = |(number, samples): (usize, &u64)| {
            let share = *samples as f64 / all.max(1) as f64;
            // Of a lane with nothing to send nothing is ever due.
            let samples_per_s = (samples_per_s * share).max(1e-3);
            let between = request_samples as f64 / samples_per_s;
            let turn = between * number as f64 / lanes;
            Self {
                samples_per_s,
                first: LEAD_IN + Duration::from_secs_f64(turn.min(60.0)),
            }
        };
        lane_samples.iter().enumerate().map(pace).collect()
    }

    /// When the request is due before which the connection sends so many samples, since the start.
    pub(crate) fn due(&self, samples_before: u64) -> Duration {
        self.first + Duration::from_secs_f64(samples_before as f64 / self.samples_per_s)
    }
}

/// How often the load is sent: all connections send it equally often, so that what was written
/// is known.
#[derive(Debug)]
pub(crate) enum Rounds {
    /// So often.
    Fixed(u64),
    /// Until this much time has passed.
    Until {
        /// Since the start.
        end: Duration,
        /// How many rounds some connection has begun: the others follow.
        begun: Mutex<u64>,
    },
}

impl Rounds {
    /// Rounds that together take at least so long at this rate; at least one.
    pub(crate) fn at_rate(samples_per_s: f64, samples: u64, duration: Duration) -> Self {
        let rounds = duration.as_secs_f64() * samples_per_s / samples.max(1) as f64;
        Self::Fixed((rounds.ceil() as u64).max(1))
    }

    /// Rounds as long as they begin before `end`.
    pub(crate) fn until(end: Duration) -> Self {
        let begun = Mutex::new(0);
        Self::Until { end, begun }
    }

    /// Whether a connection sends the load once more: the rounds before, so many, are done, and
    /// so much time has passed.
    pub(crate) fn goes_on(&self, done: u64, now: Duration) -> bool {
        match self {
            Self::Fixed(rounds) => done < *rounds,
            Self::Until { end, begun } => {
                let mut begun = begun.lock().unwrap_or_else(PoisonError::into_inner);
                if done < *begun {
                    return true;
                }
                let on = done == 0 || now < *end;
                if on {
                    *begun = done + 1;
                }
                on
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn lanes_share_the_rate_and_take_turns() {
        // 20,000 samples/s: of 100,000 and 300,000 samples, 5,000/s and 15,000/s.
        let lanes = Pace::of_lanes(20_000.0, &[100_000, 300_000], 2_000);
        assert_eq!(lanes[0].due(0), LEAD_IN);
        assert_eq!(lanes[0].due(2_000) - lanes[0].due(0), 400 * MS);
        // Its requests are 133 ms apart, and the second of two lanes begins half of that later.
        let turn = (lanes[1].due(0) - LEAD_IN).as_millis();
        assert_eq!(turn, 66);
        let ends = [lanes[0].due(100_000), lanes[1].due(300_000)];
        assert_eq!(ends[0] - LEAD_IN, Duration::from_secs(20));
        assert!(ends[1] - ends[0] < 67 * MS);
        // Nothing to send, and nothing at all.
        assert_eq!(Pace::of_lanes(1.0, &[0], 0)[0].due(0), LEAD_IN);
        assert!(Pace::of_lanes(1.0, &[], 0).is_empty());
    }

    #[test]
    fn a_rate_gives_the_rounds() {
        let rounds = |rate, samples, s| {
            let rounds = Rounds::at_rate(rate, samples, Duration::from_secs(s));
            (0..)
                .take_while(|done| rounds.goes_on(*done, Duration::MAX))
                .count()
        };
        assert_eq!(rounds(100.0, 1_000, 25), 3);
        assert_eq!(rounds(100.0, 1_000, 20), 2);
        assert_eq!(rounds(100.0, 1_000, 0), 1);
    }

    #[test]
    fn what_one_connection_begins_all_do() {
        let rounds = Rounds::until(100 * MS);
        assert!(rounds.goes_on(0, Duration::ZERO));
        assert!(rounds.goes_on(1, 99 * MS));
        // Late, but another has begun it.
        assert!(rounds.goes_on(0, 150 * MS));
        assert!(rounds.goes_on(1, 200 * MS));
        assert!(!rounds.goes_on(2, 201 * MS));
        // The first round is sent, however short the time.
        let none = Rounds::until(Duration::ZERO);
        assert!(none.goes_on(0, 5 * MS) && !none.goes_on(1, 5 * MS));
    }
}
