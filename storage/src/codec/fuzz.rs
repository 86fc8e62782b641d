//! What holds of label sets, histograms and exemplars of any bytes.

use super::exemplars::{BLOCK_EXEMPLARS, Entry, for_each};
use super::histogram::{elements, put_histogram, take_histogram};
use super::labels::{LabelText, put_labels};
use crate::model::{BucketSpan, Exemplar, Histogram, HistogramCounts, Labels, ResetHint, Seq};

/// What the texts of an input may come to: sets repeat those before them.
const TEXT_BYTES_MAX: usize = 1 << 20;
/// The same of histograms.
const ELEMENTS_MAX: usize = 1 << 16;

/// Label sets, one after the other. What is read is sorted and without empty values, and comes
/// back from what it is encoded to.
pub(crate) fn labels(data: &[u8]) -> bool {
    let (mut input, mut budget) = (data, TEXT_BYTES_MAX);
    let (mut text, mut before) = (LabelText::default(), LabelText::default());
    let mut sets: Vec<Labels> = Vec::new();
    let mut is_whole = true;
    while !input.is_empty() && is_whole {
        let taken = text.take(&mut input, &before, budget);
        // One label may come above what is left, by what it repeats.
        assert!(text.len() <= budget + TEXT_BYTES_MAX);
        budget = budget.saturating_sub(text.len());
        match taken.and_then(|()| text.labels()) {
            Ok(labels) => sets.push(labels),
            Err(what) => {
                assert!(!what.is_empty());
                is_whole = false;
            }
        }
        std::mem::swap(&mut text, &mut before);
    }
    let (mut encoded, empty) = (Vec::new(), Labels::default());
    for (place, labels) in sets.iter().enumerate() {
        assert!(labels.iter().all(|(_, value)| !value.is_empty()));
        assert!(labels.iter().is_sorted_by(|one, other| one.0 < other.0));
        let before = place.checked_sub(1).and_then(|place| sets.get(place));
        put_labels(&mut encoded, labels, before.unwrap_or(&empty));
    }
    let (mut input, mut before) = (&encoded[..], LabelText::default());
    for labels in &sets {
        assert_eq!(text.take(&mut input, &before, usize::MAX), Ok(()));
        assert_eq!(text.labels().as_ref(), Ok(labels));
        std::mem::swap(&mut text, &mut before);
    }
    assert!(input.is_empty());
    is_whole
}

/// Histograms, one after the other. What is read comes back, to the bit, from what it is encoded
/// to, and takes no more elements than were granted.
pub(crate) fn histogram(data: &[u8]) -> bool {
    let (mut input, mut budget) = (data, ELEMENTS_MAX);
    let mut histograms: Vec<Histogram> = Vec::new();
    let mut is_whole = true;
    while !input.is_empty() && is_whole {
        let granted = budget;
        match take_histogram(&mut input, histograms.last(), &mut budget) {
            Ok(histogram) => {
                assert!(elements(&histogram) <= granted - budget);
                histograms.push(histogram);
            }
            Err(what) => {
                assert!(!what.is_empty());
                is_whole = false;
            }
        }
    }
    let mut encoded = Vec::new();
    for (place, histogram) in histograms.iter().enumerate() {
        let before = place.checked_sub(1).and_then(|place| histograms.get(place));
        put_histogram(&mut encoded, histogram, before);
    }
    let (mut input, mut budget) = (&encoded[..], ELEMENTS_MAX);
    let mut before: Option<Histogram> = None;
    for histogram in &histograms {
        match take_histogram(&mut input, before.as_ref(), &mut budget) {
            Ok(again) => {
                assert!(again.is_identical(histogram), "{again:?} {histogram:?}");
                before = Some(again);
            }
            Err(what) => assert!(what.is_empty(), "{what}: {histogram:?}"),
        }
    }
    assert!(input.is_empty());
    is_whole
}

/// A block of exemplars. What is read has seqs that do not fall, and comes back from what it is
/// encoded to.
pub(crate) fn exemplars(data: &[u8]) -> bool {
    let read = |block: &[u8]| {
        let mut entries: Vec<(Seq, Exemplar)> = Vec::new();
        let end = for_each(block, |entry| {
            entries.push((entry.seq, entry.to_exemplar()));
        });
        (entries, end)
    };
    let (entries, end) = read(data);
    assert!(entries.is_sorted_by_key(|(seq, _)| *seq));
    assert!(entries.len() <= usize::from(BLOCK_EXEMPLARS));
    let (mut encoded, mut before) = (Vec::new(), Entry::default());
    for (seq, exemplar) in &entries {
        let entry = Entry::new(*seq, exemplar);
        entry.put(&mut encoded, &before);
        before = entry;
    }
    let (again, end_again) = read(&encoded);
    assert_eq!(end_again, Ok(()));
    assert_eq!(again.len(), entries.len());
    for ((seq, exemplar), (seq_again, again)) in entries.iter().zip(&again) {
        assert_eq!(seq, seq_again);
        assert_eq!(exemplar.labels, again.labels);
        assert_eq!(exemplar.timestamp_ms, again.timestamp_ms);
        assert_eq!(exemplar.value.to_bits(), again.value.to_bits());
    }
    end.is_ok()
}

