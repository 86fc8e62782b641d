//! Segments on a disk that harms them, and sections of any bytes.

mod extras;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::tests::{DIR, Raw, Row, origin, some_rows, write};
use super::*;
use crate::sys::RealDisk;
use crate::sys::sim::SimDisk;

const RANGES: [TimeRange; 4] = [
    TimeRange::ALL,
    TimeRange {
        start_ms: 4000,
        end_ms: 20_000,
    },
    TimeRange {
        start_ms: 3001,
        end_ms: 3002,
    },
    TimeRange {
        start_ms: 1,
        end_ms: 0,
    },
];

fn bits(samples: &Samples) -> Vec<(i64, u64)> {
    samples.iter().map(|(t, v)| (t, v.to_bits())).collect()
}

fn expected((in_order, late): &Row, range: TimeRange) -> Vec<(i64, u64)> {
    let mut all: BTreeMap<i64, u64> = in_order.iter().copied().collect();
    all.extend(late.iter().map(|&t| (t, (t as f64).to_bits())));
    all.retain(|&t, _| range.contains(t));
    all.into_iter().collect()
}

fn segment(disk: &SimDisk) -> (PathBuf, Segment) {
    let sys = disk.sys(0);
    let path = write(&sys, Path::new(DIR), &some_rows());
    let segment = Segment::open(&sys, &path).unwrap();
    (path, segment)
}

#[test]
fn what_was_written_is_read() {
    let (path, segment) = segment(&SimDisk::new(1));
    let rows = some_rows();
    // The last row is the last with samples.
    assert_eq!(segment.rows() as usize, rows.len());
    assert_eq!(segment.path(), path);
    assert_eq!(segment.info().origin, origin());
    assert_eq!(segment.seqs(), origin().seqs);
    let all = segment.with_index(|index| index.evaluate(&[]));
    assert!(all.unwrap().is_empty());
    let lengths = rows.iter().map(|(a, b)| (a.len() + b.len()) as u64);
    assert_eq!(segment.info().samples, lengths.sum::<u64>());
    let times = || rows.iter().flat_map(|row| expected(row, TimeRange::ALL));
    let (first, last) = (times().min().unwrap().0, times().max().unwrap().0);
    assert_eq!(segment.range(), Some(TimeRange::new(first, last)));
    let mut reader = segment.reader();
    let mut out = Samples::default();
    for range in RANGES {
        for (number, row) in (0u32..).zip(&rows) {
            let expected = expected(row, range);
            reader.read(number, range, &mut out).unwrap();
            assert_eq!(bits(&out), expected, "row {number}, {range:?}");
            let has = reader.has_sample(number, range).unwrap();
            assert_eq!(has, !expected.is_empty(), "row {number}, {range:?}");
        }
    }
    segment.read(20, TimeRange::ALL, &mut out).unwrap();
    assert!(out.is_empty() && !segment.has_sample(20, TimeRange::ALL).unwrap());
}

#[test]
fn any_flipped_bit_is_noticed() {
    let disk = SimDisk::new(1);
    let (path, whole) = segment(&disk);
    let sys = disk.sys(0);
    let read_all = || {
        let segment = Segment::open(&sys, &path)?;
        let mut reader = segment.reader();
        let mut out = Samples::default();
        let rows = (0..segment.rows()).map(|row| {
            reader.read(row, TimeRange::ALL, &mut out)?;
            Ok(bits(&out))
        });
        let rows: Vec<_> = rows.collect::<Result<_, SegmentError>>()?;
        let series = segment.with_index(|index| index.evaluate(&[]))?;
        Ok((rows, series))
    };
    let answers = read_all().map_err(|error: SegmentError| error.to_string());
    let mut unnoticed = 0;
    for byte in 0..whole.info().bytes {
        let bit = byte * 8 + byte % 8;
        disk.flip_bit(&path, bit).unwrap();
        match read_all() {
            Ok(read) => {
                unnoticed += 1;
                assert_eq!(Ok(read), answers);
            }
            Err(error) => {
                let corrupt = matches!(error, SegmentError::Corrupt { .. });
                assert!(!corrupt, "a checksum comes first: {error}");
                let error = error.to_string();
                assert!(error.contains("00000000000000000005.seg"), "{error}");
            }
        }
        disk.flip_bit(&path, bit).unwrap();
    }
    // Parts of the index, which holds no series here and is not read as a whole.
    assert!(unnoticed < 200, "{unnoticed} of {}", whole.info().bytes);
}

#[test]
fn a_file_cut_short_or_of_another_name_is_refused() {
    let disk = SimDisk::new(1);
    let (path, whole) = segment(&disk);
    let sys = disk.sys(0);
    let other = super::super::path(Path::new(DIR), 6);
    sys.disk.rename(&path, &other).unwrap();
    let error = Segment::open(&sys, &other).unwrap_err().to_string();
    assert!(
        error.ends_with("the file header is that of another file"),
        "{error}"
    );
    let foreign = Path::new(DIR).join("5.seg");
    sys.disk.rename(&other, &foreign).unwrap();
    let error = Segment::open(&sys, &foreign).unwrap_err().to_string();
    assert!(
        error.ends_with("its name is not that of such a file"),
        "{error}"
    );
    sys.disk.rename(&foreign, &path).unwrap();
    for bytes in (0..whole.info().bytes).rev().step_by(7) {
        sys.disk.open(&path).unwrap().set_len(bytes).unwrap();
        let error = Segment::open(&sys, &path).unwrap_err();
        assert!(matches!(error, SegmentError::Damaged { .. }), "{error}");
    }
    sys.disk.remove(&path).unwrap();
    let error = Segment::open(&sys, &path).unwrap_err();
    assert!(matches!(error, SegmentError::Io { .. }), "{error}");
}

