//! Floats, histograms, start timestamps, exemplars and metadata together, against a model.

use super::*;
use crate::model::{
    BucketSpan, CUSTOM_SCHEMA, Exemplar, ExemplarRow, FloatSlices, FloatStart, Histogram,
    HistogramCounts, HistogramPoint, HistogramRow, Metadata, MetadataRow, MetricType, ResetHint,
    Sample, Value,
};

/// A histogram that follows from a number: the same one, other counts, another layout.
fn histogram(n: u8) -> Histogram {
    let is_float = n.is_multiple_of(7);
    let buckets = 1 + u32::from(n / 8 % 3);
    let histogram = Histogram {
        schema: if n.is_multiple_of(5) {
            CUSTOM_SCHEMA
        } else {
            2
        },
        zero_threshold: 0.0,
        sum: match n {
            3 => f64::from_bits(STALE_NAN_BITS),
            n => f64::from(n) * 1.5,
        },
        reset_hint: ResetHint::Unknown,
        positive_spans: vec![BucketSpan {
            offset: 0,
            length: buckets,
        }],
        negative_spans: vec![],
        custom_bounds: match n.is_multiple_of(5) {
            true => vec![1.0, 2.0],
            false => vec![],
        },
        counts: match is_float {
            true => HistogramCounts::Float {
                count: f64::from(n),
                zero_count: 0.0,
                positive: (0..buckets).map(|i| f64::from(i) + 0.5).collect(),
                negative: vec![],
            },
            false => HistogramCounts::Integer {
                count: u64::from(n) * u64::from(buckets),
                zero_count: 0,
                positive_deltas: (0..buckets)
                    .map(|i| if i == 0 { n.into() } else { 0 })
                    .collect(),
                negative_deltas: vec![],
            },
        },
    };
    assert_eq!(histogram.validate(), Ok(()));
    histogram
}

/// The value of a row: bits of a float, or the number of a histogram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Float(u64),
    Histogram(u8),
}

/// What a reader gets: start timestamp and value.
type Point = (Option<i64>, Kind);

/// Series, timestamp, start timestamp and value.
type MixedRow = (u32, i64, Point);

/// Series, timestamp and number of the exemplar.
type ExemplarOf = (u32, i64, u8);

/// Metric and number of its metadata.
type MetadataOf = (u8, u8);

#[derive(Clone, Debug, Default)]
struct Request {
    rows: Vec<MixedRow>,
    exemplars: Vec<ExemplarOf>,
    metadata: Vec<MetadataOf>,
}

fn exemplar(timestamp_ms: i64, n: u8) -> Exemplar {
    Exemplar {
        labels: Labels::from_pairs([("trace_id", n.to_string().as_str())]).unwrap(),
        timestamp_ms,
        value: f64::from(n) / 2.0,
    }
}

fn metadata(n: u8) -> Metadata {
    Metadata {
        metric_type: MetricType::from_number(n % 8).unwrap(),
        unit: String::new(),
        help: format!("help {n}"),
    }
}

/// The request as a batch of a writer.
fn batch(writer: &mut Writer<'_>, request: &Request) -> Batch {
    // All series by way of floats, which know how to define them; then rows of the right kinds.
    let series = request.rows.iter().map(|row| row.0);
    let series = series.chain(request.exemplars.iter().map(|row| row.0));
    let rows: Vec<Row> = series.map(|series| (series, 0, 0)).collect();
    let mut batch = writer.batch(&rows);
    batch.floats.clear();
    for &(series, timestamp_ms, (start_timestamp_ms, kind)) in &request.rows {
        let series = writer.ids[&series];
        let row = batch.floats.len() as u32;
        match kind {
            Kind::Float(bits) => {
                batch.floats.push(FloatRow {
                    series,
                    timestamp_ms,
                    value: f64::from_bits(bits),
                });
                batch
                    .float_starts
                    .extend(start_timestamp_ms.map(|start| FloatStart {
                        row,
                        start_timestamp_ms: start,
                    }));
            }
            Kind::Histogram(n) => batch.histograms.push(HistogramRow {
                series,
                timestamp_ms,
                start_timestamp_ms,
                floats_before: row,
                histogram: histogram(n),
            }),
        }
    }
    let exemplars = request.exemplars.iter();
    batch.exemplars = exemplars
        .map(|&(series, timestamp_ms, n)| ExemplarRow {
            series: writer.ids[&series],
            exemplar: exemplar(timestamp_ms, n),
        })
        .collect();
    let rows = request.metadata.iter();
    batch.metadata = rows
        .map(|&(metric, n)| MetadataRow {
            metric: format!("m{metric}"),
            metadata: metadata(n),
        })
        .collect();
    batch
}

