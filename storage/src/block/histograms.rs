//! Histograms in pieces.
//!
//! The histograms of a piece stand in *runs* of those that have the same scale, spans, numbers of
//! buckets and kind of counts:
//!
//! ```text
//! varint     how many histograms the run has
//! histogram  the first, after none
//!            where the run has more:
//! u8         0: the others follow one after the other, each after the one before
//!            1: they follow as columns
//! ```
//!
//! As columns stand the reset hints (a list), the sums (values), what the count is more than all
//! buckets together (a list; values of a float histogram: the count itself), the zero count (a
//! list; values), and each positive, then each negative bucket (a list of absolute counts; values).

use std::ops::Range;

use super::ints::{put_ints, take_bytes, take_ints};
use crate::codec::histogram::{put_histogram, take_histogram};
use crate::codec::varint::{put_u64, take_u64};
use crate::column::{decode_values, encode_values};
use crate::model::{Histogram, HistogramCounts, ResetHint};

const CHAIN: u8 = 0;
const COLUMNS: u8 = 1;
/// Bounds, spans and buckets that a histogram may have, as in a record of the log; and buckets of
/// a run of columns.
const ELEMENTS_MAX: usize = 1 << 25;
const CUT: &str = "a piece of histograms is cut short";

/// Appends a piece.
pub(super) fn put_histograms(out: &mut Vec<u8>, histograms: &[(usize, Histogram)]) {
    for run in histograms.chunk_by(|(_, one), (_, other)| are_alike(one, other)) {
        put_u64(out, run.len() as u64);
        let Some(((_, first), others)) = run.split_first() else {
            continue;
        };
        put_histogram(out, first, None);
        if others.is_empty() {
            continue;
        }
        let mut chain = vec![CHAIN];
        let mut before = first;
        for (_, histogram) in others {
            put_histogram(&mut chain, histogram, Some(before));
            before = histogram;
        }
        let (positive, negative) = first.counts.buckets();
        if (positive + negative).saturating_mul(others.len()) > ELEMENTS_MAX {
            out.append(&mut chain);
            continue;
        }
        let mut columns = vec![COLUMNS];
        put_columns(&mut columns, others);
        match columns.len() < chain.len() {
            true => out.append(&mut columns),
            false => out.append(&mut chain),
        }
    }
}

fn are_alike(one: &Histogram, other: &Histogram) -> bool {
    let is_float = |h: &Histogram| matches!(h.counts, HistogramCounts::Float { .. });
    is_float(one) == is_float(other)
        && one.has_scale_of(other)
        && one.has_spans_of(other)
        && one.counts.buckets() == other.counts.buckets()
}

fn put_columns(out: &mut Vec<u8>, histograms: &[(usize, Histogram)]) {
    let all = || histograms.iter().map(|(_, histogram)| histogram);
    put_ints(out, all().map(|histogram| histogram.reset_hint as i64));
    put_values(out, all().map(|histogram| histogram.sum));
    let numbers: Vec<Numbers> = all()
        .map(|histogram| Numbers::of(&histogram.counts))
        .collect();
    let columns = numbers.first().map_or(0, |numbers| numbers.words.len());
    let is_float = numbers.first().is_some_and(|numbers| numbers.is_float);
    for column in 0..columns {
        let words = numbers
            .iter()
            .map(|numbers| numbers.words.get(column).copied().unwrap_or(0));
        match is_float {
            true => put_values(out, words.map(|word| f64::from_bits(word as u64))),
            false => put_ints(out, words),
        }
    }
}

fn put_values(out: &mut Vec<u8>, values: impl Iterator<Item = f64>) {
    let values: Vec<f64> = values.collect();
    let mut bytes = Vec::new();
    encode_values(&values, &mut bytes);
    put_u64(out, bytes.len() as u64);
    out.append(&mut bytes);
}

fn take_values(input: &mut &[u8], count: usize) -> Result<Vec<i64>, &'static str> {
    let bytes = take_bytes(input)?;
    let mut values = vec![0.0; count];
    decode_values(bytes, &mut values).map_err(|_| "a column of a histogram is none")?;
    Ok(values
        .into_iter()
        .map(|value| value.to_bits() as i64)
        .collect())
}

/// The counts of a histogram as they stand in columns: count, zero count, buckets.
struct Numbers {
    is_float: bool,
    words: Vec<i64>,
}

