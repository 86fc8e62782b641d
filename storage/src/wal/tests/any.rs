//! Logs with any damage at all: read or refused, and nothing made up.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::sys::sim::Rng;
use crate::sys::{File, LockGuard};

/// What happens to a stretch of a file.
#[derive(Clone, Debug)]
enum Harm {
    Flip(u8),
    Zero,
    Rubbish(u64),
    Cut,
    CopyFrom(Index),
}

fn harm() -> impl Strategy<Value = (Index, Index, usize, Harm)> {
    let kind = prop_oneof![
        (1..=255u8).prop_map(Harm::Flip),
        Just(Harm::Zero),
        any::<u64>().prop_map(Harm::Rubbish),
        Just(Harm::Cut),
        any::<Index>().prop_map(Harm::CopyFrom),
    ];
    (any::<Index>(), any::<Index>(), 1..400usize, kind)
}

fn apply(bytes: &mut Vec<u8>, at: usize, length: usize, harm: &Harm) {
    let end = (at + length).min(bytes.len());
    match harm {
        Harm::Flip(mask) => bytes[at] ^= mask,
        Harm::Zero => bytes[at..end].fill(0),
        Harm::Rubbish(seed) => {
            let mut rng = Rng::new(*seed);
            bytes[at..end].fill_with(|| rng.next_u64() as u8);
        }
        Harm::Cut => bytes.truncate(at),
        Harm::CopyFrom(from) => {
            let from = from.index(bytes.len()) / 8 * 8;
            let copied = bytes[from..(from + length).min(bytes.len())].to_vec();
            let end = (at / 8 * 8 + copied.len()).min(bytes.len());
            let to = at / 8 * 8..end;
            let count = to.len();
            bytes[to].copy_from_slice(&copied[..count]);
        }
    }
}

proptest! {
    #[test]
    fn a_harmed_log_gives_what_is_whole_and_names_the_rest(harms in vec(harm(), 1..6)) {
        let log = Log::new(1, 700);
        let mut writer = log.open();
        let records: Vec<Record> = (1..=24).map(|seq| record(seq, 0, seq as u32 % 9)).collect();
        for group in records.chunks(2) {
            log.write_groups(&mut writer, &[group.to_vec()]);
        }
        let files = log.disk.list(Path::new(DIR)).unwrap().len() as u64;
        // The last file is left alone, so that every harm is damage.
        for (number, at, length, harm) in &harms {
            let number = 1 + number.index(files as usize - 1) as u64;
            let mut bytes = log.file_bytes(number);
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                apply(&mut bytes, at, *length, harm);
                log.set_file(number, &bytes);
            }
        }
        let read_only = log.read_only();
        let replayed = log.replay();
        prop_assert_eq!(&replayed.records, &read_only.records);
        prop_assert_eq!(&replayed.recovery.damage, &read_only.recovery.damage);
        let lost = replayed.lost();
        for record in &records {
            let is_lost = lost.iter().any(|&(first, last)| (first..=last).contains(&record.0.0));
            let is_there = replayed.records.contains(record);
            prop_assert!(is_there || is_lost, "record {} vanished: {:?}", record.0, lost);
        }
        prop_assert!(replayed.records.is_sorted_by(|one, other| one.0 < other.0));
        prop_assert!(replayed.records.iter().all(|record| records.contains(record)));
        prop_assert_eq!(replayed.recovery.torn_bytes, 0);
        prop_assert_eq!(replayed.recovery.last_seq, Seq(24));
        // The same again: nothing of a damaged file was changed.
        prop_assert_eq!(log.replay().records, replayed.records);
    }

    #[test]
    fn any_bytes_are_passed_over(files in vec(vec(any::<u8>(), 0..300), 1..4)) {
        let log = Log::new(1, 700);
        log.replay();
        for (place, bytes) in files.iter().enumerate() {
            log.set_file(place as u64 + 1, bytes);
        }
        let replayed = log.replay();
        prop_assert!(replayed.records.is_empty());
        let mut writer = log.writer(&replayed.recovery);
        log.write_groups(&mut writer, &[vec![record(1, 0, 1)]]);
        prop_assert_eq!(log.replay().seqs(), [1]);
    }
}

/// A disk on which the first read of each file sees it as it was a moment before.
#[derive(Debug)]
struct Growing {
    disk: SimDisk,
    /// From here on the first read sees zeros, up to the second place.
    unseen: (usize, usize),
}

#[derive(Debug)]
struct GrowingFile {
    file: Box<dyn File>,
    unseen: (usize, usize),
    reads: AtomicU32,
}

impl File for GrowingFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = self.file.read_at(buf, offset)?;
        let before = self.reads.fetch_add(1, Ordering::Relaxed);
        if before == 0 {
            buf[self.unseen.0..self.unseen.1].fill(0);
        }
        Ok(read)
    }
    fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }
    fn allocate(&self, len: u64) -> io::Result<()> {
        self.file.allocate(len)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

impl Disk for Growing {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir_all(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.disk.list(dir)
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.disk.open(path)
    }
    fn open_read(&self, path: &Path) -> io::Result<Box<dyn File>> {
        Ok(Box::new(GrowingFile {
            file: self.disk.open_read(path)?,
            unseen: self.unseen,
            reads: 0.into(),
        }))
    }
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.disk.create_new(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.sync_dir(dir)
    }
    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockGuard>> {
        self.disk.lock(path)
    }
}

#[test]
fn a_record_written_while_it_is_read_is_not_damage() {
    let mut log = Log::new(1, 1 << 14);
    let mut writer = log.open();
    for seq in 1..=4 {
        log.write_groups(&mut writer, &[vec![record(seq, 0, 5)]]);
    }
    let places = frame_places(&log.file_bytes(1), 1);
    // The reader passes the place of record 2 before it is written, and that of 3 after.
    log.sys.disk = Arc::new(Growing {
        disk: log.disk.clone(),
        unseen: (places[1], places[2]),
    });
    let replayed = log.read_only();
    assert_eq!(replayed.seqs(), [1, 2, 3, 4]);
    assert!(replayed.recovery.damage.is_empty());
}
