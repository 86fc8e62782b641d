//! Single rules of the planner, each where it alone decides.

use super::world::{HOUR, World};
use super::*;

/// A block with one seq and samples in these hours.
fn block(seq: u64, hours: Option<std::ops::Range<i64>>, bytes: u64) -> SourceEntry {
    SourceEntry {
        id: SourceId::Block(seq),
        seqs: SeqRange {
            first: Seq(seq),
            last: Seq(seq),
        },
        range: hours.map(|hours| TimeRange::new(hours.start * HOUR, hours.end * HOUR - 1)),
        bytes,
        is_fixed: false,
    }
}

fn situation(sources: &[SourceEntry], horizon_hours: i64) -> Situation {
    Situation {
        sources: sources.to_vec(),
        horizon_ms: horizon_hours * HOUR,
        retention: None,
        is_forced: false,
    }
}

/// The numbers of the blocks that are merged next; none are.
fn merged(situation: &Situation) -> Vec<u64> {
    let inputs = situation.next_merge().map(|plan| plan.inputs);
    let number = |id| match id {
        SourceId::Block(number) | SourceId::Segment(number) => number,
    };
    inputs.into_iter().flatten().map(number).collect()
}

#[test]
fn so_many_segments_go_into_one_merge() {
    let mut world = World::default();
    for minutes in 0..20 {
        world.flush(&[minutes * HOUR / 60], 100);
    }
    let plan = world.situation(true).next_merge().unwrap();
    assert_eq!(plan.inputs.len(), SEGMENTS_PER_MERGE);
}

#[test]
fn blocks_without_samples_are_merged_once_they_are_many_or_it_is_asked_for() {
    let blocks: Vec<SourceEntry> = (1..=8).map(|seq| block(seq, None, 10)).collect();
    assert_eq!(merged(&situation(&blocks[..7], 0)), []);
    assert_eq!(merged(&situation(&blocks, 0)).len(), 8);
    let forced = |count: usize| Situation {
        is_forced: true,
        ..situation(&blocks[..count], 0)
    };
    assert_eq!(merged(&forced(1)), []);
    assert_eq!(merged(&forced(2)), [1, 2]);
}

#[test]
fn many_small_blocks_over_a_large_one_become_one_beside_it() {
    let mut blocks = vec![block(1, Some(0..100), 1_000_000)];
    let small = (1..=8).map(|hour| block(1 + hour as u64, Some(hour..hour + 1), 10));
    blocks.extend(small);
    assert_eq!(merged(&situation(&blocks[..8], 0)), []);
    assert_eq!(merged(&situation(&blocks, 0)), [2, 3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn small_blocks_of_a_window_are_merged_on_either_side_of_a_large_one() {
    // Where the last merge wrote, far from the others.
    let newest = block(9, Some(10_000..10_001), 10);
    for large in [1, 3] {
        let bytes = |seq| if seq == large { 10_000 } else { 100 };
        let in_window = (1..=3).map(|seq| {
            let start = 2 * (seq as i64 - 1);
            block(seq, Some(start..start + 2), bytes(seq))
        });
        let blocks: Vec<SourceEntry> = in_window.chain([newest]).collect();
        let small: Vec<u64> = (1..=3).filter(|&seq| seq != large).collect();
        assert_eq!(merged(&situation(&blocks, 20_000)), small);
    }
}

#[test]
fn blocks_of_a_window_are_not_merged_with_one_that_reaches_out_of_it() {
    let newest = block(9, Some(1000..1001), 10);
    let blocks = |newer_bytes| {
        [
            block(1, Some(0..2), 500),
            // Between the seqs of the two around it, and beyond 8 h.
            block(2, Some(5..12), 1000),
            block(3, Some(6..7), newer_bytes),
            newest,
        ]
    };
    // Windows of 8 h are the widest.
    let situation = |newer_bytes| Situation {
        retention: Some(Duration::from_secs(80 * 3600)),
        ..situation(&blocks(newer_bytes), 2000)
    };
    assert_eq!(merged(&situation(100)), []);
    assert_eq!(
        merged(&situation(200)),
        [2, 3],
        "large enough to be merged for itself"
    );
}

#[test]
fn around_a_block_that_has_to_stay_segments_are_cut() {
    let segment = |seq, hours| SourceEntry {
        id: SourceId::Segment(seq),
        ..block(seq, Some(hours), 10)
    };
    let fixed = SourceEntry {
        is_fixed: true,
        ..block(2, Some(1..2), 10)
    };
    let sources = [segment(1, 0..1), fixed, segment(3, 3..4)];
    let mut situation = situation(&sources, 100);
    situation.is_forced = true;
    let plan = situation.next_merge().unwrap();
    assert_eq!(plan.inputs, [sources[0].id, sources[2].id]);
    assert_eq!(plan.ranges.len(), 2, "one block of both would lie over it");
    situation.sources.remove(1);
    assert_eq!(situation.next_merge().unwrap().ranges, [TimeRange::ALL]);
}

#[test]
fn blocks_before_one_that_has_to_stay_are_merged_where_that_is_asked_for() {
    let fixed = SourceEntry {
        is_fixed: true,
        ..block(3, Some(0..15), 10)
    };
    let sources = [
        block(1, Some(0..10), 10),
        block(2, Some(5..15), 10),
        fixed,
        block(4, Some(0..4), 10),
        block(5, Some(2..6), 10),
    ];
    let mut situation = situation(&sources, 0);
    situation.is_forced = true;
    assert_eq!(merged(&situation), [1, 2]);
    situation.sources.remove(1);
    assert_eq!(merged(&situation), [4, 5]);
}
