//! What tests merge: writes, the segments that hold them, and what must come out.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use crate::head::Head;
use crate::maintenance::flush::write_segment;
use crate::maintenance::merge::Source;
use crate::model::{
    Batch, BucketSpan, Exemplar, ExemplarRow, FloatRow, FloatStart, Histogram, HistogramCounts,
    HistogramRow, Labels, Metadata, MetadataRow, MetricType, ResetHint, STALE_NAN_BITS, Sample,
    Seq, SeriesDefinition, SeriesId, TimeRange, Value,
};
use crate::segment::{self, Segment, SeqRange};
use crate::sys::Sys;

pub(super) const SEGMENTS: &str = "/data/segments";

/// Label sets that are easily put in a wrong order: without a metric name, with names before that
/// of the metric name, of metrics whose names begin alike.
const SERIES: [&[(&str, &str)]; 12] = [
    &[("__name__", "up"), ("job", "b")],
    &[("__name__", "up"), ("job", "a")],
    &[("__name__", "up")],
    &[("A", "1"), ("__name__", "up"), ("job", "a")],
    &[("A", "1"), ("__name__", "a")],
    &[("job", "a")],
    &[("A", "0"), ("zone", "\u{e9}")],
    &[("__name__", "up_total"), ("job", "a")],
    &[("__name__", "u"), ("job", "up")],
    &[
        ("__name__", "up"),
        ("instance", "10.0.0.1:9100"),
        ("job", "a"),
    ],
    &[
        ("__name__", "up"),
        ("instance", "10.0.0.10:9100"),
        ("job", "a"),
    ],
    &[
        ("__name__", "up"),
        ("__name", "x"),
        ("a", "x"),
        ("b", "x"),
        ("c", "x"),
        ("d", "x"),
    ],
];

pub(super) fn labels(series: usize) -> Labels {
    Labels::from_pairs(SERIES[series].iter().copied()).unwrap()
}

/// The value of a sample: bits of a float, or the number of a histogram.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Float(u64),
    Histogram(u8),
}

#[derive(Clone, Debug)]
pub(super) enum Write {
    /// A timestamp of some series, with or without a start timestamp.
    Scrape {
        series: Vec<usize>,
        timestamp_ms: i64,
        start_timestamp_ms: Option<i64>,
        kind: Kind,
    },
    Exemplar {
        series: usize,
        timestamp_ms: i64,
        number: u8,
    },
    Metadata {
        metric: u8,
        number: u8,
    },
}

pub(super) fn histogram(number: u8) -> Histogram {
    let buckets = 1 + u32::from(number % 3);
    Histogram {
        schema: 2,
        zero_threshold: 0.0,
        sum: match number {
            3 => f64::from_bits(STALE_NAN_BITS),
            number => f64::from(number),
        },
        reset_hint: ResetHint::Unknown,
        positive_spans: vec![BucketSpan {
            offset: 0,
            length: buckets,
        }],
        negative_spans: vec![],
        custom_bounds: vec![],
        counts: HistogramCounts::Integer {
            count: u64::from(number) * u64::from(buckets),
            zero_count: 0,
            positive_deltas: (0..buckets)
                .map(|i| if i == 0 { number.into() } else { 0 })
                .collect(),
            negative_deltas: vec![],
        },
    }
}

pub(super) fn exemplar(timestamp_ms: i64, number: u8) -> Exemplar {
    Exemplar {
        labels: Labels::from_pairs([("trace_id", number.to_string().as_str())]).unwrap(),
        timestamp_ms,
        value: f64::from(number) / 2.0,
    }
}

pub(super) fn metadata(number: u8) -> Metadata {
    Metadata {
        metric_type: MetricType::from_number(number % 8).unwrap(),
        unit: String::new(),
        help: format!("help {number}"),
    }
}

/// All that was written, each sample as the last write left it.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) samples: BTreeMap<usize, BTreeMap<i64, Sample>>,
    pub(super) exemplars: BTreeMap<usize, Vec<Exemplar>>,
    pub(super) metadata: BTreeMap<String, Metadata>,
}

