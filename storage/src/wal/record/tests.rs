use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::codec::histogram::tests::histograms;
use crate::model::{
    Exemplar, ExemplarRow, FloatRow, FloatStart, HistogramRow, Labels, Metadata, MetadataRow,
    MetricType, STALE_NAN_BITS, SeriesDefinition, SeriesId,
};

fn row(id: u32, timestamp_ms: i64, value: f64) -> FloatRow {
    FloatRow {
        series: SeriesId(id),
        timestamp_ms,
        value,
    }
}

fn body(batch: &Batch) -> Vec<u8> {
    let mut out = Vec::new();
    encode_body(batch, &mut out).unwrap();
    out
}

fn floats(rows: Vec<FloatRow>) -> Batch {
    Batch {
        floats: rows,
        ..Batch::default()
    }
}

fn assert_same(one: &Batch, other: &Batch) {
    let bits = |batch: &Batch| -> Vec<(u32, i64, u64)> {
        let rows = batch.floats.iter();
        rows.map(|row| (row.series.0, row.timestamp_ms, row.value.to_bits()))
            .collect()
    };
    assert_eq!(one.seq, other.seq);
    assert_eq!(one.definitions, other.definitions);
    assert_eq!(bits(one), bits(other));
    assert_eq!(one.float_starts, other.float_starts);
    assert_eq!(one.histograms.len(), other.histograms.len());
    for (one, other) in one.histograms.iter().zip(&other.histograms) {
        let place = |row: &HistogramRow| {
            let start = row.start_timestamp_ms;
            (row.series, row.timestamp_ms, start, row.floats_before)
        };
        assert_eq!(place(one), place(other));
        assert!(one.histogram.is_identical(&other.histogram));
    }
    let exemplars = |batch: &Batch| -> Vec<(SeriesId, Labels, i64, u64)> {
        let rows = batch.exemplars.iter().cloned();
        rows.map(|ExemplarRow { series, exemplar }| {
            let Exemplar {
                labels,
                timestamp_ms,
                value,
            } = exemplar;
            (series, labels, timestamp_ms, value.to_bits())
        })
        .collect()
    };
    assert_eq!(exemplars(one), exemplars(other));
    assert_eq!(one.metadata, other.metadata);
}

/// Reads a body back, with its floats in the batch.
fn decode(seq: Seq, body: &[u8]) -> Result<Batch, DecodeError> {
    let mut floats = FloatRuns::default();
    let mut batch = decode_body(seq, body, &mut floats)?;
    batch.floats.extend(floats.as_slices().rows());
    Ok(batch)
}

fn assert_round_trip(batch: &Batch) {
    assert_same(&decode(batch.seq, &body(batch)).unwrap(), batch);
}

#[test]
fn values_at_the_edges_come_back_to_the_bit() {
    let bits = [
        0.0f64.to_bits(),
        (-0.0f64).to_bits(),
        1.0f64.to_bits(),
        255.0f64.to_bits(),
        256.0f64.to_bits(),
        (-3.0f64).to_bits(),
        0.1f64.to_bits(),
        f64::MAX.to_bits(),
        f64::MIN_POSITIVE.to_bits(),
        1,
        f64::INFINITY.to_bits(),
        f64::NEG_INFINITY.to_bits(),
        f64::NAN.to_bits(),
        STALE_NAN_BITS,
        STALE_NAN_BITS,
        0xfff8_0000_0000_0001,
        u64::MAX,
        ((1u64 << 48) as f64 - 1.0).to_bits(),
        ((1u64 << 48) as f64).to_bits(),
        ((1u64 << 53) as f64 + 2.0).to_bits(),
    ];
    let rows = bits
        .iter()
        .map(|&bits| row(0, 0, f64::from_bits(bits)))
        .collect();
    assert_round_trip(&floats(rows));
}

#[test]
fn any_timestamp_and_any_id_come_back() {
    let stamps = [0, i64::MAX, i64::MIN, -1, i64::MAX, i64::MAX, i64::MIN];
    let ids = [u32::MAX, 0, 5, 6, 7, u32::MAX, 1];
    let rows = ids.iter().zip(stamps).map(|(&id, ms)| row(id, ms, 1.5));
    assert_round_trip(&floats(rows.collect()));
}

