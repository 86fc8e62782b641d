//! The files of a directory that the manifest names, and those that nobody names.

use std::io;
use std::path::{Path, PathBuf};

use tracing::{error, warn};

use crate::error::{Error, ErrorKind};
use crate::index::stored::IndexError;
use crate::manifest::{self, Manifest, ManifestError, SegmentEntry};
use crate::model::{Seq, TimeRange};
use crate::section::SectionError;
use crate::segment::{self, Segment, SegmentError, SegmentInfo};
use crate::sys::Sys;

/// What follows the name of a segment that cannot be read and that no manifest names.
const SET_ASIDE: &str = ".damaged";

/// What a directory holds besides its log.
#[derive(Debug)]
pub struct Files {
    /// Which files count.
    pub manifest: Manifest,
    /// Those of them that can be read, in the order of their seqs.
    pub segments: Vec<Segment>,
    /// How many cannot.
    pub damaged: u64,
}

/// Where the segments of a data directory are.
pub fn segments_dir(dir: &Path) -> PathBuf {
    dir.join("segments")
}

/// Whether a file of that name in the directory of segments is ours: a segment, one that was being
/// written when a crash came, or one that was set aside.
pub fn is_file_name(name: &str) -> bool {
    segment::is_file_name(name.strip_suffix(SET_ASIDE).unwrap_or(name))
}

/// Opens what the manifest of `dir` names and removes what a crash left behind.
///
/// A segment that cannot be opened is named in the log, left where it is, and left out: the
/// rest is served. A manifest that cannot be read is put together anew from the segments.
///
/// # Errors
/// [`ErrorKind::Incompatible`] for files of a newer version, [`ErrorKind::Io`].
pub fn open(sys: &Sys, dir: &Path) -> Result<Files, Error> {
    let segments_dir = segments_dir(dir);
    let created = sys.disk.create_dir_all(&segments_dir);
    created.map_err(io_error("create", &segments_dir))?;
    match manifest::load(sys, dir) {
        Ok(Some(manifest)) => {
            remove_strays(sys, &segments_dir, &manifest)?;
            open_named(sys, &segments_dir, manifest)
        }
        Ok(None) => put_together(sys, dir, &segments_dir),
        Err(ManifestError::Damaged { path, reason }) => {
            error!(
                manifest = %path.display(),
                reason,
                "the manifest is damaged: it is put together anew from the segments"
            );
            put_together(sys, dir, &segments_dir)
        }
        Err(cause) => Err(manifest_error(cause)),
    }
}

fn open_named(sys: &Sys, segments_dir: &Path, manifest: Manifest) -> Result<Files, Error> {
    let mut segments = Vec::with_capacity(manifest.segments.len());
    let mut damaged = 0;
    for entry in &manifest.segments {
        let path = segment::path(segments_dir, entry.number);
        match Segment::open(sys, &path) {
            Ok(segment) => segments.push(segment),
            Err(cause @ SegmentError::Newer { .. }) => return Err(segment_error(cause)),
            Err(cause) => {
                error!(error = %cause, "a segment is left out; everything else is served");
                damaged += 1;
            }
        }
    }
    Ok(Files {
        manifest,
        segments,
        damaged,
    })
}

/// Removes segments that no manifest names: a crash came before they were named, and what is in
/// them is in the log still. They are gone for good: one that came back would tell less of its
/// epoch than the log does by then, and be believed should the manifest be lost.
fn remove_strays(sys: &Sys, segments_dir: &Path, manifest: &Manifest) -> Result<(), Error> {
    let mut is_changed = false;
    for name in list(sys, segments_dir)? {
        let number = segment::number_of(&name);
        let is_named = manifest.segments.iter().any(|s| Some(s.number) == number);
        if is_named || !segment::is_file_name(&name) {
            continue;
        }
        warn!(
            file = name,
            "a segment that was not finished before a crash is removed"
        );
        let path = segments_dir.join(&name);
        sys.disk.remove(&path).map_err(io_error("remove", &path))?;
        is_changed = true;
    }
    if is_changed {
        sync(sys, segments_dir)?;
    }
    Ok(())
}

