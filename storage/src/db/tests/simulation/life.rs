//! A database and its disk through any number of faults and restarts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::history::{Definitions, History, Home, Homes, Written};
use super::successors::Prepared;
use super::{Manual, NOW_MS, Writes, batch};
use crate::Options;
use crate::db::bounds::sift;
use crate::db::compactor::Step;
use crate::db::sequencer::Unplaced;
use crate::db::tests::model::{Model, Rows};
use crate::db::{Commit, Submitted, View};
use crate::error::{Error, ErrorKind};
use crate::immutable::SeqRange;
use crate::maintenance::stored::Stored;
use crate::model::Labels;
use crate::sys::sim::{Fault, Rng, SimDisk};

/// How often an open is tried while faults are left to be met.
const OPENS_MAX: usize = 20;

/// A database with the model of what it must show.
pub(super) struct Life {
    what: String,
    pub(super) disk: SimDisk,
    options: Options,
    pub(super) rng: Rng,
    writes: Writes,
    manual: Option<Manual>,
    /// What was acknowledged, and what was found after a crash.
    pub(super) history: History,
    /// The same as a model.
    model: Model,
    /// The seqs of the epochs that were flushed.
    epochs: BTreeMap<u64, SeqRange>,
    /// The successor that was made last.
    pub(super) successor: Prepared,
    /// Where series of successors are defined in the log.
    pub(super) predefined: Definitions,
    /// Writes that got no answer: a beginning of them may be found by the next open.
    doubtful: Vec<Written>,
    groups: u64,
    steps: u64,
    /// How far time goes on with a step.
    step_ms: i64,
    is_full: bool,
    reserves_room: bool,
    /// Views with what they must show for as long as they are held.
    pins: Vec<(View, Model)>,
    pub(super) tally: Tally,
}

/// What happened, to see that a workload reaches what it is there for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) writes: u64,
    pub(super) refused: u64,
    pub(super) flushes: u64,
    pub(super) successors: u64,
    pub(super) failed_flushes: u64,
    pub(super) merges: u64,
    pub(super) failed_merges: u64,
    pub(super) opens: u64,
    pub(super) failed_opens: u64,
    pub(super) poisoned: u64,
    pub(super) doubts: u64,
    pub(super) pins_read: u64,
    pub(super) operations: u64,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Self) {
        self.writes += other.writes;
        self.refused += other.refused;
        self.flushes += other.flushes;
        self.successors += other.successors;
        self.failed_flushes += other.failed_flushes;
        self.merges += other.merges;
        self.failed_merges += other.failed_merges;
        self.opens += other.opens;
        self.failed_opens += other.failed_opens;
        self.poisoned += other.poisoned;
        self.doubts += other.doubts;
        self.pins_read += other.pins_read;
        self.operations += other.operations;
    }
}

/// A write that was submitted.
struct Pending {
    written: Written,
    commit: Result<Commit, Error>,
}

impl Life {
    pub(super) fn new(seed: u64, what: &str) -> Self {
        let mut rng = Rng::new(seed);
        let disk = SimDisk::new(rng.next_u64());
        let reserves_room = !rng.chance(25);
        disk.set_allocation_supported(reserves_room);
        let mut writes = Writes::new(0);
        writes.series_max = 3 + rng.below(40);
        writes.long_labels = 2 + rng.below(20);
        // Some lives see hours end, and days.
        let step_ms = [100, 60_000, 600_000, 3_600_000][rng.below(4) as usize];
        let mut life = Self {
            what: format!("{what}, seed {seed}"),
            disk,
            options: Options {
                wal_file_bytes_max: 1024 << rng.below(4),
                wal_bytes_max: 2048 << rng.below(5),
                ..Options::default()
            },
            rng,
            writes,
            manual: None,
            history: History::default(),
            model: Model::default(),
            epochs: BTreeMap::new(),
            successor: Prepared::default(),
            predefined: Definitions::new(),
            doubtful: Vec::new(),
            groups: 0,
            steps: 0,
            step_ms,
            is_full: false,
            reserves_room,
            pins: Vec::new(),
            tally: Tally::default(),
        };
        life.reopen();
        life
    }

