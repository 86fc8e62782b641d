//! How a run went on: latency and memory from ten seconds to ten seconds, and whether memory
//! stays as it is.

use std::cmp::Reverse;

use serde::Serialize;

use super::{millis, round};
use crate::measure::process::Rss;
use crate::measure::sampler::WINDOW;
use crate::send::{Answer, Latencies, Sent};
use crate::watch::Event;

/// How a run went on.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Course {
    /// From the first request to the last answer.
    pub windows: Vec<Window>,
    /// The requests that took longest, the longest first.
    pub slowest: Vec<Slow>,
    /// When something was flushed or merged.
    pub events: Vec<Event>,
    /// What became of the memory; not where the run was too short to tell.
    pub memory: Option<Trend>,
}

/// A request that took long.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Slow {
    /// Seconds since the start of the run at which it was answered.
    pub at_s: f64,
    /// How long it took.
    pub latency_ms: f64,
}

/// Ten seconds of a run.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Window {
    /// Seconds from the start of the run to the start of the window.
    pub from_s: u64,
    /// Requests that were acknowledged in it.
    pub requests: usize,
    /// The 99th percentile of their latency.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// Resident memory at its most; not of the last one, in which the load ended.
    pub rss: Option<Rss>,
}

/// Whether resident memory, of its own and of files, stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Trend {
    /// The most in the first half of the run.
    pub first_half_bytes: u64,
    /// The most in the last half.
    pub last_half_bytes: u64,
    /// The most of its own memory alone, without files, in the first half.
    pub first_half_anon_bytes: u64,
    /// The same in the last half.
    pub last_half_anon_bytes: u64,
    /// The slope of a line through the windows of the last half, in bytes a minute.
    pub slope_bytes_per_min: f64,
}

/// How many requests that took long are kept.
const SLOWEST: usize = 20;
/// Fewer windows tell nothing of halves.
const WINDOWS_MIN: usize = 4;

/// The course of a run from what was sent, its memory by window and what happened meanwhile.
pub(crate) fn course(sent: &Sent, memory: &[Rss], events: Vec<Event>) -> Course {
    // Memory was looked at beyond the last answer: of a window in which that came, nobody knows
    // which part of it had the most.
    let whole = (sent.wall.as_millis() / WINDOW.as_millis()) as usize;
    Course {
        events,
        ..of_answers(&sent.answers, &memory[..whole.min(memory.len())])
    }
}

fn of_answers(answers: &[Answer], memory: &[Rss]) -> Course {
    let window_of = |answer: &Answer| (answer.at().as_millis() / WINDOW.as_millis()) as usize;
    let count = answers
        .iter()
        .map(window_of)
        .max()
        .map_or(0, |last| last + 1);
    let mut latencies = vec![Vec::new(); count];
    for answer in answers {
        if let Some(window) = latencies.get_mut(window_of(answer)) {
            window.push(answer.latency());
        }
    }
    let windows = latencies.into_iter().enumerate();
    let windows = windows.map(|(number, times)| {
        let times: Latencies = times.into_iter().collect();
        Window {
            from_s: number as u64 * WINDOW.as_secs(),
            requests: times.count(),
            p99_ms: millis(times.quantile(0.99)),
            max_ms: millis(times.quantile(1.0)),
            rss: memory.get(number).copied(),
        }
    });
    Course {
        windows: windows.collect(),
        slowest: slowest(answers),
        events: Vec::new(),
        memory: trend(memory),
    }
}

fn slowest(answers: &[Answer]) -> Vec<Slow> {
    let mut answers: Vec<&Answer> = answers.iter().collect();
    answers.sort_unstable_by_key(|answer| Reverse(answer.latency()));
    let slow = answers.into_iter().take(SLOWEST).map(|answer| Slow {
        at_s: round(answer.at().as_secs_f64()),
        latency_ms: millis(answer.latency()),
    });
    slow.collect()
}