/// Every request ever written, with the seq of its batch.
#[derive(Default)]
struct MixedModel(Vec<(Seq, Request)>);

impl MixedModel {
    fn seen(&self, seq: Seq) -> impl Iterator<Item = &Request> {
        let requests = self.0.iter().filter(move |(at, _)| *at <= seq);
        requests.map(|(_, request)| request)
    }

    fn points(&self, seq: Seq, series: u32, range: TimeRange) -> Vec<(i64, Point)> {
        let rows = self.seen(seq).flat_map(|request| &request.rows);
        let points: BTreeMap<_, _> = rows
            .filter(|row| row.0 == series && range.contains(row.1))
            .map(|&(_, timestamp_ms, point)| (timestamp_ms, point))
            .collect();
        points.into_iter().collect()
    }

    fn exemplars(&self, seq: Seq, range: TimeRange) -> BTreeSet<ExemplarOf> {
        let rows = self.seen(seq).flat_map(|request| &request.exemplars);
        rows.filter(|row| range.contains(row.1)).copied().collect()
    }

    fn metadata(&self, seq: Seq) -> BTreeMap<u8, u8> {
        let rows = self.seen(seq).flat_map(|request| &request.metadata);
        rows.copied().collect()
    }
}

fn is(read: &Histogram, n: u8) -> bool {
    read.is_identical(&histogram(n))
}

fn same_point(read: &Sample, want: &(i64, Point)) -> bool {
    let &(timestamp_ms, (start, kind)) = want;
    let same_value = match (&read.value, kind) {
        (Value::Float(value), Kind::Float(bits)) => value.to_bits() == bits,
        (Value::Histogram(histogram), Kind::Histogram(n)) => is(histogram, n),
        _ => false,
    };
    read.timestamp_ms == timestamp_ms && read.start_timestamp_ms == start && same_value
}

fn same_histogram(read: &HistogramPoint, want: &(i64, Point)) -> bool {
    let sample = Sample {
        timestamp_ms: read.timestamp_ms,
        start_timestamp_ms: read.start_timestamp_ms,
        value: Value::Histogram(Box::new(read.histogram.clone())),
    };
    same_point(&sample, want)
}

/// Everything that can be read of `head` at `pin`, in `range`, is what the model says.
fn check_all(
    head: &Head,
    ids: &BTreeMap<u32, SeriesId>,
    model: &MixedModel,
    pin: &Pin,
    range: TimeRange,
) {
    let mut with_samples = BTreeSet::new();
    for (&series, &id) in ids {
        let want = model.points(pin.seq(), series, range);
        if !want.is_empty() {
            with_samples.insert(id);
        }
        let mut points = Vec::new();
        head.read_points(pin, id, range, &mut points).unwrap();
        assert_eq!(points.len(), want.len(), "{points:?} {want:?}");
        for (read, want) in points.iter().zip(&want) {
            assert!(same_point(read, want), "series {series}: {read:?} {want:?}");
        }
        let floats: Vec<_> = want
            .iter()
            .filter_map(|&(timestamp_ms, (_, kind))| match kind {
                Kind::Float(bits) => Some((timestamp_ms, bits)),
                Kind::Histogram(_) => None,
            })
            .collect();
        assert_eq!(read_bits(head, pin, id, range), floats, "series {series}");
        let mut histograms = Vec::new();
        head.read_histograms(pin, id, range, &mut histograms)
            .unwrap();
        let want: Vec<_> = want
            .into_iter()
            .filter(|(_, (_, kind))| matches!(kind, Kind::Histogram(_)))
            .collect();
        assert_eq!(histograms.len(), want.len());
        for (read, want) in histograms.iter().zip(&want) {
            assert!(
                same_histogram(read, want),
                "series {series}: {read:?} {want:?}"
            );
        }
    }
    let selected = head.select(pin, &[], range).unwrap();
    assert_eq!(selected, Vec::from_iter(with_samples));
    check_extras(head, ids, model, pin, range);
}