impl Numbers {
    fn of(counts: &HistogramCounts) -> Self {
        match counts {
            HistogramCounts::Integer {
                count,
                zero_count,
                positive_deltas,
                negative_deltas,
            } => {
                let mut words = vec![0, *zero_count as i64];
                for deltas in [positive_deltas, negative_deltas] {
                    let mut bucket = 0i64;
                    words.extend(deltas.iter().map(|&delta| {
                        bucket = bucket.wrapping_add(delta);
                        bucket
                    }));
                }
                let all = words.iter().fold(0i64, |sum, &word| sum.wrapping_add(word));
                words[0] = (*count as i64).wrapping_sub(all);
                Self {
                    is_float: false,
                    words,
                }
            }
            HistogramCounts::Float {
                count,
                zero_count,
                positive,
                negative,
            } => {
                let all = [count, zero_count]
                    .into_iter()
                    .chain(positive)
                    .chain(negative);
                Self {
                    is_float: true,
                    words: all.map(|count| count.to_bits() as i64).collect(),
                }
            }
        }
    }

    /// The counts that these words stand for, with as many positive buckets as are said.
    fn counts(words: &[i64], is_float: bool, positive: usize) -> Option<HistogramCounts> {
        let (&[first, zero], buckets) = words.split_first_chunk::<2>()?;
        let (positive, negative) = buckets.split_at_checked(positive)?;
        let float = |word: &i64| f64::from_bits(*word as u64);
        Some(match is_float {
            true => HistogramCounts::Float {
                count: float(&first),
                zero_count: float(&zero),
                positive: positive.iter().map(float).collect(),
                negative: negative.iter().map(float).collect(),
            },
            false => HistogramCounts::Integer {
                count: words.iter().fold(0i64, |sum, &word| sum.wrapping_add(word)) as u64,
                zero_count: zero as u64,
                positive_deltas: deltas(positive),
                negative_deltas: deltas(negative),
            },
        })
    }
}

fn deltas(buckets: &[i64]) -> Vec<i64> {
    let mut before = 0i64;
    let delta = |&bucket: &i64| bucket.wrapping_sub(std::mem::replace(&mut before, bucket));
    buckets.iter().map(delta).collect()
}

/// Reads those in `wanted` of the `count` histograms of a piece. Says what is wrong with the
/// bytes.
pub(super) fn take_histograms(
    mut piece: &[u8],
    count: usize,
    wanted: Range<usize>,
) -> Result<Vec<Histogram>, &'static str> {
    let input = &mut piece;
    let mut found = Vec::new();
    let mut place = 0;
    while place < wanted.end {
        let run = take_u64(input).and_then(|run| usize::try_from(run).ok());
        let run = run.filter(|&run| 0 < run && run <= count - place);
        let run = run.ok_or("a bad number of histograms in a run")?;
        // Which of the run are wanted.
        let from = wanted.start.saturating_sub(place).min(run);
        let to = (wanted.end - place).min(run);
        take_run(input, run, from..to, &mut found)?;
        place += run;
    }
    match place < count || input.is_empty() {
        true => Ok(found),
        false => Err("a piece has more bytes than histograms"),
    }
}

fn take_run(
    input: &mut &[u8],
    run: usize,
    wanted: Range<usize>,
    found: &mut Vec<Histogram>,
) -> Result<(), &'static str> {
    let first = take_histogram(input, None, &mut { ELEMENTS_MAX })?;
    if wanted.contains(&0) {
        found.push(first.clone());
    }
    if run == 1 {
        return Ok(());
    }
    let (&form, rest) = input.split_first().ok_or(CUT)?;
    *input = rest;
    match form {
        CHAIN => {
            let mut before = first;
            for place in 1..run {
                let histogram = take_histogram(input, Some(&before), &mut { ELEMENTS_MAX })?;
                if wanted.contains(&place) {
                    found.push(histogram.clone());
                }
                before = histogram;
            }
            Ok(())
        }
        COLUMNS => take_columns(input, &first, run - 1, wanted, found),
        _ => Err("the form of a run of histograms is not known"),
    }
}

