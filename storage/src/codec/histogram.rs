//! Native histograms in bytes, each as its difference to the one before it.
//!
//! ```text
//! u8       flags
//!          bit 0     float counts, else integers
//!          bit 1     the scale (schema, zero threshold, custom bounds) is that of the one before
//!          bit 2     kind, spans and numbers of buckets are those of the one before
//!          bits 3-4  reset hint
//!          bits 5-7  0
//! without bit 1:
//!   u8       schema, two's complement
//!   float    zero threshold
//!   varint   number of custom bounds; floats: each after the one before, the first after 0
//! without bit 2:
//!   for the positive and the negative side:
//!     varint  number of spans; for each: zigzag varint offset, varint length
//!   varints  number of positive buckets, of negative buckets
//! float    sum, after that of the one before
//! numbers  count, zero count, positive buckets, negative buckets
//! ```
//!
//! A *float* is the XOR of its bits with those of the float it comes after: a byte whose high
//! half says how many bytes of the XOR are zero from the top, its low half how many from the
//! bottom, then the bytes between, the highest first.
//!
//! *Numbers* come after those of the one before if that has the same kind (counts) and bit 2 is
//! set (buckets), else after 0: an integer as the zigzag varint of its difference modulo 2^64,
//! a float as above. First stands a bit for each, the lowest of a byte first, that says whether
//! it differs; then those that do. Integer buckets are differences to the bucket before already.

#[cfg(test)]
pub(crate) mod tests;

use super::varint::{put_i64, put_u64, take_i64, take_u64};
use crate::model::{BucketSpan, Histogram, HistogramCounts, ResetHint};

const FLOAT: u8 = 1;
const SAME_SCALE: u8 = 2;
const SAME_SPANS: u8 = 4;
const RESET_SHIFT: u32 = 3;
const FLAGS: u8 = 0b1_1111;

const CUT: &str = "a histogram cut short";
const TOO_LARGE: &str = "histograms larger than a record may hold";

/// How many bounds, spans and buckets a histogram has; each takes 8 bytes in memory.
pub(crate) fn elements(histogram: &Histogram) -> usize {
    let (positive, negative) = histogram.counts.buckets();
    histogram.custom_bounds.len()
        + histogram.positive_spans.len()
        + histogram.negative_spans.len()
        + positive
        + negative
}

/// Appends `histogram` after `before`.
pub(crate) fn put_histogram(out: &mut Vec<u8>, histogram: &Histogram, before: Option<&Histogram>) {
    let scale = before.filter(|before| histogram.has_scale_of(before));
    let same_kind = before.filter(|before| is_float(before) == is_float(histogram));
    let spans = same_kind.filter(|before| {
        histogram.has_spans_of(before) && histogram.counts.buckets() == before.counts.buckets()
    });
    let mut flags = (histogram.reset_hint as u8) << RESET_SHIFT;
    flags |= if is_float(histogram) { FLOAT } else { 0 };
    flags |= if scale.is_some() { SAME_SCALE } else { 0 };
    flags |= if spans.is_some() { SAME_SPANS } else { 0 };
    out.push(flags);
    if scale.is_none() {
        put_scale(out, histogram);
    }
    if spans.is_none() {
        put_spans(out, &histogram.positive_spans);
        put_spans(out, &histogram.negative_spans);
        let (positive, negative) = histogram.counts.buckets();
        put_u64(out, positive as u64);
        put_u64(out, negative as u64);
    }
    let sum_before = before.map_or(0, |before| before.sum.to_bits());
    put_xor(out, histogram.sum.to_bits() ^ sum_before);
    let counts_before = same_kind.map(|before| &before.counts);
    put_counts(out, &histogram.counts, counts_before, spans.is_some());
}

fn is_float(histogram: &Histogram) -> bool {
    matches!(histogram.counts, HistogramCounts::Float { .. })
}

fn put_scale(out: &mut Vec<u8>, histogram: &Histogram) {
    out.push(histogram.schema as u8);
    put_xor(out, histogram.zero_threshold.to_bits());
    put_u64(out, histogram.custom_bounds.len() as u64);
    let mut before = 0;
    for bound in &histogram.custom_bounds {
        put_xor(out, bound.to_bits() ^ before);
        before = bound.to_bits();
    }
}

fn put_spans(out: &mut Vec<u8>, spans: &[BucketSpan]) {
    put_u64(out, spans.len() as u64);
    for span in spans {
        put_i64(out, span.offset.into());
        put_u64(out, span.length.into());
    }
}

