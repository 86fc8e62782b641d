//! Rows with histograms, start timestamps and exemplars.

use super::*;
use crate::chunk::{BLOCK_HISTOGRAMS, HistogramParts, HistogramRun, StartRun};
use crate::codec::exemplars::{BLOCK_EXEMPLARS, Entry};
use crate::codec::histogram::put_histogram;
use crate::immutable::{Families, REQUIRED};
use crate::model::{
    BucketSpan, Exemplar, Histogram, HistogramCounts, Labels, Metadata, MetricType, ResetHint,
    Sample, Seq, Value,
};
use crate::segment::Writer;
use crate::segment::tests::write_with;

const ROWS: u32 = 10;
const EXEMPLARS: i64 = 20;

fn rows() -> Vec<Row> {
    let mut rows = some_rows();
    rows.truncate(ROWS as usize);
    rows
}

fn histogram(n: u64) -> Histogram {
    Histogram {
        schema: 2,
        zero_threshold: 0.0,
        sum: n as f64 * 1.5,
        reset_hint: ResetHint::Unknown,
        positive_spans: vec![BucketSpan {
            offset: 0,
            length: 1 + n as u32 / 20,
        }],
        negative_spans: vec![],
        custom_bounds: vec![],
        counts: HistogramCounts::Integer {
            count: n,
            zero_count: 0,
            positive_deltas: vec![n as i64; 1 + n as usize / 20],
            negative_deltas: vec![],
        },
    }
}

fn has_histograms(row: u32) -> bool {
    row % 3 == 1
}

/// Whether the point of a row with that ordinal is a histogram, by the number of its list.
fn is_histogram(row: u32, list: u64, ordinal: u64) -> bool {
    has_histograms(row) && !(ordinal + list).is_multiple_of(7)
}

fn start_of(row: u32, ordinal: u64, timestamp_ms: i64) -> Option<i64> {
    match (row % 2, ordinal) {
        (1, 3..40) => Some(5),
        (1, 40..90) => Some(timestamp_ms - 10),
        _ => None,
    }
}

fn starts_of(row: u32, points: usize) -> Vec<StartRun> {
    let run = |ordinal, count, value, is_distance| StartRun {
        ordinal,
        value,
        count,
        is_distance,
    };
    match row % 2 == 1 && points > 0 {
        true => vec![run(3, 37, 5, false), run(40, 50, 10, true)],
        false => Vec::new(),
    }
}

/// The histograms of a list: their runs, their number and their blocks.
fn histograms_of(row: u32, list: u64, points: u64) -> (Vec<HistogramRun>, u64, Vec<Vec<u8>>) {
    let (mut runs, mut blocks, mut index) = (Vec::new(), Vec::new(), 0);
    for ordinal in (0..points).filter(|&ordinal| is_histogram(row, list, ordinal)) {
        if ordinal == 0 || !is_histogram(row, list, ordinal - 1) {
            runs.push(HistogramRun { ordinal, index });
        }
        if index % BLOCK_HISTOGRAMS == 0 {
            blocks.push(Vec::new());
        }
        let before = (index % BLOCK_HISTOGRAMS > 0).then(|| {
            let before = (0..ordinal).rfind(|&before| is_histogram(row, list, before));
            histogram(before.unwrap())
        });
        let block = blocks.last_mut().unwrap();
        put_histogram(block, &histogram(ordinal), before.as_ref());
        index += 1;
    }
    (runs, index, blocks)
}

fn exemplar(place: i64) -> Exemplar {
    Exemplar {
        labels: Labels::from_pairs([("trace_id", place.to_string().as_str())]).unwrap(),
        timestamp_ms: place * 500,
        value: place as f64,
    }
}

fn exemplars_of(row: u32) -> Vec<Vec<u8>> {
    let all: Vec<i64> = match row % 4 {
        2 => (0..EXEMPLARS).collect(),
        _ => Vec::new(),
    };
    let block = |places: &[i64]| {
        let (mut block, mut before) = (Vec::new(), Entry::default());
        for &place in places {
            let entry = Entry::new(Seq(place as u64), &exemplar(place));
            entry.put(&mut block, &before);
            before = entry;
        }
        block
    };
    all.chunks(usize::from(BLOCK_EXEMPLARS))
        .map(block)
        .collect()
}

