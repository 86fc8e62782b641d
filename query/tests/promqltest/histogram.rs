//! Native histograms as scripts write them: `{{schema:0 count:3 buckets:[1 2]}}`.

use silverback_query::{FloatHistogram, ResetHint};
use silverback_storage::model::{self, BucketSpan, HistogramCounts};

use super::compare::same;
use super::series::number;

/// A histogram, and whether it says what is known of resets.
#[derive(Clone, Debug)]
pub(crate) struct Literal {
    pub(crate) histogram: FloatHistogram,
    pub(crate) has_hint: bool,
}

/// Reads what stands between the braces.
pub(crate) fn parse_literal(text: &str) -> Result<Literal, String> {
    let mut literal = Literal {
        histogram: FloatHistogram::default(),
        has_hint: false,
    };
    let (mut offset, mut negative_offset) = (0, 0);
    let (mut positive, mut negative) = (Vec::new(), Vec::new());
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (key, after) = rest.split_once(':').ok_or_else(|| wrong(text))?;
        let (value, after) = match after.strip_prefix('[') {
            Some(list) => list.split_once(']').ok_or_else(|| wrong(text))?,
            None => after.split_once(' ').unwrap_or((after, "")),
        };
        rest = after.trim_start();
        let one = || number(value).ok_or_else(|| wrong(text));
        let many = || -> Result<Vec<f64>, String> {
            let values = value.split_whitespace().map(number);
            values.collect::<Option<_>>().ok_or_else(|| wrong(text))
        };
        let histogram = &mut literal.histogram;
        match key {
            "schema" => histogram.schema = one()? as i32,
            "sum" => histogram.sum = one()?,
            "count" => histogram.count = one()?,
            "z_bucket" => histogram.zero_count = one()?,
            "z_bucket_w" => histogram.zero_threshold = one()?,
            "custom_values" => histogram.custom_bounds = many()?,
            "offset" => offset = one()? as i32,
            "n_offset" => negative_offset = one()? as i32,
            "buckets" => positive = many()?,
            "n_buckets" => negative = many()?,
            "counter_reset_hint" => {
                literal.has_hint = true;
                histogram.reset_hint = match value {
                    "unknown" => ResetHint::Unknown,
                    "reset" => ResetHint::Reset,
                    "not_reset" => ResetHint::NoReset,
                    "gauge" => ResetHint::Gauge,
                    _ => return Err(wrong(text)),
                };
            }
            _ => return Err(wrong(text)),
        }
    }
    literal.histogram.positive = (offset..).zip(positive).collect();
    literal.histogram.negative = (negative_offset..).zip(negative).collect();
    Ok(literal)
}

fn wrong(text: &str) -> String {
    format!("{{{{{text}}}}} is no histogram")
}

/// The same as the database takes it.
pub(crate) fn to_stored(histogram: &FloatHistogram) -> model::Histogram {
    let (positive_spans, positive) = spans(&histogram.positive);
    let (negative_spans, negative) = spans(&histogram.negative);
    model::Histogram {
        schema: histogram.schema as i8,
        zero_threshold: histogram.zero_threshold,
        sum: histogram.sum,
        reset_hint: match histogram.reset_hint {
            ResetHint::Unknown => model::ResetHint::Unknown,
            ResetHint::Reset => model::ResetHint::Reset,
            ResetHint::NoReset => model::ResetHint::NoReset,
            ResetHint::Gauge => model::ResetHint::Gauge,
        },
        positive_spans,
        negative_spans,
        custom_bounds: histogram.custom_bounds.clone(),
        counts: HistogramCounts::Float {
            count: histogram.count,
            zero_count: histogram.zero_count,
            positive,
            negative,
        },
    }
}

fn spans(buckets: &[(i32, f64)]) -> (Vec<BucketSpan>, Vec<f64>) {
    let mut spans: Vec<BucketSpan> = Vec::new();
    let mut next = 0;
    for &(index, _) in buckets {
        match spans.last_mut() {
            Some(last) if index == next => last.length += 1,
            _ => spans.push(BucketSpan {
                offset: index - next,
                length: 1,
            }),
        }
        next = index + 1;
    }
    (spans, buckets.iter().map(|bucket| bucket.1).collect())
}

/// Whether a histogram is the one that is expected, but for rounding.
pub(crate) fn same_histogram(expected: &Literal, found: &FloatHistogram) -> bool {
    let wanted = &expected.histogram;
    let filled = |buckets: &[(i32, f64)]| -> Vec<(i32, f64)> {
        let buckets = buckets.iter().copied();
        buckets.filter(|bucket| bucket.1 != 0.0).collect()
    };
    let buckets = |a: &[(i32, f64)], b: &[(i32, f64)]| {
        let (a, b) = (filled(a), filled(b));
        a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.0 == b.0 && same(a.1, b.1))
    };
    wanted.schema == found.schema
        && same(wanted.count, found.count)
        && same(wanted.sum, found.sum)
        && wanted.zero_threshold == found.zero_threshold
        && same(wanted.zero_count, found.zero_count)
        && wanted.custom_bounds == found.custom_bounds
        && buckets(&wanted.positive, &found.positive)
        && buckets(&wanted.negative, &found.negative)
        && (!expected.has_hint || wanted.reset_hint == found.reset_hint)
}

/// Adds a histogram of the same layout, or of a higher resolution, or takes it away; as scripts
/// make series of histograms.
pub(crate) fn plus(base: &FloatHistogram, other: &FloatHistogram, sign: f64) -> FloatHistogram {
    let mut sum = base.clone();
    sum.count += sign * other.count;
    sum.sum += sign * other.sum;
    sum.zero_count += sign * other.zero_count;
    let exponent = other.schema - base.schema;
    let index = |index: i32| match exponent {
        1.. => ((index - 1) >> exponent) + 1,
        _ => index,
    };
    for (into, from) in [
        (&mut sum.positive, &other.positive),
        (&mut sum.negative, &other.negative),
    ] {
        for &(at, count) in from {
            let at = index(at);
            match into.binary_search_by_key(&at, |bucket| bucket.0) {
                Ok(place) => into[place].1 += sign * count,
                Err(place) => into.insert(place, (at, sign * count)),
            }
        }
    }
    if other.reset_hint == ResetHint::Gauge {
        sum.reset_hint = ResetHint::Gauge;
    } else if sum.reset_hint != ResetHint::Gauge && sum.reset_hint != other.reset_hint {
        sum.reset_hint = ResetHint::Unknown;
    }
    sum
}
