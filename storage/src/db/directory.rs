//! The data directory: whose it is, and that one process has it.
//!
//! `docs/format/directory.md` says what lies in it.

use std::io;
use std::path::{Path, PathBuf};

use tracing::warn;

use crate::error::{Error, ErrorKind};
use crate::maintenance::files::Folder;
use crate::manifest;
use crate::sys::{LockGuard, Sys};

/// The file whose lock says that the directory is in use.
const LOCK: &str = "lock";
/// The file that says whose directory it is.
const MARKER: &str = "FORMAT";
/// The marker before it has its name.
const MARKER_NEW: &str = "FORMAT.new";
/// What the marker begins with; the format version and a line end follow.
const MARKER_PREFIX: &str = "silverback ";
/// The format version of the directory that this code writes, and the latest it opens. Who knows
/// version 1 alone knows no blocks, and would do without them where the manifest is lost.
const VERSION: u32 = 2;
/// All names that files of ours have in the directory itself.
const OURS: [&str; 5] = [
    LOCK,
    MARKER,
    MARKER_NEW,
    manifest::FILE_NAME,
    manifest::FILE_NAME_NEW,
];
/// More than any marker is long.
const MARKER_BYTES_MAX: usize = 64;

/// Where the log lies.
pub(super) fn wal_dir(dir: &Path) -> PathBuf {
    dir.join("wal")
}

/// Makes sure that the directory is ours or free to take, locks it, and marks it.
///
/// # Errors
/// [`ErrorKind::Incompatible`] where another program or a newer version wrote it,
/// [`ErrorKind::InUse`], [`ErrorKind::Io`]. What is not ours is left as it was.
pub(super) fn take(sys: &Sys, dir: &Path) -> Result<Box<dyn LockGuard>, Error> {
    let about = |what: &str, e| io_error(&format!("cannot {what} the data directory"), dir, e);
    // Before anything is created: a directory of another program stays as it is.
    check(sys, dir)?;
    sys.disk
        .create_dir_all(&wal_dir(dir))
        .map_err(|e| about("create", e))?;
    let lock = sys.disk.lock(&dir.join(LOCK)).map_err(|e| match e.kind() {
        io::ErrorKind::WouldBlock => Error::with_source(
            ErrorKind::InUse,
            format!(
                "the data directory {} is in use by another process",
                dir.display()
            ),
            e,
        ),
        _ => about("lock", e),
    })?;
    if check(sys, dir)? == Marked::No {
        mark(sys, dir).map_err(|e| about("write to", e))?;
    }
    Ok(lock)
}

/// Whether the marker is there.
#[derive(PartialEq, Eq, Debug)]
enum Marked {
    Yes,
    No,
}

fn check(sys: &Sys, dir: &Path) -> Result<Marked, Error> {
    let read_error = |e| io_error("cannot read the data directory", dir, e);
    let names = list(sys, dir).map_err(read_error)?;
    let marker = if names.iter().any(|name| name == MARKER) {
        Some(read_marker(sys, dir).map_err(read_error)?)
    } else {
        None
    };
    match marker.as_deref().map(version_of) {
        Some(Some(version)) if version > VERSION => {
            return Err(Error::new(
                ErrorKind::Incompatible,
                format!(
                    "the data directory {} was written by a newer version of Silverback (format \
                     {version}, this version knows up to {VERSION})",
                    dir.display()
                ),
            ));
        }
        Some(Some(VERSION)) => return Ok(Marked::Yes),
        // Ours, and marked anew: what is in it of that version is read.
        Some(Some(_)) => return Ok(Marked::No),
        Some(None) | None => {}
    }
    // No marker, or none that can be read: ours only if nothing in it is of others.
    let logs = list(sys, &wal_dir(dir)).map_err(read_error)?;
    let mut stored = Vec::new();
    for folder in Folder::ALL {
        let names = list(sys, &folder.path(dir)).map_err(read_error)?;
        stored.extend(names.into_iter().map(|name| (folder, name)));
    }
    let is_other = |(folder, name): &&(Folder, String)| !folder.is_file_name(name);
    let of_others = names
        .iter()
        .find(|name| !OURS.contains(&name.as_str()))
        .or_else(|| logs.iter().find(|name| !crate::wal::is_file_name(name)))
        .or_else(|| stored.iter().find(is_other).map(|(_, name)| name));
    if let Some(name) = of_others {
        return Err(Error::new(
            ErrorKind::Incompatible,
            format!(
                "the data directory {} holds files of another program ({name}): choose an empty one",
                dir.display()
            ),
        ));
    }
    if marker.is_some() {
        warn!(dir = %dir.display(), "the marker {MARKER} of the data directory is damaged; it is written anew");
    }
    Ok(Marked::No)
}

/// The files of a directory; none if there is no such directory.
fn list(sys: &Sys, dir: &Path) -> io::Result<Vec<String>> {
    match sys.disk.list(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed,
    }
}

fn read_marker(sys: &Sys, dir: &Path) -> io::Result<Vec<u8>> {
    let file = sys.disk.open_read(&dir.join(MARKER))?;
    let mut bytes = vec![0; MARKER_BYTES_MAX];
    let len = file.read_at(&mut bytes, 0)?;
    bytes.truncate(len);
    Ok(bytes)
}

fn version_of(marker: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(marker).ok()?;
    text.strip_prefix(MARKER_PREFIX)?
        .strip_suffix('\n')?
        .parse()
        .ok()
}