impl Model {
    pub(super) fn of(sources: &[Vec<Write>]) -> Self {
        let mut model = Self::default();
        for write in sources.iter().flatten() {
            model.apply(write);
        }
        model.exemplars.values_mut().for_each(Exemplar::sort);
        model
    }

    fn apply(&mut self, write: &Write) {
        match write {
            Write::Scrape {
                series,
                timestamp_ms,
                start_timestamp_ms,
                kind,
            } => {
                for &one in series {
                    let sample = Sample {
                        timestamp_ms: *timestamp_ms,
                        start_timestamp_ms: *start_timestamp_ms,
                        value: match *kind {
                            Kind::Float(bits) => Value::Float(f64::from_bits(bits)),
                            Kind::Histogram(n) => Value::Histogram(Box::new(histogram(n))),
                        },
                    };
                    let samples = self.samples.entry(one).or_default();
                    samples.insert(*timestamp_ms, sample);
                }
            }
            Write::Exemplar {
                series,
                timestamp_ms,
                number,
            } => {
                let exemplars = self.exemplars.entry(*series).or_default();
                exemplars.push(exemplar(*timestamp_ms, *number));
            }
            Write::Metadata { metric, number } => {
                self.metadata
                    .insert(format!("m{metric}"), metadata(*number));
            }
        }
    }

    /// The aligned ranges of a width that anything lies in.
    pub(super) fn ranges(&self, width_ms: i64) -> Vec<TimeRange> {
        let samples = self.samples.values().flat_map(BTreeMap::keys).copied();
        let exemplars = self.exemplars.values().flatten();
        let times = samples.chain(exemplars.map(|one| one.timestamp_ms));
        let mut starts: Vec<i64> = times.map(|t| t.div_euclid(width_ms)).collect();
        starts.sort_unstable();
        starts.dedup();
        let range = |start: i64| TimeRange {
            start_ms: start.saturating_mul(width_ms),
            end_ms: start.saturating_mul(width_ms).saturating_add(width_ms - 1),
        };
        starts.into_iter().map(range).collect()
    }
}

/// A write on its way into a head: ids are given as series come, with others between that have no
/// series.
fn batch(write: &Write, head: &Head, ids: &mut BTreeMap<usize, SeriesId>) -> Batch {
    let mut batch = Batch::default();
    let mut id_of = |series: usize| {
        let next = SeriesId(ids.len() as u32 * 700);
        *ids.entry(series).or_insert_with(|| {
            let labels = labels(series);
            head.define(next, &labels).unwrap();
            batch
                .definitions
                .push(SeriesDefinition { id: next, labels });
            next
        })
    };
    match write {
        Write::Scrape {
            series,
            timestamp_ms,
            start_timestamp_ms,
            kind,
        } => {
            let series: Vec<SeriesId> = series.iter().map(|&one| id_of(one)).collect();
            for (row, series) in (0..).zip(series) {
                match *kind {
                    Kind::Float(bits) => {
                        batch.floats.push(FloatRow {
                            series,
                            timestamp_ms: *timestamp_ms,
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
                        timestamp_ms: *timestamp_ms,
                        start_timestamp_ms: *start_timestamp_ms,
                        floats_before: 0,
                        histogram: histogram(n),
                    }),
                }
            }
        }
        Write::Exemplar {
            series,
            timestamp_ms,
            number,
        } => batch.exemplars.push(ExemplarRow {
            series: id_of(*series),
            exemplar: exemplar(*timestamp_ms, *number),
        }),
        Write::Metadata { metric, number } => batch.metadata.push(MetadataRow {
            metric: format!("m{metric}"),
            metadata: metadata(*number),
        }),
    }
    batch
}

/// Writes a source as a segment.
pub(super) fn segment(sys: &Sys, number: u64, writes: &[Write]) -> Arc<Segment> {
    let head = Head::new();
    let mut ids = BTreeMap::new();
    for (seq, write) in (1u64..).zip(writes) {
        let batch = batch(write, &head, &mut ids);
        head.apply(&[Batch {
            seq: Seq(seq),
            ..batch
        }]);
    }
    let seqs = SeqRange {
        first: Seq(number * 1000 + 1),
        last: Seq(number * 1000 + 999),
    };
    let dir = Path::new(SEGMENTS);
    write_segment(sys, dir, number, &head, seqs, number, &|| ()).unwrap();
    Arc::new(Segment::open(sys, &segment::path(dir, number)).unwrap())
}

pub(super) fn sources(sys: &Sys, written: &[Vec<Write>]) -> Vec<Source> {
    let segments = (0..)
        .zip(written)
        .map(|(n, writes)| segment(sys, n, writes));
    segments.map(Source::Segment).collect()
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        8 => (0..50u32).prop_map(|i| Kind::Float((f64::from(i) / 10.0).to_bits())),
        1 => Just(Kind::Float(STALE_NAN_BITS)),
        1 => Just(Kind::Float(f64::NAN.to_bits() | 77)),
        1 => Just(Kind::Float((-0.0f64).to_bits())),
        1 => any::<u64>().prop_map(Kind::Float),
    ]
}

