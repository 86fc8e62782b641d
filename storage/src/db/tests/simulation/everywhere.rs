//! A fault at every operation of the disk.
//!
//! For each seed a workload runs once without faults, which counts the operations it asks of
//! the disk; then once for each of them, with a fault there: the power is cut, the operation
//! fails, or the disk is full from there on. Afterwards the database opens again and holds every
//! acknowledged write, and of the writes that got no answer a beginning: nothing else, nothing
//! twice, nothing of a write without the rest of it.

use std::cell::Cell;

use super::{Manual, NOW_MS, Writes, for_each_seed};
use crate::db::compactor::Step as Merge;
use crate::db::tests::model::{Model, Rows};
use crate::error::{Error, ErrorKind};
use crate::sys::sim::{Fault, Rng, SimDisk};

/// One step of a workload.
#[derive(Clone, Debug)]
enum Step {
    /// Writes that wait together and share a sync.
    Group(Vec<Rows>),
    /// The head is frozen, and stays in memory for now.
    Freeze,
    /// The head is frozen, unless one is, and written to a segment.
    Flush,
    /// Files are merged: what is due, or all.
    Merge { is_forced: bool },
    /// The database is closed and opened again.
    Restart,
}

fn workload(seed: u64) -> Vec<Step> {
    let mut rng = Rng::new(seed);
    let mut writes = Writes::new(0);
    let steps = 5 + rng.below(9);
    (0..steps)
        .map(|_| {
            // Hours apart, some of it late.
            writes.from_ms = NOW_MS - rng.below(40) as i64 * 1_800_000;
            match rng.below(16) {
                0 => Step::Restart,
                1 => Step::Freeze,
                2..5 => Step::Flush,
                5..8 => Step::Merge {
                    is_forced: rng.chance(60),
                },
                _ => Step::Group(writes.group(&mut rng)),
            }
        })
        .collect()
}

/// What a run left behind: what was acknowledged, and the writes that got no answer or an
/// error, of which a beginning may have become durable.
#[derive(Default)]
struct Outcome {
    acknowledged: Model,
    doubtful: Vec<Rows>,
}

impl Outcome {
    /// Checks what the database holds after the fault.
    fn check(&self, found: &Model, what: &str) {
        let mut possible = self.acknowledged.clone();
        if *found == possible {
            return;
        }
        for rows in &self.doubtful {
            possible.write(rows);
            if *found == possible {
                return;
            }
        }
        panic!(
            "{what}: the database holds\n{found:#?}\nacknowledged was\n{:#?}\nin doubt\n{:#?}",
            self.acknowledged, self.doubtful
        );
    }
}

/// Runs the workload until it ends or the log fails. A full disk is given room once it has
/// refused something, and must take the same again.
fn run(disk: &SimDisk, steps: &[Step]) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(mut manual) = open_with_room(disk) else {
        return outcome;
    };
    for step in steps {
        match step {
            Step::Group(group) => {
                if !write_group(disk, &mut manual, group, &mut outcome) {
                    return outcome;
                }
            }
            Step::Freeze => manual.freeze(),
            Step::Flush => {
                manual.freeze();
                flush(disk, &mut manual);
            }
            Step::Merge { is_forced } => merge(disk, &mut manual, *is_forced),
            Step::Restart => {
                drop(manual);
                match open_with_room(disk) {
                    Some(opened) => manual = opened,
                    None => return outcome,
                }
            }
        }
        if disk.is_down() {
            return outcome;
        }
        assert_eq!(manual.model(), outcome.acknowledged, "after {step:?}");
    }
    outcome
}

/// Writes the frozen head. Where that fails nothing is lost, and it works with a disk that does.
fn flush(disk: &SimDisk, manual: &mut Manual) {
    if let Err(error) = manual.flusher.flush()
        && error.kind() == ErrorKind::Full
    {
        disk.set_full(false);
        manual.flusher.flush().unwrap();
    }
}

/// Merges what is due. Where that fails nothing is lost, and it works with a disk that does.
fn merge(disk: &SimDisk, manual: &mut Manual, is_forced: bool) {
    loop {
        match manual.compactor.step(is_forced) {
            Ok(Merge::Done) => {}
            Ok(Merge::Nothing) => return,
            Err(error) if error.kind() == ErrorKind::Full => disk.set_full(false),
            Err(_) => return,
        }
    }
}

/// Opens the database; where the disk was too full for that, it is given room first.
fn open_with_room(disk: &SimDisk) -> Option<Manual> {
    Manual::open(disk)
        .or_else(|error| {
            disk.set_full(false);
            Manual::open(disk).map_err(|_| error)
        })
        .ok()
}