fn check_extras(
    head: &Head,
    ids: &BTreeMap<u32, SeriesId>,
    model: &MixedModel,
    pin: &Pin,
    range: TimeRange,
) {
    let mut want: BTreeMap<SeriesId, Vec<Exemplar>> = BTreeMap::new();
    for (series, timestamp_ms, n) in model.exemplars(pin.seq(), range) {
        let exemplars = want.entry(ids[&series]).or_default();
        exemplars.push(exemplar(timestamp_ms, n));
    }
    let read = head.exemplars(pin, &[], range).unwrap();
    assert_eq!(read, Vec::from_iter(want));
    let want: Vec<_> = model
        .metadata(pin.seq())
        .into_iter()
        .map(|(metric, n)| (format!("m{metric}"), metadata(n)))
        .collect();
    assert_eq!(head.metadata(pin, None), want);
    let one = head.metadata(pin, Some("m1"));
    assert!(want.iter().filter(|row| row.0 == "m1").eq(&one));
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        4 => (0..3u32).prop_map(|value| Kind::Float(bits(f64::from(value)))),
        1 => Just(Kind::Float(STALE_NAN_BITS)),
        5 => (0..4u8).prop_map(Kind::Histogram),
        2 => any::<u8>().prop_map(Kind::Histogram),
    ]
}

fn mixed_rows() -> impl Strategy<Value = Vec<MixedRow>> {
    let start = || prop_oneof![3 => Just(None), 2 => Just(Some(5)), 1 => (0..50i64).prop_map(Some)];
    let series = || 0..3u32;
    let single = (series(), -20..200i64, start(), kind())
        .prop_map(|(series, timestamp_ms, start, kind)| vec![(series, timestamp_ms, (start, kind))])
        .boxed();
    // The same row twice and three times, and rows of two kinds at one timestamp.
    let again = (single.clone(), kind()).prop_map(|(row, kind)| {
        let mut other = row[0];
        other.2.1 = kind;
        vec![row[0], row[0], other, row[0]]
    });
    // Long enough to fill chunks and blocks, in order or late, with a float now and then.
    let run = (
        series(),
        -20..200i64,
        1..140u8,
        start(),
        any::<bool>(),
        2..40u8,
    );
    let run = run.prop_map(|(series, from, count, start, follows, float_every)| {
        let at = |i: u8| {
            let kind = match i % float_every {
                0 => Kind::Float(bits(f64::from(i))),
                _ => Kind::Histogram(i),
            };
            let timestamp_ms = from + i64::from(i);
            let start = start.map(|start| if follows { timestamp_ms - start } else { start });
            (series, timestamp_ms, (start, kind))
        };
        (0..count).map(at).collect()
    });
    let part = prop_oneof![5 => single, 2 => again, 2 => run];
    prop::collection::vec(part, 0..5).prop_map(|parts| parts.concat())
}

fn request() -> impl Strategy<Value = Request> {
    let exemplars = prop::collection::vec((0..3u32, -20..200i64, 0..4u8), 0..4);
    let metadata = prop::collection::vec((0..3u8, 0..3u8), 0..3);
    (mixed_rows(), exemplars, metadata).prop_map(|(rows, exemplars, metadata)| Request {
        rows,
        exemplars,
        metadata,
    })
}

/// Ids of the series of [`heads`], of several shards.
pub(crate) const IDS: [u32; 3] = [3, 7, 2500];

/// Heads that hold samples of any kind, exemplars and metadata.
pub(crate) fn heads() -> impl Strategy<Value = Head> {
    prop::collection::vec(request(), 0..8).prop_map(|requests| {
        let head = Head::new();
        let mut writer = Writer::new(&head);
        let mut first = writer.batch(&[]);
        for (series, id) in (0..).zip(IDS.map(SeriesId)) {
            let labels = labels_of(series);
            head.define(id, &labels).unwrap();
            first.definitions.push(SeriesDefinition { id, labels });
            writer.ids.insert(series, id);
        }
        head.apply(&[first]);
        for request in requests {
            head.apply(&[batch(&mut writer, &request)]);
        }
        head
    })
}

#[derive(Clone, Debug)]
enum MixedStep {
    Apply(Vec<Request>),
    Pin,
    Unpin(prop::sample::Index),
}

fn mixed_steps() -> impl Strategy<Value = Vec<MixedStep>> {
    let step = prop_oneof![
        4 => prop::collection::vec(request(), 1..3).prop_map(MixedStep::Apply),
        2 => Just(MixedStep::Pin),
        1 => any::<prop::sample::Index>().prop_map(MixedStep::Unpin),
    ];
    prop::collection::vec(step, 1..16)
}