    /// Does something, and checks what can be.
    pub(super) fn step(&mut self) {
        self.steps += 1;
        self.move_on();
        match self.rng.below(100) {
            0..42 => self.write(),
            42..48 => self.merge(),
            48..50 => self.merge_for_certain(),
            50..54 => self.write_encoded_before_a_freeze(),
            54..58 => self.write_that_ends_the_epoch(),
            58..62 => self.write_while_the_committer_works(),
            62..65 => self.manual().freeze(),
            65..67 => self.prepare_a_successor(),
            67..75 => self.flush(),
            75..77 => self.flush_for_certain(),
            77..79 => self.restart(),
            79..81 => self.stop(),
            81..84 => self.fail_soon(Fault::Crash),
            84..86 => self.fail_soon(Fault::Eio),
            86..88 => self.fail_soon(Fault::Enospc),
            88..89 => self.set_full(true),
            89..95 => self.set_full(false),
            95..97 => self.pin(),
            _ => self.check_pins(),
        }
        if self.disk.is_down() {
            self.stop();
        } else if self.manual().db.0.shared.poison().is_some() && self.rng.chance(50) {
            self.tally.poisoned += 1;
            match self.rng.below(2) {
                0 => self.restart(),
                _ => self.stop(),
            }
        }
        if self.rng.chance(10) {
            self.check("at a step");
        }
    }

    /// Ends it in one of several ways: closed, killed or without power, perhaps in the middle of
    /// something.
    pub(super) fn end(&mut self) {
        self.check("at the end");
        self.pins.clear();
        if self.rng.chance(50) {
            self.fail_soon(Fault::Crash);
            for _ in 0..3 {
                self.write();
                self.flush();
                self.merge();
            }
        }
        self.manual = None;
        match self.rng.below(3) {
            0 => self.disk.crash(),
            1 => self.disk.kill(),
            _ if self.disk.is_down() => self.disk.kill(),
            _ => {}
        }
        self.disk.set_full(false);
        self.disk.clear_faults();
        self.tally.operations = self.disk.ops();
    }

    /// Opens once more, and says what is where. Only after the end.
    pub(super) fn settle(mut self) -> Homes {
        self.reopen();
        self.note_epochs();
        let sources = self.manual().db.0.shared.sources.get();
        let files = sources.files.iter().map(|file| Home {
            path: file.path().to_owned(),
            seqs: file.seqs(),
            range: file.range(),
        });
        let files = files.collect();
        Homes::new(self.history, self.epochs, files, self.predefined)
    }

    /// The same disk in another life, after the end.
    pub(super) fn fork(&self) -> Self {
        Self {
            what: self.what.clone(),
            disk: self.disk.fork(),
            options: self.options.clone(),
            rng: self.rng.clone(),
            writes: Writes::new(3),
            manual: None,
            history: self.history.clone(),
            model: self.model.clone(),
            epochs: self.epochs.clone(),
            successor: self.successor.clone(),
            predefined: self.predefined.clone(),
            doubtful: self.doubtful.clone(),
            pins: Vec::new(),
            ..*self
        }
    }

    pub(super) fn manual(&mut self) -> &mut Manual {
        self.manual.as_mut().expect("open between two steps")
    }

    /// Time goes on, but for late samples.
    fn move_on(&mut self) {
        let now = NOW_MS - 1000 * self.step_ms + self.step_ms * self.steps as i64;
        self.writes.from_ms = match self.rng.below(10) {
            0 => now - self.rng.below(self.step_ms as u64 * self.steps) as i64,
            _ => now,
        };
        self.writes.spread_ms = [20, 200, 2000][self.rng.below(3) as usize];
    }

    fn write(&mut self) {
        let mut pending = Vec::new();
        self.submit_group(&mut pending);
        self.manual().turn();
        self.note_group(&mut pending);
        self.settle_answers(pending);
    }

    /// A write whose ids are looked up in one epoch and that gets its place in the next.
    fn write_encoded_before_a_freeze(&mut self) {
        let rows = self.writes.rows(&mut self.rng);
        let batch = batch(&self.manual().db, &rows);
        let shared = Arc::clone(&self.manual().db.0.shared);
        let (accepted, _) = sift(&batch, shared.bounds.window(shared.newest_ms()));
        let unplaced = Unplaced::new(&batch, &accepted);
        let epoch = Arc::clone(&shared.epoch.read());
        let encoded = unplaced.encode_if_known(&epoch).unwrap();
        let mut pending = Vec::new();
        self.submit_group(&mut pending);
        self.manual().freeze();
        self.note_group(&mut pending);
        let placed = shared.sequencer.lock().enqueue(&unplaced, encoded).unwrap();
        drop(shared);
        let placed = self.pending(rows, Ok(placed.commit));
        pending.push(placed);
        self.manual().turn();
        self.note_group(&mut pending);
        self.settle_answers(pending);
    }

    fn write_that_ends_the_epoch(&mut self) {
        self.manual().ask_for_freeze();
        self.write();
    }

    /// Writes that get their place while those before are on their way to the log; those may
    /// fail, or end the epoch.
    fn write_while_the_committer_works(&mut self) {
        if self.rng.chance(50) {
            self.manual().ask_for_freeze();
        }
        let mut pending = Vec::new();
        self.submit_group(&mut pending);
        let manual = self.manual();
        let shared = Arc::clone(&manual.db.0.shared);
        let work = manual.committer.take(&mut shared.sequencer.lock());
        drop(shared);
        let mut later = Vec::new();
        self.submit_group(&mut later);
        self.manual().committer.perform(work);
        self.note_group(&mut pending);
        self.manual().turn();
        self.note_group(&mut later);
        pending.append(&mut later);
        self.settle_answers(pending);
    }

