//! The manifest that is in force: the flusher and the compactor both replace it.

use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use crate::manifest::{self, Manifest, ManifestError};
use crate::model::Seq;
use crate::sys::Sys;

/// Replaces the manifest, one replacement at a time, each on top of the one before.
#[derive(Debug)]
pub(super) struct Catalog {
    sys: Sys,
    dir: PathBuf,
    /// As it is on the disk, but for the numbers of the next files: what was begun is never begun
    /// again, whatever became of it.
    manifest: Mutex<Manifest>,
}

impl Catalog {
    /// Of the data directory `dir`, where `manifest` is in force.
    pub(super) fn new(sys: Sys, dir: PathBuf, manifest: Manifest) -> Self {
        Self {
            sys,
            dir,
            manifest: Mutex::new(manifest),
        }
    }

    /// The system it is on.
    pub(super) fn sys(&self) -> &Sys {
        &self.sys
    }

    /// The data directory.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Records of the log up to this one are in files.
    pub(super) fn covered_seq(&self) -> Seq {
        self.manifest.lock().covered_seq
    }

    /// The number for a segment that is about to be written.
    pub(super) fn take_segment_number(&self) -> u64 {
        let mut manifest = self.manifest.lock();
        let number = manifest.next_segment;
        manifest.next_segment += 1;
        number
    }

    /// The first of `count` numbers for blocks that are about to be written.
    pub(super) fn take_block_numbers(&self, count: usize) -> u64 {
        let mut manifest = self.manifest.lock();
        let number = manifest.next_block;
        manifest.next_block += count as u64;
        number
    }

    /// Replaces the manifest by what `change` makes of it. Nobody else does meanwhile.
    ///
    /// # Errors
    /// Those of [`manifest::store`]; the next change is then made on top of the one before.
    pub(super) fn replace(&self, change: impl FnOnce(&mut Manifest)) -> Result<(), ManifestError> {
        let mut manifest = self.manifest.lock();
        let mut next = manifest.clone();
        change(&mut next);
        next.generation += 1;
        manifest::store(&self.sys, &self.dir, &next)?;
        *manifest = next;
        Ok(())
    }
}
