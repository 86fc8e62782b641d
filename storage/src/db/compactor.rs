//! The one thread that merges segments and blocks into blocks (ADR 7).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tracing::{debug, error, info, warn};

use super::Shared;
use super::catalog::Catalog;
use crate::config::Options;
use crate::error::{Error, ErrorKind};
use crate::immutable::FileError;
use crate::maintenance::files::{self, Folder};
use crate::maintenance::merge::{MergeError, merge};
use crate::maintenance::plan::{Plan, Situation, SourceEntry, SourceId};
use crate::maintenance::stored::Stored;
use crate::manifest::ManifestError;
use crate::sys::priority;

/// How long after a merge that failed another is tried; twice as long each time.
const RETRY: Duration = Duration::from_secs(5);
const RETRY_MAX: Duration = Duration::from_secs(320);
/// How much longer a merge pauses for others than it works,
const REST: u32 = 4;
/// with up to so many segments,
const SEGMENTS: usize = 3;
/// and until merges have followed each other for so long. After each of these times it is once
/// less: a steady part of a core keeps others waiting less than a large one now and then.
const BEHIND: [Duration; 3] = [
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(8 * 60),
];
/// How often a file may fail to be read before it is left out.
const READS_MAX: u32 = 3;

/// How much longer a merge pauses for others than it works, with so many segments, and so long
/// after there was nothing to merge: where that does not do for what comes, merges take more of a
/// core, up to half of one, and all of it where segments pile up.
fn rest(segments: usize, busy: Duration) -> u32 {
    let late = BEHIND.iter().filter(|&&after| busy >= after).count() as u32;
    let piled_up = segments.saturating_sub(SEGMENTS).min(REST as usize) as u32;
    REST.saturating_sub(late + piled_up)
}

/// Merges files, and names the blocks in the manifest in their place.
#[derive(Debug)]
pub(super) struct Compactor {
    shared: Arc<Shared>,
    catalog: Arc<Catalog>,
    retention: Option<Duration>,
    /// Room that a merge leaves on the disk: what a flush may need.
    reserve_bytes: u64,
    /// Files that could not be opened: what they hold lies between others still.
    unopened: Vec<SourceEntry>,
    /// Files that cannot be merged, and stay what they are until the next opening.
    left_out: BTreeMap<SourceId, Error>,
    /// When the merges began that are made one after the other now.
    busy_since: Duration,
    /// How often the system failed to read a file.
    failed_reads: BTreeMap<SourceId, u32>,
    /// Blocks of which nobody knows whether a manifest that counts after a crash names them.
    unnamed: Option<Merged>,
    /// Files that do not count any more and are still there.
    spent: Vec<SourceId>,
    /// Where names were removed, and may come back after a crash.
    unsynced: Vec<Folder>,
}

/// A merge that was made.
#[derive(Debug)]
struct Merged {
    inputs: Vec<SourceId>,
    outputs: Vec<Stored>,
    /// Whether a manifest that names the outputs may count after a crash. No failure of a later
    /// try takes that back.
    is_in_doubt: bool,
}

/// What a step came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Something was merged, or left out; there may be more.
    Done,
    /// Nothing is to be merged.
    Nothing,
}

impl Compactor {
    pub(super) fn new(
        shared: Arc<Shared>,
        catalog: Arc<Catalog>,
        unopened: Vec<SourceEntry>,
        options: &Options,
    ) -> Self {
        Self {
            busy_since: shared.clock.monotonic(),
            shared,
            catalog,
            retention: options.retention,
            reserve_bytes: options.wal_bytes_max,
            unopened,
            left_out: BTreeMap::new(),
            failed_reads: BTreeMap::new(),
            unnamed: None,
            spent: Vec::new(),
            unsynced: Vec::new(),
        }
    }