/// Puts the marker there, whole or not at all.
fn mark(sys: &Sys, dir: &Path) -> io::Result<()> {
    let new = dir.join(MARKER_NEW);
    if list(sys, dir)?.iter().any(|name| name == MARKER_NEW) {
        sys.disk.remove(&new)?;
    }
    let file = sys.disk.create_new(&new)?;
    file.write_all_at(format!("{MARKER_PREFIX}{VERSION}\n").as_bytes(), 0)?;
    file.sync_data()?;
    sys.disk.rename(&new, &dir.join(MARKER))?;
    sys.disk.sync_dir(dir)
}

fn io_error(what: &str, dir: &Path, cause: io::Error) -> Error {
    Error::with_source(
        ErrorKind::Io,
        format!("{what} {}: {cause}", dir.display()),
        cause,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Disk;
    use crate::sys::sim::{Fault, SimDisk};

    fn sys(disk: &SimDisk) -> Sys {
        disk.sys(0)
    }

    fn put(disk: &SimDisk, path: &str, bytes: &[u8]) {
        let path = Path::new(path);
        let sys = sys(disk);
        sys.disk.create_dir_all(path.parent().unwrap()).unwrap();
        sys.disk
            .create_new(path)
            .unwrap()
            .write_all_at(bytes, 0)
            .unwrap();
    }

    fn error(disk: &SimDisk) -> Error {
        take(&sys(disk), Path::new("/data")).unwrap_err()
    }

    #[test]
    fn a_new_directory_is_marked_and_known_again() {
        let disk = SimDisk::new(1);
        drop(take(&sys(&disk), Path::new("/data")).unwrap());
        disk.crash();
        assert_eq!(check(&sys(&disk), Path::new("/data")).unwrap(), Marked::Yes);
        assert_eq!(
            read_marker(&sys(&disk), Path::new("/data")).unwrap(),
            b"silverback 2\n"
        );
    }

    #[test]
    fn a_newer_format_is_refused_and_left_alone() {
        let disk = SimDisk::new(1);
        put(&disk, "/data/FORMAT", b"silverback 3\n");
        let error = error(&disk);
        assert_eq!(error.kind(), ErrorKind::Incompatible);
        assert_eq!(
            error.to_string(),
            "the data directory /data was written by a newer version of Silverback (format 3, \
             this version knows up to 2)"
        );
        assert_eq!(
            sys(&disk).disk.list(Path::new("/data")).unwrap(),
            ["FORMAT"]
        );
    }

    #[test]
    fn files_of_another_program_are_refused_and_left_alone() {
        for path in [
            "/data/queries.active",
            "/data/wal/00000000",
            "/data/segments/00000000000000000001.sst",
            "/data/segments/1.seg",
            "/data/blocks/1.blk",
            "/data/blocks/00000000000000000001.seg",
        ] {
            let disk = SimDisk::new(1);
            put(&disk, path, b"x");
            let before = sys(&disk).disk.list(Path::new("/data")).unwrap();
            let error = error(&disk);
            assert_eq!(error.kind(), ErrorKind::Incompatible);
            assert!(
                error.to_string().contains("holds files of another program"),
                "{error}"
            );
            assert_eq!(sys(&disk).disk.list(Path::new("/data")).unwrap(), before);
        }
    }

    #[test]
    fn a_marker_that_was_lost_or_harmed_is_written_anew() {
        let disk = SimDisk::new(1);
        put(&disk, "/data/wal/00000000000000000001.wal", b"");
        put(&disk, "/data/segments/00000000000000000001.seg", b"");
        put(&disk, "/data/segments/00000000000000000002.seg.tmp", b"");
        put(
            &disk,
            "/data/segments/00000000000000000003.seg.damaged",
            b"",
        );
        put(&disk, "/data/blocks/00000000000000000001.blk", b"");
        put(&disk, "/data/blocks/00000000000000000002.blk.tmp", b"");
        put(&disk, "/data/blocks/00000000000000000003.blk.damaged", b"");
        put(&disk, "/data/MANIFEST", b"");
        put(&disk, "/data/MANIFEST.new", b"");
        drop(take(&sys(&disk), Path::new("/data")).unwrap());
        let disk = SimDisk::new(1);
        put(&disk, "/data/FORMAT", b"silverba");
        put(&disk, "/data/FORMAT.new", b"silv");
        drop(take(&sys(&disk), Path::new("/data")).unwrap());
        assert_eq!(
            read_marker(&sys(&disk), Path::new("/data")).unwrap(),
            b"silverback 2\n"
        );
    }

    #[test]
    fn the_version_before_is_opened_and_marked_anew() {
        for op in 0.. {
            let disk = SimDisk::new(op);
            put(&disk, "/data/FORMAT", b"silverback 1\n");
            let marker = disk.open(Path::new("/data/FORMAT")).unwrap();
            marker.sync_data().unwrap();
            for dir in ["/data", "/"] {
                disk.sync_dir(Path::new(dir)).unwrap();
            }
            let before = disk.ops();
            disk.fail_at(before + op, Fault::Crash);
            let is_taken = take(&sys(&disk), Path::new("/data")).is_ok();
            disk.clear_faults();
            disk.crash();
            let marker = read_marker(&sys(&disk), Path::new("/data")).unwrap();
            assert!([Some(1), Some(2)].contains(&version_of(&marker)));
            drop(take(&sys(&disk), Path::new("/data")).unwrap());
            disk.crash();
            assert_eq!(check(&sys(&disk), Path::new("/data")).unwrap(), Marked::Yes);
            if is_taken {
                break;
            }
        }
    }
}
