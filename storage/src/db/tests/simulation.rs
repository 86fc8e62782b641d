//! A fault at every operation of the disk, against a model.
//!
//! For each seed a workload runs once without faults, which counts the operations it asks of
//! the disk; then once for each of them, with a fault there: the power is cut, the operation
//! fails, or the disk is full from there on. Afterwards the database opens again and holds every
//! acknowledged write, and of the writes that got no answer a beginning: nothing else, nothing
//! twice, nothing of a write without the rest of it.
//!
//! `SILVERBACK_SIM_SEEDS=10000` runs more seeds, `SILVERBACK_SIM_SEED=17` one alone.

use std::sync::Arc;

use parking_lot::Mutex;

use super::model::{Model, Rows};
use crate::Options;
use crate::db::committer::Committer;
use crate::db::flusher::Flusher;
use crate::db::recovery::{Recovered, recover};
use crate::db::{Db, Handle, Submitted, WriteBatch};
use crate::error::{Error, ErrorKind};
use crate::model::Labels;
use crate::sys::sim::{Fault, Rng, SimDisk};

const NOW_MS: i64 = 1_700_000_000_000;

/// One step of a workload.
#[derive(Clone, Debug)]
enum Step {
    /// Writes that wait together and share a sync.
    Group(Vec<Rows>),
    /// The head is frozen, and stays in memory for now.
    Freeze,
    /// The head is frozen, unless one is, and written to a segment.
    Flush,
    /// The database is closed and opened again.
    Restart,
}

/// A database whose group commit is driven by hand, so that a run is the same each time.
struct Manual {
    db: Db,
    committer: Committer,
    flusher: Flusher,
}

impl Manual {
    fn open(disk: &SimDisk) -> Result<Self, Error> {
        let options = Options {
            // Small, so that a workload passes from one WAL file to the next.
            wal_file_bytes_max: 2048,
            // And some heads are frozen for their size.
            wal_bytes_max: 4096,
            ..Options::default()
        };
        let Recovered {
            shared,
            committer,
            flusher,
        } = recover(disk.sys(NOW_MS), "/data".as_ref(), &options)?;
        let db = Db(Arc::new(Handle {
            shared,
            threads: Mutex::default(),
        }));
        Ok(Self {
            db,
            committer,
            flusher,
        })
    }

    /// Has the committer do what is due.
    fn turn(&mut self) {
        let work = self.committer.take(&mut self.db.0.shared.sequencer.lock());
        self.committer.perform(work);
    }

    /// Freezes the head, unless one is frozen.
    fn freeze(&mut self) {
        self.db.0.shared.flushing.request();
        self.turn();
    }

    /// Submits all, commits them as one group, and says which were acknowledged.
    fn write(&mut self, group: &[Rows]) -> Vec<Result<(), Error>> {
        let submitted: Vec<Result<Submitted, Error>> = group
            .iter()
            .map(|rows| self.db.submit(&batch(rows)))
            .collect();
        self.turn();
        submitted
            .into_iter()
            .map(|s| s.and_then(|s| s.commit.wait()))
            .collect()
    }

    fn model(&self) -> Model {
        Model::read(&self.db.view())
    }
}

fn batch(rows: &Rows) -> WriteBatch {
    let mut batch = WriteBatch::new();
    for (labels, timestamp_ms, value) in rows {
        let labels: Vec<(&str, &str)> = labels.iter().collect();
        let series = batch.series(&labels).unwrap();
        batch.float(series, *timestamp_ms, *value);
    }
    batch
}

fn workload(seed: u64) -> Vec<Step> {
    let mut rng = Rng::new(seed);
    let mut next_series = 0;
    let steps = 4 + rng.below(6);
    (0..steps)
        .map(|_| {
            match rng.below(12) {
                0 => return Step::Restart,
                1 => return Step::Freeze,
                2 | 3 => return Step::Flush,
                _ => {}
            }
            let writes = 1 + rng.below(3);
            Step::Group(
                (0..writes)
                    .map(|_| rows(&mut rng, &mut next_series))
                    .collect(),
            )
        })
        .collect()
}

/// A few samples of old and new series: in order, late, repeated, in conflict, of all bits.
fn rows(rng: &mut Rng, next_series: &mut u64) -> Rows {
    let count = 1 + rng.below(5);
    (0..count)
        .map(|_| {
            if *next_series == 0 || rng.below(4) == 0 {
                *next_series += 1;
            }
            let number = rng.below(*next_series);
            // Long values now and then, so that a record spans sectors.
            let text = "x".repeat(if number.is_multiple_of(5) { 700 } else { 3 });
            let labels = [
                ("__name__", "m"),
                ("n", &*number.to_string()),
                ("text", &text),
            ];
            let value = match rng.below(4) {
                0 => f64::from_bits(rng.next_u64()),
                1 => f64::from_bits(crate::model::STALE_NAN_BITS),
                _ => rng.below(10) as f64,
            };
            (
                Labels::from_pairs(labels).unwrap(),
                NOW_MS + rng.below(20) as i64,
                value,
            )
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
    let stats = manual.db.stats();
    let damage = stats.replay_damage + stats.segments_damaged;
    assert_eq!(damage, 0, "{what}: nothing that was durable was harmed");

    // What it holds now it goes on holding, beside what is written from here on.
    let mut expected = found;
    let extra: Rows = rows(&mut rng, &mut 3);
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
    drop(manual);
    disk.crash();
    let manual = Manual::open(&disk).unwrap_or_else(|e| panic!("{what}: does not reopen: {e}"));
    assert_eq!(manual.model(), expected, "{what}: after the second crash");
}

fn seeds(count: u64) -> std::ops::Range<u64> {
    let number = |name| {
        std::env::var(name)
            .ok()
            .map(|text: String| text.parse::<u64>().unwrap())
    };
    match number("SILVERBACK_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SILVERBACK_SIM_SEEDS").unwrap_or(count),
    }
}

/// Meets each operation of each seed's workload with the fault.
fn fault_everywhere(seed_count: u64, fault: Fault) {
    let mut faults = 0;
    for seed in seeds(seed_count) {
        let steps = workload(seed);
        let disk = SimDisk::new(seed);
        run(&disk, &steps);
        for op in 0..disk.ops() {
            fault_at(seed, &steps, op, fault);
            faults += 1;
        }
    }
    println!("{faults} runs with a fault");
    assert!(faults > 0);
}

#[test]
fn a_crash_at_any_operation_loses_nothing_that_was_acknowledged() {
    fault_everywhere(1_000, Fault::Crash);
}

#[test]
fn a_failed_operation_loses_nothing_that_was_acknowledged() {
    fault_everywhere(200, Fault::Eio);
}

#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    fault_everywhere(200, Fault::Enospc);
}
