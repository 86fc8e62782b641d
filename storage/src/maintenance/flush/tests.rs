//! Heads written as segments and read back, on disks that fail too.

mod measure;
mod mixed;

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::index::stored::IndexError;
use crate::model::{
    Batch, FloatRow, Labels, MatchOp, Matcher, STALE_NAN_BITS, Samples, Seq, SeriesDefinition,
    SeriesId, TimeRange,
};
use crate::segment::{self, Segment};
use crate::sys::sim::{Fault, SimDisk};

const DIR: &str = "/data/segments";
/// Ids in several shards, with others between that are not defined.
const IDS: [u32; 7] = [0, 1, 2, 5, 1023, 1024, 4000];
const ROWS: u32 = 4001;

/// What a series does at a scrape.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A sample with the scrape's timestamp.
    Scraped(u64),
    /// The value that came last once more.
    Same,
    /// None.
    Missed,
    /// A sample some milliseconds after the scrape's timestamp.
    Own(i64, u64),
    /// One some scrapes before.
    Late(i64, u64),
    /// A timestamp anywhere.
    Anywhere(i64, u64),
}

fn value() -> impl Strategy<Value = u64> {
    prop_oneof![
        8 => (0..1000u32).prop_map(|i| f64::from(i).to_bits()),
        4 => (0..1000u32).prop_map(|i| (f64::from(i) / 100.0).to_bits()),
        1 => Just(STALE_NAN_BITS),
        1 => Just(f64::NAN.to_bits()),
        1 => Just((-0.0f64).to_bits()),
        1 => any::<u64>(),
    ]
}

fn step(changes: u32) -> impl Strategy<Value = Step> {
    prop_oneof![
        400 => Just(Step::Same),
        changes => value().prop_map(Step::Scraped),
        10 => Just(Step::Missed),
        5 => (1..5i64, value()).prop_map(|(by_ms, bits)| Step::Own(by_ms, bits)),
        20 => (1..100i64, value()).prop_map(|(by, bits)| Step::Late(by, bits)),
        1 => (any::<i64>(), value()).prop_map(|(t, bits)| Step::Anywhere(t, bits)),
    ]
}

fn define(head: &Head, id: u32) -> SeriesDefinition {
    let labels = Labels::from_pairs([("id", id.to_string().as_str())]).unwrap();
    head.define(SeriesId(id), &labels).unwrap();
    SeriesDefinition {
        id: SeriesId(id),
        labels,
    }
}

/// A head with what the series did, scrape by scrape.
fn head_of(scrapes: &[Vec<Step>]) -> Head {
    let head = Head::new();
    let mut last = [0u64; IDS.len()];
    for (seq, steps) in (1u64..).zip(scrapes) {
        let mut batch = Batch {
            seq: Seq(seq),
            ..Batch::default()
        };
        if seq == 1 {
            batch.definitions = IDS.iter().map(|&id| define(&head, id)).collect();
        }
        let at_ms = 1_700_000_000_000 + 15_000 * seq as i64 + seq as i64 * 7 % 5;
        for ((&id, step), last) in IDS.iter().zip(steps).zip(&mut last) {
            let (timestamp_ms, bits) = match *step {
                Step::Scraped(bits) => (at_ms, bits),
                Step::Same => (at_ms, *last),
                Step::Missed => continue,
                Step::Own(by_ms, bits) => (at_ms + by_ms, bits),
                Step::Late(by, bits) => (at_ms - 15_000 * by, bits),
                Step::Anywhere(timestamp_ms, bits) => (timestamp_ms, bits),
            };
            *last = bits;
            batch.floats.push(FloatRow {
                series: SeriesId(id),
                timestamp_ms,
                value: f64::from_bits(bits),
            });
        }
        head.apply(&[batch]);
    }
    head
}

fn seqs() -> SeqRange {
    SeqRange {
        first: Seq(1),
        last: Seq(99),
    }
}

fn flush(sys: &Sys, head: &Head) -> Result<SegmentInfo, SegmentError> {
    write_segment(sys, Path::new(DIR), 7, head, seqs(), 3, &|| ())
}

fn bits(samples: &Samples) -> Vec<(i64, u64)> {
    samples.iter().map(|(t, v)| (t, v.to_bits())).collect()
}

