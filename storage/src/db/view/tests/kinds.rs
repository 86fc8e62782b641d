//! Floats, histograms, exemplars and metadata of several heads and segments.

use std::path::Path;

use super::*;
use crate::maintenance::flush::write_segment;
use crate::model::{
    Exemplar, ExemplarRow, FloatStart, Histogram, HistogramCounts, HistogramRow, Metadata,
    MetadataRow, ResetHint, Sample, SeriesExemplars, Value,
};
use crate::segment::{self, Segment, SeqRange};

/// A head as it is, or as the segment that it becomes.
fn part(head: &Arc<Head>, is_flushed: bool) -> Part {
    if !is_flushed {
        return Part::pinned(head);
    }
    let (sys, dir) = (SimDisk::new(1).sys(0), Path::new("/segments"));
    let seqs = SeqRange {
        first: Seq(1),
        last: Seq(1),
    };
    write_segment(&sys, dir, 1, head, seqs, 1, &|| ()).unwrap();
    let segment = Segment::open(&sys, &segment::path(dir, 1)).unwrap();
    Part::Stored(segment.into())
}

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
        flushed in any::<[bool; 3]>(),
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
            let is_flushed = flushed.get(parts.len()).copied().unwrap_or(false);
            parts.push(part(&head, is_flushed));
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
    for flushed in [
        [false; 3],
        [true; 3],
        [true, false, false],
        [true, true, false],
    ] {
        check_extras_are_joined(flushed);
    }
}

fn check_extras_are_joined(flushed: [bool; 3]) {
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
        part(&head, flushed[seq as usize - 1])
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

/// All that a view shows: of each series labels, points and floats; exemplars; metadata.
type Shown = (
    Vec<(Labels, Vec<Sample>, Samples)>,
    Vec<SeriesExemplars>,
    Vec<(String, Metadata)>,
);

fn shown(db: &Db) -> Shown {
    let view = db.view();
    let selection = view.select(&[], TimeRange::ALL).unwrap();
    let series = (0..selection.len()).map(|series| {
        let (mut points, mut samples) = (Vec::new(), Samples::default());
        selection.points(series, &mut points).unwrap();
        selection.samples(series, &mut samples).unwrap();
        (selection.labels(series), points, samples)
    });
    let series = series.collect();
    let exemplars = view.exemplars(&[], TimeRange::ALL).unwrap();
    (series, exemplars, view.metadata(None).unwrap())
}

/// A batch of samples of any kind, exemplars and metadata. Some points lie over others, late ones
/// too.
fn batch_of_all_kinds(head: &Head, seq: u64) -> Batch {
    let mut batch = Batch {
        seq: Seq(seq),
        ..Batch::default()
    };
    for series in 0..4 {
        let labels = labels_of(series);
        let id = head.register(labels.as_ref()).unwrap();
        batch.definitions.push(SeriesDefinition { id, labels });
        // A series of exemplars alone.
        for i in 0..(200 * (3 - series as i64)) {
            let timestamp_ms = i - i % 9 * 20;
            let row = batch.floats.len() as u32;
            let start_timestamp_ms = (i % 4 > 1).then_some(timestamp_ms / 50);
            if i % 3 == 0 {
                batch.histograms.push(HistogramRow {
                    series: id,
                    timestamp_ms,
                    start_timestamp_ms,
                    floats_before: row,
                    histogram: histogram(i as u64),
                });
                continue;
            }
            batch.floats.push(FloatRow {
                series: id,
                timestamp_ms,
                value: i as f64,
            });
            batch
                .float_starts
                .extend(start_timestamp_ms.map(|start| FloatStart {
                    row,
                    start_timestamp_ms: start,
                }));
        }
        batch.exemplars.extend((0..40).map(|i| ExemplarRow {
            series: id,
            exemplar: Exemplar {
                labels: Labels::from_pairs([("trace_id", i.to_string().as_str())]).unwrap(),
                timestamp_ms: i,
                value: 0.5,
            },
        }));
        batch.metadata.push(MetadataRow {
            metric: format!("m{series}"),
            metadata: Metadata {
                help: format!("help {seq}"),
                ..Metadata::default()
            },
        });
    }
    batch
}

#[test]
fn everything_is_there_after_a_flush_and_a_restart() {
    let disk = SimDisk::new(1);
    let open = || Db::open_with(disk.sys(0), "/data", Options::default()).unwrap();
    let db = open();
    // Past the log: what the segment does not hold is gone.
    let active = Arc::clone(&db.0.shared.sources.get().active);
    active.apply(&[batch_of_all_kinds(&active, 1)]);
    active.apply(&[batch_of_all_kinds(&active, 2)]);
    let before = shown(&db);
    assert_eq!((before.0.len(), before.1.len(), before.2.len()), (3, 4, 4));
    let points = |shown: &Shown| shown.0.iter().map(|series| series.1.len()).sum::<usize>();
    let floats = |shown: &Shown| shown.0.iter().map(|series| series.2.len()).sum::<usize>();
    assert!(floats(&before) > 500 && points(&before) > floats(&before) + 200);
    drop(active);
    db.flush().unwrap();
    assert_eq!(shown(&db), before);
    assert_eq!(db.stats().segments, 1);
    drop(db);
    let db = open();
    assert_eq!(db.stats().samples_appended, 0);
    assert_eq!(shown(&db), before);
}
