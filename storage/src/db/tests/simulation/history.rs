//! Every write of a simulated life, and where it went.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::db::tests::model::{Model, Rows};
use crate::immutable::SeqRange;
use crate::model::{Labels, TimeRange};

/// A write that is in the database, or may be.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) rows: Rows,
    /// Which writes shared a sync with it.
    pub(super) group: u64,
    pub(super) epoch: u64,
    /// The file of the log that it went to.
    pub(super) wal: PathBuf,
}

/// The writes of a database in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct History(pub(super) Vec<Written>);

/// The files that may have the definition of a series, by epoch and labels.
pub(super) type Definitions = BTreeMap<(u64, Labels), Vec<PathBuf>>;

/// A file with samples.
#[derive(Clone, Debug)]
pub(super) struct Home {
    pub(super) path: PathBuf,
    pub(super) seqs: SeqRange,
    pub(super) range: Option<TimeRange>,
}

/// Where the writes are, now that some epochs are in files.
pub(super) struct Homes {
    history: History,
    /// The seqs of each epoch that is in files.
    epochs: BTreeMap<u64, SeqRange>,
    files: Vec<Home>,
    /// Where those are that came with a write.
    definitions: Definitions,
    /// Where those are that came before any.
    predefined: Definitions,
}

impl History {
    /// What a database with these writes holds.
    pub(super) fn model(&self) -> Model {
        let mut model = Model::default();
        self.0.iter().for_each(|write| model.write(&write.rows));
        model
    }

    /// Whether that is what a database holds that misses the last writes, all of which are
    /// `lost`.
    pub(super) fn is_without_end(&self, found: &Model, lost: impl Fn(&Written) -> bool) -> bool {
        let mut short = self.clone();
        while short.0.pop_if(|write| lost(write)).is_some() {
            if short.model() == *found {
                return true;
            }
        }
        false
    }
}

impl Homes {
    /// Of the writes of `history`, where `files` are in place of the log of `epochs`.
    pub(super) fn new(
        history: History,
        epochs: BTreeMap<u64, SeqRange>,
        files: Vec<Home>,
        predefined: Definitions,
    ) -> Self {
        let mut definitions = Definitions::new();
        for write in &history.0 {
            for (labels, ..) in &write.rows {
                let key = (write.epoch, labels.clone());
                let file = || vec![write.wal.clone()];
                definitions.entry(key).or_insert_with(file);
            }
        }
        Self {
            history,
            epochs,
            files,
            definitions,
            predefined,
        }
    }

    pub(super) fn history(&self) -> &History {
        &self.history
    }

    /// The segments and blocks.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|home| home.path.as_path())
    }

    /// A write that came after the damage.
    pub(super) fn push(&mut self, rows: Rows) {
        let after = Written {
            rows,
            group: u64::MAX,
            epoch: u64::MAX,
            wal: PathBuf::new(),
        };
        self.history.0.push(after);
    }

    /// Whether what a write says of a series at a time needs `file`.
    fn needs(&self, write: &Written, labels: &Labels, timestamp_ms: i64, file: &Path) -> bool {
        if let Some(seqs) = self.epochs.get(&write.epoch) {
            let mut files = self.files.iter().filter(|home| {
                let has_writes = home.seqs.first <= seqs.first && seqs.last <= home.seqs.last;
                has_writes && home.range.is_some_and(|range| range.contains(timestamp_ms))
            });
            let home = files
                .next()
                .expect("an epoch that is not in the log is in files");
            assert!(files.next().is_none(), "two files have one write");
            return home.path == file;
        }
        // A sample without the definition of its series is nobody's.
        let key = (write.epoch, labels.clone());
        let is_in = |all: &Definitions| {
            all.get(&key)
                .is_some_and(|own| own.iter().any(|own| own == file))
        };
        write.wal == file || is_in(&self.definitions) || is_in(&self.predefined)
    }

    /// Checks what a database shows whose file `damaged` is not what it was: everything that is
    /// not in it, and of the rest what it can. Series that cannot be read are left out.
    pub(super) fn check(
        &self,
        found: &Model,
        unreadable: &BTreeSet<Labels>,
        damaged: &Path,
        what: &str,
    ) {
        // Of each sample what may be shown: the last value that is safe, or a later one.
        let mut possible: BTreeMap<(&Labels, i64), (bool, Vec<u64>)> = BTreeMap::new();
        for write in &self.history.0 {
            for (labels, timestamp_ms, value) in &write.rows {
                let (is_safe, values) = possible.entry((labels, *timestamp_ms)).or_default();
                if !self.needs(write, labels, *timestamp_ms, damaged) {
                    *is_safe = true;
                    values.clear();
                }
                values.push(value.to_bits());
            }
        }
        for (&(labels, timestamp_ms), (is_safe, values)) in &possible {
            if unreadable.contains(labels) {
                continue;
            }
            let n = labels.get("n");
            match found.get(labels, timestamp_ms) {
                Some(bits) => assert!(
                    values.contains(&bits),
                    "{what}: {n:?} at {timestamp_ms} is {bits:x}, of {values:x?}"
                ),
                None => assert!(!is_safe, "{what}: {n:?} at {timestamp_ms} is missing"),
            }
        }
        for (labels, timestamp_ms, bits) in found.samples() {
            assert!(
                possible.contains_key(&(labels, timestamp_ms)),
                "{what}: {:?} at {timestamp_ms} was never written, and is {bits:x}",
                labels.get("n")
            );
        }
    }
}