/// Checks that the index of a segment gives the labels of the head it was.
fn assert_same_labels(head: &Head, segment: &Segment) {
    let pin = head.pin();
    let wanted = [
        Vec::new(),
        vec![Matcher::new(MatchOp::Equal, "id", "1024").unwrap()],
        vec![Matcher::new(MatchOp::Regex, "id", "[0-2]|4.*").unwrap()],
        vec![Matcher::new(MatchOp::NotEqual, "id", "").unwrap()],
        vec![Matcher::new(MatchOp::Equal, "not", "there").unwrap()],
    ];
    for matchers in wanted {
        let rows = segment.with_index(|index| index.evaluate(&matchers));
        let rows: Vec<u32> = rows.unwrap().into_iter().collect();
        let with_samples = segment.reader().with_samples(&rows, TimeRange::ALL);
        let selected = head.select(&pin, &matchers, TimeRange::ALL).unwrap();
        let selected: Vec<u32> = selected.into_iter().map(|id| id.0).collect();
        assert_eq!(with_samples.unwrap(), selected, "{matchers:?}");
        for row in rows {
            let labels = segment.with_index(|index| {
                let mut symbols = Vec::new();
                index.symbols_of(row, &mut symbols)?;
                let texts = symbols
                    .into_iter()
                    .map(|(name, value)| Ok((index.text(name)?, index.text(value)?)));
                texts.collect::<Result<Vec<_>, IndexError>>()
            });
            let expected = head.labels(SeriesId(row)).unwrap();
            let expected = expected.iter().map(|(n, v)| (n.to_owned(), v.to_owned()));
            assert_eq!(labels.unwrap(), expected.collect::<Vec<_>>());
        }
    }
}

/// Checks that a segment reads as the head it was.
fn assert_same(head: &Head, segment: &Segment, ranges: &[TimeRange]) {
    let pin = head.pin();
    let (mut from_head, mut from_segment) = (Samples::default(), Samples::default());
    let mut reader = segment.reader();
    let around = IDS.iter().flat_map(|&id| [id, id + 1]);
    for id in around.chain([ROWS, u32::MAX]) {
        for &range in ranges {
            head.read(&pin, SeriesId(id), range, &mut from_head)
                .unwrap();
            reader.read(id, range, &mut from_segment).unwrap();
            assert_eq!(bits(&from_segment), bits(&from_head), "{id} {range:?}");
            let has = reader.has_sample(id, range).unwrap();
            assert_eq!(has, !from_head.is_empty(), "{id} {range:?}");
        }
    }
}

#[test]
fn a_head_without_samples_is_a_segment_without_rows() {
    let sys = SimDisk::new(1).sys(0);
    let info = flush(&sys, &Head::new()).unwrap();
    assert_eq!((info.rows, info.samples, info.range), (0, 0, None));
    let segment = Segment::open(&sys, &segment::path(Path::new(DIR), 7)).unwrap();
    assert_eq!(segment.info(), &info);
    assert!(!segment.has_sample(0, TimeRange::ALL).unwrap());
}

