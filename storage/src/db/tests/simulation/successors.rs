//! Heads that are made ready before an epoch ends.

use std::path::PathBuf;
use std::sync::Arc;

use super::life::Life;
use crate::model::{Labels, Seq, SeriesId};

/// A head that was made ready for an epoch.
#[derive(Clone, Debug, Default)]
pub(super) struct Prepared {
    /// The epoch that it follows.
    pub(super) follows: u64,
    /// Its series, until it is known where they are defined.
    pub(super) series: Vec<Labels>,
    /// The newest file of the log when it was made.
    pub(super) newest: PathBuf,
}

impl Life {
    /// Makes the head that the next epoch begins with, of some of the series of this one; more may
    /// come, and some may end.
    pub(super) fn prepare_a_successor(&mut self) {
        let visible = self
            .manual()
            .db
            .0
            .shared
            .sequencer
            .lock()
            .epoch()
            .head
            .visible_seq();
        let back = self.rng.below(20);
        let newest = self.newest_wal_file();
        let manual = self.manual();
        manual.prepare(Seq(visible.0.saturating_sub(back)));
        let shared = Arc::clone(&manual.db.0.shared);
        if let Some(made) = &*shared.successor.lock() {
            let series = (0..made.head.stats().series as u32).map(SeriesId);
            self.successor = Prepared {
                follows: made.follows,
                series: series.filter_map(|id| made.head.labels_of(id)).collect(),
                newest,
            };
            self.tally.successors += 1;
        }
    }

    /// Records that define the series of a successor may have gone to the log, to one of the files
    /// that are newer than it.
    pub(super) fn note_predefined(&mut self) {
        let epoch = Arc::clone(self.manual().db.0.shared.sequencer.lock().epoch());
        let is_used = self.successor.follows + 1 == epoch.number;
        if is_used && epoch.head.visible_seq() >= epoch.predefined_seq {
            let files = self.disk.files().into_iter().map(|(path, _)| path);
            let files =
                files.filter(|path| path.starts_with("/data/wal") && *path > self.successor.newest);
            let files: Vec<PathBuf> = files.collect();
            let series = self.successor.series.drain(..);
            let keys = series.map(|labels| (epoch.number, labels));
            self.predefined.extend(keys.map(|key| (key, files.clone())));
        }
    }
}