fn families() -> Vec<(String, Metadata)> {
    let family = |n: u8| {
        let metadata = Metadata {
            metric_type: MetricType::from_number(n % 8).unwrap(),
            unit: String::new(),
            help: format!("help of {n}"),
        };
        (format!("m{n:02}"), metadata)
    };
    (0..40).map(family).collect()
}

fn write_beside(writer: &mut Writer) {
    let rows = rows();
    let mut starts = writer.starts();
    for (row, (in_order, late)) in (0..).zip(&rows) {
        let runs = [starts_of(row, in_order.len()), starts_of(row, late.len())];
        starts.put(row, [&runs[0], &runs[1]]).unwrap();
    }
    starts.finish().unwrap();
    let mut histograms = writer.histograms();
    for (row, (in_order, late)) in (0..).zip(&rows) {
        let lists = [(0, in_order.len()), (1, late.len())]
            .map(|(list, points)| histograms_of(row, list, points as u64));
        let parts = lists
            .each_ref()
            .map(|(runs, count, blocks)| HistogramParts {
                runs: runs.into(),
                count: *count,
                blocks: blocks.iter().map(Vec::as_slice).collect(),
            });
        histograms.put(row, &parts).unwrap();
    }
    histograms.finish().unwrap();
    let mut exemplars = writer.exemplars();
    for row in 0..ROWS {
        let blocks = exemplars_of(row);
        exemplars
            .put(row, blocks.iter().map(Vec::as_slice))
            .unwrap();
    }
    exemplars.finish().unwrap();
    let mut metadata = writer.metadata();
    for (metric, last) in families() {
        metadata.put(&metric, &last).unwrap();
    }
    metadata.finish().unwrap();
}

fn mixed_segment(disk: &SimDisk) -> (PathBuf, Segment) {
    let sys = disk.sys(0);
    let path = write_with(&sys, Path::new(DIR), &rows(), write_beside);
    let segment = Segment::open(&sys, &path).unwrap();
    (path, segment)
}

fn expected_points(row: u32, range: TimeRange) -> Vec<Sample> {
    let (in_order, late) = &rows()[row as usize];
    let late = late.iter().map(|&t| (t, (t as f64).to_bits()));
    let lists = [in_order.clone(), late.collect()];
    let mut all = BTreeMap::new();
    for (list, points) in (0..).zip(lists) {
        for (ordinal, (timestamp_ms, bits)) in (0..).zip(points) {
            let value = match is_histogram(row, list, ordinal) {
                true => Value::Histogram(Box::new(histogram(ordinal))),
                false => Value::Float(f64::from_bits(bits)),
            };
            let sample = Sample {
                timestamp_ms,
                start_timestamp_ms: start_of(row, ordinal, timestamp_ms),
                value,
            };
            all.insert(timestamp_ms, sample);
        }
    }
    all.retain(|&t, _| range.contains(t));
    all.into_values().collect()
}

#[test]
fn what_stands_beside_the_floats_is_read() {
    let (_, segment) = mixed_segment(&SimDisk::new(1));
    check_all(&segment);
    let dir = tempfile::tempdir().unwrap();
    let sys = Sys {
        disk: Arc::new(RealDisk::mapped()),
        ..Sys::real()
    };
    let path = write_with(&sys, dir.path(), &rows(), write_beside);
    check_all(&Segment::open(&sys, &path).unwrap());
}

