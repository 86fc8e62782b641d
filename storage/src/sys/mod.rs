//! The only door to files and clocks.
//!
//! Everything else in this crate sees the disk through [`Disk`] and [`File`] and the time
//! through [`Clock`], so that tests put a simulated disk and a simulated clock in their place.

pub mod faults;
mod mapped;
pub(crate) mod priority;
mod real;
mod secret;
#[cfg(any(test, feature = "simulation"))]
pub mod sim;

use std::borrow::Cow;
use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use real::{RealClock, RealDisk};
pub(crate) use secret::Secret;

/// A disk and a clock: what a database needs of its machine.
#[derive(Clone, Debug)]
pub struct Sys {
    /// Where files live.
    pub disk: Arc<dyn Disk>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl Sys {
    /// The disk and the clock of this machine.
    pub fn real() -> Self {
        Self::of(RealDisk::new())
    }

    /// The same, with immutable files mapped into memory: for a process that handles SIGBUS as
    /// [`faults`] says. In one that does not, it ends when another program cuts a file.
    pub fn real_mapped() -> Self {
        Self::of(RealDisk::mapped())
    }

    fn of(disk: RealDisk) -> Self {
        Self {
            disk: Arc::new(disk),
            clock: Arc::new(RealClock::new()),
        }
    }
}

/// A file system.
///
/// Names become durable only by [`Disk::sync_dir`] on their directory, bytes only by
/// [`File::sync_data`]: the contract of POSIX, and all that the commit protocol builds on.
pub trait Disk: Debug + Send + Sync {
    /// Creates a directory and the ones above it; no error if it is there. The names of those
    /// it creates are durable when it returns.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Names of the files (not directories) in a directory, sorted.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Opens an existing file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>>;
    /// Opens an existing file for reading alone.
    fn open_read(&self, path: &Path) -> io::Result<Box<dyn File>>;
    /// Opens for reading a file that nobody changes any more; mapped into memory, where this disk
    /// does that.
    fn open_immutable(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.open_read(path)
    }
    /// Creates a file that must not exist, for reading and writing.
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn File>>;
    /// Gives a file another name, in place of what had that name, atomically.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Unlinks a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// How many bytes can be written in a directory until the disk is full; none where the disk
    /// does not tell.
    fn available(&self, _dir: &Path) -> io::Result<Option<u64>> {
        Ok(None)
    }
    /// Takes the lock file at `path`, creating it if need be; held until the guard is dropped
    /// or the process ends.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where another process (or this one) holds it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockGuard>>;
}

/// An open file. Reads and writes name their place; there is no cursor.
#[expect(
    clippy::len_without_is_empty,
    reason = "the length of a file can fail to be read, and nobody asks whether it is zero"
)]
pub trait File: Debug + Send + Sync {
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Reads up to `buf.len()` bytes at `offset`; fewer only at the end of the file.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
    /// The `bytes` bytes at `offset`, borrowed where the file is mapped into memory.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] where the file ends before.
    fn bytes(&self, offset: u64, bytes: usize) -> io::Result<Cow<'_, [u8]>> {
        // A length out of a damaged file must not take more memory than the file has bytes.
        let end = offset.checked_add(bytes as u64);
        if end.is_none_or(|end| self.len().is_ok_and(|len| end > len)) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut read = vec![0; bytes];
        if self.read_at(&mut read, offset)? < bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Cow::Owned(read))
    }
    /// Whether bytes that were borrowed from a map of the file may not be what is in it, since the
    /// system has lost some. From then on no more are borrowed: [`File::bytes`] reads.
    fn has_faults(&self) -> bool {
        false
    }
    /// The same, after a look at the file: not every change of it gives a signal.
    fn look_for_faults(&self) -> bool {
        self.has_faults()
    }
    /// Writes all of `data` at `offset`, growing the file if need be.
    fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()>;
    /// Reserves room up to `len` bytes and sets the length to at least that; new bytes are 0.
    fn allocate(&self, len: u64) -> io::Result<()>;
    /// Cuts or extends the file.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes bytes and length durable (fdatasync).
    fn sync_data(&self) -> io::Result<()>;
}

/// Holds a lock file until dropped.
pub trait LockGuard: Debug + Send + Sync {}

/// A source of time.
pub trait Clock: Debug + Send + Sync {
    /// Wall clock, milliseconds since the Unix epoch.
    fn now_ms(&self) -> i64;
    /// Time since some fixed moment; never goes back.
    fn monotonic(&self) -> Duration;
}