fn timestamp() -> impl Strategy<Value = i64> {
    prop_oneof![
        20 => -200..600i64,
        1 => Just(i64::MIN),
        1 => Just(i64::MAX),
        1 => any::<i64>(),
    ]
}

fn write(mixed: bool) -> impl Strategy<Value = Vec<Write>> {
    let some = || prop::collection::vec(0..SERIES.len(), 1..6);
    // Scrapes of a target, long enough to fill chunks now and then.
    let run = (some(), -200..600i64, 1..20i64, 1..200i64, kind());
    let run = run.prop_map(|(series, from, step, count, kind)| {
        let at = |i: i64| Write::Scrape {
            series: series.clone(),
            timestamp_ms: from + i * step,
            start_timestamp_ms: None,
            kind: match (kind, i % 7) {
                (Kind::Float(bits), 3) => Kind::Float(bits ^ i as u64),
                (kind, _) => kind,
            },
        };
        (0..count).map(at).collect::<Vec<_>>()
    });
    let kinds = match mixed {
        true => prop_oneof![1 => kind(), 1 => (0..9u8).prop_map(Kind::Histogram)].boxed(),
        false => kind().boxed(),
    };
    let starts = match mixed {
        true => prop_oneof![2 => Just(None), 1 => (0..90i64).prop_map(Some)].boxed(),
        false => Just(None).boxed(),
    };
    let single = (some(), timestamp(), starts, kinds);
    let single = single.prop_map(|(series, timestamp_ms, start_timestamp_ms, kind)| {
        vec![Write::Scrape {
            series,
            timestamp_ms,
            start_timestamp_ms,
            kind,
        }]
    });
    // Of few series, so that several sources have some, the same ones among them.
    let times = prop_oneof![4 => (0..4i64).prop_map(|i| i * 50), 1 => timestamp()];
    let exemplars = prop::collection::vec((3..6usize, times, 0..3u8), 1..6);
    let exemplars = exemplars.prop_map(|all| {
        let write = |(series, timestamp_ms, number)| Write::Exemplar {
            series,
            timestamp_ms,
            number,
        };
        all.into_iter().map(write).collect::<Vec<_>>()
    });
    let metadata = (0..5u8, 0..9u8);
    let metadata = metadata.prop_map(|(metric, number)| vec![Write::Metadata { metric, number }]);
    let beside = u32::from(mixed);
    prop_oneof![6 => run, 6 => single, 3 * beside => exemplars, beside => metadata]
}

/// Some sources, which overlap in all ways.
pub(super) fn written() -> impl Strategy<Value = Vec<Vec<Write>>> {
    any::<bool>().prop_flat_map(|mixed| {
        let source = prop::collection::vec(write(mixed), 0..6);
        prop::collection::vec(source.prop_map(|parts| parts.concat()), 1..5)
    })
}
