//! A manifest put together from the files.

use std::path::Path;

use tracing::{error, warn};

use super::believed::{Found, believe};
use super::{
    Files, Folder, SET_ASIDE, block_entry, file_error, io_error, list, open_one, segment_entry,
    sync,
};
use crate::block::InputKind;
use crate::error::Error;
use crate::immutable::FileError;
use crate::maintenance::plan::SourceId;
use crate::maintenance::stored::Stored;
use crate::manifest::Manifest;
use crate::model::Seq;
use crate::sys::Sys;

/// The manifest that the files themselves give: each is whole if it has its name, and tells which
/// writes it holds and which files it was made from.
///
/// A segment that was never named may be among them: what it holds is in the log too, and is
/// passed over there. One that cannot be read is set aside, as nothing tells where it belongs. All
/// of it is durable when this returns: what was shown once must not be gone after a crash.
pub(super) fn rebuild(sys: &Sys, dir: &Path) -> Result<Files, Error> {
    let mut manifest = Manifest::default();
    let mut opened = Vec::new();
    let mut set_aside = 0;
    for folder in Folder::ALL {
        let path = folder.path(dir);
        let mut is_any = false;
        for name in list(sys, &path)? {
            let Some(id) = folder.id_of(&name) else {
                continue;
            };
            is_any = true;
            note_number(&mut manifest, id);
            match open_one(sys, dir, id) {
                Ok(file) => opened.push(file),
                Err(cause @ FileError::Newer { .. }) => return Err(file_error(cause)),
                Err(cause) => {
                    error!(error = %cause, "a file is set aside; everything else is served");
                    let own = path.join(&name);
                    let renamed = sys.disk.rename(&own, &path.join(name + SET_ASIDE));
                    renamed.map_err(io_error("rename", &own))?;
                    set_aside += 1;
                }
            }
        }
        if is_any {
            sync(sys, &path)?;
        }
    }
    let found: Vec<Found> = opened.iter().map(found).collect();
    let believed = believe(&found);
    opened.retain(|file| {
        let is_live = believed.live.contains(&file.id());
        if !is_live {
            warn!(file = %file.path().display(), "a file that was merged or not named is left out");
        }
        is_live
    });
    opened.sort_by_key(Stored::place);
    // One that was set aside is missing too.
    let missing = believed.missing + gaps(&opened);
    if missing > set_aside {
        error!(missing, "files are missing; everything else is served");
    }
    name_all(&mut manifest, &opened);
    Ok(Files {
        manifest,
        stored: opened,
        unopened: Vec::new(),
        damaged: missing.max(set_aside),
    })
}

/// No file gets that number again.
fn note_number(manifest: &mut Manifest, id: SourceId) {
    let (next, number) = match id {
        SourceId::Segment(number) => (&mut manifest.next_segment, number),
        SourceId::Block(number) => (&mut manifest.next_block, number),
    };
    *next = number.saturating_add(1).max(*next);
}

fn found(file: &Stored) -> Found {
    let (inputs, outputs) = match file {
        Stored::Segment(_) => (Vec::new(), Vec::new()),
        Stored::Block(block) => {
            let inputs = block.info().inputs.iter().map(|input| match input.kind {
                InputKind::Segment => SourceId::Segment(input.number),
                InputKind::Block => SourceId::Block(input.number),
            });
            (inputs.collect(), block.info().outputs.clone())
        }
    };
    Found {
        id: file.id(),
        seqs: file.seqs(),
        range: file.range(),
        inputs,
        outputs,
    }
}

/// How often writes are missing: between the first and the last of all files each is in one.
fn gaps(files: &[Stored]) -> u64 {
    let mut last = Seq::ZERO;
    let mut gaps = 0;
    for seqs in files.iter().map(Stored::seqs) {
        gaps += u64::from(seqs.first > last.next());
        last = last.max(seqs.last);
    }
    gaps
}

/// Names the files in the manifest.
fn name_all(manifest: &mut Manifest, files: &[Stored]) {
    for file in files {
        manifest.covered_seq = manifest.covered_seq.max(file.seqs().last);
        match file {
            Stored::Segment(segment) => {
                let entry = segment_entry(segment.info());
                manifest.last_epoch = manifest.last_epoch.max(entry.epoch);
                manifest.segments.push(entry);
            }
            Stored::Block(block) => manifest.blocks.push(block_entry(block.info())),
        }
    }
    manifest.sort_blocks();
}
