use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::model::{Cardinality, Count};

/// The first of counts: the largest, and of those that are the same the first by name.
fn first(counts: BTreeMap<String, u64>, limit: usize) -> Vec<Count> {
    let counts = counts
        .into_iter()
        .map(|(name, count)| Count { name, count });
    let mut counts: Vec<_> = counts.collect();
    counts.sort_by_key(|count| Reverse(count.count));
    counts.truncate(limit);
    counts
}

/// What is found by looking at each row.
fn counted(rows: &[Row], limit: usize) -> Cardinality {
    let (mut metrics, mut bytes) = (BTreeMap::new(), BTreeMap::new());
    let (mut pairs, mut values) = (BTreeMap::new(), BTreeMap::new());
    for (name, value) in rows.iter().flatten().flatten() {
        if name == "__name__" {
            *metrics.entry(value.clone()).or_default() += 1;
        }
        let own: BTreeSet<_> = BTreeSet::from([value.clone()]);
        values
            .entry(name.clone())
            .or_insert_with(BTreeSet::new)
            .extend(own);
        *pairs.entry(format!("{name}={value}")).or_default() += 1;
        let lengths = [name, value].map(|text| text.len() + if text.len() < 255 { 1 } else { 4 });
        *bytes.entry(name.clone()).or_default() += lengths.iter().sum::<usize>() as u64;
    }
    let values: BTreeMap<_, _> = values
        .into_iter()
        .map(|(n, v)| (n, v.len() as u64))
        .collect();
    Cardinality {
        series: rows.iter().flatten().count() as u64,
        label_pairs: values.values().sum(),
        range: None,
        series_by_metric: first(metrics, limit),
        values_by_label: first(values, limit),
        bytes_by_label: first(bytes, limit),
        series_by_pair: first(pairs, limit),
    }
}

fn asked(rows: &[Row], limit: usize) -> Cardinality {
    stored(rows)
        .cardinality_within(ReadBounds::NONE.limited(limit))
        .unwrap()
}

#[test]
fn names_and_values_are_counted() {
    let long = "x".repeat(300);
    let rows = [
        row(&[("__name__", "a"), ("job", "j"), ("n", "1")]),
        row(&[("__name__", "a"), ("job", "j"), ("n", "2")]),
        row(&[("__name__", "b"), ("job", "k")]),
        None,
        row(&[("job", &long)]),
        row(&[]),
    ];
    let found = asked(&rows, 2);
    let list = |counts: &[Count]| -> Vec<_> {
        counts
            .iter()
            .map(|of| format!("{} {}", of.name, of.count))
            .collect()
    };
    assert_eq!((found.series, found.label_pairs), (5, 7));
    assert_eq!(list(&found.series_by_metric), ["a 2", "b 1"]);
    assert_eq!(list(&found.values_by_label), ["job 3", "__name__ 2"]);
    // 3 * (3 + 1 + 1 + 1) + 3 + 1 + 300 + 4, and 3 * (8 + 1 + 1 + 1).
    assert_eq!(list(&found.bytes_by_label), ["job 326", "__name__ 33"]);
    assert_eq!(list(&found.series_by_pair), ["__name__=a 2", "job=j 2"]);
    assert_eq!(found, counted(&rows, 2));
}

/// More values than are counted at once, with lists of both forms.
#[test]
fn many_values_are_counted() {
    let rows: Vec<Row> = (0..30_000u32)
        .map(|n| {
            let (own, some) = (
                format!("{n:05}"),
                (n.wrapping_mul(0x9e37_79b9) >> 28).to_string(),
            );
            row(&[
                ("own", &own),
                ("some", &some),
                ("third", &(n / 3).to_string()),
            ])
        })
        .collect();
    for limit in [0, 1, 10, 20_000, usize::MAX] {
        assert_eq!(asked(&rows, limit), counted(&rows, limit));
    }
}

proptest! {
    #[test]
    fn as_if_every_row_was_looked_at(rows in any_rows(), limit in 0..40usize) {
        prop_assert_eq!(asked(&rows, limit), counted(&rows, limit));
    }

    /// The first of the largest of all sources are among the first of each.
    #[test]
    fn sources_are_joined_by_their_largest(
        sources in prop::collection::vec(any_rows(), 0..4),
        limit in 0..12usize,
    ) {
        let (mut all, mut of_first) = (Cardinality::default(), Cardinality::default());
        for rows in &sources {
            of_first.join(counted(rows, limit), limit);
            all.join(counted(rows, usize::MAX), usize::MAX);
        }
        // Each figure is the largest, whatever the order.
        for (number, rows) in sources.iter().enumerate() {
            let own = counted(rows, usize::MAX);
            prop_assert!(own.series <= all.series, "{}", number);
            for (own, all) in [
                (&own.series_by_metric, &all.series_by_metric),
                (&own.values_by_label, &all.values_by_label),
                (&own.bytes_by_label, &all.bytes_by_label),
                (&own.series_by_pair, &all.series_by_pair),
            ] {
                for own in own {
                    let found = all.iter().find(|of| of.name == own.name);
                    prop_assert!(found.is_some_and(|of| of.count >= own.count));
                }
            }
        }
        let largest = sources.iter().map(|rows| counted(rows, 0).series).max();
        prop_assert_eq!(all.series, largest.unwrap_or(0));
        for counts in [
            &mut all.series_by_metric,
            &mut all.values_by_label,
            &mut all.bytes_by_label,
            &mut all.series_by_pair,
        ] {
            counts.truncate(limit);
        }
        prop_assert_eq!(of_first, all);
    }
}