/// A head that gets the batches as from a log, several at a time.
fn replayed(batches: &[Batch]) -> Head {
    let head = Head::new();
    for batches in batches.chunks(3) {
        for definition in batches.iter().flat_map(|batch| &batch.definitions) {
            head.define(definition.id, &definition.labels).unwrap();
        }
        let batches = batches.iter().map(|batch| ReplayBatch {
            batch,
            floats: FloatSlices::default(),
        });
        head.replay(&batches.collect::<Vec<_>>(), 2);
    }
    head
}

proptest! {
    #[test]
    fn every_pin_sees_points_of_all_kinds_for_ever(
        steps in mixed_steps(),
        range in (-30..250i64, 0..150i64),
    ) {
        let range = TimeRange::new(range.0, range.0 + range.1);
        let head = Head::new();
        let mut writer = Writer::new(&head);
        let mut model = MixedModel::default();
        let mut batches = Vec::new();
        let mut pins = vec![head.pin()];
        for step in &steps {
            match step {
                MixedStep::Apply(requests) => {
                    let mut group = Vec::new();
                    for request in requests {
                        let batch = batch(&mut writer, request);
                        batches.push(batch.clone());
                        model.0.push((batch.seq, request.clone()));
                        group.push(batch);
                    }
                    let applied = head.apply(&group);
                    let rows: usize = requests.iter().map(|request| request.rows.len()).sum();
                    prop_assert_eq!(applied.samples + applied.duplicates, rows as u64);
                }
                MixedStep::Pin => pins.push(head.pin()),
                MixedStep::Unpin(at) if !pins.is_empty() => {
                    pins.swap_remove(at.index(pins.len()));
                }
                MixedStep::Unpin(_) => {}
            }
            for pin in &pins {
                check_all(&head, &writer.ids, &model, pin, range);
            }
        }
        pins.push(head.pin());
        for pin in &pins {
            check_all(&head, &writer.ids, &model, pin, TimeRange::ALL);
        }
        let again = replayed(&batches);
        check_all(&again, &writer.ids, &model, &again.pin(), TimeRange::ALL);
        check_all(&again, &writer.ids, &model, &again.pin(), range);
    }
}

fn request_of(rows: &[MixedRow]) -> Request {
    Request {
        rows: rows.to_vec(),
        ..Request::default()
    }
}

#[test]
fn the_same_histogram_again_is_dropped_and_another_kind_or_start_is_not() {
    let head = Head::new();
    let mut writer = Writer::new(&head);
    let mut write = |row| {
        let batch = batch(&mut writer, &request_of(&[row]));
        head.apply(&[batch]).duplicates
    };
    let stale = Kind::Histogram(3);
    assert_eq!(write((0, 10, (None, stale))), 0);
    assert_eq!(write((0, 10, (None, stale))), 1);
    // The placeholder of the histogram is no float.
    assert_eq!(write((0, 10, (None, Kind::Float(0)))), 0);
    let of_one = Kind::Float(bits(1.0));
    assert_eq!(write((1, 10, (Some(5), of_one))), 0);
    assert_eq!(write((1, 10, (Some(5), of_one))), 1);
    assert_eq!(write((1, 10, (None, of_one))), 0);
    assert_eq!(write((2, 10, (None, of_one))), 0);
    assert_eq!(write((2, 10, (Some(5), of_one))), 0);
}

#[test]
fn bytes_are_counted_and_series_of_floats_cost_nothing() {
    let head = Head::new();
    let mut writer = Writer::new(&head);
    writer.write(&[(0, 1, bits(1.0))]);
    let floats = head.stats();
    let beside = |head: &Head| {
        let stats = head.stats();
        (
            stats.extras_bytes,
            stats.exemplar_bytes,
            stats.metadata_bytes,
        )
    };
    assert_eq!(beside(&head), (0, 0, 0));
    let rows: Vec<_> = (0..100)
        .map(|i| (1, i, (Some(0), Kind::Histogram(i as u8))))
        .collect();
    let mut request = request_of(&rows);
    request.exemplars = vec![(1, 1, 1)];
    request.metadata = vec![(1, 1)];
    let applied = head.apply(&[batch(&mut writer, &request)]);
    assert_eq!((applied.histograms, applied.exemplars), (100, 1));
    let (extras, exemplars, metadata) = beside(&head);
    // A histogram of few buckets takes some 10 to 30 bytes after the one before.
    assert!((1000..6000).contains(&extras), "{extras}");
    assert!((20..300).contains(&exemplars), "{exemplars}");
    assert!((10..200).contains(&metadata), "{metadata}");
    // A placeholder costs a bit.
    let chunk_bytes = head.stats().chunk_bytes - floats.chunk_bytes;
    assert!(chunk_bytes < 500, "{chunk_bytes}");
}