fn trend(memory: &[Rss]) -> Option<Trend> {
    if memory.len() < WINDOWS_MIN {
        return None;
    }
    let (first, last) = memory.split_at(memory.len() / 2);
    let most = |half: &[Rss]| half.iter().map(Rss::total_bytes).max().unwrap_or(0);
    let most_anon = |half: &[Rss]| half.iter().map(|rss| rss.anon_bytes).max().unwrap_or(0);
    Some(Trend {
        first_half_bytes: most(first),
        last_half_bytes: most(last),
        first_half_anon_bytes: most_anon(first),
        last_half_anon_bytes: most_anon(last),
        slope_bytes_per_min: slope_per_min(last),
    })
}

/// Least squares (any textbook): covariance of time and memory by variance of time.
fn slope_per_min(windows: &[Rss]) -> f64 {
    let minutes = |number: usize| number as f64 * WINDOW.as_secs_f64() / 60.0;
    let count = windows.len() as f64;
    let mean_x = minutes(windows.len() - 1) / 2.0;
    let mean_y = windows
        .iter()
        .map(|rss| rss.total_bytes() as f64)
        .sum::<f64>()
        / count;
    let (mut covariance, mut variance) = (0.0, 0.0);
    for (number, rss) in windows.iter().enumerate() {
        let x = minutes(number) - mean_x;
        covariance += x * (rss.total_bytes() as f64 - mean_y);
        variance += x * x;
    }
    round(covariance / variance.max(1e-9))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn rss(mib: u64) -> Rss {
        Rss {
            anon_bytes: mib << 20,
            file_bytes: 1 << 20,
        }
    }

    #[test]
    fn memory_that_grows_is_told_from_a_saw() {
        let grows: Vec<Rss> = (0..60).map(|n| rss(100 + n)).collect();
        let found = trend(&grows).unwrap();
        assert_eq!(found.first_half_bytes, 130 << 20);
        assert_eq!(found.last_half_anon_bytes, 159 << 20);
        // One MiB in ten seconds.
        assert_eq!(found.slope_bytes_per_min, f64::from(6 << 20));
        let saw: Vec<Rss> = (0..60).map(|n| rss(100 + n % 10)).collect();
        let found = trend(&saw).unwrap();
        assert_eq!(found.first_half_bytes, found.last_half_bytes);
        assert!(found.slope_bytes_per_min.abs() < f64::from(1 << 20));
        assert_eq!(trend(&grows[..3]), None);
    }

    #[test]
    fn answers_stand_in_the_window_of_their_end() {
        let answer = |at_s: u64, ms: u64| {
            let (at, took) = (Duration::from_secs(at_s), Duration::from_millis(ms));
            Answer::unscheduled(at - took, at)
        };
        let answers = [answer(1, 5), answer(31, 7), answer(9, 2), answer(30, 1)];
        let memory = [1, 2, 3, 4, 900].map(rss);
        let sent = |wall_s: u64| Sent {
            wall: Duration::from_secs(wall_s),
            answers: answers.to_vec(),
            ..Sent::default()
        };
        let found = course(&sent(41), &memory, Vec::new());
        let slowest: Vec<_> = found
            .slowest
            .iter()
            .map(|s| (s.at_s, s.latency_ms))
            .collect();
        assert_eq!(slowest[..2], [(31.0, 7.0), (1.0, 5.0)]);
        let windows: Vec<_> = found
            .windows
            .iter()
            .map(|w| (w.from_s, w.requests, w.max_ms))
            .collect();
        assert_eq!(
            windows,
            [(0, 2, 5.0), (10, 0, 0.0), (20, 0, 0.0), (30, 2, 7.0)]
        );
        // Not what came after the load.
        assert_eq!(found.memory.unwrap().last_half_bytes, 5 << 20);
        assert_eq!(found.windows[3].rss, Some(rss(4)));
        let found = course(&sent(39), &memory, Vec::new());
        assert_eq!((found.windows[3].rss, found.memory), (None, None));
        assert!(
            course(&Sent::default(), &memory, Vec::new())
                .windows
                .is_empty()
        );
    }
}