/// A segment reads as what [`write_beside`] wrote.
fn check_all(segment: &Segment) {
    let mut reader = segment.reader();
    let (mut points, mut floats) = (Vec::new(), Samples::default());
    let all: Vec<u32> = (0..ROWS + 2).collect();
    for range in RANGES {
        for row in 0..ROWS {
            let expected = expected_points(row, range);
            reader.points(row, range, &mut points).unwrap();
            assert_eq!(points, expected, "row {row}, {range:?}");
            reader.read(row, range, &mut floats).unwrap();
            let expected = expected.iter().filter_map(|point| match point.value {
                Value::Float(value) => Some((point.timestamp_ms, value)),
                Value::Histogram(_) => None,
            });
            assert!(floats.iter().eq(expected), "row {row}, {range:?}");
            assert_eq!(reader.has_histograms(row).unwrap(), has_histograms(row));
        }
        let exemplars = (0..EXEMPLARS).map(exemplar);
        let exemplars: Vec<_> = exemplars
            .filter(|exemplar| range.contains(exemplar.timestamp_ms))
            .collect();
        let expected: Vec<_> = match exemplars.is_empty() {
            true => Vec::new(),
            false => vec![(2, exemplars.clone()), (6, exemplars)],
        };
        assert_eq!(reader.exemplars(&all, range).unwrap(), expected);
    }
    assert_eq!(segment.metadata(None).unwrap(), families());
    assert_eq!(segment.metadata(Some("m17")).unwrap(), families()[17..18]);
    reader.points(ROWS, TimeRange::ALL, &mut points).unwrap();
    assert!(points.is_empty() && !reader.has_histograms(u32::MAX).unwrap());
}

#[test]
fn sections_are_there_where_they_are_needed_and_not_to_be_left_out() {
    let disk = SimDisk::new(1);
    let listed = |path: &Path| {
        let opened = Opened::open(&disk.sys(0), &FORMAT, path).unwrap();
        let footer = Footer::decode(&opened.footer).unwrap();
        assert!(footer.sections.iter().all(|one| one.flags == REQUIRED));
        let kinds = footer.sections.iter().map(|one| one.kind);
        kinds.collect::<Vec<_>>()
    };
    let (path, _) = mixed_segment(&disk);
    assert_eq!(listed(&path), [1, 2, 16, 17, 18, 19, 3, 4]);
    let sys = disk.sys(0);
    let path = write(&sys, Path::new("/data/plain"), &rows());
    assert_eq!(listed(&path), [1, 2, 3, 4]);
    let plain = Segment::open(&sys, &path).unwrap();
    assert!(!plain.has_exemplars() && plain.metadata(None).unwrap().is_empty());
}

#[test]
fn any_flipped_bit_beside_the_floats_is_noticed() {
    let disk = SimDisk::new(1);
    let (path, whole) = mixed_segment(&disk);
    let sys = disk.sys(0);
    let rows: Vec<u32> = (0..ROWS).collect();
    let read_all = || {
        let segment = Segment::open(&sys, &path)?;
        let mut reader = segment.reader();
        let mut all = Vec::new();
        for &row in &rows {
            let mut points = Vec::new();
            reader.points(row, TimeRange::ALL, &mut points)?;
            all.push(points);
        }
        let exemplars = reader.exemplars(&rows, TimeRange::ALL)?;
        Ok((all, exemplars, segment.metadata(None)?))
    };
    let answers = read_all().map_err(|error: SegmentError| error.to_string());
    let mut unnoticed = 0;
    for byte in (0..whole.info().bytes).step_by(3) {
        let bit = byte * 8 + byte % 8;
        disk.flip_bit(&path, bit).unwrap();
        match read_all() {
            Ok(read) => {
                unnoticed += 1;
                assert_eq!(Ok(read), answers);
            }
            Err(error) => {
                let harmed = matches!(
                    error,
                    SegmentError::Corrupt { .. } | SegmentError::CorruptSection { .. }
                );
                assert!(!harmed, "a checksum comes first: {error}");
            }
        }
        disk.flip_bit(&path, bit).unwrap();
    }
    // Parts of the index, which holds no series here and is not read.
    assert!(unnoticed < 200, "{unnoticed} of {}", whole.info().bytes);
}