fn put_counts(
    out: &mut Vec<u8>,
    counts: &HistogramCounts,
    before: Option<&HistogramCounts>,
    same_spans: bool,
) {
    let numbers = words(counts);
    let before = before.map(words).unwrap_or_default();
    // The count and the zero count come after those before in any case.
    let after = |place: usize| match place < 2 || same_spans {
        true => before.get(place).copied().unwrap_or(0),
        false => 0,
    };
    let mask_at = out.len();
    out.resize(mask_at + numbers.len().div_ceil(8), 0);
    let is_float = matches!(counts, HistogramCounts::Float { .. });
    for (place, &word) in numbers.iter().enumerate() {
        let before = after(place);
        if word == before {
            continue;
        }
        out[mask_at + place / 8] |= 1 << (place % 8);
        match is_float {
            true => put_xor(out, word ^ before),
            false => put_i64(out, word.wrapping_sub(before) as i64),
        }
    }
}

/// Counts as one list of 64 bits each: count, zero count, positive and negative buckets.
fn words(counts: &HistogramCounts) -> Vec<u64> {
    match counts {
        HistogramCounts::Integer {
            count,
            zero_count,
            positive_deltas,
            negative_deltas,
        } => {
            let deltas = positive_deltas.iter().chain(negative_deltas);
            let head = [*count, *zero_count].into_iter();
            head.chain(deltas.map(|&delta| delta as u64)).collect()
        }
        HistogramCounts::Float {
            count,
            zero_count,
            positive,
            negative,
        } => {
            let buckets = positive.iter().chain(negative);
            let head = [count, zero_count].into_iter();
            head.chain(buckets).map(|count| count.to_bits()).collect()
        }
    }
}

/// The counts that are those words, of which `positive` are positive buckets.
fn from_words(words: &[u64], is_float: bool, positive: usize) -> Option<HistogramCounts> {
    let (&[count, zero_count], buckets) = words.split_first_chunk::<2>()?;
    let (above, below) = buckets.split_at_checked(positive)?;
    Some(match is_float {
        true => {
            let floats = |words: &[u64]| words.iter().map(|&bits| f64::from_bits(bits)).collect();
            HistogramCounts::Float {
                count: f64::from_bits(count),
                zero_count: f64::from_bits(zero_count),
                positive: floats(above),
                negative: floats(below),
            }
        }
        false => {
            let deltas = |words: &[u64]| words.iter().map(|&delta| delta as i64).collect();
            HistogramCounts::Integer {
                count,
                zero_count,
                positive_deltas: deltas(above),
                negative_deltas: deltas(below),
            }
        }
    })
}

/// Appends a float as what its bits differ by from those of another one.
pub(crate) fn put_xor(out: &mut Vec<u8>, xor: u64) {
    let leading = (xor.leading_zeros() / 8) as usize;
    let trailing = match leading {
        8 => 0,
        _ => (xor.trailing_zeros() / 8) as usize,
    };
    out.push((leading << 4 | trailing) as u8);
    out.extend_from_slice(&xor.to_be_bytes()[leading..8 - trailing]);
}

/// Reads what [`put_xor`] wrote.
pub(crate) fn take_xor(input: &mut &[u8]) -> Option<u64> {
    let (&head, rest) = input.split_first()?;
    let (leading, trailing) = (usize::from(head >> 4), usize::from(head & 15));
    let length = 8usize.checked_sub(leading + trailing)?;
    let (taken, rest) = rest.split_at_checked(length)?;
    *input = rest;
    let mut bytes = [0; 8];
    bytes[leading..leading + length].copy_from_slice(taken);
    Some(u64::from_be_bytes(bytes))
}

