use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::sys::Sys;
use crate::sys::sim::{OpKind, SimDisk};

/// Bytes without a checksum.
#[derive(Clone, Debug)]
pub struct Raw(pub Vec<u8>);

impl Bytes for Raw {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn get(&self, offset: u64, bytes: usize) -> Result<Cow<'_, [u8]>, SectionError> {
        Bytes::get(&self.0[..], offset, bytes)
    }
}

const PATH: &str = "/file";

fn data(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| (i * 7 / 3) as u8).collect()
}

/// Writes two sections with bytes before, between and after them.
fn write(sys: &Sys, one: &[u8], two: &[u8]) -> [SectionRef; 2] {
    let mut file = FileWriter::new(sys.disk.create_new(Path::new(PATH)).unwrap());
    let mut refs = [one, two].map(|bytes| {
        file.put(b"between").unwrap();
        let mut section = file.section();
        for part in bytes.chunks(1000) {
            section.put(part).unwrap();
        }
        assert_eq!(section.position(), bytes.len() as u64);
        section.finish().unwrap()
    });
    file.put(b"end").unwrap();
    let (written, bytes) = file.finish().unwrap();
    assert_eq!(written.len().unwrap(), bytes);
    for at in &mut refs {
        *at = SectionRef::decode(&at.encode());
    }
    refs
}

fn open(sys: &Sys, at: SectionRef) -> Section {
    Section::new(Arc::from(sys.disk.open(Path::new(PATH)).unwrap()), at)
}

#[test]
fn any_part_comes_back() {
    let sys = SimDisk::new(1).sys(0);
    let (one, two) = (data(3 * PAGE_BYTES), data(PAGE_BYTES + 17));
    let refs = write(&sys, &one, &two);
    for (at, bytes) in refs.into_iter().zip([&one, &two]) {
        let section = open(&sys, at);
        assert_eq!(section.len(), bytes.len() as u64);
        let ends = [
            0,
            1,
            5,
            PAGE_BYTES - 1,
            PAGE_BYTES,
            PAGE_BYTES + 1,
            bytes.len(),
        ];
        for start in ends {
            for end in ends.into_iter().filter(|&end| end >= start) {
                let got = section.get(start as u64, end - start).unwrap();
                assert_eq!(*got, bytes[start..end], "{start}..{end}");
            }
        }
    }
}

#[test]
fn what_lies_outside_is_refused() {
    let sys = SimDisk::new(1).sys(0);
    let [at, _] = write(&sys, &data(100), &[]);
    let section = open(&sys, at);
    for (offset, bytes) in [
        (101, 0),
        (100, 1),
        (0, 101),
        (u64::MAX, 1),
        (u64::MAX, usize::MAX),
    ] {
        let error = section.get(offset, bytes).unwrap_err();
        assert!(matches!(error, SectionError::OutOfBounds { .. }), "{error}");
    }
    assert_eq!(section.get(100, 0).unwrap().len(), 0);
}

#[test]
fn a_flipped_bit_harms_its_page_alone() {
    let bytes = data(2 * PAGE_BYTES + 9);
    let sys = SimDisk::new(1).sys(0);
    let [at, _] = write(&sys, &bytes, &[]);
    let file = sys.disk.open(Path::new(PATH)).unwrap();
    for page in 0..3u64 {
        let place = at.offset + page * PAGE_BYTES as u64 + 5;
        let mut byte = [0];
        file.read_at(&mut byte, place).unwrap();
        file.write_all_at(&[byte[0] ^ 8], place).unwrap();
        let section = open(&sys, at);
        for other in 0..3u64 {
            let got = section.get(other * PAGE_BYTES as u64, 9);
            assert_eq!(got.is_ok(), other != page, "{page} {other}");
        }
        file.write_all_at(&byte, place).unwrap();
    }
    // A checksum of the checksums.
    let place = at.offset + at.bytes;
    file.write_all_at(&[1, 2, 3], place).unwrap();
    let error = open(&sys, at).get(0, 1).unwrap_err();
    assert!(matches!(error, SectionError::Checksums { .. }), "{error}");
}

#[test]
fn a_file_cut_short_is_an_error() {
    let sys = SimDisk::new(1).sys(0);
    let [at, second] = write(&sys, &data(2 * PAGE_BYTES), &data(10));
    let section = open(&sys, at);
    section.get(0, 1).unwrap();
    let file = sys.disk.open(Path::new(PATH)).unwrap();
    file.set_len(at.offset + PAGE_BYTES as u64 + 1).unwrap();
    section.get(0, PAGE_BYTES).unwrap();
    let error = section.get(PAGE_BYTES as u64, 1).unwrap_err();
    assert!(matches!(error, SectionError::Io { .. }), "{error}");
    let error = open(&sys, second).get(0, 1).unwrap_err();
    assert!(matches!(error, SectionError::Io { .. }), "{error}");
}

/// Each sync is for a mebibyte at most, so that no other file's waits long behind it.
#[test]
fn a_long_file_is_synced_as_it_is_written() {
    let disk = SimDisk::new(1);
    let file = disk.sys(0).disk.create_new(Path::new(PATH)).unwrap();
    disk.start_log();
    let mut writer = FileWriter::new(file);
    for _ in 0..35 {
        writer.put(&data(100 << 10)).unwrap();
    }
    writer.finish().unwrap();
    let log = disk.take_log().into_iter();
    let syncs = log.filter(|op| op.kind == OpKind::SyncData).count();
    // 3.4 MiB.
    assert_eq!(syncs, 4);
}
