//! The start timestamps of the points of one list of a series, beside the list.

use crate::chunk::StartRun;

/// Runs of points, one after the other.
#[derive(Debug, Default)]
pub(super) struct StartRuns {
    runs: Vec<StartRun>,
}

/// What a run says of a point with those timestamps.
fn value_of(run: &StartRun, timestamp_ms: i64, start_timestamp_ms: i64) -> i64 {
    match run.is_distance {
        true => timestamp_ms.wrapping_sub(start_timestamp_ms),
        false => start_timestamp_ms,
    }
}

impl StartRuns {
    /// Adds the start timestamp of the point with that ordinal, above those before.
    pub(super) fn push(&mut self, ordinal: u64, timestamp_ms: i64, start_timestamp_ms: i64) {
        let mut is_distance = false;
        if let Some(run) = self.runs.last_mut().filter(|run| run.end() == ordinal) {
            let value = value_of(run, timestamp_ms, start_timestamp_ms);
            if value == run.value && run.count < u32::MAX {
                run.count += 1;
                return;
            }
            // What is not the one may be the other.
            is_distance = !run.is_distance;
        }
        let mut run = StartRun {
            ordinal,
            value: 0,
            count: 1,
            is_distance,
        };
        run.value = value_of(&run, timestamp_ms, start_timestamp_ms);
        if self.runs.len() == self.runs.capacity() {
            self.runs.reserve_exact(1 + self.runs.len() / 4);
        }
        self.runs.push(run);
    }

    /// The start timestamp of the point with that ordinal and timestamp.
    pub(super) fn get(&self, ordinal: u64, timestamp_ms: i64) -> Option<i64> {
        StartRun::find(&self.runs, ordinal, timestamp_ms)
    }

    /// The runs, in rising order.
    pub(super) fn runs(&self) -> &[StartRun] {
        &self.runs
    }

    /// Bytes of the runs.
    pub(super) fn bytes(&self) -> usize {
        self.runs.capacity() * size_of::<StartRun>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_start_and_one_distance_are_a_run_each() {
        for (start, runs) in [(|_| 5, 1), (|t: i64| t - 15_000, 2)] as [(fn(i64) -> i64, usize); 2]
        {
            let mut starts = StartRuns::default();
            for ordinal in 0..1000 {
                let timestamp_ms = ordinal as i64 * 15_000;
                starts.push(ordinal, timestamp_ms, start(timestamp_ms));
            }
            assert_eq!(starts.runs.len(), runs);
        }
    }

    proptest! {
        #[test]
        fn starts_come_back(
            steps in prop::collection::vec(
                (0..5u8, any::<i64>(), prop_oneof![Just(10i64), any::<i64>()]), 0..60
            ),
        ) {
            let mut starts = StartRuns::default();
            let mut model = Vec::new();
            for (ordinal, (kind, any, step)) in (0u64..).zip(steps) {
                let timestamp_ms = (ordinal as i64).wrapping_mul(step);
                let start = match kind {
                    0 => None,
                    1 => Some(any),
                    2 => Some(7),
                    _ => Some(timestamp_ms.wrapping_sub(10)),
                };
                if let Some(start) = start {
                    starts.push(ordinal, timestamp_ms, start);
                }
                model.push((timestamp_ms, start));
            }
            for (ordinal, (timestamp_ms, start)) in (0u64..).zip(&model) {
                prop_assert_eq!(starts.get(ordinal, *timestamp_ms), *start);
            }
            prop_assert_eq!(starts.get(model.len() as u64, 0), None);
        }
    }
}
