//! What makes a histogram one that can be stored and computed with.

use std::fmt;

use thiserror::Error;

use super::{BucketSpan, CUSTOM_SCHEMA, Histogram, HistogramCounts};

/// The buckets above zero or those below.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Buckets of positive values; those of custom bounds.
    Positive,
    /// Buckets of negative values.
    Negative,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Positive => "positive",
            Self::Negative => "negative",
        })
    }
}

/// Why a histogram is refused. Spans and buckets are counted from 1.
#[derive(Clone, PartialEq, Debug, Error)]
pub enum HistogramError {
    /// A schema that says nothing about bounds.
    #[error(
        "histogram has schema {schema}: it must be from -4 to 8, or -53 for custom bucket bounds"
    )]
    Schema {
        /// The schema.
        schema: i8,
    },
    /// A span that goes back, or before the first custom bucket.
    #[error("{side} span {number} of the histogram has the negative offset {offset}")]
    SpanOffset {
        /// Where.
        side: Side,
        /// Which span.
        number: usize,
        /// Its offset.
        offset: i32,
    },
    /// Spans that lead to a bucket whose index is no i32.
    #[error("{side} span {number} of the histogram goes beyond the last bucket there can be")]
    SpanRange {
        /// Where.
        side: Side,
        /// Which span.
        number: usize,
    },
    /// More or fewer buckets than the spans have.
    #[error("{side} spans of the histogram have {spans} buckets, and {buckets} are given")]
    BucketsMismatch {
        /// Where.
        side: Side,
        /// Buckets by the spans.
        spans: u64,
        /// Buckets there are.
        buckets: usize,
    },
    /// Less than no observation.
    #[error("{side} bucket {number} of the histogram has the negative count {count}")]
    NegativeBucket {
        /// Where.
        side: Side,
        /// Which bucket.
        number: usize,
        /// Its count.
        count: f64,
    },
    /// Less than no observation in the zero bucket.
    #[error("the zero bucket of the histogram has the negative count {count}")]
    NegativeZeroBucket {
        /// Its count.
        count: f64,
    },
    /// Less than no observation at all.
    #[error("the histogram has the negative count {count}")]
    NegativeCount {
        /// The count.
        count: f64,
    },
    /// Buckets that hold more, or fewer, observations than there are. With a sum that is NaN they
    /// may hold fewer: observations of NaN are in no bucket.
    #[error("the buckets of the histogram hold {buckets} observations, and its count is {count}")]
    CountMismatch {
        /// Observations in buckets.
        buckets: u128,
        /// The count.
        count: u64,
    },
    /// A custom bound that is NaN or infinite.
    #[error("custom bound {number} of the histogram is {bound}: bounds must be finite")]
    BoundNotFinite {
        /// Which bound.
        number: usize,
        /// The bound.
        bound: f64,
    },
    /// Custom bounds that do not rise.
    #[error("custom bounds of the histogram must rise: {bound} follows {previous}")]
    BoundsOrder {
        /// A bound.
        bound: f64,
        /// The one before.
        previous: f64,
    },
    /// More buckets than the bounds make.
    #[error("{bounds} custom bounds of the histogram make too few buckets for spans up to {end}")]
    BoundsTooFew {
        /// How many bounds.
        bounds: usize,
        /// Where the last span ends.
        end: u64,
    },
    /// Custom bounds, and a schema that has bounds of its own.
    #[error("the histogram has custom bounds, and schema {schema} has bounds of its own")]
    BoundsUnused {
        /// The schema.
        schema: i8,
    },
    /// Something that a histogram with custom bounds cannot have.
    #[error("the histogram has custom bounds and {what}, which goes with exponential buckets only")]
    NotCustom {
        /// What it has.
        what: &'static str,
    },
}