#[test]
fn a_scrape_costs_next_to_nothing_for_ids_and_timestamps() {
    let rows = |value: fn(u32) -> f64| -> Batch {
        floats(
            (0..2000)
                .map(|i| row(7000 + i, 1_700_000_000_000, value(i)))
                .collect(),
        )
    };
    // Half a byte a value that repeats; ids, timestamps and headers 30 bytes in all.
    assert!(body(&rows(|_| 42.0)).len() < 1000 + 30);
    // A whole number below 256 takes a byte more.
    assert!(body(&rows(|i| f64::from(i % 100))).len() < 3000 + 30);
    // A float of full precision: eight and a half.
    assert!(body(&rows(|i| f64::from(i).sqrt())).len() < 17_000 + 30);
}

#[test]
fn labels_that_repeat_cost_little() {
    let definition = |i: u32| SeriesDefinition {
        id: SeriesId(i),
        labels: Labels::from_pairs([
            ("__name__", "node_cpu_seconds_total"),
            ("cpu", &(i / 8).to_string()),
            ("instance", "node-17.example.org:9100"),
            ("job", "node"),
            ("mode", ["idle", "iowait", "user", "system"][i as usize % 4]),
        ])
        .unwrap(),
    };
    let batch = Batch {
        definitions: (0..1000).map(definition).collect(),
        ..Batch::default()
    };
    assert_round_trip(&batch);
    let bytes = body(&batch).len();
    assert!(bytes < 20 * 1000, "{bytes}");
}

#[test]
fn an_empty_batch_is_an_empty_body() {
    assert!(body(&Batch::default()).is_empty());
    assert_round_trip(&Batch::default());
}

#[test]
fn an_unknown_section_is_named_as_newer() {
    let mut bytes = body(&floats(vec![row(1, 2, 3.0)]));
    bytes.extend_from_slice(&[7, 0, 0, 0, 0]);
    let error = decode(Seq(1), &bytes).unwrap_err();
    assert_eq!(error, DecodeError::Newer { tag: 7 });
    assert!(error.to_string().contains("newer version"));
}

#[test]
fn bodies_that_no_version_writes_are_refused() {
    let section = |tag: u8, payload: &[u8]| {
        let mut bytes = vec![tag];
        bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        bytes.extend_from_slice(payload);
        bytes
    };
    let sample = body(&floats(vec![row(1, 2, 3.0)]));
    let two = body(&floats(vec![row(1, 2, 3.0), row(1, 3, 3.0)]));
    // An empty histogram: flags, scale, spans, sum, and no count that differs from 0.
    let empty = [0, 0, 0x80, 0, 0, 0, 0, 0, 0x80, 0];
    let histogram = |rest: &[u8]| section(4, &[&[1], &empty[..], rest].concat());
    let cases: [(Vec<u8>, &str); 19] = [
        (vec![2, 1], "section header cut short"),
        (vec![2, 9, 0, 0, 0], "longer than the body"),
        (section(0, &[]), "out of order"),
        ([sample.clone(), sample].concat(), "out of order"),
        // A billion samples in no bytes.
        (
            section(2, &[0x80, 0x94, 0xeb, 0xdc, 3]),
            "number of samples",
        ),
        // One sample of id -1.
        (section(2, &[1, 2, 1, 2, 0, 0]), "no u32"),
        // A run of two in a column of one.
        (section(2, &[1, 5, 0, 2, 0, 0]), "wrong length"),
        // One series, one label "a" = 0xff.
        (section(1, &[1, 0, 1, 3, b'a', 0, 1, 0xff]), "not UTF-8"),
        // One series whose label repeats that of none.
        (section(1, &[1, 0, 1, 0]), "repeats none"),
        // Two labels named "a".
        (
            section(1, &[1, 0, 2, 3, b'a', 0, 1, b'x', 3, b'a', 0, 1, b'x']),
            "labels out of order",
        ),
        // Start timestamps of three of two samples, of sample 2, and of sample 0 twice.
        (
            [two.clone(), section(3, &[3])].concat(),
            "more start timestamps",
        ),
        (
            [two.clone(), section(3, &[1, 2, 4])].concat(),
            "of no sample",
        ),
        (
            [two.clone(), section(3, &[2, 4, 0, 0])].concat(),
            "of no sample",
        ),
        // A histogram of id 0 at 0 ms after three of two samples, and one that starts twice.
        (
            [two, histogram(&[2, 0, 2, 0, 2, 6])].concat(),
            "order of the samples",
        ),
        (histogram(&[2, 0, 2, 0, 2, 0, 2]), "more start timestamps"),
        // A million and one exemplars.
        (
            section(5, &[vec![0x81, 0x80, 0x40], vec![0; 1 << 21]].concat()),
            "number of exemplars",
        ),
        (section(6, &[1, 8, 0, 0, 0, 0, 0, 0]), "metric type"),
        (section(6, &[1, 0, 1, 0, 0, 0, 0, 0]), "shares too much"),
        (section(6, &[1, 0, 0, 1, 0xff, 0, 0, 0, 0]), "not UTF-8"),
    ];
    for (bytes, want) in cases {
        let error = decode(Seq(1), &bytes).unwrap_err().to_string();
        assert!(error.contains(want), "{error:?} lacks {want:?}");
    }
}

