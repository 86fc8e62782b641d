//! What holds of records and of logs of any bytes.

use std::path::Path;

use super::file::{self, FileHeader};
use super::frame::{self, FrameHeader};
use super::record::{decode_body, encode_body};
use super::{ReplayOptions, replay};
use crate::codec::fuzz::{some_histograms, some_labels};
use crate::fuzz::{Input, join, parts};
use crate::model::{
    Batch, Exemplar, ExemplarRow, FloatRow, FloatRuns, FloatStart, HistogramRow, Metadata,
    MetadataRow, MetricType, Seq, SeriesDefinition, SeriesId,
};
use crate::sys::Sys;
use crate::sys::sim::SimDisk;

/// The body of a record. What is read comes back, to the bit, from what it is encoded to, and that
/// is what it is encoded to again.
pub(crate) fn record(data: &[u8]) -> bool {
    let Some(batch) = decoded(data) else {
        return false;
    };
    let mut encoded = Vec::new();
    let put = encode_body(&batch, &mut encoded);
    assert!(put.is_ok(), "{put:?}");
    let again = decoded(&encoded);
    assert!(again.is_some(), "{batch:?}");
    let again = again.unwrap_or_default();
    assert_same(&batch, &again);
    let mut encoded_again = Vec::new();
    assert_eq!(encode_body(&again, &mut encoded_again), Ok(()));
    assert_eq!(encoded, encoded_again);
    true
}

/// The batch of a body, with its floats.
fn decoded(body: &[u8]) -> Option<Batch> {
    let mut floats = FloatRuns::default();
    let mut batch = decode_body(Seq(7), body, &mut floats).ok()?;
    assert!(batch.floats.is_empty() || floats.count() == 0);
    batch.floats.extend(floats.as_slices().rows());
    Some(batch)
}

fn assert_same(one: &Batch, other: &Batch) {
    assert_eq!(one.definitions, other.definitions);
    let floats = |batch: &Batch| -> Vec<_> {
        let floats = batch.floats.iter();
        floats
            .map(|row| (row.series, row.timestamp_ms, row.value.to_bits()))
            .collect()
    };
    assert_eq!(floats(one), floats(other));
    assert_eq!(one.float_starts, other.float_starts);
    let places = |batch: &Batch| -> Vec<_> {
        let rows = batch.histograms.iter();
        rows.map(|row| {
            (
                row.series,
                row.timestamp_ms,
                row.start_timestamp_ms,
                row.floats_before,
            )
        })
        .collect()
    };
    assert_eq!(places(one), places(other));
    let histograms = one.histograms.iter().zip(&other.histograms);
    for (one, other) in histograms {
        assert!(
            one.histogram.is_identical(&other.histogram),
            "{one:?} {other:?}"
        );
    }
    let exemplars = |batch: &Batch| -> Vec<_> {
        let rows = batch
            .exemplars
            .iter()
            .map(|row| (row.series, row.exemplar.clone()));
        rows.map(|(id, own)| (id, own.labels, own.timestamp_ms, own.value.to_bits()))
            .collect()
    };
    assert_eq!(exemplars(one), exemplars(other));
    assert_eq!(one.metadata, other.metadata);
}

const DIR: &str = "/wal";
/// What the first byte of a part of a log says.
const FRAME: u8 = 0;
const BYTES: u8 = 1;
const FILE: u8 = 2;

/// A log of parts: frames around bodies, bytes that stand there as they are, and where another
/// file begins. It is replayed without an error; looked at alone it gives the same records
/// beforehand, and replayed again once more. Seqs rise.
pub(crate) fn log(data: &[u8]) -> bool {
    let disk = SimDisk::new(0);
    let sys = disk.sys(0);
    if !write_log(&sys, data) {
        return false;
    }
    let looked_at = replayed(&sys, true);
    let Some((records, is_damaged)) = replayed(&sys, false) else {
        assert!(looked_at.is_none());
        return false;
    };
    let seqs: Vec<Seq> = records.iter().map(|&(_, seq, _)| seq).collect();
    assert!(seqs.is_sorted_by(|one, other| one < other), "{seqs:?}");
    assert_eq!(
        looked_at.map(|(records, _)| records).as_ref(),
        Some(&records)
    );
    let again = replayed(&sys, false);
    assert_eq!(again.map(|(records, _)| records).as_ref(), Some(&records));
    !is_damaged && !records.is_empty()
}

type Replayed = (Vec<(u64, Seq, Vec<u8>)>, bool);

/// Epoch, seq and body of each record; whether there was damage. Nothing where it is of a newer
/// version.
fn replayed(sys: &Sys, read_only: bool) -> Option<Replayed> {
    let mut records = Vec::new();
    let options = ReplayOptions {
        covered_seq: Seq(0),
        read_only,
    };
    let recovery = replay(
        sys,
        Path::new(DIR),
        options,
        &mut |epoch, mut batch, floats| {
            batch.floats.extend(floats.rows());
            let mut body = Vec::new();
            assert_eq!(encode_body(&batch, &mut body), Ok(()));
            records.push((epoch, batch.seq, body));
            Ok(())
        },
    );
    match recovery {
        Ok(recovery) => {
            assert_eq!(recovery.records, records.len() as u64);
            Some((records, !recovery.damage.is_empty()))
        }
        Err(super::ReplayError::Io { source, .. }) => {
            assert_eq!(source.to_string(), "", "the disk does not fail");
            None
        }
        Err(_newer) => None,
    }
}

