//! Samples of one series from several sources.

use crate::model::{Pace, SAMPLES_PACE, Sample, Samples};

/// Puts the samples of a later source over those of earlier ones: of two at one timestamp the
/// later source's counts. Some of them where the pace ends it.
pub(super) fn lay_over(out: &mut Samples, newer: &Samples, pace: &mut Pace<'_>) {
    let Some(&first_ms) = newer.timestamps_ms.first() else {
        return;
    };
    // Sources follow each other in time but for late samples.
    if out
        .timestamps_ms
        .last()
        .is_none_or(|&last_ms| last_ms < first_ms)
    {
        append(out, newer, 0, pace);
        return;
    }
    let kept = out.timestamps_ms.partition_point(|&at_ms| at_ms < first_ms);
    let mut older = Samples::default();
    append(&mut older, out, kept, pace);
    out.timestamps_ms.truncate(kept);
    out.values.truncate(kept);
    let mut at = 0;
    for (timestamp_ms, value) in newer.iter() {
        if !append_before(out, &older, &mut at, timestamp_ms, pace) {
            return;
        }
        at += usize::from(older.timestamps_ms.get(at) == Some(&timestamp_ms));
        out.push(timestamp_ms, value);
    }
    append(out, &older, at, pace);
}

/// Adds the samples of another source from a place on that are before a time, and moves the place
/// past them; whether the pace went on.
fn append_before(
    out: &mut Samples,
    other: &Samples,
    at: &mut usize,
    before_ms: i64,
    pace: &mut Pace<'_>,
) -> bool {
    let (times, values) = (&other.timestamps_ms, &other.values);
    loop {
        let rest = times.iter().skip(*at).take(SAMPLES_PACE);
        let end = *at + rest.take_while(|&&at_ms| at_ms < before_ms).count();
        let run = *at..end;
        let length = run.len();
        if !pace.goes_on(length + 1) {
            return false;
        }
        let of_run = times.get(run.clone()).zip(values.get(run));
        let (times, values) = of_run.unwrap_or_default();
        out.timestamps_ms.extend_from_slice(times);
        out.values.extend_from_slice(values);
        *at = end;
        if length < SAMPLES_PACE {
            return true;
        }
    }
}

/// Adds the samples of another source from a place on.
fn append(out: &mut Samples, other: &Samples, from: usize, pace: &mut Pace<'_>) {
    let times = other.timestamps_ms.get(from..).unwrap_or_default();
    let values = other.values.get(from..).unwrap_or_default();
    out.timestamps_ms.reserve(times.len());
    out.values.reserve(times.len());
    let times = times.chunks(SAMPLES_PACE);
    for (times, values) in times.zip(values.chunks(SAMPLES_PACE)) {
        if !pace.goes_on(times.len()) {
            return;
        }
        out.timestamps_ms.extend_from_slice(times);
        out.values.extend_from_slice(values);
    }
}

/// Puts the samples of a later source, of any kinds, over those of earlier ones, as
/// [`lay_over`].
pub(super) fn lay_points_over(out: &mut Vec<Sample>, newer: Vec<Sample>) {
    let Some(first_ms) = newer.first().map(|sample| sample.timestamp_ms) else {
        return;
    };
    let kept = out.partition_point(|sample| sample.timestamp_ms < first_ms);
    let mut older = out.split_off(kept).into_iter().peekable();
    for sample in newer {
        let before = |other: &Sample| other.timestamp_ms < sample.timestamp_ms;
        while let Some(other) = older.next_if(before) {
            out.push(other);
        }
        older.next_if(|other| other.timestamp_ms == sample.timestamp_ms);
        out.push(sample);
    }
    out.extend(older);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::model::ReadBounds;
    use crate::model::allowance::tests::Counted;

    #[test]
    fn a_few_samples_over_a_long_series_ask_as_they_are_laid() {
        let count = 4 * SAMPLES_PACE;
        let mut out = Samples {
            timestamps_ms: (0..count as i64).collect(),
            values: vec![0.0; count],
        };
        let newer = Samples {
            timestamps_ms: vec![0, count as i64 - 1],
            values: vec![1.0; 2],
        };
        let allowance = Counted::new(usize::MAX, usize::MAX);
        let mut pace = ReadBounds::new(&allowance).sample_pace();
        lay_over(&mut out, &newer, &mut pace);
        assert!(out.timestamps_ms.iter().copied().eq(0..count as i64));
        assert_eq!(out.values.iter().sum::<f64>(), 2.0);
        // All of it is copied away, and then back.
        let asked = allowance.asked.into_inner();
        assert!((4..=10).contains(&asked), "{asked}");
    }

    fn column(samples: &BTreeMap<i64, u64>) -> Samples {
        Samples {
            timestamps_ms: samples.keys().copied().collect(),
            values: samples.values().copied().map(f64::from_bits).collect(),
        }
    }

    proptest! {
        #[test]
        fn the_later_source_counts(
            sources in prop::collection::vec(
                prop::collection::btree_map(-20i64..20, any::<u64>(), 0..12),
                0..5,
            ),
        ) {
            let mut expected = BTreeMap::new();
            let mut out = Samples::default();
            for source in &sources {
                expected.extend(source.clone());
                lay_over(&mut out, &column(source), &mut Pace::none());
            }
            let bits: Vec<_> = out.iter().map(|(t, v)| (t, v.to_bits())).collect();
            prop_assert_eq!(bits, expected.into_iter().collect::<Vec<_>>());
        }
    }
}
