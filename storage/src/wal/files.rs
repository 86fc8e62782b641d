//! The complete files of a log, and dropping them while the log is written on.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::debug;

use super::error::is_full;
use super::file;
use super::recovery::WalFile;
use crate::model::Seq;
use crate::sys::{Disk, File};

/// How much is cut at a time off a file that is gone. Files of tests are small.
const CUT_BYTES: u64 = if cfg!(test) { 512 } else { 1 << 20 };

/// The files of a log that is open. Cheap to clone; all clones are of the same log. One thread
/// may drop files while another goes on writing.
#[derive(Clone, Debug)]
pub struct Files(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    /// Never held during an operation of the disk: the writer takes it for each group.
    list: Mutex<List>,
    /// The first sync of the directory that failed, if one did. Held during a sync: the system
    /// tells of a failure once, to whoever syncs, and it may concern the name of another's file.
    failed_sync: Mutex<Option<Arc<io::Error>>>,
}

#[derive(Debug)]
struct List {
    /// Complete files, in order.
    complete: Vec<WalFile>,
    /// Bytes of the file that is written to, if there is one.
    current_bytes: Option<u64>,
}

impl Files {
    pub(super) fn new(disk: Arc<dyn Disk>, dir: &Path, complete: Vec<WalFile>) -> Self {
        Self(Arc::new(Shared {
            disk,
            dir: dir.to_owned(),
            list: Mutex::new(List {
                complete,
                current_bytes: None,
            }),
            failed_sync: Mutex::new(None),
        }))
    }

    /// Bytes of all files, without the room that is reserved and not used.
    pub fn bytes(&self) -> u64 {
        let list = self.0.list.lock();
        let complete: u64 = list.complete.iter().map(|file| file.bytes).sum();
        complete + list.current_bytes.unwrap_or(0)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        let list = self.0.list.lock();
        list.complete.len() + usize::from(list.current_bytes.is_some())
    }

    /// Removes the complete files that hold no record later than `covered`; returns how many.
    /// The newest file of the log always stays: its number says which one comes next.
    ///
    /// `step` is called between pieces of work of about a millisecond.
    ///
    /// # Errors
    /// What the system says of a file or of the directory. The files left are tried again by the
    /// next call; a file that comes back after a crash harms nobody, as its records are covered.
    /// After a failed sync of the directory the writer begins no other file.
    pub fn drop_through(&self, covered: Seq, step: &dyn Fn()) -> io::Result<usize> {
        let (mut dropped, mut held) = (Vec::new(), Vec::new());
        let mut result = Ok(());
        for number in self.droppable(covered) {
            let path = file::path(&self.0.dir, number);
            let file = self.0.disk.open(&path);
            match self.0.disk.remove(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    result = Err(error);
                    break;
                }
                _ => {
                    dropped.push(number);
                    held.extend(file);
                }
            }
        }
        if !dropped.is_empty() {
            let mut list = self.0.list.lock();
            list.complete.retain(|file| !dropped.contains(&file.number));
            drop(list);
            self.sync_dir()?;
        }
        // Their names do not come back: what is cut now nobody can read for damaged.
        for file in held {
            if let Err(error) = shrink(&*file, step) {
                debug!(%error, "a WAL file is freed as a whole");
            }
        }
        result.map(|()| dropped.len())
    }

    /// The numbers of the files that may go, in order.
    pub(super) fn droppable(&self, covered: Seq) -> Vec<u64> {
        let list = self.0.list.lock();
        let newest = usize::from(list.current_bytes.is_none());
        let candidates = list.complete.len().saturating_sub(newest);
        let files = list.complete.iter().take(candidates);
        files
            .take_while(|file| file.last_seq <= covered)
            .map(|file| file.number)
            .collect()
    }

    /// Makes the names of the files durable.
    ///
    /// # Errors
    /// What the system says; from then on always, unless the disk was full.
    pub(super) fn sync_dir(&self) -> io::Result<()> {
        let mut failed = self.0.failed_sync.lock();
        if let Some(error) = &*failed {
            return Err(io::Error::new(error.kind(), Arc::clone(error)));
        }
        let Err(error) = self.0.disk.sync_dir(&self.0.dir) else {
            return Ok(());
        };
        if is_full(&error) {
            return Err(error);
        }
        let error = Arc::new(error);
        *failed = Some(Arc::clone(&error));
        Err(io::Error::new(error.kind(), error))
    }

    /// The file that is written to has so many bytes now.
    pub(super) fn set_current(&self, bytes: u64) {
        self.0.list.lock().current_bytes = Some(bytes);
    }

    /// The file that was written to is complete.
    pub(super) fn complete(&self, file: WalFile) {
        let mut list = self.0.list.lock();
        list.current_bytes = None;
        list.complete.push(file);
    }
}

/// Cuts a file without a name, from its end. To free all of it at once, its pages in memory and its
/// blocks on the disk, keeps others from syncing meanwhile: 60 ms for 30 MB on a disk that is told
/// of blocks that are free.
fn shrink(file: &dyn File, step: &dyn Fn()) -> io::Result<()> {
    let mut bytes = file.len()?;
    while bytes > 0 {
        bytes = bytes.saturating_sub(CUT_BYTES);
        file.set_len(bytes)?;
        step();
    }
    Ok(())
}
