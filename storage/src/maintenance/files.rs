//! The files of a directory that the manifest names, and those that nobody names.

mod believed;
mod rebuild;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use tracing::{error, warn};

use self::rebuild::rebuild;
use super::merge::MergeError;
use super::plan::{SourceEntry, SourceId};
use super::stored::Stored;
use crate::block::{self, Block, BlockInfo};
use crate::error::{Error, ErrorKind};
use crate::immutable::{FileError, SeqRange};
use crate::index::stored::IndexError;
use crate::manifest::{self, BlockEntry, Manifest, ManifestError, SegmentEntry};
use crate::model::TimeRange;
use crate::section::SectionError;
use crate::segment::{self, Segment, SegmentInfo};
use crate::sys::Sys;

/// What follows the name of a file that cannot be read and that no manifest names.
const SET_ASIDE: &str = ".damaged";

/// What a directory holds besides its log.
#[derive(Debug)]
pub struct Files {
    /// Which files count.
    pub manifest: Manifest,
    /// Those of them that can be read, in the order in which they count.
    pub stored: Vec<Stored>,
    /// Those of them that cannot be opened.
    pub unopened: Vec<SourceEntry>,
    /// How many cannot, with those that the manifest does not tell of.
    pub damaged: u64,
}

/// A directory with files of one kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Folder {
    /// With segments.
    Segments,
    /// With blocks.
    Blocks,
}

impl Folder {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Segments, Self::Blocks];

    /// Where it is in the data directory `dir`.
    pub fn path(self, dir: &Path) -> PathBuf {
        dir.join(match self {
            Self::Segments => "segments",
            Self::Blocks => "blocks",
        })
    }

    /// Whether a file of that name in it is ours: one with samples, one that was being written
    /// when a crash came, or one that was set aside.
    pub fn is_file_name(self, name: &str) -> bool {
        self.is_written_name(name.strip_suffix(SET_ASIDE).unwrap_or(name))
    }

    /// The same, without those that were set aside.
    fn is_written_name(self, name: &str) -> bool {
        match self {
            Self::Segments => segment::is_file_name(name),
            Self::Blocks => block::is_file_name(name),
        }
    }

    /// The file of that name; none for a name that is not that of a whole file.
    fn id_of(self, name: &str) -> Option<SourceId> {
        match self {
            Self::Segments => segment::number_of(name).map(SourceId::Segment),
            Self::Blocks => block::number_of(name).map(SourceId::Block),
        }
    }
}

impl SourceId {
    /// Where the file is in the data directory `dir`.
    pub fn path(self, dir: &Path) -> PathBuf {
        match self {
            Self::Segment(number) => segment::path(&self.folder().path(dir), number),
            Self::Block(number) => block::path(&self.folder().path(dir), number),
        }
    }

    /// Which files it is among.
    pub fn folder(self) -> Folder {
        match self {
            Self::Segment(_) => Folder::Segments,
            Self::Block(_) => Folder::Blocks,
        }
    }
}

/// Opens a file of the data directory `dir`.
///
/// # Errors
/// [`FileError::Io`], [`FileError::Damaged`], [`FileError::Newer`]
pub fn open_one(sys: &Sys, dir: &Path, id: SourceId) -> Result<Stored, FileError> {
    let path = id.path(dir);
    Ok(match id {
        SourceId::Segment(_) => Segment::open(sys, &path)?.into(),
        SourceId::Block(_) => Block::open(sys, &path)?.into(),
    })
}