/// Label sets that share some of their labels.
pub(crate) fn some_labels() -> Vec<Labels> {
    let sets: [&[(&str, &str)]; 5] = [
        &[
            ("__name__", "up"),
            ("instance", "host-1:9100"),
            ("job", "node"),
        ],
        &[
            ("__name__", "up"),
            ("instance", "host-2:9100"),
            ("job", "node"),
        ],
        &[("__name__", "rpc_seconds"), ("é", "\u{1f600}")],
        &[],
        &[("a", "b")],
    ];
    let sets = sets
        .into_iter()
        .map(|set| Labels::from_pairs(set.iter().copied()));
    sets.filter_map(Result::ok).collect()
}

pub(crate) fn labels_seeds() -> Vec<Vec<u8>> {
    let (sets, mut all) = (some_labels(), Vec::new());
    let mut seeds = Vec::new();
    let mut before = Labels::default();
    for labels in &sets {
        let mut alone = Vec::new();
        put_labels(&mut alone, labels, &Labels::default());
        seeds.push(alone);
        put_labels(&mut all, labels, &before);
        before = labels.clone();
    }
    seeds.push(all);
    seeds
}

/// Histograms of every kind: integer and float, exponential and with custom bounds, empty, stale.
pub(crate) fn some_histograms() -> Vec<Histogram> {
    let span = |offset, length| BucketSpan { offset, length };
    let integer = Histogram {
        schema: 3,
        zero_threshold: 1e-128,
        sum: 18.4,
        reset_hint: ResetHint::Unknown,
        positive_spans: vec![span(0, 2), span(1, 2)],
        negative_spans: vec![span(-2, 1)],
        custom_bounds: vec![],
        counts: HistogramCounts::Integer {
            count: 12,
            zero_count: 2,
            positive_deltas: vec![2, 1, -2, 3],
            negative_deltas: vec![1],
        },
    };
    let mut later = integer.clone();
    later.sum = 30.5;
    if let HistogramCounts::Integer {
        count,
        positive_deltas,
        ..
    } = &mut later.counts
    {
        *count = 14;
        *positive_deltas = vec![3, 1, -2, 4];
    }
    let float = Histogram {
        schema: 0,
        reset_hint: ResetHint::Gauge,
        negative_spans: vec![],
        counts: HistogramCounts::Float {
            count: 10.5,
            zero_count: 0.0,
            positive: vec![1.0, 2.5, 3.0, 4.0],
            negative: vec![],
        },
        ..integer.clone()
    };
    let custom = Histogram {
        schema: crate::model::CUSTOM_SCHEMA,
        zero_threshold: 0.0,
        sum: 3.0,
        reset_hint: ResetHint::NoReset,
        positive_spans: vec![span(0, 3)],
        negative_spans: vec![],
        custom_bounds: vec![0.1, 0.5, 1.0],
        counts: HistogramCounts::Integer {
            count: 6,
            zero_count: 0,
            positive_deltas: vec![1, 1, 1],
            negative_deltas: vec![],
        },
    };
    let stale = Histogram {
        sum: f64::from_bits(crate::model::STALE_NAN_BITS),
        ..custom.clone()
    };
    vec![integer, later, float, custom, stale]
}

pub(crate) fn histogram_seeds() -> Vec<Vec<u8>> {
    let (mut seeds, mut all) = (Vec::new(), Vec::new());
    let mut before = None;
    for histogram in some_histograms() {
        let mut alone = Vec::new();
        put_histogram(&mut alone, &histogram, None);
        seeds.push(alone);
        put_histogram(&mut all, &histogram, before.as_ref());
        before = Some(histogram);
    }
    seeds.push(all);
    seeds
}

pub(crate) fn exemplars_seeds() -> Vec<Vec<u8>> {
    let (mut all, mut before) = (Vec::new(), Entry::default());
    for (place, labels) in (1..).zip(some_labels()) {
        let exemplar = Exemplar {
            labels,
            timestamp_ms: 1_700_000_000_000 + place * 15_000,
            value: place as f64 / 10.0,
        };
        let entry = Entry::new(Seq(place as u64 / 2), &exemplar);
        entry.put(&mut all, &before);
        before = entry;
    }
    vec![all, vec![]]
}
