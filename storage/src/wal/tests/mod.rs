//! The log as a whole, on the simulated disk.

mod any;
mod crash;
mod damage;
mod epochs;
mod faults;
mod log;

use std::path::{Path, PathBuf};

use super::record::encode_body;
use super::*;
use crate::model::{Batch, FloatRow, Labels, Seq, SeriesDefinition, SeriesId};
use crate::sys::sim::SimDisk;
use crate::sys::{Disk, Sys};

const DIR: &str = "/data/wal";

/// A record as it goes to the log and comes back: seq and body.
type Record = (Seq, Vec<u8>);

/// A batch whose content follows from `seq` and `salt`, with as many samples as `floats`.
fn batch(seq: u64, salt: u64, floats: u32) -> Batch {
    let id = seq as u32 * 10;
    let instance = format!("host-{seq}-{salt}");
    Batch {
        seq: Seq(seq),
        definitions: vec![SeriesDefinition {
            id: SeriesId(id),
            labels: Labels::from_pairs([("__name__", "up"), ("instance", &instance)]).unwrap(),
        }],
        floats: (0..floats)
            .map(|i| FloatRow {
                series: SeriesId(id + i),
                timestamp_ms: seq as i64 * 15_000,
                value: f64::from(i).sqrt() + salt as f64,
            })
            .collect(),
        ..Batch::default()
    }
}

fn body(batch: &Batch) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_body(batch, &mut bytes).unwrap();
    bytes
}

fn record(seq: u64, salt: u64, floats: u32) -> Record {
    (Seq(seq), body(&batch(seq, salt, floats)))
}

fn slices(records: &[Record]) -> impl Iterator<Item = (Seq, &[u8])> + Clone {
    records.iter().map(|(seq, body)| (*seq, body.as_slice()))
}

/// What a replay gives.
#[derive(Debug)]
struct Replayed {
    records: Vec<Record>,
    /// The epoch of each record.
    epochs: Vec<u64>,
    recovery: Recovery,
}

impl Replayed {
    fn seqs(&self) -> Vec<u64> {
        self.records.iter().map(|(seq, _)| seq.0).collect()
    }

    fn lost(&self) -> Vec<(u64, u64)> {
        let damage = self.recovery.damage.iter();
        damage
            .filter_map(|damage| damage.lost.map(|lost| (lost.first.0, lost.last.0)))
            .collect()
    }
}

/// A log on a simulated disk.
struct Log {
    disk: SimDisk,
    sys: Sys,
    options: WriterOptions,
}

impl Log {
    fn new(seed: u64, file_bytes_max: u64) -> Self {
        let disk = SimDisk::new(seed);
        Self {
            sys: disk.sys(0),
            disk,
            options: WriterOptions { file_bytes_max },
        }
    }

    fn replay_with(&self, options: ReplayOptions) -> Result<Replayed, ReplayError> {
        let (mut records, mut epochs) = (Vec::new(), Vec::new());
        let recovery = replay(
            &self.sys,
            Path::new(DIR),
            options,
            &mut |epoch, mut batch, floats| {
                batch.floats.extend(floats.rows());
                records.push((batch.seq, body(&batch)));
                epochs.push(epoch);
                Ok(())
            },
        )?;
        Ok(Replayed {
            records,
            epochs,
            recovery,
        })
    }

    fn replay(&self) -> Replayed {
        self.replay_with(ReplayOptions::default()).unwrap()
    }

    fn read_only(&self) -> Replayed {
        let options = ReplayOptions {
            read_only: true,
            ..ReplayOptions::default()
        };
        self.replay_with(options).unwrap()
    }

    fn writer(&self, recovery: &Recovery) -> Writer {
        Writer::new(&self.sys, Path::new(DIR), recovery, self.options)
    }

    fn open(&self) -> Writer {
        self.writer(&self.replay().recovery)
    }

    /// Appends and syncs each of the groups.
    fn write_groups(&self, writer: &mut Writer, groups: &[Vec<Record>]) {
        for group in groups {
            writer.append(slices(group)).unwrap();
            writer.sync().unwrap();
        }
    }

    fn file_bytes(&self, number: u64) -> Vec<u8> {
        let file = self.disk.open_read(&path(number)).unwrap();
        let mut bytes = vec![0; file.len().unwrap() as usize];
        file.read_at(&mut bytes, 0).unwrap();
        bytes
    }

    /// Puts `bytes` in the place of a file, durably.
    fn set_file(&self, number: u64, bytes: &[u8]) {
        let file = match self.disk.open(&path(number)) {
            Ok(file) => file,
            Err(_) => self.disk.create_new(&path(number)).unwrap(),
        };
        file.set_len(0).unwrap();
        file.write_all_at(bytes, 0).unwrap();
        file.sync_data().unwrap();
        self.disk.sync_dir(Path::new(DIR)).unwrap();
    }
}

fn path(number: u64) -> PathBuf {
    file::path(Path::new(DIR), number)
}

/// Where the frames of a file begin, and where the last one ends.
fn frame_places(bytes: &[u8], number: u64) -> Vec<usize> {
    let mut places = vec![file::HEADER_BYTES];
    loop {
        let at = places[places.len() - 1];
        match frame::parse(&bytes[at..], at, number) {
            frame::Parsed::Frame { next, .. } => places.push(next),
            _ => return places,
        }
    }
}