    /// Merges what is due until the database is closed.
    pub(super) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let _farewell = Farewell(Arc::clone(&shared));
        // Nobody waits for a merge, and it would take a core for itself.
        if let Err(error) = priority::lower_own() {
            debug!(%error, "merges have the priority of all else");
        }
        if let Err(error) = priority::lengthen_own_slice() {
            debug!(%error, "merges have time slices as all else");
        }
        let mut pause = None;
        while let Some(order) = shared.compacting.next(pause) {
            match self.merge_all(order.is_forced) {
                Ok(()) => {
                    pause = None;
                    shared.compacting.note_done(order);
                }
                Err(cause) => {
                    pause = Some(pause.map_or(RETRY, |last: Duration| (last * 2).min(RETRY_MAX)));
                    shared.compacting.note_failed(order, &cause);
                }
            }
        }
    }

    /// Merges until nothing is due.
    ///
    /// # Errors
    /// Those of [`Compactor::step`]. Where that was asked for, [`ErrorKind::Corrupt`] if something
    /// had to be left out.
    fn merge_all(&mut self, is_forced: bool) -> Result<(), Error> {
        self.busy_since = self.shared.clock.monotonic();
        while self.step(is_forced)? == Step::Done {
            if self.shared.compacting.is_closed() {
                return Err(Error::closed());
            }
        }
        match self.not_merged() {
            Some(cause) if is_forced => Err(cause),
            _ => Ok(()),
        }
    }

    /// Why a file stays what it is, if one does.
    fn not_merged(&self) -> Option<Error> {
        let unopened = self.unopened.first().map(|entry| {
            let path = entry.id.path(self.catalog.dir());
            let message = format!("{} could not be opened and is not merged", path.display());
            Error::new(ErrorKind::Corrupt, message)
        });
        self.left_out.values().next().cloned().or(unopened)
    }

    /// Makes the merge that is due, if there is one; all that can be merged are due if it is
    /// forced.
    ///
    /// # Errors
    /// The disk is full or fails: the files stay what they were, and it may be tried again.
    pub(super) fn step(&mut self, is_forced: bool) -> Result<Step, Error> {
        let stepped = self.try_step(is_forced);
        if let Err(cause) = &stepped
            && cause.kind() != ErrorKind::Closed
        {
            warn!(error = %cause, "cannot merge files; they are read as they are, and it is tried again");
            self.shared.counters.merge_failures.fetch_add(1, Relaxed);
        }
        stepped
    }

    fn try_step(&mut self, is_forced: bool) -> Result<Step, Error> {
        self.remove_spent()?;
        if let Some(merged) = self.unnamed.take() {
            self.publish(merged)?;
            return Ok(Step::Done);
        }
        match self.situation(is_forced).next_merge() {
            Some(plan) => self.make(&plan),
            None => Ok(Step::Nothing),
        }
    }

    fn situation(&self, is_forced: bool) -> Situation {
        let sources = self.shared.sources.get();
        let now_ms = self.shared.clock.now_ms();
        let stored = sources.files.iter().map(|file| SourceEntry {
            is_fixed: self.left_out.contains_key(&file.id()),
            ..file.entry()
        });
        let newest_ms = sources.range().map_or(now_ms, |range| range.end_ms);
        Situation {
            sources: stored.chain(self.unopened.iter().copied()).collect(),
            // A sample of the future does not end the time before it.
            horizon_ms: newest_ms.min(now_ms),
            retention: self.retention,
            is_forced,
        }
    }

    /// How much longer a merge is to pause than it works.
    fn rest(&self) -> u32 {
        if self.shared.compacting.is_waited_for() {
            return 0;
        }
        let sources = self.shared.sources.get();
        let is_segment = |file: &&Stored| matches!(file.id(), SourceId::Segment(_));
        let busy = self
            .shared
            .clock
            .monotonic()
            .saturating_sub(self.busy_since);
        rest(sources.files.iter().filter(is_segment).count(), busy)
    }

    /// Merges, and puts the outputs in the place of the inputs.
    fn make(&mut self, plan: &Plan) -> Result<Step, Error> {
        self.check_room(plan)?;
        let begin = self.shared.clock.monotonic();
        let sources = self.sources(plan);
        let dir = Folder::Blocks.path(self.catalog.dir());
        // One more than ranges: what has no time may need a block of its own.
        let mut number = self.catalog.take_block_numbers(plan.ranges.len() + 1);
        let courtesy = self.shared.courtesy();
        let is_cancelled = || {
            let compacting = &self.shared.compacting;
            courtesy.step(|| self.rest(), |pause| compacting.pause(pause));
            compacting.is_closed()
        };
        let sys = self.catalog.sys();
        let made = merge(
            sys,
            &dir,
            &sources,
            &plan.ranges,
            &mut number,
            &is_cancelled,
        );
        let infos = match made {
            Ok(infos) => infos,
            Err(cause) => return self.leave_out(&sources, cause),
        };
        let numbers = infos.iter().map(|info| SourceId::Block(info.number));
        let outputs: Vec<SourceId> = numbers.collect();
        // What cannot be read back must not take the place of anything.
        let opened: Result<Vec<Stored>, _> = outputs
            .iter()
            .map(|&id| files::open_one(sys, self.catalog.dir(), id))
            .collect();
        let outputs = opened.map_err(|cause| {
            self.spent.extend(outputs);
            files::file_error(cause)
        })?;
        let bytes = outputs.iter().map(Stored::bytes).sum::<u64>();
        let count = outputs.len();
        self.publish(Merged {
            inputs: plan.inputs.clone(),
            outputs,
            is_in_doubt: false,
        })?;
        let took = self.shared.clock.monotonic().saturating_sub(begin);
        self.shared.counters.note_merge(took);
        info!(
            inputs = plan.inputs.len(),
            input_bytes = plan.bytes,
            outputs = count,
            bytes,
            seconds = took.as_secs_f64(),
            "merged files into blocks"
        );
        Ok(Step::Done)
    }

    /// The files of a plan, in its order.
    fn sources(&self, plan: &Plan) -> Vec<Stored> {
        let sources = self.shared.sources.get();
        let file = |id: &SourceId| sources.files.iter().find(|file| file.id() == *id);
        plan.inputs.iter().filter_map(file).cloned().collect()
    }

    /// A merge must not take the room that the next flush needs.
    fn check_room(&self, plan: &Plan) -> Result<(), Error> {
        let dir = self.catalog.dir();
        // Where the system does not tell, the disk does when it is full.
        let Ok(Some(room)) = self.catalog.sys().disk.available(dir) else {
            return Ok(());
        };
        // Outputs are shorter than inputs, as good as always.
        let needed = plan.bytes.saturating_add(self.reserve_bytes);
        if room >= needed {
            return Ok(());
        }
        let message = format!(
            "the disk of {} has room for {room} bytes, and merging {} files may take {needed} with \
             what a flush needs",
            dir.display(),
            plan.inputs.len()
        );
        Err(Error::new(ErrorKind::Full, message))
    }

    /// Sees to it that what cannot be merged does not stand in the way of the rest.
    fn leave_out(&mut self, sources: &[Stored], cause: MergeError) -> Result<Step, Error> {
        let culprit = match &cause {
            MergeError::Cancelled => return Err(Error::closed()),
            MergeError::TooLarge { .. } | MergeError::Output(FileError::TooLarge { .. }) => {
                sources.iter().max_by_key(|file| file.bytes())
            }
            _ => cause.input().and_then(|place| sources.get(place)),
        };
        let culprit = culprit.map(Stored::id);
        let cause = files::merge_error(cause);
        let Some(id) = culprit else {
            return Err(cause);
        };
        if cause.kind() == ErrorKind::Io {
            let reads = self.failed_reads.entry(id).or_default();
            *reads += 1;
            if *reads < READS_MAX {
                return Err(cause);
            }
        }
        error!(error = %cause, "a file is left out of merges; all others are merged");
        self.shared.counters.merge_failures.fetch_add(1, Relaxed);
        self.left_out.insert(id, cause);
        let left_out = self.left_out.len() as u64;
        self.shared.counters.left_out.store(left_out, Relaxed);
        Ok(Step::Done)
    }

    /// Names the outputs in the manifest in the place of the inputs: from then on they count.
    fn publish(&mut self, merged: Merged) -> Result<(), Error> {
        let named = self.catalog.replace(|manifest| {
            let is_input = |id| merged.inputs.contains(&id);
            let segments = &mut manifest.segments;
            segments.retain(|own| !is_input(SourceId::Segment(own.number)));
            let blocks = &mut manifest.blocks;
            blocks.retain(|own| !is_input(SourceId::Block(own.number)));
            blocks.extend(merged.outputs.iter().filter_map(|output| match output {
                Stored::Block(block) => Some(files::block_entry(block.info())),
                Stored::Segment(_) => None,
            }));
            manifest.sort_blocks();
        });
        match named {
            Ok(()) => {}
            Err(cause) if merged.is_in_doubt || matches!(cause, ManifestError::InDoubt { .. }) => {
                // They must not go before a manifest without them is in force for certain.
                self.unnamed = Some(Merged {
                    is_in_doubt: true,
                    ..merged
                });
                return Err(files::manifest_error(cause));
            }
            Err(cause) => {
                // On a full disk they would take the room of the next flush.
                self.spent.extend(merged.outputs.iter().map(Stored::id));
                drop(merged);
                // The next step tries it again.
                let _removed = self.remove_spent();
                return Err(files::manifest_error(cause));
            }
        }
        self.shared.sources.replace(&merged.inputs, &merged.outputs);
        self.spent.extend(merged.inputs);
        // The merge is made, whatever becomes of this.
        if let Err(cause) = self.remove_spent() {
            warn!(error = %cause, "files that were merged are removed later");
        }
        Ok(())
    }

    /// Removes files that do not count any more, for good. Views that read them keep them open.
    ///
    /// Nothing is merged before that is done: should the manifest be lost, a file from before two
    /// merges could not be told from one that counts.
    ///
    /// # Errors
    /// [`ErrorKind::Io`]; it is tried again with the next step, and at the next opening.
    fn remove_spent(&mut self) -> Result<(), Error> {
        let (sys, dir) = (self.catalog.sys(), self.catalog.dir());
        while let Some(&id) = self.spent.last() {
            files::remove(sys, dir, id)?;
            self.spent.pop();
            if !self.unsynced.contains(&id.folder()) {
                self.unsynced.push(id.folder());
            }
        }
        while let Some(folder) = self.unsynced.last() {
            files::sync(sys, &folder.path(dir))?;
            self.unsynced.pop();
        }
        Ok(())
    }
}

/// Sees to it that nobody waits for a compactor that is gone, should it ever panic.
struct Farewell(Arc<Shared>);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.compacting.close(&Error::closed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_hurry_where_segments_pile_up_or_they_do_not_come_to_an_end() {
        let secs = Duration::from_secs;
        let rests: Vec<u32> = (1..10).map(|segments| rest(segments, secs(29))).collect();
        assert_eq!(rests, [4, 4, 4, 3, 2, 1, 0, 0, 0]);
        let rests = [0, 30, 119, 120, 479, 480, 86_400].map(|busy| rest(1, secs(busy)));
        assert_eq!(rests, [4, 3, 3, 2, 2, 1, 1]);
        assert_eq!(rest(5, secs(120)), 0);
        assert_eq!(rest(usize::MAX, Duration::MAX), 0);
    }
}