/// Reads a histogram that comes after `before`. At most `budget` elements are made room for, and
/// taken from it: what repeats the one before costs few bytes. Says what is wrong with the bytes.
pub(crate) fn take_histogram(
    input: &mut &[u8],
    before: Option<&Histogram>,
    budget: &mut usize,
) -> Result<Histogram, &'static str> {
    let (&flags, rest) = input.split_first().ok_or(CUT)?;
    *input = rest;
    if flags & !FLAGS != 0 {
        return Err("a histogram with unknown flags");
    }
    let is_float = flags & FLOAT != 0;
    let repeated = |bit: u8| match (flags & bit, before) {
        (0, _) => Ok(None),
        (_, Some(before)) => Ok(Some(before)),
        (_, None) => Err("a histogram that repeats none"),
    };
    let (scale, spans) = (repeated(SAME_SCALE)?, repeated(SAME_SPANS)?);
    if spans.is_some_and(|before| self::is_float(before) != is_float) {
        return Err("a histogram that repeats one of another kind");
    }
    let mut histogram = Histogram {
        reset_hint: ResetHint::from_bits(flags >> RESET_SHIFT),
        ..nothing()
    };
    match scale {
        Some(before) => {
            spend(budget, before.custom_bounds.len())?;
            histogram.schema = before.schema;
            histogram.zero_threshold = before.zero_threshold;
            histogram.custom_bounds.clone_from(&before.custom_bounds);
        }
        None => take_scale(input, &mut histogram, budget)?,
    }
    let (positive, negative) = match spans {
        Some(before) => {
            let count = before.positive_spans.len() + before.negative_spans.len();
            spend(budget, count)?;
            histogram.positive_spans.clone_from(&before.positive_spans);
            histogram.negative_spans.clone_from(&before.negative_spans);
            before.counts.buckets()
        }
        None => {
            histogram.positive_spans = take_spans(input, budget)?;
            histogram.negative_spans = take_spans(input, budget)?;
            (take_buckets(input)?, take_buckets(input)?)
        }
    };
    spend(budget, positive.saturating_add(negative))?;
    let sum_before = before.map_or(0, |before| before.sum.to_bits());
    histogram.sum = f64::from_bits(take_xor(input).ok_or(CUT)? ^ sum_before);
    let same_kind = before.filter(|before| self::is_float(before) == is_float);
    let mut counts_before = same_kind.map(|b| words(&b.counts)).unwrap_or_default();
    if spans.is_none() {
        counts_before.truncate(2);
    }
    let words = take_words(input, is_float, 2 + positive + negative, &counts_before)?;
    histogram.counts = from_words(&words, is_float, positive).ok_or(CUT)?;
    Ok(histogram)
}

/// A histogram to fill in.
fn nothing() -> Histogram {
    Histogram {
        schema: 0,
        zero_threshold: 0.0,
        sum: 0.0,
        reset_hint: ResetHint::Unknown,
        positive_spans: Vec::new(),
        negative_spans: Vec::new(),
        custom_bounds: Vec::new(),
        counts: HistogramCounts::Integer {
            count: 0,
            zero_count: 0,
            positive_deltas: Vec::new(),
            negative_deltas: Vec::new(),
        },
    }
}

/// A number of buckets: each has a bit at least.
fn take_buckets(input: &mut &[u8]) -> Result<usize, &'static str> {
    let buckets = take_u64(input).ok_or(CUT)?;
    if buckets > (input.len() as u64).saturating_mul(8) {
        return Err("a bad number of buckets");
    }
    Ok(buckets as usize)
}

fn spend(budget: &mut usize, elements: usize) -> Result<(), &'static str> {
    *budget = budget.checked_sub(elements).ok_or(TOO_LARGE)?;
    Ok(())
}

fn take_scale(
    input: &mut &[u8],
    histogram: &mut Histogram,
    budget: &mut usize,
) -> Result<(), &'static str> {
    let (&schema, rest) = input.split_first().ok_or(CUT)?;
    *input = rest;
    histogram.schema = schema as i8;
    histogram.zero_threshold = f64::from_bits(take_xor(input).ok_or(CUT)?);
    let bounds = take_u64(input).ok_or(CUT)?;
    if bounds > input.len() as u64 {
        return Err("a bad number of custom bounds");
    }
    spend(budget, bounds as usize)?;
    histogram.custom_bounds.reserve_exact(bounds as usize);
    let mut bits = 0;
    for _ in 0..bounds {
        bits ^= take_xor(input).ok_or(CUT)?;
        histogram.custom_bounds.push(f64::from_bits(bits));
    }
    Ok(())
}

fn take_spans(input: &mut &[u8], budget: &mut usize) -> Result<Vec<BucketSpan>, &'static str> {
    let count = take_u64(input).ok_or(CUT)?;
    if count > input.len() as u64 / 2 {
        return Err("a bad number of spans");
    }
    spend(budget, count as usize)?;
    let mut spans = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let (offset, length) = (take_i64(input), take_u64(input));
        let (Some(offset), Some(length)) = (offset, length) else {
            return Err(CUT);
        };
        let (Ok(offset), Ok(length)) = (i32::try_from(offset), u32::try_from(length)) else {
            return Err("a span beyond all buckets");
        };
        spans.push(BucketSpan { offset, length });
    }
    Ok(spans)
}

fn take_words(
    input: &mut &[u8],
    is_float: bool,
    count: usize,
    before: &[u64],
) -> Result<Vec<u64>, &'static str> {
    let (mask, rest) = input.split_at_checked(count.div_ceil(8)).ok_or(CUT)?;
    *input = rest;
    let mut words = Vec::with_capacity(count);
    for place in 0..count {
        let before = before.get(place).copied().unwrap_or(0);
        words.push(match (mask[place / 8] >> (place % 8) & 1, is_float) {
            (0, _) => before,
            (_, true) => before ^ take_xor(input).ok_or(CUT)?,
            (_, false) => before.wrapping_add(take_i64(input).ok_or(CUT)? as u64),
        });
    }
    Ok(words)
}