fn write_log(sys: &Sys, data: &[u8]) -> bool {
    let mut header = FileHeader {
        number: 1,
        durable_seq: Seq(0),
        epoch: 1,
    };
    let (mut file, mut files) = (header.encode().to_vec(), Vec::new());
    let mut seq = 0u64;
    for part in parts(data) {
        let mut input = Input(part);
        match input.byte() {
            FRAME => {
                let before = seq;
                seq = seq.saturating_add(1 + u64::from(input.byte()));
                let back = u64::from(input.byte());
                let header = FrameHeader {
                    seq: Seq(seq),
                    durable_seq: Seq(before.saturating_sub(back)),
                    epoch: header.epoch,
                };
                let at = file.len();
                frame::put(&mut file, number_of(&files), at, header, input.0);
            }
            BYTES => file.extend_from_slice(input.0),
            FILE => {
                files.push(std::mem::take(&mut file));
                header = FileHeader {
                    number: number_of(&files),
                    durable_seq: Seq(seq.saturating_sub(input.byte().into())),
                    epoch: header.epoch + u64::from(input.byte()),
                };
                file = header.encode().to_vec();
                file.extend_from_slice(input.0);
            }
            _ => return false,
        }
    }
    files.push(file);
    let dir = Path::new(DIR);
    let create = |(number, bytes): (u64, &Vec<u8>)| {
        let new = sys.disk.create_new(&file::path(dir, number))?;
        new.write_all_at(bytes, 0)?;
        new.sync_data()
    };
    let made = sys.disk.create_dir_all(dir);
    made.and_then(|()| (1..).zip(&files).try_for_each(create))
        .is_ok()
}

/// The number of the file that follows `files`.
fn number_of(files: &[Vec<u8>]) -> u64 {
    files.len() as u64 + 1
}

/// Batches with some of everything.
pub(crate) fn some_batches() -> Vec<Batch> {
    let mut batches = Vec::new();
    let floats = |count: u32| {
        (0..count).map(|i| FloatRow {
            series: SeriesId(i % 5),
            timestamp_ms: 1_700_000_000_000 + i64::from(i / 5) * 15_000,
            value: f64::from(i) / 4.0,
        })
    };
    batches.push(Batch {
        definitions: (0..)
            .zip(some_labels())
            .map(|(id, labels)| SeriesDefinition {
                id: SeriesId(id),
                labels,
            })
            .collect(),
        floats: floats(5).collect(),
        ..Batch::default()
    });
    batches.push(Batch {
        floats: floats(23).collect(),
        ..Batch::default()
    });
    batches.push(Batch {
        floats: floats(6).collect(),
        float_starts: vec![FloatStart {
            row: 2,
            start_timestamp_ms: 5,
        }],
        histograms: some_histograms()
            .into_iter()
            .zip(0..)
            .map(|(histogram, place)| HistogramRow {
                series: SeriesId(place),
                timestamp_ms: 1_700_000_000_000,
                start_timestamp_ms: (place == 2).then_some(17),
                floats_before: place,
                histogram,
            })
            .collect(),
        ..Batch::default()
    });
    batches.push(Batch {
        exemplars: some_labels()
            .into_iter()
            .zip(0..)
            .map(|(labels, place)| ExemplarRow {
                series: SeriesId(place),
                exemplar: Exemplar {
                    labels,
                    timestamp_ms: 1_700_000_000_000,
                    value: 0.25,
                },
            })
            .collect(),
        metadata: vec![MetadataRow {
            metric: "rpc_seconds".to_owned(),
            metadata: Metadata {
                metric_type: MetricType::Histogram,
                unit: "seconds".to_owned(),
                help: "How long calls take.".to_owned(),
            },
        }],
        ..Batch::default()
    });
    batches
}

pub(crate) fn record_seeds() -> Vec<Vec<u8>> {
    let bodies = some_batches().into_iter().map(|batch| {
        let mut body = Vec::new();
        let put = encode_body(&batch, &mut body);
        assert!(put.is_ok(), "{put:?}");
        body
    });
    bodies.collect()
}

pub(crate) fn log_seeds() -> Vec<Vec<u8>> {
    let frames: Vec<Vec<u8>> = record_seeds()
        .into_iter()
        .map(|body| [&[FRAME, 0, 0][..], &body].concat())
        .collect();
    let torn = [&[BYTES][..], &[7; 30]].concat();
    let file = vec![FILE, 0, 1];
    vec![
        join(&frames),
        join(&[&frames[..2], &[torn]].concat()),
        join(&[&frames[..2], &[file], &frames[2..]].concat()),
    ]
}
