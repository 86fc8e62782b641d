//! Floats, histograms, exemplars and metadata of several heads.

use super::*;
use crate::model::{
    Exemplar, ExemplarRow, Histogram, HistogramCounts, HistogramRow, Metadata, MetadataRow,
    ResetHint, Value,
};

fn histogram(sum: u64) -> Histogram {
    Histogram {
        schema: 0,
        zero_threshold: 0.0,
        sum: f64::from_bits(sum),
        reset_hint: ResetHint::Unknown,
        positive_spans: vec![],
        negative_spans: vec![],
        custom_bounds: vec![],
        counts: HistogramCounts::Float {
            count: 0.0,
            zero_count: 0.0,
            positive: vec![],
            negative: vec![],
        },
    }
}

/// A float, or a histogram with that sum; the start timestamp follows from it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Float(u64),
    Histogram(u64),
}

fn start_of(sum: u64) -> Option<i64> {
    (sum > 2).then_some(sum as i64)
}

/// Series, timestamp, value.
type KindWrite = (usize, i64, Kind);

fn write_kind(head: &Head, seq: usize, (series, timestamp_ms, kind): KindWrite) {
    match kind {
        Kind::Float(bits) => write_one(head, seq, labels_of(series), timestamp_ms, bits),
        Kind::Histogram(sum) => {
            let labels = labels_of(series);
            let id = head.register(labels.as_ref()).unwrap();
            head.apply(&[Batch {
                seq: Seq(seq as u64 + 1),
                definitions: vec![SeriesDefinition { id, labels }],
                histograms: vec![HistogramRow {
                    series: id,
                    timestamp_ms,
                    start_timestamp_ms: start_of(sum),
                    floats_before: 0,
                    histogram: histogram(sum),
                }],
                ..Batch::default()
            }]);
        }
    }
}

/// What a view shows of a series: all points, then floats and histograms apart.
fn read(selection: &Selection<'_>, series: usize) -> [Vec<(i64, Kind)>; 3] {
    let (mut points, mut samples, mut histograms) = (Vec::new(), Samples::default(), Vec::new());
    selection.points(series, &mut points).unwrap();
    selection.samples(series, &mut samples).unwrap();
    selection.histograms(series, &mut histograms).unwrap();
    let points = points.into_iter().map(|point| match point.value {
        Value::Float(value) => (point.timestamp_ms, Kind::Float(value.to_bits())),
        Value::Histogram(histogram) => {
            let sum = histogram.sum.to_bits();
            assert_eq!(point.start_timestamp_ms, start_of(sum));
            (point.timestamp_ms, Kind::Histogram(sum))
        }
    });
    let floats = samples.iter().map(|(t, v)| (t, Kind::Float(v.to_bits())));
    let histograms = histograms.into_iter().map(|point| {
        let sum = point.histogram.sum.to_bits();
        assert_eq!(point.start_timestamp_ms, start_of(sum));
        (point.timestamp_ms, Kind::Histogram(sum))
    });
    [points.collect(), floats.collect(), histograms.collect()]
}

proptest! {
    #[test]
    fn what_came_last_counts_whatever_its_kind_and_source(
        writes in prop::collection::vec(
            (
                0..3usize,
                -5..25i64,
                prop_oneof![
                    (0..9u64).prop_map(Kind::Float),
                    any::<u64>().prop_map(Kind::Float),
                    (0..9u64).prop_map(Kind::Histogram),
                ],
            ),
            0..60,
        ),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
        range in (-6..20i64, 0..30i64),
    ) {
        let range = TimeRange::new(range.0, range.0 + range.1);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(writes.len() + 1)).collect();
        cuts.sort_unstable();
        cuts.push(writes.len());
        let db = open();
        let mut parts = Vec::new();
        let mut from = 0;
        for to in cuts {
            let head = Arc::new(Head::new());
            for (seq, &write) in (from..to).zip(&writes[from..to]) {
                write_kind(&head, seq, write);
            }
            parts.push(Part::pinned(&head));
            from = to;
        }
        let mut model: BTreeMap<Labels, BTreeMap<i64, Kind>> = BTreeMap::new();
        for &(series, timestamp_ms, kind) in &writes {
            if range.contains(timestamp_ms) {
                model.entry(labels_of(series)).or_default().insert(timestamp_ms, kind);
            }
        }
        let view = view(&db, parts, i64::MIN);
        let selection = view.select(&[], range).unwrap();
        prop_assert_eq!(selection.len(), model.len());
        for series in 0..selection.len() {
            let want: Vec<_> = model[&selection.labels(series)].clone().into_iter().collect();
            let [points, floats, histograms] = read(&selection, series);
            prop_assert_eq!(&points, &want);
            let is_float = |(_, kind): &(i64, Kind)| matches!(kind, Kind::Float(_));
            let (want_floats, want_histograms): (Vec<_>, Vec<_>) =
                want.into_iter().partition(is_float);
            prop_assert_eq!(floats, want_floats);
            prop_assert_eq!(histograms, want_histograms);
        }
    }
}

#[test]
fn exemplars_and_metadata_of_all_sources_are_joined() {
    let db = open();
    let exemplar = |timestamp_ms| Exemplar {
        labels: Labels::from_pairs([("trace_id", "x")]).unwrap(),
        timestamp_ms,
        value: 1.0,
    };
    let row = |metric: &str, help: &str| MetadataRow {
        metric: metric.to_owned(),
        metadata: Metadata {
            help: help.to_owned(),
            ..Metadata::default()
        },
    };
    let head = |seq, series, times: &[i64], metadata: Vec<MetadataRow>| {
        let head = Arc::new(Head::new());
        let labels = labels_of(series);
        let id = head.register(labels.as_ref()).unwrap();
        let times = times.iter();
        head.apply(&[Batch {
            seq: Seq(seq),
            definitions: vec![SeriesDefinition { id, labels }],
            exemplars: times
                .map(|&timestamp_ms| ExemplarRow {
                    series: id,
                    exemplar: exemplar(timestamp_ms),
                })
                .collect(),
            metadata,
            ..Batch::default()
        }]);
        Part::pinned(&head)
    };
    let older = head(1, 1, &[5, 9, 3], vec![row("a", "1"), row("b", "2")]);
    let same = head(2, 1, &[9, 4], vec![row("b", "3")]);
    let other = head(3, 0, &[8], vec![]);
    let view = view(&db, vec![older, same, other], 4);
    let found = view.exemplars(&[], TimeRange::new(0, 8)).unwrap();
    let found: Vec<_> = found
        .into_iter()
        .map(|series| (series.labels, series.exemplars))
        .collect();
    assert_eq!(
        found,
        [
            (labels_of(0), vec![exemplar(8)]),
            // That at 3 is past the retention, that at 9 after the range.
            (labels_of(1), vec![exemplar(4), exemplar(5)]),
        ]
    );
    let once = view.exemplars(&[], TimeRange::new(9, 9)).unwrap();
    assert_eq!(once[0].exemplars, [exemplar(9)]);
    let all = view.metadata(None).unwrap();
    let all: Vec<_> = all
        .iter()
        .map(|(metric, metadata)| (metric.as_str(), metadata.help.as_str()))
        .collect();
    assert_eq!(all, [("a", "1"), ("b", "3")]);
    assert_eq!(view.metadata(Some("b")).unwrap().len(), 1);
    assert!(view.metadata(Some("c")).unwrap().is_empty());
}
