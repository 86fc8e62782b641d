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

/// Counts the samples of each part of the load by a query.
///
/// # Errors
/// A query that is refused.
pub(crate) fn read_back(client: &mut Client, peer: Peer, load: &Load) -> Result<ReadBack> {
    let mut all = ReadBack::default();
    // The window is open to the left; a second more on both sides.
    let end_s = load.end_ms.div_euclid(1_000) + 1;
    let window_s = end_s - load.start_ms.div_euclid(1_000) + 1;
    for part in &load.parts {
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
        let count = count(&answer).ok_or_else(|| Error::new(format!("{query}: {answer}")))?;
        all.add(part, peer, count);
    }
    Ok(all)
}

impl ReadBack {
    fn add(&mut self, part: &Part, peer: Peer, count: u64) {
        let nans = if peer.stores_nans() { 0 } else { part.nans };
        let expected = part.samples - nans;
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
    fn what_is_missing_is_named() {
        let part = Part {
            selector: "{instance=\"a\"}".to_owned(),
            samples: 10,
            nans: 2,
        };
        let mut all = ReadBack::default();
        all.add(&part, Peer::VictoriaMetrics, 8);
        all.add(&part, Peer::Prometheus, 10);
        assert_eq!((all.samples, all.expected, all.wrong.len()), (18, 18, 0));
        all.add(&part, Peer::Silverback, 8);
        assert_eq!((all.samples, all.expected), (26, 28));
        assert_eq!(
            all.wrong,
            ["{instance=\"a\"}: 8 samples where 10 were written"]
        );
    }
}