impl Histogram {
    /// Checks what everything that computes with histograms counts on, as Prometheus does before
    /// it stores one.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn validate(&self) -> Result<(), HistogramError> {
        let (positive, negative) = self.counts.buckets();
        match self.schema {
            CUSTOM_SCHEMA => {
                self.check_bounds()?;
                self.check_custom(negative)?;
                let end = check_spans(Side::Positive, &self.positive_spans, positive, true)?;
                if end > self.custom_bounds.len() as u64 + 1 {
                    return Err(HistogramError::BoundsTooFew {
                        bounds: self.custom_bounds.len(),
                        end,
                    });
                }
            }
            schema @ -4..=8 => {
                check_spans(Side::Positive, &self.positive_spans, positive, false)?;
                check_spans(Side::Negative, &self.negative_spans, negative, false)?;
                if !self.custom_bounds.is_empty() {
                    return Err(HistogramError::BoundsUnused { schema });
                }
            }
            schema => return Err(HistogramError::Schema { schema }),
        }
        self.check_counts()
    }

    fn check_bounds(&self) -> Result<(), HistogramError> {
        let mut bounds = self.custom_bounds.iter();
        // The first may be -Inf.
        if let Some(number) = bounds.position(|bound| bound.is_nan() || *bound == f64::INFINITY) {
            return Err(HistogramError::BoundNotFinite {
                number: number + 1,
                bound: self.custom_bounds[number],
            });
        }
        match self.custom_bounds.windows(2).find(|two| two[1] <= two[0]) {
            Some(two) => Err(HistogramError::BoundsOrder {
                previous: two[0],
                bound: two[1],
            }),
            None => Ok(()),
        }
    }

    fn check_custom(&self, negative_buckets: usize) -> Result<(), HistogramError> {
        let has_zero_count = match self.counts {
            HistogramCounts::Integer { zero_count, .. } => zero_count != 0,
            HistogramCounts::Float { zero_count, .. } => zero_count != 0.0,
        };
        let what = if has_zero_count {
            "a count in the zero bucket"
        } else if self.zero_threshold != 0.0 {
            "a zero threshold"
        } else if !self.negative_spans.is_empty() {
            "negative spans"
        } else if negative_buckets > 0 {
            "negative buckets"
        } else {
            return Ok(());
        };
        Err(HistogramError::NotCustom { what })
    }

    fn check_counts(&self) -> Result<(), HistogramError> {
        match &self.counts {
            HistogramCounts::Integer {
                count,
                zero_count,
                positive_deltas,
                negative_deltas,
            } => {
                let buckets = sum_deltas(Side::Positive, positive_deltas)?
                    + sum_deltas(Side::Negative, negative_deltas)?
                    + u128::from(*zero_count);
                let all = u128::from(*count);
                if buckets > all || (buckets < all && !self.sum.is_nan()) {
                    let count = *count;
                    return Err(HistogramError::CountMismatch { buckets, count });
                }
                Ok(())
            }
            HistogramCounts::Float {
                count,
                zero_count,
                positive,
                negative,
            } => {
                if *count < 0.0 {
                    return Err(HistogramError::NegativeCount { count: *count });
                }
                if *zero_count < 0.0 {
                    return Err(HistogramError::NegativeZeroBucket { count: *zero_count });
                }
                check_floats(Side::Positive, positive)?;
                check_floats(Side::Negative, negative)
            }
        }
    }
}

/// Checks the spans of a side; returns the index after their last bucket.
fn check_spans(
    side: Side,
    spans: &[BucketSpan],
    buckets: usize,
    is_custom: bool,
) -> Result<u64, HistogramError> {
    let mut end = 0i64;
    for (number, span) in (1..).zip(spans) {
        let offset = span.offset;
        if offset < 0 && (number > 1 || is_custom) {
            return Err(HistogramError::SpanOffset {
                side,
                number,
                offset,
            });
        }
        end += i64::from(offset) + i64::from(span.length);
        if end > i64::from(i32::MAX) {
            return Err(HistogramError::SpanRange { side, number });
        }
    }
    let in_spans = spans.iter().map(|span| u64::from(span.length)).sum();
    if in_spans != buckets as u64 {
        return Err(HistogramError::BucketsMismatch {
            side,
            spans: in_spans,
            buckets,
        });
    }
    Ok(u64::try_from(end).unwrap_or(0))
}

/// The observations in buckets that are given as differences.
fn sum_deltas(side: Side, deltas: &[i64]) -> Result<u128, HistogramError> {
    let mut sum = 0u128;
    let mut count = 0i128;
    for (number, &delta) in (1..).zip(deltas) {
        count += i128::from(delta);
        sum += u128::try_from(count).map_err(|_| HistogramError::NegativeBucket {
            side,
            number,
            count: count as f64,
        })?;
    }
    Ok(sum)
}

fn check_floats(side: Side, buckets: &[f64]) -> Result<(), HistogramError> {
    match (1..).zip(buckets).find(|(_, count)| **count < 0.0) {
        Some((number, &count)) => Err(HistogramError::NegativeBucket {
            side,
            number,
            count,
        }),
        None => Ok(()),
    }
}
