//! Files that are read by a memory map.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::sync::atomic::{Ordering, fence};
use std::time::SystemTime;

use memmap2::{Mmap, MmapOptions};

use super::File;
use super::faults::{self, Watched};
use super::real::RealFile;

/// An immutable file whose bytes are borrowed from a map of it.
///
/// The map gets no advice (`madvise`). Whoever checks what is in it reads it by calls first
/// (`section`), so that the map finds it in the system's cache; what was dropped from there
/// meanwhile comes back by ordinary read-ahead. `MADV_RANDOM` would load each 4 KiB by a fault of
/// its own: measured with cold caches, it made reading in order several times slower.
#[derive(Debug)]
pub(super) struct MappedFile {
    /// Before `map`: fields are dropped in their order, and as soon as the memory is given back
    /// it may be another map's.
    watched: Watched,
    map: Mmap,
    file: RealFile,
    /// The file as it was when it was mapped.
    opened: Stamp,
}

/// What changes when somebody cuts or writes a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stamp {
    len: u64,
    /// None where the file system has no such time.
    modified: Option<SystemTime>,
}

impl Stamp {
    fn of(file: &fs::File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            len: metadata.len(),
            modified: metadata.modified().ok(),
        })
    }
}

/// Opens a file of ours, by a map if that can be had: not for one that is empty, on a file system
/// without maps, or with too many mapped already. Those are read.
pub(super) fn open(file: fs::File) -> io::Result<Box<dyn File>> {
    let stamp = Stamp::of(&file)?;
    let map = match usize::try_from(stamp.len) {
        Ok(len) if len > 0 => map(&file, len),
        _ => None,
    };
    let watched = map.as_deref().and_then(faults::watch);
    let file = RealFile(file);
    Ok(match (map, watched) {
        (Some(map), Some(watched)) => Box::new(MappedFile {
            watched,
            map,
            file,
            opened: stamp,
        }),
        _ => Box::new(file),
    })
}

#[expect(unsafe_code, reason = "a map is unsafe for what others do to the file")]
fn map(file: &fs::File, len: usize) -> Option<Mmap> {
    // SAFETY: the bytes must not change while they are borrowed. The file is one of ours, in a
    // directory that this process holds the lock of, and files are mapped that have been
    // published: nothing of ours writes or cuts them from then on. Where another program does,
    // pages that are gone read as zeros once the handler of SIGBUS has counted a fault; readers
    // look for faults when they are done and read again without the map (`section::guarded`).
    // What they read meanwhile are plain bytes, of which any value is a valid one.
    unsafe { MmapOptions::new().len(len).map(file) }.ok()
}

impl File for MappedFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buf, offset)
    }

    fn bytes(&self, offset: u64, bytes: usize) -> io::Result<Cow<'_, [u8]>> {
        // By a call the system says what is wrong, and where nothing is, gives what is there.
        if self.has_faults() {
            return self.file.bytes(offset, bytes);
        }
        usize::try_from(offset)
            .ok()
            .and_then(|start| self.map.get(start..)?.get(..bytes))
            .map(Cow::Borrowed)
            .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn has_faults(&self) -> bool {
        self.watched.has_faults()
    }

    fn look_for_faults(&self) -> bool {
        // A cut that leaves a part of a page gives no signal: the rest of it reads as zeros.
        // Neither do bytes that were written in place.
        if !Stamp::of(&self.file.0).is_ok_and(|stamp| stamp == self.opened) {
            self.watched.count();
        }
        // What was read before this call was read before the count is.
        fence(Ordering::Acquire);
        self.has_faults()
    }

    fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.file.allocate(len)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Disk, RealDisk, Sys};
    use super::*;

    fn write(path: &Path, bytes: &[u8]) {
        let file = Sys::real().disk.create_new(path).unwrap();
        file.write_all_at(bytes, 0).unwrap();
    }

    #[test]
    fn bytes_are_borrowed_from_a_map() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let data: Vec<u8> = (0..20_000_u32).map(|i| (i / 7) as u8).collect();
        write(&path, &data);
        let disk = Sys::real_mapped().disk;
        let file = disk.open_immutable(&path).unwrap();
        assert_eq!(file.len().unwrap(), 20_000);
        for (start, end) in [(0, 20_000), (0, 0), (4095, 4097), (19_999, 20_000)] {
            let got = file.bytes(start as u64, end - start).unwrap();
            assert!(matches!(got, Cow::Borrowed(_)));
            assert_eq!(*got, data[start..end]);
        }
        assert_eq!(file.bytes(20_000, 0).unwrap().len(), 0);
        for (offset, bytes) in [
            (0, 20_001),
            (19_999, 2),
            (20_000, 1),
            (20_001, 0),
            (u64::MAX, 1),
            (1, usize::MAX),
        ] {
            let error = file.bytes(offset, bytes).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
        let mut buf = [0; 3];
        assert_eq!(file.read_at(&mut buf, 19_998).unwrap(), 2);
        assert_eq!(buf[..2], data[19_998..]);
        assert!(file.write_all_at(b"x", 0).is_err() && file.set_len(0).is_err());

        // Unlinked, it stays for those that hold it.
        disk.remove(&path).unwrap();
        assert_eq!(*file.bytes(0, 20_000).unwrap(), data[..]);
    }

    #[test]
    fn what_is_not_mapped_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let (empty, full) = (dir.path().join("empty"), dir.path().join("full"));
        write(&empty, b"");
        write(&full, b"full");
        let file = RealDisk::mapped().open_immutable(&empty).unwrap();
        assert_eq!(file.bytes(0, 0).unwrap().len(), 0);
        assert!(file.bytes(0, 1).is_err());
        for file in [
            RealDisk::new().open_immutable(&full),
            RealDisk::mapped().open_read(&full),
            RealDisk::mapped().open(&full),
        ] {
            let file = file.unwrap();
            let got = file.bytes(0, 4).unwrap();
            assert!(matches!(got, Cow::Owned(_)));
            assert_eq!(*got, *b"full");
            assert!(!file.look_for_faults());
        }
        let missing = RealDisk::mapped().open_immutable(&dir.path().join("none"));
        assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_file_that_was_cut_is_not_borrowed_from() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        write(&path, b"0123456789");
        let disk = RealDisk::mapped();
        let file = disk.open_immutable(&path).unwrap();
        assert!(!file.look_for_faults());

        disk.open(&path).unwrap().set_len(4).unwrap();
        // Memory of this page is there, and the bytes are not.
        assert_eq!(*file.bytes(0, 10).unwrap(), *b"0123\0\0\0\0\0\0");
        assert!(!file.has_faults(), "nobody has looked");
        assert!(file.look_for_faults() && file.has_faults());
        let error = file.bytes(0, 10).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        let rest = file.bytes(0, 4).unwrap();
        assert!(matches!(rest, Cow::Owned(_)));
        assert_eq!(*rest, *b"0123");

        let again = disk.open_immutable(&path).unwrap();
        assert!(!again.look_for_faults());
        assert!(matches!(again.bytes(0, 4), Ok(Cow::Borrowed(b"0123"))));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "what another program does")]
    fn a_file_that_was_written_in_place_is_not_borrowed_from() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        write(&path, b"0123456789");
        let file = RealDisk::mapped().open_immutable(&path).unwrap();
        let other = fs::File::options().write(true).open(&path).unwrap();
        // Written within the same tick of the clock of file times, it would not show.
        other.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert!(file.look_for_faults());
        assert!(matches!(file.bytes(0, 10), Ok(Cow::Owned(_))));
    }
}