#[test]
fn labels_that_repeat_a_long_one_too_often_are_refused() {
    // One long value, then series that repeat it at a byte each.
    let long = 1 << 20;
    let mut payload = Vec::new();
    let put = crate::codec::varint::put_u64;
    put(&mut payload, 300);
    payload.extend_from_slice(&[0, 1, 3, b'a', 0]);
    put(&mut payload, long);
    payload.resize(payload.len() + long as usize, b'x');
    for _ in 1..300 {
        payload.extend_from_slice(&[0, 1, 0]);
    }
    let mut bytes = vec![TAG_DEFINITIONS];
    bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&payload);
    let error = decode(Seq(1), &bytes).unwrap_err().to_string();
    assert!(error.contains("more label bytes"), "{error}");
}

#[test]
fn a_batch_beyond_the_limit_is_refused_and_leaves_nothing() {
    let batch = floats(vec![row(0, 0, 0.0); FLOATS_MAX + 1]);
    let mut out = vec![7];
    let error = encode_body(&batch, &mut out).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a write of 16777217 samples is too large for a WAL record: the limit is 16777216"
    );
    assert_eq!(out, [7]);
}

/// Values as exporters send them, and any bits.
fn value_bits() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        (0..1000u32).prop_map(|n| f64::from(n).to_bits()),
        any::<i32>().prop_map(|n| (f64::from(n) / 8.0).to_bits()),
        Just(STALE_NAN_BITS),
    ]
}

fn rows() -> impl Strategy<Value = Vec<FloatRow>> {
    let series = (any::<u32>(), 0..5u32, 0..200usize);
    let stamp = prop_oneof![any::<i64>(), Just(1_700_000_000_000), 0..100i64];
    let block = (series, stamp, value_bits()).prop_map(|((first, step, count), ms, bits)| {
        (0..count as u32)
            .map(|i| row(first.wrapping_add(i * step), ms, f64::from_bits(bits)))
            .collect::<Vec<_>>()
    });
    let single = (any::<u32>(), any::<i64>(), value_bits())
        .prop_map(|(id, ms, bits)| vec![row(id, ms, f64::from_bits(bits))]);
    vec(prop_oneof![block, single], 0..12).prop_map(|blocks| blocks.concat())
}

fn definitions() -> impl Strategy<Value = Vec<SeriesDefinition>> {
    let label = ("[a-d]{1,3}", "[a-cäöü]{1,6}|\\PC{1,20}");
    let labels = vec(label, 0..6).prop_map(|pairs| {
        let pairs: std::collections::BTreeMap<_, _> = pairs.into_iter().collect();
        Labels::from_pairs(pairs.iter().map(|(n, v)| (n.as_str(), v.as_str()))).unwrap()
    });
    let id = prop_oneof![any::<u32>(), 0..20u32];
    vec((id, labels), 0..20).prop_map(|list| {
        let list = list.into_iter();
        list.map(|(id, labels)| SeriesDefinition {
            id: SeriesId(id),
            labels,
        })
        .collect()
    })
}