    fn submit_group(&mut self, pending: &mut Vec<Pending>) {
        for rows in self.writes.group(&mut self.rng) {
            let db = &self.manual().db;
            let submitted = db.submit(&batch(db, &rows));
            let commit = submitted.map(|Submitted { report, commit }| {
                assert_eq!(report.rejected(), 0);
                commit
            });
            let submitted = self.pending(rows, commit);
            pending.push(submitted);
        }
    }

    fn pending(&mut self, rows: Rows, commit: Result<Commit, Error>) -> Pending {
        let written = Written {
            rows,
            group: 0,
            epoch: self.manual().db.0.shared.sequencer.lock().epoch().number,
            wal: PathBuf::new(),
        };
        Pending { written, commit }
    }

    /// The committer has seen to these writes: the new ones of them were one group.
    fn note_group(&mut self, pending: &mut [Pending]) {
        self.groups += 1;
        let wal = self.newest_wal_file();
        self.note_predefined();
        for Pending { written, .. } in pending {
            if written.group == 0 {
                written.group = self.groups;
                written.wal.clone_from(&wal);
            }
        }
    }

    /// Takes note of what became of writes, in their order.
    fn settle_answers(&mut self, pending: Vec<Pending>) {
        for Pending { written, commit } in pending {
            let answer = match commit {
                Ok(commit) => commit.wait(),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Poisoned, "{}: {error}", self.what);
                    continue;
                }
            };
            match answer {
                Ok(()) => {
                    assert!(
                        self.doubtful.is_empty(),
                        "{}: taken after a failure",
                        self.what
                    );
                    self.tally.writes += 1;
                    self.model.write(&written.rows);
                    self.history.0.push(written);
                }
                Err(error) if error.kind() == ErrorKind::Poisoned => self.doubtful.push(written),
                // Nothing of it is in the log.
                Err(error) => {
                    let is_expected = [ErrorKind::Full, ErrorKind::Io].contains(&error.kind());
                    assert!(is_expected, "{}: {error}", self.what);
                    self.tally.refused += 1;
                }
            }
        }
    }

    pub(super) fn newest_wal_file(&self) -> PathBuf {
        let mut files = self.disk.files().into_iter();
        let newest = files.rfind(|(path, _)| path.starts_with("/data/wal"));
        newest.map(|(path, _)| path).unwrap_or_default()
    }

    fn flush(&mut self) {
        if self.rng.chance(80) {
            self.manual().freeze();
        }
        let waits = self.manual().db.stats().heads_frozen > 0;
        match self.manual().flusher.flush() {
            Ok(()) => self.tally.flushes += u64::from(waits),
            Err(_) => self.tally.failed_flushes += 1,
        }
    }

    /// What failed before does not stand in the way of a disk that works.
    fn flush_for_certain(&mut self) {
        self.disk.clear_faults();
        self.set_full(false);
        let flushed = self.manual().flusher.flush();
        flushed.unwrap_or_else(|e| panic!("{}, step {}: no flush: {e}", self.what, self.steps));
        let frozen = self.manual().db.stats().heads_frozen;
        assert_eq!(frozen, 0, "{}, step {}", self.what, self.steps);
    }

    /// Makes the merge that is due, or all that can be made.
    fn merge(&mut self) {
        self.note_epochs();
        let is_forced = self.rng.chance(50);
        match self.manual().compactor.step(is_forced) {
            Ok(Step::Done) => self.tally.merges += 1,
            Ok(Step::Nothing) => {}
            Err(_) => self.tally.failed_merges += 1,
        }
    }

    /// Neither do failures stand in the way of merges.
    fn merge_for_certain(&mut self) {
        self.disk.clear_faults();
        self.set_full(false);
        self.note_epochs();
        let merged = self.manual().merge_all();
        merged.unwrap_or_else(|e| panic!("{}, step {}: no merge: {e}", self.what, self.steps));
        let segments = self.manual().db.stats().segments;
        assert_eq!(segments, 0, "{}, step {}", self.what, self.steps);
        self.check("after merges");
    }

    /// Takes note of where the writes of segments are, before these become blocks.
    fn note_epochs(&mut self) {
        let sources = self.manual().db.0.shared.sources.get();
        for file in &sources.files {
            if let Stored::Segment(segment) = file {
                let origin = &segment.info().origin;
                self.epochs.insert(origin.epoch, origin.seqs);
            }
        }
    }

    fn fail_soon(&mut self, fault: Fault) {
        let op = self.disk.ops() + self.rng.below(25);
        self.disk.fail_at(op, fault);
        self.is_full |= fault == Fault::Enospc;
    }

    fn set_full(&mut self, full: bool) {
        self.disk.set_full(full);
        self.is_full = full;
    }

    /// Pins what is shown now.
    fn pin(&mut self) {
        if self.pins.len() < 4 {
            let pin = (self.manual().db.view(), self.model.clone());
            self.pins.push(pin);
        }
    }

    fn check_pins(&mut self) {
        if self.disk.is_down() || self.pins.is_empty() {
            return;
        }
        let place = self.rng.below(self.pins.len() as u64) as usize;
        let (view, model) = &self.pins[place];
        assert_eq!(Model::read(view), *model, "{}: a pinned view", self.what);
        self.tally.pins_read += 1;
        if self.rng.chance(30) {
            self.pins.swap_remove(place);
        }
    }

    /// Checks that everything acknowledged is shown, and nothing else.
    pub(super) fn check(&mut self, when: &str) {
        if !self.disk.is_down() {
            let found = self.manual().model();
            self.assert_model(&found, when);
        }
    }

    fn assert_model(&self, found: &Model, when: &str) {
        if *found != self.model {
            let different = difference(found, &self.model);
            panic!("{} {when}, step {}: {different}", self.what, self.steps);
        }
    }

    /// Closes it and opens it again.
    fn restart(&mut self) {
        self.check_pins();
        self.reopen();
    }

    /// The process is killed, or the power is cut.
    fn stop(&mut self) {
        if self.rng.chance(30) {
            self.disk.kill();
        } else {
            self.disk.crash();
        }
        self.reopen();
    }

    /// Opens it, whatever comes between, and finds out what became of the writes in doubt.
    fn reopen(&mut self) {
        self.pins.clear();
        self.manual = None;
        if !self.reserves_room && !self.doubtful.is_empty() {
            // Known: where a sync failed, and the disk has no room to write the same bytes again,
            // what is found is shown, and a crash may take it.
            self.disk.clear_faults();
            self.set_full(false);
        }
        for attempt in 0.. {
            self.tally.opens += 1;
            match Manual::open_with(&self.disk, &self.options) {
                Ok(manual) => {
                    self.manual = Some(manual);
                    break;
                }
                Err(error) => {
                    self.tally.failed_opens += 1;
                    assert!(attempt < OPENS_MAX, "{}: does not open: {error}", self.what);
                    self.recover_from(&error);
                }
            }
        }
        let found = self.manual().model();
        self.resolve(&found);
        let damage = self.manual().damage();
        assert_eq!(damage, 0, "{}, step {}: damage", self.what, self.steps);
    }

    fn recover_from(&mut self, error: &Error) {
        let is_expected = [ErrorKind::Full, ErrorKind::Io].contains(&error.kind());
        assert!(is_expected, "{}: {error}", self.what);
        match self.rng.below(3) {
            0 => self.disk.crash(),
            _ if self.disk.is_down() => self.disk.kill(),
            1 if self.is_full => self.set_full(false),
            _ => {}
        }
    }

    /// Of the writes in doubt a beginning is there.
    fn resolve(&mut self, found: &Model) {
        let doubtful = std::mem::take(&mut self.doubtful);
        self.tally.doubts += u64::from(!doubtful.is_empty());
        let mut possible = self.model.clone();
        let mut kept = 0;
        while *found != possible && kept < doubtful.len() {
            possible.write(&doubtful[kept].rows);
            kept += 1;
        }
        if *found == possible {
            self.model = possible;
            self.history.0.extend(doubtful.into_iter().take(kept));
            return;
        }
        let doubtful: Vec<_> = doubtful.iter().map(|write| &write.rows).collect();
        let different = difference(found, &self.model);
        panic!(
            "{}, opened at step {}: {different}; in doubt were {doubtful:#?}",
            self.what, self.steps
        );
    }
}

/// What is different, in a few lines.
pub(super) fn difference(found: &Model, expected: &Model) -> String {
    let mut lines = Vec::new();
    let name = |labels: &Labels| labels.get("n").unwrap_or_default().to_owned();
    for (labels, at, bits) in found.samples() {
        match expected.get(labels, at) {
            Some(own) if own == bits => {}
            other => lines.push(format!(
                "series {} at {at}: found {bits:x}, expected {other:x?}",
                name(labels)
            )),
        }
    }
    for (labels, at, bits) in expected.samples() {
        if found.get(labels, at).is_none() {
            lines.push(format!(
                "series {} at {at}: missing, expected {bits:x}",
                name(labels)
            ));
        }
    }
    let count = lines.len();
    lines.truncate(10);
    format!("{count} samples differ:\n{}", lines.join("\n"))
}
