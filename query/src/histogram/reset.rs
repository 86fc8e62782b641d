//! Whether a counter histogram began anew.

use super::arithmetic::{common_bounds, common_index, lower_index};
use super::bounds::upper_bound;
use super::{FloatHistogram, ResetHint};

impl FloatHistogram {
    /// Whether there was a counter reset between `previous` and this one.
    pub(crate) fn is_reset_after(&self, previous: &Self) -> bool {
        match self.reset_hint {
            ResetHint::Reset => return true,
            ResetHint::NoReset => return false,
            ResetHint::Unknown | ResetHint::Gauge => {}
        }
        if self.count < previous.count {
            return true;
        }
        if self.is_custom() {
            if !previous.is_custom() {
                return true;
            }
            if self.custom_bounds != previous.custom_bounds {
                return self.lost_in_common_bounds(previous);
            }
        }
        if self.schema > previous.schema || self.zero_threshold < previous.zero_threshold {
            return true;
        }
        let (zero_count, threshold, _) = previous.zero_count_within(self.zero_threshold, None);
        if threshold != self.zero_threshold || self.zero_count < zero_count {
            return true;
        }
        self.lost_any(&self.positive, &previous.positive, previous.schema)
            || self.lost_any(&self.negative, &previous.negative, previous.schema)
    }

    /// Whether a bucket outside the zero bucket holds less than before.
    fn lost_any(&self, now: &[(i32, f64)], before: &[(i32, f64)], schema: i32) -> bool {
        let custom = self.is_custom();
        let inside = |index| !custom && upper_bound(index, self.schema, &[]) <= self.zero_threshold;
        let mut merged: Vec<(i32, f64)> = Vec::with_capacity(before.len());
        for &(index, count) in before {
            let index = if custom || schema == self.schema {
                index
            } else {
                lower_index(index, schema, self.schema)
            };
            match merged.last_mut() {
                Some(last) if last.0 == index => last.1 += count,
                _ => merged.push((index, count)),
            }
        }
        merged
            .iter()
            .filter(|bucket| !inside(bucket.0))
            .any(|bucket| holds(now, bucket.0) < bucket.1)
    }

    fn lost_in_common_bounds(&self, previous: &Self) -> bool {
        let common = common_bounds(&self.custom_bounds, &previous.custom_bounds);
        let merge = |histogram: &Self| {
            let mut counts = vec![0.0; common.len() + 1];
            for &(index, count) in &histogram.positive {
                let at = common_index(index, &histogram.custom_bounds, &common);
                counts[at as usize] += count;
            }
            counts
        };
        let (now, before) = (merge(self), merge(previous));
        now.iter().zip(&before).any(|(now, before)| now < before)
    }
}

fn holds(buckets: &[(i32, f64)], index: i32) -> f64 {
    let at = buckets.binary_search_by_key(&index, |bucket| bucket.0);
    at.ok()
        .and_then(|at| buckets.get(at))
        .map_or(0.0, |bucket| bucket.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(schema: i32, buckets: &[(i32, f64)]) -> FloatHistogram {
        FloatHistogram {
            schema,
            count: buckets.iter().map(|bucket| bucket.1).sum(),
            positive: buckets.to_vec(),
            ..FloatHistogram::default()
        }
    }

    #[test]
    fn a_bucket_that_lost_something_is_a_reset() {
        let before = histogram(1, &[(1, 2.0), (2, 1.0)]);
        assert!(!histogram(1, &[(1, 2.0), (2, 1.0)]).is_reset_after(&before));
        assert!(histogram(1, &[(1, 9.0)]).is_reset_after(&before));
        // The same at half the resolution; more resolution only a new counter has.
        assert!(!histogram(0, &[(1, 3.0)]).is_reset_after(&before));
        assert!(histogram(0, &[(0, 9.0), (1, 2.0)]).is_reset_after(&before));
        assert!(histogram(2, &[(1, 9.0)]).is_reset_after(&before));
        let mut known = histogram(1, &[]);
        known.reset_hint = ResetHint::NoReset;
        assert!(!known.is_reset_after(&before));
    }
}
