//! Blocks as they are read again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::world::{Model, Write, segment, sources, written};
use super::{Taken, assert_same, expected};
use crate::block::{self, Block, BlockInfo};
use crate::maintenance::merge::{MergeError, Source, merge};
use crate::model::{Labels, MatchOp, Matcher, Samples, TimeRange, Value};
use crate::sys::Sys;
use crate::sys::sim::{Fault, SimDisk};

const BLOCKS: &str = "/data/blocks";

fn merged(
    sys: &Sys,
    sources: &[Source],
    ranges: &[TimeRange],
    next_number: &mut u64,
) -> Result<Vec<BlockInfo>, MergeError> {
    merge(
        sys,
        Path::new(BLOCKS),
        sources,
        ranges,
        next_number,
        &|| false,
    )
}

fn open(sys: &Sys, info: &BlockInfo) -> Arc<Block> {
    let path = block::path(Path::new(BLOCKS), info.number);
    let block = Block::open(sys, &path).unwrap();
    assert_eq!(block.info(), info);
    Arc::new(block)
}

fn label_sets(block: &Block) -> Vec<Labels> {
    let sets = block.with_index(|index| {
        let mut sets = Vec::new();
        for row in 0..index.rows() {
            let mut pairs = Vec::new();
            index.symbols_of(row, &mut pairs)?;
            let mut texts = Vec::new();
            for (name, value) in pairs {
                texts.push((index.text(name)?, index.text(value)?));
            }
            assert!(texts.is_sorted_by(|a, b| a.0 < b.0));
            let texts = texts.iter().map(|(n, v)| (n.as_str(), v.as_str()));
            sets.push(Labels::from_pairs(texts).unwrap());
        }
        Ok(sets)
    });
    sets.unwrap()
}

/// Checks that a block holds what the model says of its range, in order.
fn assert_holds(block: &Block, model: &Model, range: TimeRange) {
    let want = expected(model, range);
    let sets = label_sets(block);
    let wanted: Vec<_> = want.iter().map(|(labels, _)| labels.clone()).collect();
    assert_eq!(sets, wanted);
    let rows: Vec<u32> = (0..block.info().rows).collect();
    let mut reader = block.reader();
    let exemplars: BTreeMap<u32, _> = reader
        .exemplars(&rows, TimeRange::ALL)
        .unwrap()
        .into_iter()
        .collect();
    for (row, (labels, want)) in (0u32..).zip(&want) {
        let mut samples = Vec::new();
        reader.points(row, TimeRange::ALL, &mut samples).unwrap();
        let exemplars = exemplars.get(&row).cloned().unwrap_or_default();
        assert_same(&Taken { samples, exemplars }, want, labels);
        let mut floats = Samples::default();
        reader.read(row, TimeRange::ALL, &mut floats).unwrap();
        let wanted = want.samples.iter().filter_map(|one| match one.value {
            Value::Float(value) => Some((one.timestamp_ms, value.to_bits())),
            Value::Histogram(_) => None,
        });
        assert!(floats.iter().map(|(t, v)| (t, v.to_bits())).eq(wanted));
    }
    assert_selects(block, &sets);
    assert_totals(block.info(), &want);
}

/// Checks that the index finds the rows with a label.
fn assert_selects(block: &Block, sets: &[Labels]) {
    let pairs = sets.iter().flat_map(Labels::iter);
    for (name, value) in pairs.collect::<BTreeSet<_>>() {
        let has = |labels: &Labels| labels.iter().any(|pair| pair == (name, value));
        let rows = (0u32..).zip(sets).filter(|(_, labels)| has(labels));
        let matchers = [Matcher::new(MatchOp::Equal, name, value).unwrap()];
        let found = block.with_index(|index| index.evaluate(&matchers)).unwrap();
        assert!(found.iter().eq(rows.map(|(row, _)| row)), "{name}={value}");
        let matchers = [Matcher::new(MatchOp::NotEqual, name, "").unwrap()];
        let found = block.with_index(|index| index.evaluate(&matchers)).unwrap();
        let named = |labels: &Labels| labels.iter().any(|pair| pair.0 == name);
        let rows = (0u32..).zip(sets).filter(|(_, labels)| named(labels));
        assert!(found.iter().eq(rows.map(|(row, _)| row)), "{name}");
    }
    let all = block.with_index(|index| index.evaluate(&[])).unwrap();
    assert!(all.iter().eq(0..block.info().rows));
}

