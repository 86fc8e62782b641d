//! Reads a log back, tells a torn tail from damage, and leaves a log that can be written on.

use std::io;
use std::path::{Path, PathBuf};

use super::error::{ReplayError, SinkError, is_full};
use super::file::{self, FileHeader, HeaderError};
use super::frame::{self, FrameHeader, Parsed};
use super::ledger::Ledger;
use super::record::{DecodeError, decode_body};
use super::recovery::{Damage, DamageKind, Recovery, SeqRange, WalFile};
use super::source::{Seen, Source, SourceEpoch, Window};
use crate::model::{Batch, FloatRuns, FloatSlices, Seq};
use crate::sys::{Disk, Sys};

/// How to replay.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReplayOptions {
    /// Records up to this one are in segments or blocks: they are passed over, and nobody is
    /// told where they are damaged. A file that holds no later one is not read.
    pub covered_seq: Seq,
    /// Reads alone: cuts nothing, syncs nothing. Another process may be writing
    /// the log; what it has written whole is read.
    pub read_only: bool,
}

/// Takes the batches of a log, in order of seq, each with its epoch and with its floats, where those
/// do not stand in the batch ([`decode_body`]). Epochs rise with the seqs; the ids in a batch are
/// those of its epoch.
pub type Sink<'a> = dyn FnMut(u64, Batch, FloatSlices<'_>) -> Result<(), SinkError> + 'a;

/// Hands every record of the log in `dir` later than `options.covered_seq` to `sink`, in order.
///
/// What a crash left of a write that was never acknowledged is cut off, the directory is created
/// if there is none, and all that was handed on is durable when this returns; the next
/// [`Writer`](super::Writer) begins a new file. A file is read a piece at a time. No file is removed. With `options.read_only` none of that is done,
/// and a file that its owner drops meanwhile is an [`ReplayError::Io`] of the kind
/// [`io::ErrorKind::NotFound`].
///
/// # Errors
/// Files that cannot be read, cut or synced, files or records of a newer version, and what the
/// sink fails with. Damaged bytes are no error: they are in [`Recovery::damage`].
pub fn replay(
    sys: &Sys,
    dir: &Path,
    options: ReplayOptions,
    sink: &mut Sink<'_>,
) -> Result<Recovery, ReplayError> {
    let replay = Replay {
        disk: &*sys.disk,
        dir,
        options,
        sink,
        ledger: Ledger::new(options.covered_seq),
        recovery: Recovery::default(),
        window: Window::default(),
        floats: FloatRuns::default(),
    };
    replay.run()
}

struct Replay<'a, 's> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    options: ReplayOptions,
    sink: &'a mut Sink<'s>,
    ledger: Ledger,
    recovery: Recovery,
    /// What the file before was read with, kept for its memory.
    window: Window,
    /// The floats of the record before, for the same reason.
    floats: FloatRuns,
}

/// The part of a file that stays.
#[derive(Clone, Copy, Default)]
struct Kept {
    /// From here on nothing proves that the bytes are on the disk.
    unproven_at: usize,
    /// Where it ends.
    end: usize,
}

/// Follows which frames later ones prove to be durable.
#[derive(Default)]
struct Unproven {
    /// Where the first frame stands that was written after the last sync known of.
    at: usize,
    /// The seq of that sync.
    durable_seq: Option<Seq>,
}

impl Unproven {
    fn frame(&mut self, at: usize, header: FrameHeader) {
        if self.durable_seq < Some(header.durable_seq) {
            self.durable_seq = Some(header.durable_seq);
            self.at = at;
        }
    }

    fn kept(&self, end: usize) -> Kept {
        Kept {
            unproven_at: self.at.min(end),
            end,
        }
    }
}

/// What to do about bytes that are no good frame.
enum Gap {
    /// The rest of the file is zeros: room not used yet.
    End,
    /// What a crash left of writes that were never acknowledged.
    Torn,
    /// Durable bytes went bad; go on at the frame at `resume`, if there is one.
    Damage { resume: Option<usize> },
}