/// Rebuilds the manifest and stores it, of an empty directory too: from then on it tells if one
/// of the segments is lost, which nothing else does, and that a file it does not name was never
/// finished. A full disk has it stored with the next flush.
fn put_together(sys: &Sys, dir: &Path, segments_dir: &Path) -> Result<Files, Error> {
    let mut files = rebuild(sys, segments_dir)?;
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

/// The manifest that the segments themselves give: each is whole if it has its name, and tells
/// which writes it holds.
///
/// One that was never named may be among them: what it holds is in the log too, and is passed
/// over there. One that cannot be read is set aside, as nothing tells where it belongs. All of it
/// is durable when this returns: what was shown once must not be gone after a crash.
fn rebuild(sys: &Sys, segments_dir: &Path) -> Result<Files, Error> {
    let mut segments = Vec::new();
    let mut damaged = 0;
    let mut next_segment = 0;
    for name in list(sys, segments_dir)? {
        let Some(number) = segment::number_of(&name) else {
            continue;
        };
        next_segment = next_segment.max(number + 1);
        let path = segments_dir.join(&name);
        match Segment::open(sys, &path) {
            Ok(segment) => segments.push(segment),
            Err(cause @ SegmentError::Newer { .. }) => return Err(segment_error(cause)),
            Err(cause) => {
                error!(error = %cause, "a segment is set aside; everything else is served");
                let aside = segments_dir.join(name + SET_ASIDE);
                let renamed = sys.disk.rename(&path, &aside);
                renamed.map_err(io_error("rename", &path))?;
                damaged += 1;
            }
        }
    }
    if next_segment > 0 {
        sync(sys, segments_dir)?;
    }
    // Two of the same writes: the first was not named before the second was written.
    segments.sort_by_key(|segment| (segment.seqs().first, segment.info().number));
    segments.dedup_by_key(|segment| segment.seqs().first);
    // One that was set aside is in a gap too.
    let gaps = gaps(&segments);
    if gaps > damaged {
        error!(gaps, "segments are missing; everything else is served");
    }
    let damaged = damaged.max(gaps);
    let entries: Vec<SegmentEntry> = segments.iter().map(|s| entry(s.info())).collect();
    let manifest = Manifest {
        generation: 0,
        covered_seq: entries.last().map_or(Seq::ZERO, |entry| entry.last_seq),
        last_epoch: entries.iter().map(|entry| entry.epoch).max().unwrap_or(0),
        segments: entries,
        next_segment,
        ..Manifest::default()
    };
    Ok(Files {
        manifest,
        segments,
        damaged,
    })
}

/// How often writes are missing before a segment: its first follows the last of the one before.
fn gaps(segments: &[Segment]) -> u64 {
    let mut last = Seq::ZERO;
    let mut gaps = 0;
    for seqs in segments.iter().map(Segment::seqs) {
        gaps += u64::from(seqs.first > last.next());
        last = seqs.last;
    }
    gaps
}

/// What the manifest says of a segment.
pub fn entry(info: &SegmentInfo) -> SegmentEntry {
    /// A range that holds nothing.
    const NO_TIME: TimeRange = TimeRange {
        start_ms: i64::MAX,
        end_ms: i64::MIN,
    };
    SegmentEntry {
        number: info.number,
        epoch: info.origin.epoch,
        first_seq: info.origin.seqs.first,
        last_seq: info.origin.seqs.last,
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
pub fn segment_error(cause: SegmentError) -> Error {
    let kind = match &cause {
        _ if cause.is_full() => ErrorKind::Full,
        SegmentError::Io { .. } | SegmentError::TooLarge { .. } => ErrorKind::Io,
        SegmentError::Section { source, .. }
        | SegmentError::Index {
            source: IndexError::Section { source, .. },
            ..
        } if matches!(source, SectionError::Io { .. }) => ErrorKind::Io,
        SegmentError::Newer { .. } => ErrorKind::Incompatible,
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

fn sync(sys: &Sys, dir: &Path) -> Result<(), Error> {
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

#[cfg(test)]
mod tests;
