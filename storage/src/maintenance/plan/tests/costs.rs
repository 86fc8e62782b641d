//! How often bytes are written again.

use super::world::{HOUR, World};

/// Samples every `step_ms`, `span_ms` of them from `start_ms` on.
fn times(start_ms: i64, span_ms: i64, step_ms: i64) -> Vec<i64> {
    let count = span_ms / step_ms;
    (0..count).map(|i| start_ms + i * step_ms).collect()
}

/// Flushes of so many minutes each, in order, for so many hours.
fn live(world: &mut World, from_ms: i64, hours: i64, minutes: i64) {
    let span_ms = minutes * 60_000;
    let mut at = from_ms;
    while at < from_ms + hours * HOUR {
        // A little of it comes late.
        world.flush(&times(at - 10_000, span_ms + 10_000, 300_000), 1000);
        world.merge_all(false);
        at += span_ms;
    }
}

fn per_byte(world: &World, flushed_before: u64, merged_before: u64) -> f64 {
    let merged = world.merged_bytes - merged_before;
    let flushed = world.flushed_bytes - flushed_before;
    merged as f64 / flushed as f64
}

#[test]
fn what_comes_in_order_is_written_once_a_level() {
    for minutes in [7, 20, 55, 130, 300, 1500] {
        let mut world = World::default();
        live(&mut world, 1_700_000_000_000, 24 * 90, minutes);
        let cost = per_byte(&world, 0, 0);
        println!(
            "{minutes} min: {cost:.1} times, {} blocks, {} outputs",
            world.blocks(),
            world.outputs_max
        );
        assert!(cost < 7.5, "{minutes} min: {cost}");
        // 2160 hours are 5 blocks of 512 hours; each level below has a few.
        assert!(world.blocks() <= 30, "{minutes} min: {}", world.blocks());
        assert!(world.segments() <= 8);
    }
}

#[test]
fn a_late_sample_with_each_flush_does_not_rewrite_the_store() {
    let mut world = World::default();
    let start = 1_700_000_000_000;
    live(&mut world, start, 24 * 60, 60);
    let (flushed, merged, blocks) = (world.flushed_bytes, world.merged_bytes, world.blocks());
    let mut at = start + 24 * 60 * HOUR;
    for step in 0..1000 {
        let mut samples = times(at, HOUR, 300_000);
        // Anywhere in the two months before.
        samples.push(start + (step * 7_919 % 1440) * HOUR + step);
        world.flush(&samples, 1000);
        world.merge_all(false);
        at += HOUR;
    }
    let cost = per_byte(&world, flushed, merged);
    println!("{cost:.1} times, {} blocks after {blocks}", world.blocks());
    assert!(cost < 9.0, "{cost}");
    assert!(world.blocks() < 90, "{}", world.blocks());
}

#[test]
fn late_samples_of_one_time_are_gathered_before_they_cost_much() {
    let mut world = World::default();
    world.flush(&times(0, 500 * HOUR, HOUR / 60), 1000);
    world.merge_all(true);
    world.now_ms = Some(100_000 * HOUR);
    let (flushed, merged) = (world.flushed_bytes, world.merged_bytes);
    assert_eq!(flushed, 30_000_000);
    // One sample each time, to a hundredth of what is there.
    for step in 0..300 {
        world.flush(&[step * 7 * HOUR % (500 * HOUR) + 1], 1000);
        world.merge_all(false);
    }
    let cost = per_byte(&world, flushed, merged);
    println!("{cost:.1} times, {} blocks", world.blocks());
    let merged_now = world.merged_bytes - merged;
    assert!(
        merged_now < flushed / 2,
        "the large block is written again: {cost}"
    );
    assert!(world.blocks() < 25, "{}", world.blocks());
    // As much again as there is.
    for step in 0..3000 {
        world.flush(&times(step * HOUR / 6, HOUR / 6, HOUR / 60), 1000);
        world.merge_all(false);
    }
    let cost = per_byte(&world, flushed, merged);
    println!("{cost:.1} times, {} blocks", world.blocks());
    assert!(cost < 20.0, "{cost}");
}

#[test]
fn years_that_are_filled_in_later_leave_what_is_there_alone() {
    let now = 1_700_000_000_000;
    let mut world = World::default();
    live(&mut world, now, 24 * 30, 120);
    let largest = *world.sources.iter().max_by_key(|one| one.bytes).unwrap();
    assert!(largest.bytes > world.flushed_bytes / 4);
    let (flushed, merged) = (world.flushed_bytes, world.merged_bytes);
    let (day, year) = (24 * HOUR, 365 * 24 * HOUR);
    // Three years, some days each time, and a sample of now.
    for (step, days) in [(0, 1), (1, 3), (2, 20)] {
        let mut at = now - (4 - step) * year;
        for _ in 0..365 / days {
            let mut samples = times(at, days * day, HOUR);
            samples.push(now + 30 * day + at % day);
            world.flush(&samples, 1000);
            world.merge_all(false);
            at += days * day;
        }
        let cost = per_byte(&world, flushed, merged);
        println!(
            "{days} days: {cost:.1} times, {} blocks, {} outputs",
            world.blocks(),
            world.outputs_max
        );
    }
    assert!(per_byte(&world, flushed, merged) < 9.0);
    // Two blocks a thousand hours, and what there was.
    assert!(world.blocks() < 150, "{}", world.blocks());
    assert!(world.sources.contains(&largest));
}
