//! Reads a load back: nothing that was acknowledged may be missing.

use serde_json::Value;

use crate::error::{About, Error, Result};
use crate::http::{Client, percent_encode};
use crate::load::{Load, Part};
use crate::peer::Peer;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct ReadBack {
    /// Samples that queries counted.
    pub(crate) samples: u64,
    /// Samples that should have been.
    pub(crate) expected: u64,
    /// The parts of the load in which they differ, in words; the first few.
    pub(crate) wrong: Vec<String>,
}

/// How many parts are named.
const WRONG_MAX: usize = 5;

/// What was written: a load, so often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written<'a> {
    pub(crate) load: &'a Load,
    pub(crate) rounds: u64,
    /// By how much the samples of the first round were later than in the load, in whole seconds.
    pub(crate) first_shift_s: i64,
    /// By how much those of each round were later than those of the one before.
    pub(crate) round_s: i64,
}

/// Samples that one query counts at most: some programs have a limit to what they read at once.
const QUERY_SAMPLES_MAX: u64 = 20_000_000;

/// How long a round of a load is at least, in seconds: its samples, and a second or two on both
/// sides, so that a window in whole seconds holds all of a round and nothing of the next.
pub(crate) fn round_s(load: &Load) -> i64 {
    (load.end_ms - load.start_ms).max(0).div_euclid(1_000) + 4
}

impl Written<'_> {
    /// The windows in which a part is counted: how many rounds, and the end and the length of the
    /// window in seconds. A window is open to the left.
    fn windows(&self, part: &Part) -> Vec<(u64, i64, i64)> {
        let rounds = (QUERY_SAMPLES_MAX / part.samples.max(1)).max(1);
        let first_s = self.load.start_ms.div_euclid(1_000) - 1 + self.first_shift_s;
        let mut windows = Vec::new();
        let mut done = 0;
        while done < self.rounds {
            let count = rounds.min(self.rounds - done);
            done += count;
            let end_s = first_s + done.cast_signed() * self.round_s;
            windows.push((count, end_s, count.cast_signed() * self.round_s));
        }
        windows
    }
}

/// Counts the samples of each part of the load by queries.
///
/// # Errors
/// A query that is refused.
pub(crate) fn read_back(client: &mut Client, peer: Peer, written: &Written) -> Result<ReadBack> {
    let mut all = ReadBack::default();
    for part in &written.load.parts {
        for (rounds, end_s, window_s) in written.windows(part) {
            let count = count_in(client, part, end_s, window_s)?;
            all.add(part, peer, rounds, count);
        }
    }
    Ok(all)
}

/// How many samples of a part a query counts.
fn count_in(client: &mut Client, part: &Part, end_s: i64, window_s: i64) -> Result<u64> {
    let query = format!("sum(count_over_time({}[{window_s}s]))", part.selector);
    let path = format!(
        "/api/v1/query?time={end_s}&query={}",
        percent_encode(&query)
    );
    let reply = client.get(&path)?;
    if !reply.is_success() {
        let (status, text) = (reply.status, reply.text());
        return Err(Error::new(format!(
            "{query} was answered with {status}: {text}"
        )));
    }
    let answer: Value = serde_json::from_slice(&reply.body).about(&query)?;
    count(&answer).ok_or_else(|| Error::new(format!("{query}: {answer}")))
}

impl ReadBack {
    fn add(&mut self, part: &Part, peer: Peer, rounds: u64, count: u64) {
        let nans = if peer.stores_nans() { 0 } else { part.nans };
        let expected = (part.samples - nans) * rounds;
        self.samples += count;
        self.expected += expected;
        if count != expected && self.wrong.len() < WRONG_MAX {
            let selector = &part.selector;
            self.wrong.push(format!(
                "{selector}: {count} samples where {expected} were written"
            ));
        }
    }
}

/// The number in a vector of one element; 0 for an empty one.
fn count(answer: &Value) -> Option<u64> {
    match answer["data"]["result"].as_array()?.as_slice() {
        [] => Some(0),
        [element] => {
            let value: f64 = element["value"][1].as_str()?.parse().ok()?;
            (value >= 0.0 && value.fract() == 0.0).then_some(value as u64)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers() {
        let of = |result: Value| count(&json!({"status": "success", "data": {"result": result}}));
        assert_eq!(of(json!([])), Some(0));
        assert_eq!(
            of(json!([{"metric": {}, "value": [1.5, "2.6e+07"]}])),
            Some(26_000_000)
        );
        assert_eq!(of(json!([{"value": [1, "NaN"]}])), None);
        assert_eq!(of(json!([{"value": [1, "1"]}, {"value": [1, "1"]}])), None);
        assert_eq!(count(&json!({"status": "error"})), None);
    }

    #[test]
    fn windows_hold_whole_rounds() {
        let part = Part {
            selector: "a".to_owned(),
            samples: 9_000_000,
            nans: 0,
        };
        let load = Load {
            files: Vec::new(),
            lane_samples: Vec::new(),
            requests: 1,
            samples: 9_000_000,
            series: 1,
            request_bytes: 1,
            start_ms: 1_700_000_000_999,
            end_ms: 1_700_000_060_998,
            parts: Vec::new(),
        };
        let written = Written {
            load: &load,
            rounds: 5,
            first_shift_s: -1_000,
            round_s: round_s(&load),
        };
        let windows = written.windows(&part);
        let counts: Vec<u64> = windows.iter().map(|(count, ..)| *count).collect();
        assert_eq!(counts, [2, 2, 1]);
        // They lie side by side, the samples of a round a second within each.
        let begins = windows.iter().map(|(_, end_s, window_s)| end_s - window_s);
        let ends = windows.iter().map(|(_, end_s, _)| *end_s);
        assert!(begins.skip(1).eq(ends.take(2)));
        let mut round = 0;
        for (count, end_s, window_s) in windows {
            let shift_ms = |round: i64| (written.first_shift_s + round * written.round_s) * 1_000;
            let first_ms = load.start_ms + shift_ms(round);
            round += count.cast_signed();
            let last_ms = load.end_ms + shift_ms(round - 1);
            assert!((end_s - window_s) * 1_000 <= first_ms - 1_000);
            assert!(end_s * 1_000 >= last_ms + 1_000);
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let part = Part {
            selector: "{instance=\"a\"}".to_owned(),
            samples: 10,
            nans: 2,
        };
        let mut all = ReadBack::default();
        all.add(&part, Peer::VictoriaMetrics, 1, 8);
        all.add(&part, Peer::Prometheus, 1, 10);
        assert_eq!((all.samples, all.expected, all.wrong.len()), (18, 18, 0));
        all.add(&part, Peer::Silverback, 1, 8);
        all.add(&part, Peer::VictoriaMetrics, 2, 16);
        assert_eq!((all.samples, all.expected), (42, 44));
        assert_eq!(
            all.wrong,
            ["{instance=\"a\"}: 8 samples where 10 were written"]
        );
    }
}
