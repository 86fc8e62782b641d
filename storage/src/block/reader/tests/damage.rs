//! Blocks on a disk that harms them, and sections of any bytes.

use proptest::prelude::*;

use super::extras::{families, mixed_rows};
use super::*;
use crate::block::group::GroupAt;
use crate::block::page::Unpacker;
use crate::codec::histogram::tests::histograms;
use crate::column::encode_timestamps;
use crate::model::{Histogram, Pace, Sample};
use crate::section::Raw;
use crate::sys::RealDisk;

const RANGES: [TimeRange; 3] = [
    TimeRange::ALL,
    TimeRange {
        start_ms: 4000,
        end_ms: 481_000,
    },
    TimeRange {
        start_ms: 3001,
        end_ms: 3002,
    },
];

/// Histograms that are always the same.
fn some_histograms() -> Vec<Histogram> {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    histograms(5..6).new_tree(&mut runner).unwrap().current()
}

fn some_mixed_rows() -> Vec<Row> {
    let mut rows = mixed_rows(&some_histograms(), 10);
    rows.extend(some_rows().into_iter().take(6));
    rows
}

fn write_mixed(sys: &Sys, dir: &Path) -> PathBuf {
    write(sys, dir, &some_mixed_rows(), &families())
}

/// All that a block says.
fn read_all(sys: &Sys, path: &Path) -> Result<String, BlockError> {
    let block = Block::open(sys, path)?;
    let mut reader = block.reader();
    let rows: Vec<u32> = (0..block.info().rows).collect();
    let mut all = String::new();
    let mut out = Samples::default();
    for &row in &rows {
        let mut points = Vec::new();
        reader.points(row, TimeRange::ALL, &mut points)?;
        reader.read(row, RANGES[1], &mut out)?;
        all += &format!("{points:?} {:?}", bits(&out));
    }
    let exemplars = reader.exemplars(&rows, TimeRange::ALL)?;
    let series = block.with_index(|index| {
        let mut labels = Vec::new();
        index.symbols_of_rows(&rows, |row, pairs| labels.push((row, pairs.to_vec())))?;
        let values = index.label_values("__name__", None)?;
        Ok((
            index.evaluate(&[])?,
            index.label_names(None)?,
            values,
            labels,
        ))
    })?;
    let metadata = block.metadata(None)?;
    Ok(all + &format!("{exemplars:?} {series:?} {metadata:?} {:?}", block.info()))
}

#[test]
fn any_flipped_bit_is_noticed() {
    let disk = SimDisk::new(1);
    let sys = disk.sys(0);
    let path = write_mixed(&sys, Path::new(DIR));
    let answers = read_all(&sys, &path).unwrap();
    let bytes = Block::open(&sys, &path).unwrap().info().bytes;
    let mut unnoticed = 0;
    for byte in (0..bytes).step_by(if cfg!(debug_assertions) { 3 } else { 1 }) {
        let bit = byte * 8 + byte % 8;
        disk.flip_bit(&path, bit).unwrap();
        match read_all(&sys, &path) {
            Ok(read) => {
                unnoticed += 1;
                assert_eq!(read, answers);
            }
            Err(error) => {
                let corrupt = matches!(
                    error,
                    BlockError::Corrupt { .. } | BlockError::CorruptSection { .. }
                );
                assert!(!corrupt, "a checksum comes first: {error}");
                let error = error.to_string();
                assert!(error.contains("00000000000000000005.blk"), "{error}");
            }
        }
        disk.flip_bit(&path, bit).unwrap();
    }
    // Parts of the index that answer other questions.
    assert!(unnoticed < 100, "{unnoticed} of {bytes}");
}