/// A segment of which summaries and footer lie in one page of memory: where it is, its rows, and
/// where its summaries begin.
fn with_a_last_page(sys: &Sys, dir: &Path) -> (PathBuf, Vec<Row>, u64) {
    let page = 4096;
    let mut written = (8..=20).map(|count| {
        let rows = some_rows()[..count].to_vec();
        let path = write(sys, &dir.join(count.to_string()), &rows);
        let opened = Opened::open(sys, &FORMAT, &path).unwrap();
        let footer = Footer::decode(&opened.footer).unwrap();
        let mut listed = footer.sections.iter();
        let summaries = listed.find(|one| one.kind == Kind::Summaries as u16);
        (path, rows, summaries.unwrap().at.offset, opened.bytes)
    });
    let (path, rows, at, _) = written
        .find(|&(_, _, at, bytes)| at / page == (bytes - 1) / page)
        .unwrap();
    (path, rows, at)
}

#[test]
fn bytes_of_a_mapped_file_that_go_missing_are_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let sys = Sys {
        disk: Arc::new(RealDisk::mapped()),
        ..Sys::real()
    };
    let (path, rows, summaries_at) = with_a_last_page(&sys, dir.path());
    let segment = Segment::open(&sys, &path).unwrap();
    let mut reader = segment.reader();
    let mut out = Samples::default();
    reader.read(7, TimeRange::ALL, &mut out).unwrap();
    assert_eq!(bits(&out), expected(&rows[7], TimeRange::ALL));
    // Within one page of memory a cut gives no signal: what was there is zeros.
    let file = sys.disk.open(&path).unwrap();
    file.set_len(summaries_at + 1).unwrap();
    let error = reader.read(7, TimeRange::ALL, &mut out).unwrap_err();
    let section = matches!(
        &error,
        SegmentError::Section {
            section: "summaries",
            ..
        }
    );
    assert!(section && out.is_empty(), "{error}");
    assert!(reader.has_sample(7, TimeRange::ALL).is_err());
    assert!(reader.with_samples(&[1, 7], TimeRange::ALL).is_err());
}

/// The bytes of the sections, to be harmed without their checksums.
fn raw(segment: &Segment) -> [Raw; 4] {
    let sections = [
        &segment.times,
        &segment.chunks,
        &segment.rows,
        &segment.summaries,
    ];
    sections.map(|section| Raw(section.get(0, section.len() as usize).unwrap().into_owned()))
}

fn parts([times, chunks, rows, summaries]: &[Raw; 4], count: u32) -> Parts<'_> {
    Parts {
        rows: Rows::new(count, rows, summaries),
        chunks: Stretch::new(chunks),
        times: Times::new(times),
        extras: Extras::default(),
    }
}

/// Whatever the bytes are, reading ends, and what is read is in order.
fn read_harmed(sections: &[Raw; 4], count: u32) {
    let mut parts = parts(sections, count);
    let mut out = Samples::default();
    for row in 0..count {
        for range in RANGES {
            let _ = parts.has_sample(row, range);
            out.clear();
            if parts.read(row, range, &mut out, &mut Pace::none()).is_ok() {
                assert_eq!(out.timestamps_ms.len(), out.values.len());
                assert!(out.timestamps_ms.is_sorted_by(|a, b| a < b));
            }
        }
    }
}

#[test]
fn errors_name_file_section_and_row() {
    let (path, segment) = segment(&SimDisk::new(1));
    let mut sections = raw(&segment);
    let mut rows = Rows::new(20, &sections[2], &sections[3]);
    let at = rows.find(1).unwrap().unwrap().chunks_at as usize;
    sections[1].0[at] = 0x40;
    let read = parts(&sections, 20).read(
        1,
        TimeRange::ALL,
        &mut Samples::default(),
        &mut Pace::none(),
    );
    assert_eq!(
        read.unwrap_err().of(&FORMAT, &path, 1).to_string(),
        "section chunks of the segment /data/segments/00000000000000000005.seg, row 1: \
         the form of a chunk is not known"
    );
}

proptest! {
    #[test]
    fn harmed_sections_are_read_or_refused(
        harm in prop::collection::vec(
            (0..4usize, any::<prop::sample::Index>(), any::<u8>()),
            1..8,
        ),
    ) {
        let (_, segment) = segment(&SimDisk::new(1));
        let mut sections = raw(&segment);
        read_harmed(&sections, 20);
        for (section, at, byte) in harm {
            let bytes = &mut sections[section].0;
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        read_harmed(&sections, 20);
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        sections in prop::array::uniform4(prop::collection::vec(any::<u8>(), 0..300)),
        small in any::<bool>(),
    ) {
        let mut sections = sections.map(Raw);
        if small {
            // Places that lie within the sections, so that more of them is read.
            let [_, chunks, rows, _] = &mut sections;
            rows.0.iter_mut().take(24).for_each(|byte| *byte = 0);
            for entry in rows.0.iter_mut().skip(24).collect::<Vec<_>>().chunks_mut(6) {
                entry.iter_mut().skip(1).for_each(|byte| **byte = 0);
            }
            chunks.0.iter_mut().step_by(5).for_each(|byte| *byte &= 0xf);
        }
        read_harmed(&sections, 40);
    }
}
