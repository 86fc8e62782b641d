//! Long workloads, with faults at any time.
//!
//! A seed is one database that goes through hundreds of steps: writes in order, late and in
//! conflict, freezes, flushes, restarts, crashes, failing operations, a disk that is full for a
//! while. After each crash, and now and then, it shows what was acknowledged and nothing else;
//! pinned views go on showing their moment.

use std::cell::Cell;

use super::for_each_seed;
use super::life::{Life, Tally};

#[test]
fn a_long_life_loses_nothing_that_was_acknowledged() {
    let total = Cell::new(Tally::default());
    let seeds = Cell::new(0);
    for_each_seed(400, |seed| {
        let mut life = Life::new(seed, "long life");
        for _ in 0..500 + seed % 500 {
            life.step();
        }
        life.end();
        let mut tally = total.get();
        tally.add(&life.tally);
        total.set(tally);
        seeds.set(seeds.get() + 1);
        life.settle();
    });
    let tally = total.get();
    println!("{} seeds: {tally:?}", seeds.get());
    if seeds.get() >= 20 {
        let counts = [
            tally.refused,
            tally.failed_flushes,
            tally.merges,
            tally.failed_merges,
            tally.failed_opens,
            tally.poisoned,
            tally.doubts,
            tally.pins_read,
        ];
        assert!(counts.iter().all(|&count| count > 0), "{tally:?}");
    }
}
