//! Histograms as texts, as Prometheus writes them.

use std::fmt;

use super::{Bucket, FloatHistogram};
use crate::functions::numeric::go_float;

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = if self.lower_inclusive { '[' } else { '(' };
        let close = if self.upper_inclusive { ']' } else { ')' };
        let [lower, upper, count] = [self.lower, self.upper, self.count].map(go_float);
        write!(f, "{open}{lower},{upper}{close}:{count}")
    }
}

impl fmt::Display for FloatHistogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{{count:{}, sum:{}",
            go_float(self.count),
            go_float(self.sum)
        )?;
        let is_empty = |bucket: &&(i32, f64)| bucket.1 == 0.0;
        for &bucket in self.negative.iter().rev().filter(|it| !is_empty(it)) {
            write!(f, ", {}", self.negative_bucket(bucket))?;
        }
        if self.zero_count != 0.0 {
            write!(f, ", {}", self.zero_bucket())?;
        }
        for &bucket in self.positive.iter().filter(|it| !is_empty(it)) {
            write!(f, ", {}", self.positive_bucket(bucket))?;
        }
        f.write_str("}")
    }
}
