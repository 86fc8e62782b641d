//! The disk and the clock of this machine.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use super::{Clock, Disk, File, LockGuard, mapped};

/// The file system of this machine.
#[derive(Clone, Copy, Default, Debug)]
pub struct RealDisk {
    /// Whether immutable files are mapped into memory.
    maps: bool,
}

impl RealDisk {
    /// A disk whose files are all read by calls.
    pub fn new() -> Self {
        Self::default()
    }

    /// A disk that maps immutable files into memory; see [`Sys::real_mapped`](super::Sys).
    pub fn mapped() -> Self {
        Self { maps: true }
    }
}

#[derive(Debug)]
pub(super) struct RealFile(pub(super) fs::File);

/// The lock ends with its open file.
#[derive(Debug)]
struct RealLock {
    _file: fs::File,
}

impl LockGuard for RealLock {}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the module that the others go through"
)]
impl Disk for RealDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let missing: Vec<&Path> = path
            .ancestors()
            .take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists())
            .collect();
        fs::create_dir_all(path)?;
        for dir in missing.iter().rev() {
            self.sync_dir(&parent(dir))?;
        }
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            // A name that is not UTF-8 is none of ours.
            if let Ok(name) = entry.file_name().into_string()
                && entry.file_type()?.is_file()
            {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let file = fs::File::options().read(true).write(true).open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn File>> {
        Ok(Box::new(RealFile(fs::File::open(path)?)))
    }

    fn open_immutable(&self, path: &Path) -> io::Result<Box<dyn File>> {
        if self.maps {
            mapped::open(fs::File::open(path)?)
        } else {
            self.open_read(path)
        }
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn File>> {
        Ok(Box::new(RealFile(fs::File::create_new(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir)?.sync_all()
    }

    fn available(&self, dir: &Path) -> io::Result<Option<u64>> {
        let about = rustix::fs::statvfs(dir)?;
        Ok(Some(about.f_bavail.saturating_mul(about.f_frsize)))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockGuard>> {
        let file = fs::File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        file.try_lock()?;
        Ok(Box::new(RealLock { _file: file }))
    }
}

/// The directory that holds `path`; the current one for a bare name.
fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(dir) if dir.as_os_str().is_empty() => PathBuf::from("."),
        Some(dir) => dir.to_owned(),
        None => path.to_owned(),
    }
}

impl File for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buf.len() {
            match self.0.read_at(&mut buf[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(bytes) => filled += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        loop {
            match rustix::fs::fallocate(&self.0, FallocateFlags::empty(), 0, len) {
                Ok(()) => return Ok(()),
                Err(Errno::INTR) => {}
                // Some file systems (network ones, mostly) cannot reserve room: the length is
                // then all they give, and a write may still meet a full disk.
                Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => break,
                Err(error) => return Err(error.into()),
            }
        }
        if self.len()? < len {
            self.0.set_len(len)?;
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// The clocks of this machine.
#[derive(Clone, Copy, Debug)]
pub struct RealClock {
    /// Where `monotonic` counts from.
    start: Instant,
}

impl RealClock {
    /// A clock whose monotonic time starts at zero now.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the module that the others go through"
    )]
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Default for RealClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for RealClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the module that the others go through"
    )]
    fn now_ms(&self) -> i64 {
        // A u128 of milliseconds does not fit only 292 million years from 1970.
        let ms = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => ms(since),
            Err(before) => -ms(before.duration()),
        }
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Sys;
    use super::*;

    #[test]
    fn a_file_keeps_what_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Sys::real().disk;
        let deep = dir.path().join("a/b");
        disk.create_dir_all(&deep).unwrap();
        disk.create_dir_all(&deep).unwrap();
        let path = deep.join("x");

        let file = disk.create_new(&path).unwrap();
        assert_eq!(
            disk.create_new(&path).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        file.allocate(4096).unwrap();
        assert_eq!(file.len().unwrap(), 4096);
        // Allocating less never shortens.
        file.allocate(10).unwrap();
        assert_eq!(file.len().unwrap(), 4096);
        file.write_all_at(b"hello", 4094).unwrap();
        file.sync_data().unwrap();
        disk.sync_dir(&deep).unwrap();

        let file = disk.open_read(&path).unwrap();
        let mut buf = [9; 8];
        assert_eq!(file.read_at(&mut buf, 4092).unwrap(), 7);
        assert_eq!(&buf[..7], b"\0\0hello");
        assert_eq!(file.read_at(&mut buf, 5000).unwrap(), 0);
        assert!(file.write_all_at(b"x", 0).is_err());

        disk.open(&path).unwrap().set_len(3).unwrap();
        assert_eq!(file.len().unwrap(), 3);
    }

    #[test]
    fn names_are_listed_sorted_without_directories() {
        let dir = tempfile::tempdir().unwrap();
        let disk = RealDisk::new();
        disk.create_dir_all(&dir.path().join("sub")).unwrap();
        for name in ["b", "a", "c"] {
            disk.create_new(&dir.path().join(name)).unwrap();
        }
        disk.rename(&dir.path().join("c"), &dir.path().join("a"))
            .unwrap();
        disk.remove(&dir.path().join("b")).unwrap();
        assert_eq!(disk.list(dir.path()).unwrap(), ["a"]);
    }

    #[test]
    fn a_lock_is_held_once_until_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let guard = RealDisk::new().lock(&path).unwrap();
        assert_eq!(
            RealDisk::new().lock(&path).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
        drop(guard);
        RealDisk::new().lock(&path).unwrap();
    }

    #[test]
    fn clocks_run() {
        let clock = RealClock::new();
        // 2020 and 2100: enough to notice seconds or nanoseconds in the place of milliseconds.
        assert!((1_577_836_800_000..4_102_444_800_000).contains(&clock.now_ms()));
        assert!(clock.monotonic() <= clock.monotonic());
    }
}
