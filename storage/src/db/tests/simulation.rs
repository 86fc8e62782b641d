//! A crash at every operation of the disk, against a model.
//!
//! For each seed a workload runs once without faults, which counts the operations it asks of
//! the disk; then once for each of them, with the power cut there. After each cut the database
//! opens again and holds every acknowledged write, and of the write groups under way a
//! beginning: nothing else, nothing twice, nothing of a write without the rest of it.
//!
//! `SILVERBACK_SIM_SEEDS=10000` runs more seeds, `SILVERBACK_SIM_SEED=17` one alone.

use std::sync::Arc;

use parking_lot::Mutex;

use super::model::{Model, Rows};
use crate::Options;
use crate::db::committer::Committer;
use crate::db::{Db, Handle, Submitted, WriteBatch, recover};
use crate::error::Error;
use crate::model::Labels;
use crate::sys::sim::{Fault, Rng, SimDisk};

const SEEDS_DEFAULT: u64 = 1_000;
const NOW_MS: i64 = 1_700_000_000_000;

/// One step of a workload.
#[derive(Clone, Debug)]
enum Step {
    /// Writes that wait together and share a sync.
    Group(Vec<Rows>),
    /// The database is closed and opened again.
    Restart,
}

/// A database whose group commit is driven by hand, so that a run is the same each time.
struct Manual {
    db: Db,
    committer: Committer,
}

impl Manual {
    fn open(disk: &SimDisk) -> Result<Self, Error> {
        let options = Options {
            // Small, so that a workload passes from one WAL file to the next.
            wal_file_bytes_max: 2048,
            ..Options::default()
        };
        let (shared, committer) = recover(disk.sys(NOW_MS), "/data".as_ref(), &options)?;
        let db = Db(Arc::new(Handle {
            shared,
            committer: Mutex::new(None),
        }));
        Ok(Self { db, committer })
    }

    /// Submits all, commits them as one group, and says which were acknowledged.
    fn write(&mut self, group: &[Rows]) -> Vec<Result<(), Error>> {
        let submitted: Vec<Result<Submitted, Error>> = group
            .iter()
            .map(|rows| self.db.submit(&batch(rows)))
            .collect();
        let queued = self.db.0.shared.sequencer.lock().take();
        if !queued.is_empty() {
            self.committer.commit(queued);
        }
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
            if rng.below(8) == 0 {
                return Step::Restart;
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
    /// Checks what the database holds after a crash, and returns it: it is what counts from now.
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

/// Runs the workload until it ends or the power is cut.
fn run(disk: &SimDisk, steps: &[Step]) -> Outcome {
    let mut outcome = Outcome::default();
    let Ok(mut manual) = Manual::open(disk) else {
        return outcome;
    };
    for step in steps {
        match step {
            Step::Group(group) => {
                let answers = manual.write(group);
                let failed = answers
                    .iter()
                    .position(Result::is_err)
                    .unwrap_or(group.len());
                for rows in &group[..failed] {
                    outcome.acknowledged.write(rows);
                }
                if failed < group.len() {
                    assert!(
                        answers[failed..].iter().all(Result::is_err),
                        "acknowledged behind a failure"
                    );
                    outcome.doubtful = group[failed..].to_vec();
                    return outcome;
                }
                assert_eq!(manual.model(), outcome.acknowledged, "before any crash");
            }
            Step::Restart => {
                drop(manual);
                match Manual::open(disk) {
                    Ok(opened) => manual = opened,
                    Err(_) => return outcome,
                }
                assert_eq!(
                    manual.model(),
                    outcome.acknowledged,
                    "after a restart without a crash"
                );
            }
        }
    }
    outcome
}

/// Cuts the power at operation `op`, and again at each operation of the recovery in turn.
fn crash_at(seed: u64, steps: &[Step], op: u64) {
    let what = format!("seed {seed}, crash at operation {op}");
    let disk = SimDisk::new(seed);
    disk.fail_at(op, Fault::Crash);
    let outcome = run(&disk, steps);
    disk.crash();
    // A crash during recovery must cost nothing either.
    let mut rng = Rng::new(seed.wrapping_mul(31).wrapping_add(op));
    if rng.below(2) == 0 {
        disk.fail_at(disk.ops() + rng.below(8), Fault::Crash);
        drop(Manual::open(&disk));
        disk.crash();
        disk.clear_faults();
    }
    let mut manual = Manual::open(&disk).unwrap_or_else(|e| panic!("{what}: does not open: {e}"));
    let found = manual.model();
    outcome.check(&found, &what);
    assert_eq!(
        manual.db.stats().replay_damage,
        0,
        "{what}: a crash is no damage"
    );

    // What it holds now it goes on holding, beside what is written from here on.
    let mut expected = found;
    let extra: Rows = rows(&mut rng, &mut 3);
    for answer in manual.write(std::slice::from_ref(&extra)) {
        answer.unwrap_or_else(|e| panic!("{what}: refuses writes after recovery: {e}"));
    }
    expected.write(&extra);
    drop(manual);
    disk.crash();
    let manual = Manual::open(&disk).unwrap_or_else(|e| panic!("{what}: does not reopen: {e}"));
    assert_eq!(manual.model(), expected, "{what}: after the second crash");
}

fn seeds() -> std::ops::Range<u64> {
    let number = |name| {
        std::env::var(name)
            .ok()
            .map(|text: String| text.parse::<u64>().unwrap())
    };
    match number("SILVERBACK_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SILVERBACK_SIM_SEEDS").unwrap_or(SEEDS_DEFAULT),
    }
}

#[test]
fn a_crash_at_any_operation_loses_nothing_that_was_acknowledged() {
    let mut crashes = 0;
    for seed in seeds() {
        let steps = workload(seed);
        let disk = SimDisk::new(seed);
        run(&disk, &steps);
        let ops = disk.ops();
        for op in 0..ops {
            crash_at(seed, &steps, op);
        }
        crashes += ops;
    }
    println!("{crashes} crashes");
    assert!(crashes > 0);
}
