//! Reading the manifest of a data directory, and replacing it.

use std::io;
use std::path::Path;

use super::Manifest;
use super::codec::{decode, encode};
use super::error::{DecodeError, ManifestError};
use crate::sys::{Disk, Sys};

/// The name of the manifest in the data directory.
pub const FILE_NAME: &str = "MANIFEST";
/// Its name before it counts.
pub const FILE_NAME_NEW: &str = "MANIFEST.new";

/// The manifest of the data directory `dir`; none where there was never one. It is durable when
/// this returns: a process that was killed may have left it without.
///
/// # Errors
/// It cannot be read or made durable, is damaged, or a newer version wrote it. What to do then is the caller's
/// business: nothing else tells which files count.
pub fn load(sys: &Sys, dir: &Path) -> Result<Option<Manifest>, ManifestError> {
    let path = dir.join(FILE_NAME);
    let bytes = match read(&*sys.disk, &path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(io_error("read", &path))?,
    };
    sys.disk
        .sync_dir(dir)
        .map_err(io_error("sync directory", dir))?;
    match decode(&bytes) {
        Ok(manifest) => Ok(Some(manifest)),
        Err(DecodeError::Damaged(reason)) => Err(ManifestError::Damaged { path, reason }),
        Err(DecodeError::Newer(reason)) => Err(ManifestError::Newer { path, reason }),
    }
}

fn read(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let file = disk.open_read(path)?;
    let length = usize::try_from(file.len()?).map_err(|_| io::ErrorKind::OutOfMemory)?;
    Ok(file.bytes(0, length)?.into_owned())
}

/// Puts `manifest` in the place of the one in the data directory `dir`, as a whole and durably.
///
/// Files that it names are durable before, their names included; files that it no longer names
/// are removed after.
///
/// # Errors
/// [`ManifestError::Wrong`] and [`ManifestError::Io`]: the one before is still in force, and it
/// may be tried again. [`ManifestError::InDoubt`]: nobody knows which of the two is.
pub fn store(sys: &Sys, dir: &Path, manifest: &Manifest) -> Result<(), ManifestError> {
    if let Some(reason) = manifest.contradiction() {
        return Err(ManifestError::Wrong { reason });
    }
    let disk = &*sys.disk;
    let path = dir.join(FILE_NAME);
    let new = dir.join(FILE_NAME_NEW);
    if let Err(error) = write_new(disk, &encode(manifest), &new) {
        // To give its room back, where the disk is full. If it stays the next one removes it.
        let _removed = disk.remove(&new);
        return Err(error);
    }
    // From here on a crash may leave either: POSIX leaves open what a rename that fails with EIO
    // has done.
    disk.rename(&new, &path)
        .and_then(|()| disk.sync_dir(dir))
        .map_err(|source| {
            let _removed = disk.remove(&new);
            ManifestError::InDoubt { path, source }
        })
}

/// Writes a file under the name `new`, durable but for that name.
fn write_new(disk: &dyn Disk, bytes: &[u8], new: &Path) -> Result<(), ManifestError> {
    let created = match disk.create_new(new) {
        // Left by a crash.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            disk.remove(new).and_then(|()| disk.create_new(new))
        }
        created => created,
    };
    let file = created.map_err(io_error("create", new))?;
    let written = file.write_all_at(bytes, 0);
    written.map_err(io_error("write", new))?;
    file.sync_data().map_err(io_error("sync", new))
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ManifestError {
    move |source| ManifestError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}
