//! A log in chunks, against its batches one by one.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::codec::histogram::tests::any_histogram;
use crate::head::Head;
use crate::model::{
    FloatRow, FloatStart, Labels, Samples, Seq, SeriesDefinition, SeriesId, TimeRange,
};
use crate::sys::sim::SimDisk;
use crate::wal::record::encode_body;

const DIR: &str = "/data/wal";
/// Ids of several shards, some of which follow each other.
const IDS: [u32; 8] = [0, 1, 2, 1023, 1024, 1025, 3000, 70_000];

fn limits(chunk_floats: usize, chunk_bytes: usize) -> Limits {
    Limits {
        chunk_floats,
        chunk_bytes,
        threads: 2,
    }
}

fn definition(id: u32, epoch: u64) -> SeriesDefinition {
    let (name, epoch) = (format!("m{id}"), epoch.to_string());
    SeriesDefinition {
        id: SeriesId(id),
        labels: Labels::from_pairs([("__name__", name.as_str()), ("epoch", &epoch)]).unwrap(),
    }
}

/// A log with those batches, each with its epoch, in files of `file_bytes_max`.
fn log(batches: &[(u64, Batch)], file_bytes_max: u64) -> Sys {
    let sys = SimDisk::new(1).sys(0);
    sys.disk.create_dir_all(Path::new(DIR)).unwrap();
    let options = wal::WriterOptions { file_bytes_max };
    let recovery = wal::Recovery {
        next_file_number: Some(1),
        ..wal::Recovery::default()
    };
    let mut writer = wal::Writer::new(&sys, Path::new(DIR), &recovery, options);
    for (epoch, batch) in batches {
        let mut body = Vec::new();
        encode_body(batch, &mut body).unwrap();
        writer.begin_epoch(*epoch).unwrap();
        writer.append([(batch.seq, body.as_slice())]).unwrap();
    }
    sys
}

fn row(place: usize, timestamp_ms: i64, value: u8) -> FloatRow {
    FloatRow {
        series: SeriesId(IDS[place]),
        timestamp_ms,
        value: value.into(),
    }
}

/// The samples of a request: some series of a scrape, or any.
fn rows() -> impl Strategy<Value = Vec<FloatRow>> {
    let scrape = (0..IDS.len(), 0..IDS.len(), 0..50i64, any::<u8>()).prop_map(
        |(one, other, time, value)| {
            let places = one.min(other)..=one.max(other);
            places.map(|place| row(place, time, value)).collect()
        },
    );
    let any = vec((0..IDS.len(), 0..50i64, any::<u8>()), 0..30)
        .prop_map(|rows| rows.into_iter().map(|(p, t, v)| row(p, t, v)).collect());
    prop_oneof![scrape, any]
}

/// Batches of epochs that rise by the steps given; each series is defined in the batch that
/// first uses it in its epoch, but for one. Some have a histogram among their floats.
fn batches() -> impl Strategy<Value = Vec<(u64, Batch)>> {
    let step = prop_oneof![9 => Just(0), 1 => 1..3u64];
    let histogram = prop::option::weighted(0.2, (any_histogram(), 0..30u32));
    vec((rows(), histogram, step), 0..40).prop_map(|batches| {
        let (mut epoch, mut known) = (1, BTreeSet::new());
        let numbered = (1..).zip(batches).map(|(seq, (floats, histogram, step))| {
            epoch += step;
            let ids: BTreeSet<u32> = floats.iter().map(|row| row.series.0).collect();
            let new = ids
                .into_iter()
                .filter(|&id| id != IDS[0] && known.insert((epoch, id)));
            let definitions = new.map(|id| definition(id, epoch)).collect();
            let mut batch = Batch {
                seq: Seq(seq),
                definitions,
                floats,
                ..Batch::default()
            };
            if let Some((histogram, place)) = histogram
                && let Some(first) = batch.floats.first()
            {
                batch.float_starts.push(FloatStart {
                    row: 0,
                    start_timestamp_ms: -1,
                });
                batch.histograms.push(HistogramRow {
                    series: first.series,
                    timestamp_ms: first.timestamp_ms + 7,
                    start_timestamp_ms: None,
                    floats_before: place.min(batch.floats.len() as u32),
                    histogram,
                });
            }
            (epoch, batch)
        });
        numbered.collect()
    })
}

/// What queries see of a head.
fn contents(head: &Head) -> String {
    let pin = head.pin();
    let series: Vec<_> = IDS
        .iter()
        .map(|&id| {
            let (mut samples, mut histograms) = (Samples::default(), Vec::new());
            let id = SeriesId(id);
            head.read(&pin, id, TimeRange::ALL, &mut samples).unwrap();
            head.read_histograms(&pin, id, TimeRange::ALL, &mut histograms)
                .unwrap();
            let bits: Vec<u64> = samples.values.iter().map(|value| value.to_bits()).collect();
            (id, samples.timestamps_ms, bits, histograms, head.labels(id))
        })
        .collect();
    format!("{series:?} {:?} {}", head.stats(), head.visible_seq())
}

proptest! {
    #[test]
    fn a_log_in_chunks_gives_the_heads_of_its_batches_one_by_one(
        batches in batches(),
        file_bytes_max in 200..4000u64,
        chunk_floats in 1..300usize,
        chunk_bytes in 0..2000usize,
    ) {
        let mut want = BTreeMap::new();
        for (epoch, batch) in &batches {
            let head = want.entry(*epoch).or_insert_with(Head::new);
            for definition in &batch.definitions {
                head.define(definition.id, &definition.labels).unwrap();
            }
            head.apply(std::slice::from_ref(batch));
        }
        let sys = log(&batches, file_bytes_max);
        let limits = limits(chunk_floats, chunk_bytes);
        let options = wal::ReplayOptions::default();
        let replayed = replay(&sys, Path::new(DIR), options, limits).unwrap();
        prop_assert_eq!(replayed.log.records, batches.len() as u64);
        let samples = batches.iter().map(|(_, batch)| batch.sample_count() as u64);
        prop_assert_eq!(replayed.log.samples, samples.sum::<u64>());
        let epochs = replayed.epochs.iter();
        let got = epochs.map(|epoch| (epoch.number, contents(&epoch.head)));
        let want = want.iter().map(|(epoch, head)| (*epoch, contents(head)));
        prop_assert_eq!(got.collect::<Vec<_>>(), want.collect::<Vec<_>>());
    }
}

#[test]
fn a_definition_that_contradicts_ends_the_replay_and_its_reader() {
    let defining = |seq, id, name| {
        let batch = Batch {
            seq: Seq(seq),
            definitions: vec![SeriesDefinition {
                id: SeriesId(id),
                ..definition(name, 1)
            }],
            ..Batch::default()
        };
        (1, batch)
    };
    let mut batches = vec![defining(1, 7, 0), defining(2, 7, 1)];
    // More chunks than can be on their way.
    batches.extend((3..50).map(|seq| defining(seq, seq as u32 + 100, seq as u32)));
    let sys = log(&batches, 1 << 20);
    let options = wal::ReplayOptions::default();
    let replayed = replay(&sys, Path::new(DIR), options, limits(1, 0));
    let error = replayed.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert_eq!(
        error.to_string(),
        "cannot apply WAL record 2: series 7 is defined as m1{epoch=\"1\"} and was defined as \
         m0{epoch=\"1\"}"
    );
}
