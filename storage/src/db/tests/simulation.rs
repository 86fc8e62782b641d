//! The whole storage engine on a simulated disk, against a model.
//!
//! - [`everywhere`]: a fault at every operation of short workloads.
//! - [`random`]: long workloads, with crashes, failures and a full disk at any time.
//! - [`damage`]: flipped bits and lost files.
//!
//! `docs/simulation.md` says how to run more seeds, and one alone.

mod damage;
mod everywhere;
mod history;
mod life;
mod random;
mod successors;

use std::sync::Arc;

use parking_lot::Mutex;

use super::fill::fields_of;
use super::model::{Model, Rows};
use crate::Options;
use crate::db::committer::Committer;
use crate::db::compactor::{Compactor, Step};
use crate::db::flusher::Flusher;
use crate::db::recovery::{Recovered, recover};
use crate::db::successor::Request;
use crate::db::{Db, Handle, Submitted, WriteBatch};
use crate::error::Error;
use crate::model::{Labels, Seq};
use crate::sys::sim::{Rng, SimDisk};

const NOW_MS: i64 = 1_700_000_000_000;

/// A database whose group commit, flushes and merges are driven by hand, so that a run is the same each
/// time.
struct Manual {
    db: Db,
    committer: Committer,
    flusher: Flusher,
    compactor: Compactor,
}

/// Small sizes, so that a workload passes from one WAL file to the next, and some heads are
/// frozen for their size.
fn small() -> Options {
    Options {
        wal_file_bytes_max: 2048,
        wal_bytes_max: 4096,
        ..Options::default()
    }
}

impl Manual {
    fn open(disk: &SimDisk) -> Result<Self, Error> {
        Self::open_with(disk, &small())
    }

    fn open_with(disk: &SimDisk, options: &Options) -> Result<Self, Error> {
        let Recovered {
            shared,
            committer,
            flusher,
            compactor,
        } = recover(disk.sys(NOW_MS), "/data".as_ref(), options)?;
        let db = Db(Arc::new(Handle {
            shared,
            threads: Mutex::default(),
        }));
        Ok(Self {
            db,
            committer,
            flusher,
            compactor,
        })
    }

    /// Has the committer do what is due.
    fn turn(&mut self) {
        let work = self.committer.take(&mut self.db.0.shared.sequencer.lock());
        self.committer.perform(work);
    }

    /// Makes the next epoch's head, of the series that were written to after a seq.
    fn prepare(&self, live_since: Seq) {
        let epoch = Arc::clone(self.db.0.shared.sequencer.lock().epoch());
        self.flusher.prepare(&Request {
            epoch: epoch.number,
            head: Arc::clone(&epoch.head),
            live_since,
        });
    }

    /// Asks for a freeze; the next turn does it, unless a head is frozen.
    fn ask_for_freeze(&self) {
        self.db.0.shared.flushing.request();
    }

    /// Freezes the head, unless one is frozen.
    fn freeze(&mut self) {
        self.ask_for_freeze();
        self.turn();
    }

    /// Writes all that is in memory to segments.
    fn flush_all(&mut self) -> Result<(), Error> {
        for _ in 0..3 {
            self.flusher.flush()?;
            self.freeze();
        }
        self.flusher.flush()
    }

    /// Merges whatever can be.
    fn merge_all(&mut self) -> Result<(), Error> {
        while self.compactor.step(true)? == Step::Done {}
        Ok(())
    }

    /// Submits all, commits them as one group, and says which were acknowledged.
    fn write(&mut self, group: &[Rows]) -> Vec<Result<(), Error>> {
        let submitted: Vec<Result<Submitted, Error>> = group
            .iter()
            .map(|rows| self.db.submit(&batch(&self.db, rows)))
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

    /// Damaged places that were found, in the log and among the segments.
    fn damage(&self) -> u64 {
        let stats = self.db.stats();
        stats.replay_damage + stats.segments_damaged
    }
}

/// The rows as a batch, by labels alone or with the bytes that they came in: those that are
/// kept, or others.
fn batch(db: &Db, rows: &Rows) -> WriteBatch {
    let mut batch = WriteBatch::new();
    let form = rows.len() % 3;
    let has_fields = form != 0;
    db.fill(&mut batch, |filler| {
        for (labels, timestamp_ms, value) in rows {
            let mut labels: Vec<(&str, &str)> = labels.iter().collect();
            if form == 2 {
                labels.reverse();
            }
            let fields = fields_of(&labels);
            let known = filler.known(&fields).filter(|_| has_fields);
            let series = match known {
                Some(series) => series,
                None if has_fields => filler.series(&fields, &labels).unwrap(),
                None => filler.batch().series(&labels).unwrap(),
            };
            filler.batch().float(series, *timestamp_ms, *value);
        }
    });
    batch
}

/// Makes up writes.
struct Writes {
    series: u64,
    series_max: u64,
    /// One in how many series has a long label, so that a record spans sectors.
    long_labels: u64,
    /// How far apart the timestamps of one write lie at most.
    spread_ms: u64,
    /// The first of them.
    from_ms: i64,
}

impl Writes {
    fn new(series: u64) -> Self {
        Self {
            series,
            series_max: u64::MAX,
            long_labels: 5,
            spread_ms: 20,
            from_ms: NOW_MS,
        }
    }

    /// Writes that wait together.
    fn group(&mut self, rng: &mut Rng) -> Vec<Rows> {
        let writes = 1 + rng.below(3);
        (0..writes).map(|_| self.rows(rng)).collect()
    }

    /// A few samples of old and new series: in order, late, repeated, in conflict, of all bits.
    fn rows(&mut self, rng: &mut Rng) -> Rows {
        let count = 1 + rng.below(5);
        (0..count).map(|_| self.row(rng)).collect()
    }

    fn row(&mut self, rng: &mut Rng) -> (Labels, i64, f64) {
        if self.series == 0 || rng.below(4) == 0 {
            self.series = self.series_max.min(self.series + 1);
        }
        let number = rng.below(self.series);
        let is_long = number.is_multiple_of(self.long_labels);
        let text = "x".repeat(if is_long { 700 } else { 3 });
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
        let timestamp_ms = self.from_ms + rng.below(self.spread_ms) as i64;
        (Labels::from_pairs(labels).unwrap(), timestamp_ms, value)
    }
}

fn seeds(count: u64) -> std::ops::Range<u64> {
    let number = |name| {
        std::env::var(name)
            .ok()
            .map(|text: String| text.parse::<u64>().unwrap())
    };
    match number("SILVERBACK_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let first = number("SILVERBACK_SIM_FIRST").unwrap_or(0);
            first..first + number("SILVERBACK_SIM_SEEDS").unwrap_or(count)
        }
    }
}

/// Runs `run` for each seed, and names the seed that fails.
fn for_each_seed(count: u64, run: impl Fn(u64)) {
    for seed in seeds(count) {
        let naming = NameSeed(seed);
        run(seed);
        std::mem::forget(naming);
    }
}

/// Says which seed it was when a test panics.
struct NameSeed(u64);

impl Drop for NameSeed {
    fn drop(&mut self) {
        println!("failed: SILVERBACK_SIM_SEED={}", self.0);
    }
}