fn take_columns(
    input: &mut &[u8],
    first: &Histogram,
    count: usize,
    wanted: Range<usize>,
    found: &mut Vec<Histogram>,
) -> Result<(), &'static str> {
    let (positive, negative) = first.counts.buckets();
    if (positive + negative).saturating_mul(count) > ELEMENTS_MAX {
        return Err("a run of histograms is larger than one can be");
    }
    let is_float = matches!(first.counts, HistogramCounts::Float { .. });
    let hints = take_ints(input, count)?;
    let sums = take_values(input, count)?;
    let mut columns = Vec::with_capacity(2 + positive + negative);
    for _ in 0..2 + positive + negative {
        columns.push(match is_float {
            true => take_values(input, count)?,
            false => take_ints(input, count)?,
        });
    }
    // The first one of the run is none of the columns'.
    for place in wanted.start.max(1)..wanted.end {
        let word_of = |column: &Vec<i64>| column.get(place - 1).copied().unwrap_or(0);
        let words: Vec<i64> = columns.iter().map(word_of).collect();
        let counts = Numbers::counts(&words, is_float, positive).ok_or(CUT)?;
        let hint = u8::try_from(word_of(&hints)).ok().filter(|&hint| hint < 4);
        found.push(Histogram {
            schema: first.schema,
            zero_threshold: first.zero_threshold,
            sum: f64::from_bits(word_of(&sums) as u64),
            reset_hint: ResetHint::from_bits(hint.ok_or("a reset hint is not known")?),
            positive_spans: first.positive_spans.clone(),
            negative_spans: first.negative_spans.clone(),
            custom_bounds: first.custom_bounds.clone(),
            counts,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::histogram::tests::histograms;

    /// Histograms of which some have the shape of the one before.
    fn pieces() -> impl Strategy<Value = Vec<(usize, Histogram)>> {
        let step = (0..5u8, any::<i64>(), any::<f64>());
        (histograms(1..20), prop::collection::vec(step, 1..120)).prop_map(|(shapes, steps)| {
            let (mut piece, mut shape) = (Vec::new(), 0);
            for (place, (kind, number, float)) in steps.into_iter().enumerate() {
                shape = (shape + usize::from(kind == 0)) % shapes.len();
                let mut histogram = shapes[shape].clone();
                histogram.sum = float;
                histogram.reset_hint = ResetHint::from_bits(kind);
                match &mut histogram.counts {
                    HistogramCounts::Integer {
                        count,
                        positive_deltas,
                        ..
                    } => {
                        *count = count.wrapping_add(number as u64 >> (12 * kind));
                        if let Some(delta) = positive_deltas.first_mut() {
                            *delta = delta.wrapping_add(number);
                        }
                    }
                    HistogramCounts::Float { count, .. } => *count = float,
                }
                piece.push((place, histogram));
            }
            piece
        })
    }

    proptest! {
        #[test]
        fn pieces_come_back(
            piece in pieces(),
            ends in any::<[prop::sample::Index; 2]>(),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut out = Vec::new();
            put_histograms(&mut out, &piece);
            let count = piece.len();
            let [from, to] = ends.map(|end| end.index(count + 1));
            for wanted in [0..count, from..to.max(from)] {
                let read = take_histograms(&out, count, wanted.clone()).unwrap();
                let wrote = piece[wanted].iter().map(|(_, histogram)| histogram);
                prop_assert_eq!(read.len(), wrote.len());
                prop_assert!(read.iter().zip(wrote).all(|(a, b)| a.is_identical(b)));
            }
            prop_assert!(take_histograms(&out[..cut.index(out.len())], count, 0..count).is_err());
            out.push(0);
            prop_assert!(take_histograms(&out, count, 0..count).is_err());
        }

        #[test]
        fn harmed_pieces_are_read_or_refused(
            piece in pieces(),
            harm in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let mut out = Vec::new();
            put_histograms(&mut out, &piece);
            for (at, byte) in harm {
                let at = at.index(out.len());
                out[at] = byte;
            }
            if let Ok(read) = take_histograms(&out, piece.len(), 0..piece.len()) {
                prop_assert_eq!(read.len(), piece.len());
            }
        }
    }

    #[test]
    fn a_run_of_the_same_buckets_takes_few_bytes() {
        let bucket = |n: i64, place: i64| n * (place % 5);
        let histogram = |n: i64| Histogram {
            schema: 3,
            zero_threshold: 1e-9,
            sum: n as f64 * 2.5,
            reset_hint: ResetHint::Unknown,
            positive_spans: vec![crate::model::BucketSpan {
                offset: 0,
                length: 40,
            }],
            negative_spans: vec![],
            custom_bounds: vec![],
            counts: HistogramCounts::Integer {
                count: (0..40).map(|place| bucket(n, place) as u64).sum(),
                zero_count: 0,
                positive_deltas: (0..40)
                    .map(|place| {
                        bucket(n, place) - if place > 0 { bucket(n, place - 1) } else { 0 }
                    })
                    .collect(),
                negative_deltas: vec![],
            },
        };
        let piece: Vec<_> = (0..480).map(|n| (n, histogram(n as i64 * 7))).collect();
        let mut out = Vec::new();
        put_histograms(&mut out, &piece);
        // A line for each bucket.
        assert!(out.len() < 400, "{}", out.len());
    }
}