/// A batch of all kinds. Rows of the kinds stand among each other at any places.
fn batches() -> impl Strategy<Value = Batch> {
    let at = || {
        (
            any::<u32>(),
            prop_oneof![any::<i64>(), Just(1_700_000_000_000)],
        )
    };
    let starts = vec((any::<prop::sample::Index>(), at()), 0..8);
    let start = prop::option::of(prop_oneof![Just(1000), any::<i64>()]);
    let places = vec((at(), start, any::<prop::sample::Index>()), 8);
    let exemplars = vec((at(), definitions(), value_bits()), 0..4);
    let text = || "[a-c_]{0,6}|\\PC{0,20}";
    let metadata = vec((text(), 0..8u8, text(), text()), 0..5);
    (
        (definitions(), rows(), starts),
        (histograms(0..8), places),
        exemplars,
        metadata,
    )
        .prop_map(
            |((definitions, floats, starts), histograms, exemplars, metadata)| {
                let float_starts = starts_of(floats.len(), &starts);
                let histograms = histogram_rows(floats.len(), histograms.0, &histograms.1);
                Batch {
                    seq: Seq(1),
                    definitions,
                    floats,
                    float_starts,
                    histograms,
                    exemplars: exemplar_rows(exemplars),
                    metadata: metadata_rows(metadata),
                }
            },
        )
}

type Place = (u32, i64);

fn starts_of(floats: usize, starts: &[(prop::sample::Index, Place)]) -> Vec<FloatStart> {
    if floats == 0 {
        return Vec::new();
    }
    let mut rows: Vec<_> = starts
        .iter()
        .map(|(row, at)| (row.index(floats), at.1))
        .collect();
    rows.sort_unstable();
    rows.dedup_by_key(|row| row.0);
    let start = |(row, start_timestamp_ms): (usize, i64)| FloatStart {
        row: row as u32,
        start_timestamp_ms,
    };
    rows.into_iter().map(start).collect()
}

fn histogram_rows(
    floats: usize,
    histograms: Vec<crate::model::Histogram>,
    places: &[(Place, Option<i64>, prop::sample::Index)],
) -> Vec<HistogramRow> {
    let mut before: Vec<usize> = places
        .iter()
        .map(|place| place.2.index(floats + 1))
        .collect();
    before.sort_unstable();
    let rows = histograms.into_iter().zip(places).zip(before);
    rows.map(
        |((histogram, &((id, timestamp_ms), start_timestamp_ms, _)), before)| HistogramRow {
            series: SeriesId(id),
            timestamp_ms,
            start_timestamp_ms,
            floats_before: before as u32,
            histogram,
        },
    )
    .collect()
}

fn exemplar_rows(rows: Vec<(Place, Vec<SeriesDefinition>, u64)>) -> Vec<ExemplarRow> {
    let row = |((id, timestamp_ms), sets, bits): (Place, Vec<SeriesDefinition>, u64)| ExemplarRow {
        series: SeriesId(id),
        exemplar: Exemplar {
            labels: sets
                .first()
                .map(|set| set.labels.clone())
                .unwrap_or_default(),
            timestamp_ms,
            value: f64::from_bits(bits),
        },
    };
    rows.into_iter().map(row).collect()
}

fn metadata_rows(rows: Vec<(String, u8, String, String)>) -> Vec<MetadataRow> {
    let row = |(metric, number, unit, help): (String, u8, String, String)| MetadataRow {
        metric,
        metadata: Metadata {
            metric_type: MetricType::from_number(number).unwrap(),
            unit,
            help,
        },
    };
    rows.into_iter().map(row).collect()
}

proptest! {
    #[test]
    fn batches_come_back(batch in batches(), seq: u64) {
        let batch = Batch { seq: Seq(seq), ..batch };
        assert_same(&decode(batch.seq, &body(&batch)).unwrap(), &batch);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..300)) {
        let _ = decode(Seq(1), &bytes);
    }

    #[test]
    fn bodies_with_a_few_bytes_changed_are_read_or_refused(
        batch in batches(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = body(&batch);
        if !bytes.is_empty() {
            for (place, byte) in changes {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
        }
        let _ = decode(Seq(1), &bytes);
        let cut = bytes.len() / 2;
        let _ = decode(Seq(1), &bytes[..cut]);
    }
}