#[test]
fn a_file_cut_short_or_of_another_name_is_refused() {
    let disk = SimDisk::new(1);
    let sys = disk.sys(0);
    let path = write_mixed(&sys, Path::new(DIR));
    let other = crate::block::path(Path::new(DIR), 6);
    sys.disk.rename(&path, &other).unwrap();
    let error = Block::open(&sys, &other).unwrap_err().to_string();
    assert!(
        error.ends_with("the file header is that of another file"),
        "{error}"
    );
    sys.disk.rename(&other, &path).unwrap();
    let bytes = Block::open(&sys, &path).unwrap().info().bytes;
    for bytes in (0..bytes).rev().step_by(7) {
        sys.disk.open(&path).unwrap().set_len(bytes).unwrap();
        let error = Block::open(&sys, &path).unwrap_err();
        assert!(matches!(error, BlockError::Damaged { .. }), "{error}");
    }
    sys.disk.remove(&path).unwrap();
    let error = Block::open(&sys, &path).unwrap_err();
    assert!(matches!(error, BlockError::Io { .. }), "{error}");
}

#[test]
fn bytes_of_a_mapped_file_that_go_missing_are_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let sys = Sys {
        disk: Arc::new(RealDisk::mapped()),
        ..Sys::real()
    };
    let rows: Vec<Row> = some_rows().into_iter().take(3).collect();
    let path = write(&sys, dir.path(), &rows, &[]);
    let block = Block::open(&sys, &path).unwrap();
    assert!(block.info().bytes < 4096);
    let mut reader = block.reader();
    let mut out = Samples::default();
    reader.read(1, TimeRange::ALL, &mut out).unwrap();
    assert_eq!(bits(&out), rows[1].expected(TimeRange::ALL));
    // Within one page of memory a cut gives no signal: what was there is zeros.
    let file = sys.disk.open(&path).unwrap();
    file.set_len(30).unwrap();
    // What is held does not belong to the file.
    reader.read(1, TimeRange::ALL, &mut out).unwrap();
    assert_eq!(bits(&out), rows[1].expected(TimeRange::ALL));
    let error = block
        .reader()
        .read(1, TimeRange::ALL, &mut out)
        .unwrap_err();
    assert!(
        matches!(error, BlockError::Section { .. }) && out.is_empty(),
        "{error}"
    );
}

/// Sections data, groups and times, to be harmed without their checksums.
type Sections = [Raw; 3];

fn sections(block: &Block) -> Sections {
    let all = [&block.data, &block.groups, &block.times];
    all.map(|section| Raw(section.get(0, section.len() as usize).unwrap().into_owned()))
}

fn parts<'a>(block: &'a Block, [data, groups, times]: &'a Sections) -> Parts<'a> {
    let source = Source::new(&*block.file, data);
    Parts {
        groups: Groups::new(source, groups, block.info.rows),
        times: Times::new(source, times, block.columns),
    }
}

/// Whatever the bytes are, reading ends, and what is read is in order.
fn read_harmed(block: &Block, sections: &Sections) {
    let mut parts = parts(block, sections);
    let mut out = Samples::default();
    let rise = |points: &[Sample]| points.is_sorted_by(|a, b| a.timestamp_ms < b.timestamp_ms);
    for row in 0..block.info.rows {
        for range in RANGES {
            let _ = parts.has_sample(row, range);
            out.clear();
            if parts.read(row, range, &mut out, &mut Pace::none()).is_ok() {
                assert_eq!(out.timestamps_ms.len(), out.values.len());
                assert!(out.timestamps_ms.is_sorted_by(|a, b| a < b));
            }
            if let Ok(points) = parts.points(row, range) {
                assert!(rise(&points));
            }
            if let Ok(exemplars) = parts.exemplars(row, range) {
                assert!(exemplars.iter().all(|one| range.contains(one.timestamp_ms)));
            }
        }
    }
}

/// The header of the first group as it is before it is compressed, in its place at the end of
/// section data, with its pages.
fn unpacked(sections: &Sections) -> (Sections, Range<usize>) {
    let [mut data, mut groups, times] = sections.clone();
    let at = GroupAt::decode(&groups.0[..ENTRY_BYTES]).unwrap();
    let (begin, end) = (at.at as usize, at.at as usize + at.stored as usize);
    let mut header = Vec::new();
    let stored = data.0[begin..end].to_vec();
    Unpacker::default()
        .unpack(&stored, at.bytes as usize, &mut header)
        .unwrap();
    let pages = data.0[end..].to_vec();
    let place = data.0.len()..data.0.len() + header.len();
    data.0.extend(header);
    data.0.extend(pages);
    let moved = GroupAt {
        at: place.start as u64,
        stored: at.bytes,
        ..at
    };
    groups.0[..ENTRY_BYTES].copy_from_slice(&moved.encode());
    ([data, groups, times], place)
}