/// Opens what the manifest of `dir` names and removes what a crash left behind.
///
/// A file that cannot be opened is named in the log, left where it is, and left out: the rest is
/// served. A manifest that cannot be read is put together anew from the files.
///
/// # Errors
/// [`ErrorKind::Incompatible`] for files of a newer version, [`ErrorKind::Io`].
pub fn open(sys: &Sys, dir: &Path) -> Result<Files, Error> {
    for folder in Folder::ALL.map(|folder| folder.path(dir)) {
        let created = sys.disk.create_dir_all(&folder);
        created.map_err(io_error("create", &folder))?;
    }
    match manifest::load(sys, dir) {
        Ok(Some(manifest)) => {
            remove_strays(sys, dir, &manifest)?;
            open_named(sys, dir, manifest)
        }
        Ok(None) => put_together(sys, dir),
        Err(ManifestError::Damaged { path, reason }) => {
            error!(
                manifest = %path.display(),
                reason,
                "the manifest is damaged: it is put together anew from the files"
            );
            put_together(sys, dir)
        }
        Err(cause) => Err(manifest_error(cause)),
    }
}

fn open_named(sys: &Sys, dir: &Path, manifest: Manifest) -> Result<Files, Error> {
    let mut stored = Vec::new();
    let mut unopened = Vec::new();
    for entry in entries(&manifest) {
        match open_one(sys, dir, entry.id) {
            Ok(file) => stored.push(file),
            Err(cause @ FileError::Newer { .. }) => return Err(file_error(cause)),
            Err(cause) => {
                error!(error = %cause, "a file is left out; everything else is served");
                unopened.push(SourceEntry {
                    is_fixed: true,
                    ..entry
                });
            }
        }
    }
    stored.sort_by_key(Stored::place);
    Ok(Files {
        manifest,
        stored,
        damaged: unopened.len() as u64,
        unopened,
    })
}

/// Removes files that no manifest names: a crash came before they were named, and what is in them
/// is in the log or in other files still; or they were merged, and a crash came before they were
/// removed. They are gone for good: one that came back would tell less than others do by then, and
/// be believed should the manifest be lost.
fn remove_strays(sys: &Sys, dir: &Path, manifest: &Manifest) -> Result<(), Error> {
    let named: Vec<SourceId> = entries(manifest).map(|entry| entry.id).collect();
    for folder in Folder::ALL {
        let path = folder.path(dir);
        let mut is_changed = false;
        for name in list(sys, &path)? {
            let is_named = folder.id_of(&name).is_some_and(|id| named.contains(&id));
            if is_named || !folder.is_written_name(&name) {
                continue;
            }
            warn!(
                file = name,
                "a file that was not finished or not removed before a crash is removed"
            );
            let path = path.join(&name);
            sys.disk.remove(&path).map_err(io_error("remove", &path))?;
            is_changed = true;
        }
        if is_changed {
            sync(sys, &path)?;
        }
    }
    Ok(())
}

/// Rebuilds the manifest and stores it, of an empty directory too: from then on it tells if one
/// of the files is lost, which nothing else does, and that a file it does not name does not count.
/// A full disk has it stored with the next flush.
fn put_together(sys: &Sys, dir: &Path) -> Result<Files, Error> {
    let mut files = rebuild(sys, dir)?;
    let manifest = Manifest {
        generation: files.manifest.generation + 1,
        ..files.manifest.clone()
    };
    match manifest::store(sys, dir, &manifest).map_err(manifest_error) {
        Ok(()) => files.manifest = manifest,
        Err(cause) if cause.kind() == ErrorKind::Full => {
            warn!(error = %cause, "no room for the manifest; it is stored with the next flush");
        }
        Err(cause) => return Err(cause),
    }
    Ok(files)
}

/// A range that holds nothing.
const NO_TIME: TimeRange = TimeRange {
    start_ms: i64::MAX,
    end_ms: i64::MIN,
};

/// The files that a manifest names.
fn entries(manifest: &Manifest) -> impl Iterator<Item = SourceEntry> {
    let source = |id, first, last, range: TimeRange, bytes| SourceEntry {
        id,
        seqs: SeqRange { first, last },
        range: (range.start_ms <= range.end_ms).then_some(range),
        bytes,
        is_fixed: false,
    };
    let segments = manifest.segments.iter().map(move |own| {
        let id = SourceId::Segment(own.number);
        source(id, own.first_seq, own.last_seq, own.range, own.bytes)
    });
    let blocks = manifest.blocks.iter().map(move |own| {
        let id = SourceId::Block(own.number);
        source(id, own.first_seq, own.last_seq, own.range, own.bytes)
    });
    segments.chain(blocks)
}

