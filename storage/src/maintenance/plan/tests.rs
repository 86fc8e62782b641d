//! Histories of flushes, merged as planned: what must stay true, and what it costs.

mod costs;
mod rules;
mod world;

use proptest::collection::vec;
use proptest::prelude::*;

use self::world::{HOUR, World};
use super::*;

/// Times of a segment: about some moment, with a few anywhere.
fn any_times() -> impl Strategy<Value = Vec<i64>> {
    let base = prop_oneof![
        4 => 0..2000i64,
        1 => -500..500i64,
    ];
    let near = (base, vec(0..30i64, 0..8)).prop_map(|(base, offsets)| {
        let hours = offsets
            .into_iter()
            .map(|offset| (base + offset) * HOUR + offset);
        hours.collect::<Vec<i64>>()
    });
    let anywhere = prop_oneof![
        any::<i64>(),
        Just(i64::MIN),
        Just(i64::MAX),
        (0..20 * HOUR).prop_map(|t| i64::MIN + t),
        (0..20 * HOUR).prop_map(|t| i64::MAX - t),
        -9000 * HOUR..9000 * HOUR,
    ];
    let far = prop_oneof![4 => Just(Vec::new()), 1 => vec(anywhere, 1..3)];
    (near, far).prop_map(|(near, far)| [near, far].concat())
}

fn any_retention() -> impl Strategy<Value = Option<Duration>> {
    let hours = (1..10_000u64).prop_map(|hours| Some(Duration::from_secs(3600 * hours)));
    prop_oneof![Just(None), hours]
}

proptest! {
    /// [`World::merge_all`] checks after each merge that the order of sources still tells which
    /// sample counts, that nothing is lost, and that it ends.
    #[test]
    fn any_history_is_merged_and_stays_in_order(
        flushes in vec((any_times(), 1..50u64), 1..40),
        retention in any_retention(),
        turns in vec(0..4u8, 40),
    ) {
        let mut world = World::default();
        world.retention = retention;
        for ((times, bytes), turn) in flushes.into_iter().zip(turns) {
            world.flush(&times, bytes);
            match turn {
                0 => {}
                1 => world.merge_all(true),
                _ => world.merge_all(false),
            }
        }
        world.merge_all(false);
        prop_assert!(world.segments() <= SEGMENTS_MAX);
        world.merge_all(true);
        prop_assert_eq!(world.segments(), 0);
        prop_assert_eq!(world.overlaps(), 0);
    }

    #[test]
    fn what_has_to_stay_is_worked_around(
        flushes in vec((any_times(), 1..50u64, 0..5u8), 1..30),
    ) {
        let mut world = World::default();
        let mut fixed = 0;
        for (at, (times, bytes, fate)) in flushes.into_iter().enumerate() {
            let id = world.flush(&times, bytes);
            if fate == 0 {
                world.fix(id);
                fixed += 1;
            } else if fate == 1 {
                world.merge_all(false);
                world.fix_some_block(at);
            }
            world.merge_all(fate == 2);
        }
        world.merge_all(true);
        prop_assert_eq!(world.segments(), fixed, "{:?}", world.sources);
    }
}

#[test]
fn segments_wait_until_their_time_is_over_unless_they_are_many_or_it_is_asked_for() {
    let mut world = World::default();
    for minutes in 0..8 {
        world.flush(&[minutes * HOUR / 60], 100);
    }
    assert_eq!(world.situation(false).next_merge(), None);
    let forced = world.situation(true).next_merge().unwrap();
    assert_eq!(forced.inputs.len(), 8);
    assert_eq!(forced.ranges, [TimeRange::ALL]);
    let mut many = world.clone();
    many.flush(&[HOUR], 100);
    assert_eq!(many.situation(false).next_merge().unwrap().inputs.len(), 9);
    // The next range has begun: those are due that do not reach into it.
    world.flush(&[HOUR, 2 * HOUR + 1], 100);
    world.sources.remove(0);
    let plan = world.situation(false).next_merge().unwrap();
    assert_eq!(plan.inputs.len(), 7);
    assert_eq!(plan.bytes, 700);
}

#[test]
fn what_is_of_a_few_hours_becomes_one_block_where_that_is_asked_for() {
    let mut world = World::default();
    world.flush(&[101 * HOUR, 103 * HOUR], 100);
    let forced = |world: &World| world.situation(true).next_merge().unwrap().ranges;
    assert_eq!(forced(&world), [TimeRange::ALL]);
    world.now_ms = Some(200 * HOUR);
    let ended = world.situation(false).next_merge().unwrap();
    assert_eq!(ended.ranges.len(), 2, "{ended:?}");
    // Not across a border of the widest ranges, which a tenth of the retention allows.
    world.retention = Some(Duration::from_secs(79 * 3600));
    assert_eq!(forced(&world).len(), 2);
    world.retention = None;
    // Nor with a sample of long ago.
    world.flush(&[50 * HOUR], 100);
    assert!(forced(&world).len() > 1);
}

#[test]
fn a_source_between_the_inputs_that_overlaps_them_is_merged_along() {
    let mut world = World::default();
    // The second overlaps neither of the others, which overlap each other around it.
    for minutes in [vec![0, 20, 70], vec![30, 40], vec![10, 60]] {
        let times: Vec<i64> = minutes.iter().map(|minute| minute * HOUR / 60).collect();
        world.flush(&times, 1000);
        world.put_segments_into_blocks();
    }
    world.flush(&[100 * HOUR], 1);
    world.put_segments_into_blocks();
    let plan = world.situation(true).next_merge().unwrap();
    assert_eq!(plan.inputs.len(), 3);
    let mut stays = world.clone();
    stays.fix(world.sources[1].id);
    assert_eq!(stays.situation(true).next_merge(), None);
}
