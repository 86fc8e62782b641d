//! What holds of a data directory whose files are any bytes.

use std::path::{Path, PathBuf};

use super::{Db, View};
use crate::fuzz::files::{DIR, NOW_MS, files_of, options, put, some_directories};
use crate::fuzz::{CUT, Input, join, parts};
use crate::model::{Labels, MatchOp, Matcher, Sample, TimeRange};
use crate::sys::Sys;
use crate::sys::sim::SimDisk;
use crate::{Error, ErrorKind};

/// The files of a directory, each a part: a byte for which file it is, another for its number,
/// and its bytes, or what it is put together from. A directory that opens can be read, flushed,
/// merged and closed, and holds the same when it is opened once more, and, where nothing is
/// damaged, when its files are merged; one that does not says why.
pub(crate) fn run(data: &[u8]) -> bool {
    let disk = SimDisk::new(0);
    let sys = disk.sys(NOW_MS);
    for part in parts(data) {
        let mut input = Input(part);
        let (path, bytes) = file(input.byte(), input.byte(), input.0);
        // A second file of one name is left out.
        let _exists = put(&sys, &path, &bytes);
    }
    let first = match opened(&sys) {
        Ok(shown) => shown,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            let is_of_bytes = matches!(error.kind(), ErrorKind::Incompatible | ErrorKind::Corrupt);
            assert!(is_of_bytes, "{error:?}");
            return false;
        }
    };
    let again = opened(&sys);
    assert!(again.is_ok(), "{again:?}");
    let (samples, is_whole) = first;
    // In the order of labels: files may be merged as soon as the database is open.
    let again = again.map(|(again, _)| sorted(&again));
    assert_eq!(again.ok(), Some(sorted(&samples)));
    let merged = merged(&sys);
    if is_whole && let Some(merged) = merged {
        assert_eq!(sorted(&merged), sorted(&samples));
    }
    is_whole
}

/// Series in the order of their labels: which came first nobody can tell after a merge. As text: no
/// NaN is equal to itself.
fn sorted(series: &[(Labels, Vec<Sample>)]) -> Vec<String> {
    let mut texts: Vec<String> = series.iter().map(|one| format!("{one:?}")).collect();
    texts.sort();
    texts
}

/// What a directory holds once its log is written out and its files are merged, if they can be.
fn merged(sys: &Sys) -> Option<Vec<(Labels, Vec<Sample>)>> {
    let db = Db::open_with(sys.clone(), DIR, options()).ok()?;
    db.flush().and_then(|()| db.compact()).ok()?;
    let shown = shown(&db.view()).ok();
    let closed = db.close();
    assert!(closed.is_ok(), "{closed:?}");
    shown
}

/// Kinds of files.
const FORMAT: u8 = 0;
const MANIFEST: u8 = 1;
const LOG: u8 = 2;
const SEGMENT: u8 = 3;
const BLOCK: u8 = 4;
/// The same, and the manifest, of which the checksums are put right.
const MENDED_MANIFEST: u8 = 5;
const MENDED_SEGMENT: u8 = 6;
const MENDED_BLOCK: u8 = 7;
const KINDS: u8 = 8;

fn file(kind: u8, number: u8, bytes: &[u8]) -> (PathBuf, Vec<u8>) {
    let (dir, number) = (Path::new(DIR), u64::from(number));
    let kind = kind % KINDS;
    let path = match kind {
        FORMAT => dir.join("FORMAT"),
        LOG => dir.join(format!("wal/{number:020}.wal")),
        SEGMENT | MENDED_SEGMENT => crate::segment::path(&dir.join("segments"), number),
        BLOCK | MENDED_BLOCK => crate::block::path(&dir.join("blocks"), number),
        _ => dir.join(crate::manifest::FILE_NAME),
    };
    let bytes = match kind {
        MENDED_MANIFEST => crate::manifest::fuzz::mended(bytes),
        MENDED_SEGMENT => crate::segment::fuzz::file(number, &uncut(bytes)),
        MENDED_BLOCK => crate::block::fuzz::file(number, &uncut(bytes)),
        _ => bytes.to_vec(),
    };
    (path, bytes)
}

/// The cut between the parts of a file within an input of several files.
const INNER_CUT: &[u8] = b"\xffcut\xff";

/// The parts of a file as it alone would have them.
fn uncut(bytes: &[u8]) -> Vec<u8> {
    replaced(bytes, INNER_CUT, CUT)
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), bytes);
    while let Some((&byte, after)) = rest.split_first() {
        match rest.strip_prefix(from) {
            Some(after) => {
                out.extend_from_slice(to);
                rest = after;
            }
            None => {
                out.push(byte);
                rest = after;
            }
        }
    }
    out
}

type Shown = (Vec<(Labels, Vec<Sample>)>, bool);

/// All that the directory holds; whether nothing of it was damaged.
fn opened(sys: &Sys) -> Result<Shown, Error> {
    let db = Db::open_with(sys.clone(), DIR, options())?;
    let damage = db.stats().replay_damage;
    let view = db.view();
    let shown = shown(&view)?;
    let is_whole = view.read_damage().is_empty() && damage == 0;
    drop(view);
    let closed = db.close();
    assert!(closed.is_ok(), "{closed:?}");
    Ok((shown, is_whole))
}

fn shown(view: &View) -> Result<Vec<(Labels, Vec<Sample>)>, Error> {
    let Ok(everything) = Matcher::new(MatchOp::NotEqual, "none", "such") else {
        return Ok(Vec::new());
    };
    let selection = view.select(&[everything], TimeRange::ALL)?;
    let mut series = Vec::new();
    for place in 0..selection.len() {
        let mut points = Vec::new();
        selection.points(place, &mut points)?;
        assert!(points.is_sorted_by(|one, other| one.timestamp_ms < other.timestamp_ms));
        series.push((selection.labels(place), points));
    }
    view.exemplars(&[], TimeRange::ALL)?;
    view.metadata(None)?;
    view.label_names(&[], TimeRange::ALL)?;
    Ok(series)
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let disks = some_directories().unwrap_or_default();
    let disks = disks.iter().map(|disk| disk.sys(NOW_MS));
    disks
        .flat_map(|sys| [seed(&sys, false), seed(&sys, true)])
        .collect()
}

/// The files of a database as they are, or put together anew, without the manifest that has their
/// lengths.
fn seed(sys: &Sys, mended: bool) -> Vec<u8> {
    let mut parts = Vec::new();
    for folder in ["", "wal", "segments", "blocks"] {
        for (path, bytes) in files_of(sys, folder) {
            let name = path.file_stem().and_then(|stem| stem.to_str());
            let number = name.and_then(|stem| stem.parse().ok()).unwrap_or(0);
            let apart = match path.extension().and_then(|end| end.to_str()) {
                Some("seg") if mended => (MENDED_SEGMENT, crate::segment::fuzz::apart(&bytes)),
                Some("blk") if mended => (MENDED_BLOCK, crate::block::fuzz::apart(&bytes)),
                Some("wal") => (LOG, Some(bytes)),
                Some("seg") => (SEGMENT, Some(bytes)),
                Some("blk") => (BLOCK, Some(bytes)),
                _ if path.ends_with("FORMAT") => (FORMAT, Some(bytes)),
                _ if path.ends_with(crate::manifest::FILE_NAME) && !mended => {
                    (MANIFEST, Some(bytes))
                }
                _ => (0, None),
            };
            if let (kind, Some(bytes)) = apart {
                let bytes = replaced(&bytes, CUT, INNER_CUT);
                parts.push([&[kind, number][..], &bytes].concat());
            }
        }
    }
    join(&parts)
}