#[test]
fn errors_name_file_section_and_row() {
    let block = block(&SimDisk::new(1), &some_rows());
    let (mut sections, header) = unpacked(&sections(&block));
    let read = |sections: &Sections| {
        let read = parts(&block, sections).read(
            1,
            TimeRange::ALL,
            &mut Samples::default(),
            &mut Pace::none(),
        );
        read.map_err(|fault| fault.of(&FORMAT, block.path(), 1).to_string())
    };
    assert_eq!(read(&sections), Ok(()));
    // The kind of the first row.
    sections[0].0[header.start + 1] = 3;
    let file = "of the block /data/blocks/00000000000000000005.blk, row 1:";
    let expected = format!("section data {file} the kind of a row is not known");
    assert_eq!(read(&sections), Err(expected));
    sections[0].0[header.start + 1] = 1;
    sections[2].0[0] = 0xff;
    let expected = format!("section times {file} a list is cut short");
    assert_eq!(read(&sections), Err(expected));
    sections[1].0[8] = 2;
    let expected = format!("section groups {file} the first rows of groups do not rise");
    assert_eq!(read(&sections), Err(expected));
}

#[test]
fn timestamps_that_do_not_rise_are_refused() {
    let encoded = |middle: i64| {
        let mut bytes = Vec::new();
        encode_timestamps(&[0, 1, middle, 2000], &mut bytes);
        bytes
    };
    // Of the same length, so that one takes the place of the other.
    let good = encoded(1234);
    let bad = (2000..9000).map(encoded);
    let bad: Vec<_> = bad.filter(|bad| bad.len() == good.len()).collect();
    assert!(!bad.is_empty());
    let row = Row::floats([0, 1, 1234, 2000].map(|t| (t, t as u64)));
    let block = block(&SimDisk::new(1), &[row]);
    let mut sections = sections(&block);
    // The column is the first that is written.
    assert!(sections[0].0.starts_with(&good));
    for bad in bad {
        sections[0].0[..bad.len()].copy_from_slice(&bad);
        let read = parts(&block, &sections).read(
            0,
            TimeRange::ALL,
            &mut Samples::default(),
            &mut Pace::none(),
        );
        let error = read.unwrap_err().of(&FORMAT, block.path(), 0).to_string();
        assert!(
            error.ends_with("is not what the section of times says"),
            "{error}"
        );
    }
}

fn harm() -> impl Strategy<Value = Vec<(usize, prop::sample::Index, u8)>> {
    let byte = prop_oneof![any::<u8>(), Just(0), Just(0xff)];
    prop::collection::vec((0..4usize, any::<prop::sample::Index>(), byte), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn harmed_sections_are_read_or_refused(harm in harm()) {
        let sys = SimDisk::new(1).sys(0);
        let block = Block::open(&sys, &write_mixed(&sys, Path::new(DIR))).unwrap();
        let (mut sections, header) = unpacked(&sections(&block));
        read_harmed(&block, &sections);
        for (section, at, byte) in harm {
            match section {
                // The header of the group has a number of its own: it is small.
                3 => sections[0].0[header.start + at.index(header.len())] = byte,
                _ => {
                    let bytes = &mut sections[section].0;
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                }
            }
        }
        read_harmed(&block, &sections);
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        sections in prop::array::uniform3(prop::collection::vec(any::<u8>(), 0..300)),
    ) {
        let block = block(&SimDisk::new(1), &some_rows());
        read_harmed(&block, &sections.map(Raw));
    }

    #[test]
    fn cut_sections_are_read_or_refused(
        section in 0..3usize,
        cut in any::<prop::sample::Index>(),
    ) {
        let sys = SimDisk::new(1).sys(0);
        let block = Block::open(&sys, &write_mixed(&sys, Path::new(DIR))).unwrap();
        let mut sections = sections(&block);
        let bytes = &mut sections[section].0;
        bytes.truncate(cut.index(bytes.len()));
        read_harmed(&block, &sections);
    }
}