/// The bytes of all sections, to be harmed without their checksums.
fn raw_sections(segment: &Segment) -> ([Raw; 4], [Raw; 4]) {
    let beside = [
        &segment.starts,
        &segment.histograms,
        &segment.exemplars,
        &segment.metadata,
    ];
    let beside = beside.map(|section| {
        let section = section.as_ref().unwrap();
        Raw(section.get(0, section.len() as usize).unwrap().into_owned())
    });
    (raw(segment), beside)
}

fn mixed_parts<'a>(floats: &'a [Raw; 4], beside: &'a [Raw; 4]) -> Parts<'a> {
    let [starts, histograms, exemplars, _] = beside;
    let rows = |kind: Kind, section| Some(SparseRows::new(kind.name(), ROWS, section));
    Parts {
        extras: Extras {
            starts: rows(Kind::Starts, starts),
            histograms: rows(Kind::Histograms, histograms),
            exemplars: rows(Kind::Exemplars, exemplars),
        },
        ..parts(floats, ROWS)
    }
}

#[test]
fn errors_name_file_section_and_row() {
    let (path, segment) = mixed_segment(&SimDisk::new(1));
    let (floats, mut beside) = raw_sections(&segment);
    let range = TimeRange::ALL;
    // The first bytes of each are those of the first row that has any.
    for section in &mut beside {
        section.0[..4].fill(0xff);
    }
    let mut parts = mixed_parts(&floats, &beside);
    let of_row = |row, fault: Fault| fault.of(&FORMAT, &path, row).to_string();
    let file = "of the segment /data/segments/00000000000000000005.seg";
    parts.extras.histograms = None;
    assert_eq!(
        of_row(1, parts.points(1, range).unwrap_err()),
        format!("section start timestamps {file}, row 1: a bad number of runs")
    );
    let mut parts = mixed_parts(&floats, &beside);
    assert_eq!(
        of_row(
            1,
            parts
                .read(1, range, &mut Samples::default(), &mut Pace::none())
                .unwrap_err()
        ),
        format!("section histograms {file}, row 1: a bad number of runs")
    );
    assert_eq!(
        of_row(2, parts.extras.exemplars(2, range).unwrap_err()),
        format!("section exemplars {file}, row 2: a block of exemplars is cut short")
    );
    let read = Families::new(&beside[3]).read(None);
    assert_eq!(
        read.unwrap_err().of_section(&FORMAT, &path).to_string(),
        format!("section metadata {file}: a metric type is not known")
    );
    // A row that has none is read whatever became of others.
    assert!(parts.points(2, range).is_ok());
}

/// Whatever the bytes are, reading ends, and what is read is in order.
fn read_mixed(floats: &[Raw; 4], beside: &[Raw; 4]) {
    let mut parts = mixed_parts(floats, beside);
    for row in 0..ROWS {
        for range in RANGES {
            if let Ok(points) = parts.points(row, range) {
                assert!(points.is_sorted_by(|a, b| a.timestamp_ms < b.timestamp_ms));
            }
            let mut out = Samples::default();
            if parts.read(row, range, &mut out, &mut Pace::none()).is_ok() {
                assert!(out.timestamps_ms.is_sorted_by(|a, b| a < b));
            }
            if let Ok(exemplars) = parts.extras.exemplars(row, range) {
                assert!(exemplars.iter().all(|one| range.contains(one.timestamp_ms)));
            }
        }
    }
    for metric in [None, Some("m17")] {
        let _ = Families::new(&beside[3]).read(metric);
    }
}

proptest! {
    #[test]
    fn harmed_sections_beside_the_floats_are_read_or_refused(
        harm in prop::collection::vec(
            (0..8usize, any::<prop::sample::Index>(), any::<u8>()),
            1..12,
        ),
    ) {
        let (_, segment) = mixed_segment(&SimDisk::new(1));
        let (mut floats, mut beside) = raw_sections(&segment);
        read_mixed(&floats, &beside);
        for (section, at, byte) in harm {
            let section = match section {
                0..4 => &mut floats[section],
                _ => &mut beside[section - 4],
            };
            let at = at.index(section.0.len());
            section.0[at] = byte;
        }
        read_mixed(&floats, &beside);
    }
}
