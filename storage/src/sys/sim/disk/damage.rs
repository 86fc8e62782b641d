//! What becomes of a simulated disk without any operation: damage to the medium, and copies.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::SimDisk;

impl SimDisk {
    /// Flips a bit of a file on the medium; bit 0 is the lowest of the first byte.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] where there is no such file.
    pub fn flip_bit(&self, path: &Path, bit: u64) -> io::Result<()> {
        let state = &mut *self.state.lock();
        let node = state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        state.contents(node)?.flip_bit(bit);
        Ok(())
    }

    /// Takes a file away for good, as one that the file system lost: no crash brings it back.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] where there is no such file.
    pub fn lose(&self, path: &Path) -> io::Result<()> {
        let state = &mut *self.state.lock();
        let node = state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        state.names.lose(path, node);
        state.collect();
        Ok(())
    }

    /// All files, sorted by path, with their lengths in bytes. No operation: it is not counted,
    /// and does not need the machine to be up.
    pub fn files(&self) -> Vec<(PathBuf, u64)> {
        let state = self.state.lock();
        let length = |node| state.files.get(&node).map_or(0, |file| file.contents.len());
        let named = state.names.all();
        named
            .map(|(path, node)| (path.to_owned(), length(node)))
            .collect()
    }

    /// A copy, as it is now: what happens to the one does not happen to the other. Open files
    /// and locks stay with this one, as if the process had been killed on the copy.
    pub fn fork(&self) -> Self {
        let copy = Self {
            state: Arc::new(Mutex::new(self.state.lock().clone())),
        };
        copy.kill();
        copy
    }
}
