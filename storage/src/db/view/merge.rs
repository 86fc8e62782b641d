//! Samples of one series from several sources.

use crate::model::{Sample, Samples};

/// Puts the samples of a later source over those of earlier ones: of two at one timestamp the
/// later source's counts.
pub(super) fn lay_over(out: &mut Samples, newer: &Samples) {
    let Some(&first_ms) = newer.timestamps_ms.first() else {
        return;
    };
    // Sources follow each other in time but for late samples.
    if out
        .timestamps_ms
        .last()
        .is_none_or(|&last_ms| last_ms < first_ms)
    {
        out.timestamps_ms.extend_from_slice(&newer.timestamps_ms);
        out.values.extend_from_slice(&newer.values);
        return;
    }
    let kept = out.timestamps_ms.partition_point(|&at_ms| at_ms < first_ms);
    let older = Samples {
        timestamps_ms: out.timestamps_ms.split_off(kept),
        values: out.values.split_off(kept),
    };
    let mut older = older.iter().peekable();
    for (timestamp_ms, value) in newer.iter() {
        while let Some((before_ms, value)) = older.next_if(|&(t, _)| t < timestamp_ms) {
            out.push(before_ms, value);
        }
        older.next_if(|&(t, _)| t == timestamp_ms);
        out.push(timestamp_ms, value);
    }
    for (timestamp_ms, value) in older {
        out.push(timestamp_ms, value);
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
                lay_over(&mut out, &column(source));
            }
            let bits: Vec<_> = out.iter().map(|(t, v)| (t, v.to_bits())).collect();
            prop_assert_eq!(bits, expected.into_iter().collect::<Vec<_>>());
        }
    }
}
