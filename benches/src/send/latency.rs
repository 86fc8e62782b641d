//! How long requests took.

use std::time::Duration;

/// A request that was acknowledged: three times in microseconds, so that millions of them take
/// little room; those above 71 minutes count as that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    at_us: u32,
    latency_us: u32,
    own_delay_us: u32,
}

impl Answer {
    /// One of an open loop: due at a time, sent once its connection was free, answered. All times
    /// are since the start.
    pub(crate) fn scheduled(
        due: Duration,
        free: Duration,
        sent: Duration,
        answered: Duration,
    ) -> Self {
        Self {
            at_us: micros(answered),
            latency_us: micros(answered.saturating_sub(due)),
            own_delay_us: micros(sent.saturating_sub(due.max(free))),
        }
    }

    /// One of a closed loop.
    pub(crate) fn unscheduled(sent: Duration, answered: Duration) -> Self {
        Self::scheduled(sent, sent, sent, answered)
    }

    /// When it was answered, since the start.
    pub(crate) fn at(&self) -> Duration {
        Duration::from_micros(self.at_us.into())
    }

    /// From when it was due (in a closed loop: sent) until it was acknowledged.
    pub(crate) fn latency(&self) -> Duration {
        Duration::from_micros(self.latency_us.into())
    }

    /// The part of it for which the sender is to blame: the connection was free and the request
    /// due, and it was not sent yet.
    pub(crate) fn own_delay(&self) -> Duration {
        Duration::from_micros(self.own_delay_us.into())
    }
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

/// Times, sorted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The smallest latency that at least this share of the requests, from 0 to 1, did not
    /// exceed; zero where there were no requests.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.max(1) - 1).copied().unwrap_or_default()
    }

    /// How many are longer than that.
    pub(crate) fn above(&self, limit: Duration) -> usize {
        self.0.len() - self.0.partition_point(|latency| *latency <= limit)
    }
}

impl FromIterator<Duration> for Latencies {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Self {
        let mut times: Vec<_> = times.into_iter().collect();
        times.sort_unstable();
        Self(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles() {
        let ten: Latencies = (1..=10).rev().map(Duration::from_millis).collect();
        let quantiles = [0.0, 0.5, 0.51, 0.99, 1.0].map(|share| ten.quantile(share).as_millis());
        assert_eq!(quantiles, [1, 5, 6, 10, 10]);
        let above = [0, 9, 10].map(|ms| ten.above(Duration::from_millis(ms)));
        assert_eq!(above, [10, 1, 0]);
        assert_eq!(Latencies::default().quantile(0.5), Duration::ZERO);
    }

    #[test]
    fn times_beyond_what_fits_are_as_long_as_fits() {
        let long = Duration::from_secs(100_000);
        let answer = Answer::scheduled(Duration::ZERO, Duration::ZERO, long, long);
        assert!(answer.latency() > Duration::from_secs(4_000));
        assert_eq!(answer.at(), answer.own_delay());
    }
}