/// Wraps an error of the system.
fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ReplayError {
    move |source| ReplayError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

fn newer_file(path: PathBuf, version: u16) -> ReplayError {
    ReplayError::NewerFile {
        path,
        version,
        known: file::VERSION,
    }
}

/// Damage of which nobody knows yet what it cost.
fn damage(path: &Path, offset: usize, length: usize, kind: DamageKind) -> Damage {
    Damage {
        path: path.to_owned(),
        offset: offset as u64,
        length: length as u64,
        lost: None,
        kind,
    }
}

impl Replay<'_, '_> {
    fn run(mut self) -> Result<Recovery, ReplayError> {
        let numbers = self.numbers()?;
        let (first_read, passed_seq) = self.first_to_read(&numbers)?;
        let mut before = None;
        for (place, &number) in numbers.iter().enumerate() {
            if let Some(before) = before
                && number - before > 1
            {
                let kind = DamageKind::Files {
                    through: number - 1,
                };
                let path = file::path(self.dir, before + 1);
                self.ledger.add_gap(damage(&path, 0, 0, kind));
            }
            before = Some(number);
            if place < first_read {
                self.pass_over(number, passed_seq)?;
            } else {
                self.file(number, place + 1 == numbers.len())?;
            }
        }
        if !self.options.read_only {
            // A kill may have left a file whose name is not durable; the next one's will be.
            let sync = self.disk.sync_dir(self.dir);
            sync.map_err(io_error("sync directory", self.dir))?;
        }
        self.recovery.next_file_number = before.unwrap_or(0).checked_add(1);
        (self.recovery.last_seq, self.recovery.damage) = self.ledger.finish();
        Ok(self.recovery)
    }

    fn numbers(&self) -> Result<Vec<u64>, ReplayError> {
        if !self.options.read_only {
            let created = self.disk.create_dir_all(self.dir);
            created.map_err(io_error("create directory", self.dir))?;
        }
        let names = match self.disk.list(self.dir) {
            Err(error) if self.options.read_only && error.kind() == io::ErrorKind::NotFound => {
                Vec::new()
            }
            listed => listed.map_err(io_error("list directory", self.dir))?,
        };
        // Names of 20 digits sort as their numbers.
        Ok(names
            .iter()
            .filter_map(|name| file::number_of(name))
            .collect())
    }

    /// The place of the first file that has to be read, with a covered seq that no record in the
    /// files before it exceeds.
    ///
    /// A header vouches for the files before its own: they were complete when it was written, and
    /// hold no record later than its durable seq.
    fn first_to_read(&self, numbers: &[u64]) -> Result<(usize, Seq), ReplayError> {
        let covered = self.options.covered_seq;
        for (place, &number) in numbers.iter().enumerate().skip(1).rev() {
            if let (Some(header), _) = self.header_alone(number)?
                && header.durable_seq <= covered
            {
                return Ok((place, header.durable_seq));
            }
        }
        Ok((0, Seq::ZERO))
    }

    /// Lists a file without reading its records: they are covered.
    fn pass_over(&mut self, number: u64, last_seq: Seq) -> Result<(), ReplayError> {
        let (header, bytes) = self.header_alone(number)?;
        let epoch = header.map_or(1, |header| header.epoch);
        let epoch = self.recovery.last_epoch.max(epoch);
        self.recovery.last_epoch = epoch;
        self.recovery.files.push(WalFile {
            number,
            epoch,
            last_seq,
            bytes,
        });
        Ok(())
    }

    /// The header of a file, unless it is damaged, and the length of the file.
    fn header_alone(&self, number: u64) -> Result<(Option<FileHeader>, u64), ReplayError> {
        let path = file::path(self.dir, number);
        let file = self
            .disk
            .open_read(&path)
            .map_err(io_error("open", &path))?;
        let mut bytes = [0; file::HEADER_BYTES];
        let read = file.read_at(&mut bytes, 0);
        let read = read.map_err(io_error("read", &path))?;
        let length = file.len().map_err(io_error("read", &path))?;
        match FileHeader::decode(bytes.get(..read).unwrap_or_default(), number) {
            Ok(header) => Ok((Some(header), length)),
            Err(HeaderError::Newer { version }) => Err(newer_file(path, version)),
            Err(HeaderError::Damaged { .. }) => Ok((None, length)),
        }
    }

    fn file(&mut self, number: u64, is_last: bool) -> Result<(), ReplayError> {
        let path = file::path(self.dir, number);
        let is_mended = is_last && !self.options.read_only;
        let file = if is_mended {
            self.disk.open(&path)
        } else {
            self.disk.open_read(&path)
        };
        let file = file.map_err(io_error("open", &path))?;
        let window = std::mem::take(&mut self.window);
        let epoch = SourceEpoch::AtLeast(self.recovery.last_epoch.max(1));
        let source = Source::new(number, path.clone(), file, window, epoch);
        let mut source = source.map_err(io_error("read", &path))?;
        source.is_last = is_last;
        self.recovery.bytes += source.length() as u64;
        let kept = if self.header(&mut source)? {
            self.frames(&mut source)?
        } else {
            Kept::default()
        };
        if let SourceEpoch::Known(epoch) = source.epoch {
            self.recovery.last_epoch = epoch;
        }
        if is_mended {
            mend(&mut source, kept)?;
        }
        self.recovery.files.push(WalFile {
            number,
            epoch: source.epoch.get(),
            last_seq: self.ledger.last(),
            bytes: kept.end as u64,
        });
        self.window = source.into_window();
        Ok(())
    }

    /// Reads the file header; `false` where the file holds nothing.
    fn header(&mut self, source: &mut Source) -> Result<bool, ReplayError> {
        let held = source.hold(0, file::HEADER_BYTES);
        held.map_err(io_error("read", &source.path))?;
        let reason = match FileHeader::decode(source.after(0), source.number) {
            Ok(header) if source.epoch.may_be(header.epoch) => {
                source.epoch = SourceEpoch::Known(header.epoch);
                let missing = || damage(&source.path, 0, 0, DamageKind::Records);
                self.ledger.file(header.durable_seq, missing);
                return Ok(true);
            }
            Ok(_) => "the file header names an epoch before that of the file before",
            Err(HeaderError::Newer { version }) => {
                return Err(newer_file(source.path.clone(), version));
            }
            Err(HeaderError::Damaged { reason }) => reason,
        };
        let is_zero = source.is_zero_from(file::HEADER_BYTES);
        if is_zero.map_err(io_error("read", &source.path))? {
            // A header is durable before the first frame is written: a crash came while the file
            // was created. If it did hold records, the next file tells that they are missing.
            return Ok(false);
        }
        let length = source.length().min(file::HEADER_BYTES);
        let kind = DamageKind::Header { reason };
        self.ledger.add(damage(&source.path, 0, length, kind));
        Ok(true)
    }

    /// Reads the frames.
    fn frames(&mut self, source: &mut Source) -> Result<Kept, ReplayError> {
        let mut at = file::HEADER_BYTES.min(source.length());
        let mut read_again_at = None;
        let mut unproven = Unproven::default();
        loop {
            let held = source.hold_frame(at);
            held.map_err(io_error("read", &source.path))?;
            match source.parse(at) {
                Parsed::Frame { header, body, next } if header.seq > self.ledger.last() => {
                    self.record(source, at, header, body)?;
                    source.epoch = SourceEpoch::Known(header.epoch);
                    unproven.frame(at, header);
                    at = next;
                    continue;
                }
                Parsed::Newer { header, flags } => {
                    return Err(ReplayError::NewerRecord {
                        path: source.path.clone(),
                        offset: at as u64,
                        seq: header.seq,
                        reason: format!("the frame has the unknown flags {flags:#x}"),
                    });
                }
                _ => {}
            }
            match self.gap(source, at)? {
                Gap::End => return Ok(unproven.kept(at)),
                Gap::Damage { .. }
                    if self.options.read_only && source.is_last && read_again_at != Some(at) =>
                {
                    // The log may be growing while it is read: the frame may have been whole a
                    // moment later.
                    read_again_at = Some(at);
                    let read = source.read_again(at);
                    read.map_err(io_error("read", &source.path))?;
                }
                Gap::Torn => {
                    self.recovery.torn_bytes += (source.used_end(at) - at) as u64;
                    return Ok(unproven.kept(at));
                }
                Gap::Damage { resume } => {
                    let end = resume.unwrap_or(source.used_end(at));
                    let damage = damage(&source.path, at, end - at, DamageKind::Frames);
                    self.ledger.add_gap(damage);
                    for (_, seen) in source.headers(at) {
                        let (Seen::Whole(header) | Seen::Broken(header)) = seen;
                        if matches!(seen, Seen::Whole(_)) && header.seq > self.ledger.last() {
                            break;
                        }
                        self.ledger.skip(header.seq);
                    }
                    match resume {
                        Some(resume) => at = resume,
                        None => return Ok(unproven.kept(end)),
                    }
                }
            }
        }
    }

    /// Judges the bytes at `at`, which are no good frame.
    fn gap(&self, source: &mut Source, at: usize) -> Result<Gap, ReplayError> {
        let is_zero = source.is_zero_from(at);
        if is_zero.map_err(io_error("read", &source.path))? {
            return Ok(Gap::End);
        }
        let held = source.hold_rest(at);
        held.map_err(io_error("read", &source.path))?;
        let last = self.ledger.last();
        let mut was_durable = !source.is_last;
        let mut resume = None;
        for (place, seen) in source.headers(at) {
            let (Seen::Whole(header) | Seen::Broken(header)) = seen;
            if header.seq <= last {
                continue;
            }
            // The frame was written after a sync of something later than the last good record.
            was_durable |= header.durable_seq > last;
            if resume.is_none() && matches!(seen, Seen::Whole(_)) {
                resume = Some(place);
            }
            if was_durable && resume.is_some() {
                break;
            }
        }
        Ok(match was_durable {
            true => Gap::Damage { resume },
            false => Gap::Torn,
        })
    }

    fn record(
        &mut self,
        source: &Source,
        at: usize,
        header: FrameHeader,
        body: &[u8],
    ) -> Result<(), ReplayError> {
        let FrameHeader {
            seq,
            durable_seq,
            epoch,
        } = header;
        let missing = || damage(&source.path, at, 0, DamageKind::Records);
        self.ledger.record(seq, durable_seq, missing);
        if seq <= self.options.covered_seq {
            return Ok(());
        }
        let batch = match decode_body(seq, body, &mut self.floats) {
            Ok(batch) => batch,
            Err(error @ DecodeError::Newer { .. }) => {
                return Err(ReplayError::NewerRecord {
                    path: source.path.clone(),
                    offset: at as u64,
                    seq,
                    reason: error.to_string(),
                });
            }
            Err(error @ DecodeError::Corrupt { .. }) => {
                let reason = error.to_string();
                let length = frame::frame_bytes(body.len());
                self.ledger.add(Damage {
                    lost: Some(SeqRange {
                        first: seq,
                        last: seq,
                    }),
                    ..damage(&source.path, at, length, DamageKind::Body { reason })
                });
                return Ok(());
            }
        };
        self.recovery.records += 1;
        self.recovery.definitions += batch.definitions.len() as u64;
        self.recovery.samples += (self.floats.count() + batch.sample_count()) as u64;
        (self.sink)(epoch, batch, self.floats.as_slices())
            .map_err(|source| ReplayError::Sink { seq, source })
    }
}

/// Makes the last file one that can be followed by another: cut to what is kept, and durable.
fn mend(source: &mut Source, kept: Kept) -> Result<(), ReplayError> {
    let Kept { unproven_at, end } = kept;
    if end < source.length() {
        let cut = source.file.set_len(end as u64);
        cut.map_err(io_error("cut", &source.path))?;
    }
    // After a kill these bytes may be in the page cache alone; and where a sync of them failed,
    // another one succeeds without writing them, unless they are written again.
    if let Err((action, error)) = source.rewrite(unproven_at, end)
        // A full disk that has no room even for this (it copies on write) is no reason not to
        // open: no sync has failed as a rule.
        && !is_full(&error)
    {
        return Err(io_error(action, &source.path)(error));
    }
    let sync = source.file.sync_data();
    sync.map_err(io_error("sync", &source.path))
}