/// Writes a group; false if the log failed, so that nothing more can be written.
fn write_group(disk: &SimDisk, manual: &mut Manual, group: &[Rows], out: &mut Outcome) -> bool {
    let mut answers = manual.write(group);
    let is_full = |answer: &Result<(), Error>| matches!(answer, Err(error) if error.kind() == ErrorKind::Full);
    if answers.iter().any(is_full) {
        assert!(answers.iter().all(is_full), "one group, two answers");
        assert_eq!(manual.model(), out.acknowledged, "a refused write is seen");
        disk.set_full(false);
        answers = manual.write(group);
    }
    if answers.iter().all(Result::is_ok) {
        group.iter().for_each(|rows| out.acknowledged.write(rows));
        return true;
    }
    assert!(answers.iter().all(Result::is_err), "one group, two answers");
    if !disk.is_down() {
        assert_eq!(manual.model(), out.acknowledged, "a failed write is seen");
    }
    out.doubtful = group.to_vec();
    false
}

/// Runs the workload with a fault at operation `op`, then opens what is left of it.
fn fault_at(seed: u64, steps: &[Step], op: u64, fault: Fault) {
    let what = format!("seed {seed}, {fault:?} at operation {op}");
    let mut rng = Rng::new(seed.wrapping_mul(31).wrapping_add(op));
    let disk = SimDisk::new(seed);
    disk.fail_at(op, fault);
    let outcome = run(&disk, steps);
    if fault != Fault::Crash && rng.below(2) == 0 {
        disk.kill();
    } else {
        disk.crash();
    }
    disk.set_full(false);
    // A crash during recovery must cost nothing either.
    if rng.below(2) == 0 {
        disk.fail_at(disk.ops() + rng.below(8), Fault::Crash);
        drop(Manual::open(&disk));
        disk.crash();
    }
    disk.clear_faults();
    let mut manual = Manual::open(&disk).unwrap_or_else(|e| panic!("{what}: does not open: {e}"));
    let found = manual.model();
    outcome.check(&found, &what);
    assert_eq!(
        manual.damage(),
        0,
        "{what}: nothing that was durable was harmed"
    );

    // What it holds now it goes on holding, beside what is written from here on.
    let mut expected = found;
    let extra: Rows = Writes::new(3).rows(&mut rng);
    for answer in manual.write(std::slice::from_ref(&extra)) {
        answer.unwrap_or_else(|e| panic!("{what}: refuses writes after recovery: {e}"));
    }
    expected.write(&extra);
    manual.freeze();
    if rng.below(2) == 0 {
        manual
            .flusher
            .flush()
            .unwrap_or_else(|e| panic!("{what}: does not flush: {e}"));
        assert_eq!(manual.model(), expected, "{what}: after the flush");
    }
    if rng.below(2) == 0 {
        let merged = manual.merge_all();
        merged.unwrap_or_else(|e| panic!("{what}: does not merge: {e}"));
        assert_eq!(manual.db.stats().segments, 0, "{what}: not merged");
        assert_eq!(manual.model(), expected, "{what}: after the merges");
    }
    drop(manual);
    disk.crash();
    let manual = Manual::open(&disk).unwrap_or_else(|e| panic!("{what}: does not reopen: {e}"));
    assert_eq!(manual.model(), expected, "{what}: after the second crash");
}

/// Meets each operation of each seed's workload with the fault.
fn fault_everywhere(seed_count: u64, fault: Fault) {
    let faults = Cell::new(0);
    for_each_seed(seed_count, |seed| {
        let steps = workload(seed);
        let disk = SimDisk::new(seed);
        run(&disk, &steps);
        for op in 0..disk.ops() {
            fault_at(seed, &steps, op, fault);
            faults.set(faults.get() + 1);
        }
    });
    let faults = faults.get();
    println!("{faults} runs with a fault");
    assert!(faults > 0);
}

#[test]
fn a_crash_at_any_operation_loses_nothing_that_was_acknowledged() {
    fault_everywhere(250, Fault::Crash);
}

#[test]
fn a_failed_operation_loses_nothing_that_was_acknowledged() {
    fault_everywhere(120, Fault::Eio);
}

#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    fault_everywhere(120, Fault::Enospc);
}

/// A write whose sync fails, at the end of its epoch: it may be in the log.
#[test]
fn a_failed_write_is_whole_or_absent_after_its_epoch_was_flushed() {
    let mut kept = 0;
    for seed in 0..50 {
        let disk = SimDisk::new(seed);
        let mut manual = Manual::open(&disk).unwrap();
        let mut writes = Writes::new(0);
        writes.series_max = 2;
        let mut rng = Rng::new(seed);
        let first = writes.rows(&mut rng);
        assert!(manual.write(std::slice::from_ref(&first))[0].is_ok());
        // Of old series and of a new one.
        writes.series_max = 3;
        let failed: Rows = (0..10).flat_map(|_| writes.rows(&mut rng)).collect();
        disk.fail_at(disk.ops() + rng.below(3), Fault::Eio);
        manual.ask_for_freeze();
        let answers = manual.write(std::slice::from_ref(&failed));
        let is_taken = answers[0].is_ok();
        let _failed_or_not = manual.flusher.flush();
        drop(manual);
        let mut expected = Model::default();
        expected.write(&first);
        let found = Manual::open(&disk).unwrap().model();
        if found != expected {
            expected.write(&failed);
            assert_eq!(found, expected, "seed {seed}: a part of a write");
            kept += u64::from(!is_taken);
        } else {
            assert!(!is_taken, "seed {seed}");
        }
    }
    assert!(kept > 0);
}