/// What the manifest says of a segment.
pub fn segment_entry(info: &SegmentInfo) -> SegmentEntry {
    SegmentEntry {
        number: info.number,
        epoch: info.origin.epoch,
        first_seq: info.origin.seqs.first,
        last_seq: info.origin.seqs.last,
        bytes: info.bytes,
        range: info.range.unwrap_or(NO_TIME),
    }
}

/// What the manifest says of a block.
pub fn block_entry(info: &BlockInfo) -> BlockEntry {
    BlockEntry {
        number: info.number,
        first_seq: info.seqs.first,
        last_seq: info.seqs.last,
        bytes: info.bytes,
        range: info.range.unwrap_or(NO_TIME),
    }
}

/// As an error of the database.
pub fn manifest_error(cause: ManifestError) -> Error {
    let kind = match &cause {
        ManifestError::Io { source, .. } | ManifestError::InDoubt { source, .. }
            if is_full(source) =>
        {
            ErrorKind::Full
        }
        ManifestError::Io { .. } | ManifestError::InDoubt { .. } | ManifestError::Wrong { .. } => {
            ErrorKind::Io
        }
        ManifestError::Damaged { .. } => ErrorKind::Corrupt,
        ManifestError::Newer { .. } => ErrorKind::Incompatible,
    };
    Error::with_source(kind, cause.to_string(), cause)
}

/// As an error of the database.
pub fn merge_error(cause: MergeError) -> Error {
    let kind = match cause {
        MergeError::Source { source, .. } | MergeError::Output(source) => {
            return file_error(source);
        }
        MergeError::Cancelled => return Error::closed(),
        MergeError::Disorder { .. } => ErrorKind::Corrupt,
        MergeError::Outside { .. } | MergeError::Ranges | MergeError::TooLarge { .. } => {
            ErrorKind::Io
        }
    };
    Error::with_source(kind, cause.to_string(), cause)
}

/// As an error of the database.
pub fn file_error(cause: FileError) -> Error {
    let kind = match &cause {
        _ if cause.is_full() => ErrorKind::Full,
        FileError::Io { .. } | FileError::TooLarge { .. } => ErrorKind::Io,
        FileError::Section { source, .. }
        | FileError::Index {
            source: IndexError::Section { source, .. },
            ..
        } if matches!(source, SectionError::Io { .. }) => ErrorKind::Io,
        FileError::Index {
            source: IndexError::Ended(_),
            ..
        } => ErrorKind::Ended,
        FileError::Newer { .. } => ErrorKind::Incompatible,
        _ => ErrorKind::Corrupt,
    };
    Error::with_source(kind, cause.to_string(), cause)
}

fn is_full(error: &io::Error) -> bool {
    [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded].contains(&error.kind())
}

fn list(sys: &Sys, dir: &Path) -> Result<Vec<String>, Error> {
    sys.disk.list(dir).map_err(io_error("list", dir))
}

/// Removes a file of the data directory `dir`, if it is there.
///
/// # Errors
/// [`ErrorKind::Io`]
pub fn remove(sys: &Sys, dir: &Path, id: SourceId) -> Result<(), Error> {
    let path = id.path(dir);
    match sys.disk.remove(&path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(io_error("remove", &path)),
    }
}

/// Makes the names in a directory durable.
///
/// # Errors
/// [`ErrorKind::Io`]
pub fn sync(sys: &Sys, dir: &Path) -> Result<(), Error> {
    sys.disk
        .sync_dir(dir)
        .map_err(io_error("sync directory", dir))
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |cause| {
        let message = format!("cannot {action} {}: {cause}", path.display());
        Error::with_source(ErrorKind::Io, message, cause)
    }
}