fn assert_totals(info: &BlockInfo, want: &[(Labels, Taken)]) {
    let times = || {
        let samples = want.iter().flat_map(|(_, taken)| &taken.samples);
        samples.map(|sample| sample.timestamp_ms)
    };
    assert_eq!(info.samples, times().count() as u64);
    let range = times().min().zip(times().max());
    let range = range.map(|(first, last)| TimeRange::new(first, last));
    assert_eq!(info.range, range);
}

/// Checks that blocks hold what was written, a block each range of that width, and nothing else.
fn assert_all(sys: &Sys, infos: &[BlockInfo], model: &Model, ranges: &[TimeRange]) {
    assert_eq!(infos.len(), ranges.len());
    for (info, &range) in infos.iter().zip(ranges) {
        assert_holds(&open(sys, info), model, range);
    }
    if let Some((newest, older)) = infos.split_last() {
        let metadata = open(sys, newest).metadata(None).unwrap();
        assert_eq!(metadata, Vec::from_iter(model.metadata.clone()));
        for info in older {
            assert_eq!(open(sys, info).metadata(None).unwrap(), []);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn blocks_hold_what_segments_did(
        written in written(),
        width_ms in prop_oneof![Just(100i64), Just(1 << 40), Just(37)],
    ) {
        let sys = SimDisk::new(1).sys(0);
        let model = Model::of(&written);
        let ranges = model.ranges(width_ms);
        let sources = sources(&sys, &written);
        let mut next_number = 7;
        let infos = merged(&sys, &sources, &ranges, &mut next_number).unwrap();
        if ranges.is_empty() {
            return Ok(());
        }
        assert_all(&sys, &infos, &model, &ranges);
        prop_assert_eq!(next_number, 7 + infos.len() as u64);
        for info in &infos {
            prop_assert_eq!(info.seqs.first, sources[0].seqs().first);
            prop_assert_eq!(info.seqs.last, sources[sources.len() - 1].seqs().last);
            prop_assert_eq!(info.inputs.len(), sources.len());
            prop_assert!(info.outputs.iter().copied().eq(7..next_number));
        }
    }

    #[test]
    fn blocks_of_blocks_hold_it_too(
        written in written(),
        later in written(),
        widths in (prop_oneof![Just(50i64), Just(100)], prop_oneof![Just(100i64), Just(400), Just(1 << 50)]),
    ) {
        let sys = SimDisk::new(1).sys(0);
        let mut next_number = 0;
        // Each half becomes blocks, those of the second lie over those of the first; a segment
        // comes last.
        let all: Vec<Vec<Write>> = written.iter().chain(&later).cloned().collect();
        let (last, others) = all.split_last().unwrap();
        let (first, second) = others.split_at(written.len().min(others.len()));
        let mut sources = Vec::new();
        let mut number = 0;
        for half in [first, second] {
            let mut segments = Vec::new();
            for writes in half {
                segments.push(Source::Segment(segment(&sys, number, writes)));
                number += 1;
            }
            let ranges = Model::of(half).ranges(widths.0);
            let infos = merged(&sys, &segments, &ranges, &mut next_number).unwrap();
            sources.extend(infos.iter().map(|info| Source::Block(open(&sys, info))));
        }
        sources.push(Source::Segment(segment(&sys, number, last)));
        let model = Model::of(&all);
        let ranges = model.ranges(widths.1);
        let infos = merged(&sys, &sources, &ranges, &mut next_number).unwrap();
        if !ranges.is_empty() {
            assert_all(&sys, &infos, &model, &ranges);
        }
    }
}

/// Sources of all kinds that overlap, in more ranges than are written at once.
fn mixed(sys: &Sys) -> (Vec<Source>, Model) {
    use super::world::Kind::{Float, Histogram};
    let scrape = |series: &[usize], timestamp_ms, start, kind| Write::Scrape {
        series: series.to_vec(),
        timestamp_ms,
        start_timestamp_ms: start,
        kind,
    };
    let mut first: Vec<Write> = (0..400)
        .map(|i: i64| {
            scrape(
                &[0, 1, 5, 7],
                i * 3,
                None,
                Float((i as u64).wrapping_mul(0x9e37_79b9)),
            )
        })
        .collect();
    first.extend((0..90).map(|i| scrape(&[2, 3], i * 10, Some(5), Histogram(i as u8 % 9))));
    let mut second: Vec<Write> = (100..300)
        .map(|i| scrape(&[0, 2, 8], i * 5, None, Float(i as u64)))
        .collect();
    for i in 0..40 {
        first.push(Write::Exemplar {
            series: 4,
            timestamp_ms: i * 30,
            number: i as u8,
        });
        second.push(Write::Metadata {
            metric: i as u8 % 7,
            number: i as u8,
        });
    }
    let written = [first, second];
    (sources(sys, &written), Model::of(&written))
}

fn files(sys: &Sys) -> Vec<String> {
    sys.disk.list(Path::new(BLOCKS)).unwrap_or_default()
}

#[test]
fn a_fault_leaves_no_block() {
    let disk = SimDisk::new(0);
    let (sources, model) = mixed(&disk.sys(0));
    let ranges = model.ranges(100);
    assert!(ranges.len() > super::super::OUTPUTS_MAX);
    let before = disk.ops();
    merged(&disk.sys(0), &sources, &ranges, &mut 0).unwrap();
    let ops = disk.ops() - before;
    for op in 0..ops {
        for fault in [Fault::Eio, Fault::Enospc] {
            let disk = SimDisk::new(op);
            let sys = disk.sys(0);
            let (sources, model) = mixed(&sys);
            disk.fail_at(disk.ops() + op, fault);
            let mut next_number = 3;
            let result = merged(&sys, &sources, &ranges, &mut next_number);
            disk.set_full(false);
            match result {
                Ok(infos) => assert_all(&sys, &infos, &model, &ranges),
                Err(error) => {
                    assert_eq!(files(&sys), [""; 0], "{op} {fault:?} {error}");
                    assert_eq!(error.input(), None);
                    assert_eq!(error.is_full(), fault == Fault::Enospc, "{op} {error}");
                    assert!(error.to_string().contains(BLOCKS), "{error}");
                    let infos = merged(&sys, &sources, &ranges, &mut next_number).unwrap();
                    assert_all(&sys, &infos, &model, &ranges);
                }
            }
        }
    }
}

#[test]
fn a_merge_that_is_called_off_leaves_no_block() {
    let sys = SimDisk::new(0).sys(0);
    let (sources, model) = mixed(&sys);
    let ranges = model.ranges(100);
    let mut asked_max = 0;
    for stop_at in 0.. {
        let asked = std::cell::Cell::new(0);
        let is_cancelled = || {
            asked.set(asked.get() + 1);
            asked.get() > stop_at
        };
        let dir = Path::new(BLOCKS);
        let result = merge(
            &sys,
            dir,
            &sources,
            &ranges,
            &mut (stop_at * 100),
            &is_cancelled,
        );
        if let Ok(infos) = result {
            assert_all(&sys, &infos, &model, &ranges);
            break;
        }
        assert!(matches!(result, Err(MergeError::Cancelled)));
        assert_eq!(files(&sys), [""; 0]);
        asked_max = asked.get();
    }
    // Between series, and before each block is ended.
    assert!(asked_max > 20, "{asked_max}");
}

#[test]
fn what_lies_in_none_of_the_ranges_is_an_error() {
    let sys = SimDisk::new(0).sys(0);
    let (sources, model) = mixed(&sys);
    let ranges = model.ranges(100);
    for left_out in 0..ranges.len() {
        let mut some = ranges.clone();
        some.remove(left_out);
        let error = merged(&sys, &sources, &some, &mut 0).unwrap_err();
        let MergeError::Outside { timestamp_ms } = error else {
            panic!("{error}");
        };
        assert!(ranges[left_out].contains(timestamp_ms), "{timestamp_ms}");
        assert_eq!(files(&sys), [""; 0]);
    }
    let error = merged(&sys, &sources, &[ranges[1], ranges[0]], &mut 0).unwrap_err();
    assert!(matches!(error, MergeError::Ranges), "{error}");
}

#[test]
fn metadata_alone_makes_a_block() {
    let sys = SimDisk::new(0).sys(0);
    let write = |number| Write::Metadata { metric: 1, number };
    let written = [vec![write(3)], vec![write(4)]];
    let sources = sources(&sys, &written);
    let infos = merged(&sys, &sources, &[], &mut 0).unwrap();
    let [info] = &infos[..] else {
        panic!("{infos:?}");
    };
    let block = open(&sys, info);
    assert_eq!((info.rows, info.samples, info.range), (0, 0, None));
    let metadata = block.metadata(None).unwrap();
    assert_eq!(metadata, Vec::from_iter(Model::of(&written).metadata));
    // And goes on to the next.
    let infos = merged(&sys, &[Source::Block(block)], &[], &mut 1).unwrap();
    assert_eq!(open(&sys, &infos[0]).metadata(None).unwrap(), metadata);
    assert_eq!(merged(&sys, &[], &[], &mut 2).unwrap(), []);
}

/// Opens the sources anew: what was found to be right is not looked at again.
fn reopened(sys: &Sys, sources: &[Source]) -> Result<Vec<Source>, ()> {
    let again = |source: &Source| match source {
        Source::Segment(own) => {
            let opened = crate::segment::Segment::open(sys, own.path());
            opened.map(|own| Source::Segment(Arc::new(own)))
        }
        Source::Block(own) => {
            let opened = Block::open(sys, own.path());
            opened.map(|own| Source::Block(Arc::new(own)))
        }
    };
    let opened: Result<Vec<_>, _> = sources.iter().map(again).collect();
    opened.map_err(drop)
}

#[test]
fn a_damaged_source_is_named() {
    let sys = SimDisk::new(0).sys(0);
    let (segments, model) = mixed(&sys);
    let ranges = model.ranges(1 << 20);
    let mut next_number = 0;
    let infos = merged(&sys, &segments, &ranges, &mut next_number).unwrap();
    let blocks: Vec<Source> = infos
        .iter()
        .map(|info| Source::Block(open(&sys, info)))
        .collect();
    let mut found = 0;
    for sources in [segments, blocks] {
        for (place, source) in sources.iter().enumerate() {
            let file = sys.disk.open(source.path()).unwrap();
            let length = file.len().unwrap();
            for at in (0..length).step_by(length as usize / 60) {
                let mut byte = [0];
                file.read_at(&mut byte, at).unwrap();
                file.write_all_at(&[byte[0] ^ 16], at).unwrap();
                // What cannot be opened is no source.
                let Ok(opened) = reopened(&sys, &sources) else {
                    file.write_all_at(&byte, at).unwrap();
                    continue;
                };
                match merged(&sys, &opened, &ranges, &mut next_number) {
                    // What is not needed is not read: of a block the lists of rows by label.
                    Ok(infos) => {
                        assert_all(&sys, &infos, &model, &ranges);
                        for info in infos {
                            let path = block::path(Path::new(BLOCKS), info.number);
                            sys.disk.remove(&path).unwrap();
                        }
                    }
                    Err(error) => {
                        assert_eq!(error.input(), Some(place), "{at} {error}");
                        let path = source.path().to_str().unwrap();
                        assert!(error.to_string().contains(path), "{error}");
                        found += 1;
                    }
                }
                assert_eq!(files(&sys).len(), infos.len());
                file.write_all_at(&byte, at).unwrap();
            }
        }
    }
    assert!(found > 100, "{found}");
}