#[test]
fn a_number_is_not_written_twice() {
    let sys = SimDisk::new(1).sys(0);
    flush(&sys, &Head::new()).unwrap();
    let error = flush(&sys, &head_of(&[vec![Step::Same; 7]])).unwrap_err();
    assert!(matches!(error, SegmentError::Io { .. }), "{error}");
    let names = sys.disk.list(Path::new(DIR)).unwrap();
    assert_eq!(names, ["00000000000000000007.seg"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_segment_reads_as_its_head(
        // Chunks of one value, and chunks of many.
        scrapes in prop_oneof![Just(1), Just(10), Just(200)].prop_flat_map(|changes| {
            prop::collection::vec(prop::collection::vec(step(changes), 7), 1..300)
        }),
        from in 0..300i64,
        length in 0..300i64,
        point in 0..300i64,
    ) {
        let head = head_of(&scrapes);
        let sys = SimDisk::new(1).sys(0);
        let info = flush(&sys, &head).unwrap();
        let stats = head.stats();
        prop_assert_eq!(info.samples, stats.rows.samples);
        prop_assert_eq!(info.range, head.time_range());
        prop_assert_eq!(u64::from(info.origin.series), stats.series);
        prop_assert_eq!((info.number, info.origin.epoch, info.rows), (7, 3, ROWS));
        prop_assert_eq!(info.origin.seqs, seqs());
        let segment = Segment::open(&sys, &segment::path(Path::new(DIR), 7)).unwrap();
        prop_assert_eq!(segment.info(), &info);
        let at_ms = |scrape: i64| 1_700_000_000_000 + 15_000 * scrape;
        let ranges = [
            TimeRange::ALL,
            TimeRange::new(at_ms(from), at_ms(from + length)),
            TimeRange::new(at_ms(point), at_ms(point) + 4),
            TimeRange::new(at_ms(point) + 5, at_ms(point + 1) - 1),
            TimeRange::new(i64::MIN, at_ms(0)),
            TimeRange::new(at_ms(point), at_ms(point) - 1),
        ];
        assert_same(&head, &segment, &ranges);
        assert_same_labels(&head, &segment);
    }
}

/// A head of floats that are what their scrape makes them.
fn floats(scrapes: usize) -> Head {
    let step = |i: usize, scrape: usize| match (i * 7 + scrape) % 11 {
        0 => Step::Late(3, (scrape as u64) << 32 | 1),
        1 => Step::Own(1, scrape as u64),
        _ => Step::Scraped((scrape as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
    };
    let scrapes: Vec<Vec<Step>> = (0..scrapes)
        .map(|scrape| (0..7).map(|i| step(i, scrape)).collect())
        .collect();
    head_of(&scrapes)
}

#[test]
fn a_segment_of_floats_is_to_the_byte_what_it_always_was() {
    let sys = SimDisk::new(1).sys(0);
    let info = flush(&sys, &floats(300)).unwrap();
    let path = segment::path(Path::new(DIR), 7);
    let file = sys.disk.open_read(&path).unwrap();
    let bytes = file.bytes(0, info.bytes as usize).unwrap();
    assert_eq!((info.bytes, crc32fast::hash(&bytes)), (49622, 1308416910));
}

#[test]
fn a_fault_leaves_nothing_or_the_whole() {
    // Its segment takes several writes.
    let head = floats(12_000);
    let dir = Path::new(DIR);
    let path = segment::path(dir, 7);
    let disk = SimDisk::new(0);
    flush(&disk.sys(0), &head).unwrap();
    let ops = disk.ops();
    // Create, several writes, sync, rename, sync of the directory.
    assert!(ops > 6, "{ops}");
    for seed in 0..4 {
        for op in 0..ops {
            for fault in [Fault::Crash, Fault::Eio, Fault::Enospc] {
                let disk = SimDisk::new(seed);
                disk.set_allocation_supported(seed % 2 == 0);
                let sys = disk.sys(0);
                disk.fail_at(op, fault);
                let result = flush(&sys, &head);
                if fault == Fault::Crash {
                    assert!(result.is_err(), "{op}");
                    disk.crash();
                    sys.disk.create_dir_all(dir).unwrap();
                }
                let (names, parts): (Vec<_>, Vec<_>) = sys
                    .disk
                    .list(dir)
                    .unwrap()
                    .into_iter()
                    .partition(|name| segment::number_of(name).is_some());
                assert!(parts.is_empty() || fault == Fault::Crash, "{op} {parts:?}");
                for part in parts {
                    assert!(segment::is_file_name(&part), "{part}");
                    // By the next start, or else by whoever gets the number.
                    if op % 2 == 0 {
                        sys.disk.remove(&dir.join(part)).unwrap();
                    }
                }
                if let Err(error) = &result {
                    assert_eq!(error.is_full(), fault == Fault::Enospc, "{op} {error}");
                    assert!(names.is_empty() || fault == Fault::Crash, "{op} {names:?}");
                }
                if names.is_empty() {
                    assert!(result.is_err(), "{op} {fault:?}");
                    disk.set_full(false);
                    flush(&sys, &head).unwrap();
                }
                disk.crash();
                let segment = Segment::open(&sys, &path).unwrap();
                assert_same(&head, &segment, &[TimeRange::ALL]);
            }
        }
    }
}
