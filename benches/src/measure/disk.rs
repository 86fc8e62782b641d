//! Room that a directory takes.

use std::collections::HashSet;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::Serialize;

use crate::error::{About, Error, Result};

/// Size of all files of a directory, in bytes. A file of several names counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DiskUsage {
    /// Up to the ends of the files.
    pub apparent_bytes: u64,
    /// Blocks that the file system has given them: more than the above for small files and for
    /// what is preallocated, less for files with holes.
    pub allocated_bytes: u64,
}

/// What `dir` takes, without what is below `aside`. Files are synced first: until then a file
/// system may not have decided.
///
/// # Errors
/// A file that cannot be looked at.
pub(crate) fn usage(dir: &Path, aside: Option<&Path>) -> Result<DiskUsage> {
    let mut usage = DiskUsage::default();
    let mut seen = HashSet::new();
    let mut pending = vec![dir.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(&dir).about(dir.display())? {
            let path = entry.about(dir.display())?.path();
            let metadata = fs::symlink_metadata(&path).about(path.display())?;
            if metadata.is_dir() {
                if aside != Some(&path) {
                    pending.push(path);
                }
            } else if metadata.is_file() && seen.insert((metadata.dev(), metadata.ino())) {
                let file = File::open(&path).about(path.display())?;
                file.sync_all().about(path.display())?;
                let metadata = file.metadata().about(path.display())?;
                usage.apparent_bytes += metadata.len();
                usage.allocated_bytes += metadata.blocks() * 512;
            }
        }
    }
    Ok(usage)
}

/// The type of the file system that a directory is on, such as `ext4`.
///
/// # Errors
/// The directory is not there; `/proc` does not tell.
pub fn file_system(dir: &Path) -> Result<String> {
    let dir = fs::canonicalize(dir).about(dir.display())?;
    let mounts = fs::read_to_string("/proc/self/mounts").about("/proc/self/mounts")?;
    file_system_of(&dir, &mounts)
        .ok_or_else(|| Error::new(format!("/proc/self/mounts has no {}", dir.display())))
}

/// From a table of mounts (fstab(5)), where the longest path wins, and of those the last.
fn file_system_of(dir: &Path, mounts: &str) -> Option<String> {
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?.replace("\\040", " "), fields.next()?))
    });
    let above = mounts.filter(|(path, _)| dir.starts_with(path));
    above
        .max_by_key(|(path, _)| path.len())
        .map(|(_, kind)| kind.to_owned())
}

/// Refuses a directory that is in memory: bytes on disk and the cost of syncs are part of what
/// is measured.
///
/// # Errors
/// The directory is in memory, or is not there.
pub fn must_be_on_disk(dir: &Path) -> Result<()> {
    let kind = file_system(dir)?;
    if ["tmpfs", "ramfs"].contains(&kind.as_str()) {
        let dir = dir.display();
        return Err(Error::new(format!(
            "{dir} is on {kind}, in memory: name a directory on disk with --work-dir"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_mount_wins() {
        let mounts = "a / ext4 rw 0 0\nb /tmp tmpfs rw 0 0\nc /tmp/x\\040y xfs rw 0 0\n\
                      d /tm btrfs rw 0 0\ne / overlay rw 0 0\n";
        let of = |dir: &str| file_system_of(Path::new(dir), mounts);
        assert_eq!(of("/tmp/a").as_deref(), Some("tmpfs"));
        assert_eq!(of("/tmp/x y/z").as_deref(), Some("xfs"));
        assert_eq!(of("/var").as_deref(), Some("overlay"));
    }

    #[test]
    fn files_count_once_and_what_is_aside_not() -> Result<()> {
        let dir = tempfile::tempdir().about("temporary directory")?;
        let aside = dir.path().join("a/snapshots");
        fs::create_dir_all(&aside).about("create")?;
        fs::write(dir.path().join("a/one"), [7; 5_000]).about("write")?;
        fs::hard_link(dir.path().join("a/one"), dir.path().join("two")).about("link")?;
        fs::write(aside.join("three"), [7; 100]).about("write")?;
        let without = usage(dir.path(), Some(&aside))?;
        assert_eq!(without.apparent_bytes, 5_000);
        assert!(without.allocated_bytes >= 5_000);
        assert_eq!(usage(dir.path(), None)?.apparent_bytes, 5_100);
        assert!(file_system(&dir.path().join("x")).is_err());
        Ok(())
    }
}
