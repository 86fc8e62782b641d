//! Appends groups of records and makes them durable.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{WalError, is_full};
use super::file::{self, FileHeader};
use super::files::Files;
use super::frame::{self, FrameHeader};
use super::record::BODY_BYTES_MAX;
use super::recovery::{Recovery, WalFile};
use crate::model::Seq;
use crate::sys::{Disk, File, Sys};

/// Memory kept for framing between groups.
const BUFFER_BYTES_MAX: usize = 4 << 20;
/// A file is written to in pieces of this length, in bytes, with zeros behind the records.
///
/// A file system marks room that is reserved and was never written. The sync of a first write there
/// writes that mark as well, and waits for it: of ext4 the inode, or the journal. The sync of bytes
/// that were written before writes these bytes alone. So a piece costs one such sync, and the groups
/// that follow in it none.
pub(super) const AHEAD_BYTES: u64 = 256 << 10;
/// The epoch of a log that has no file yet.
const FIRST_EPOCH: u64 = 1;

/// How to write a log.
#[derive(Clone, Copy, Debug)]
pub struct WriterOptions {
    /// Length to which files are allocated, in bytes; a group that is longer gets a file of its
    /// own length.
    pub file_bytes_max: u64,
}

impl Default for WriterOptions {
    /// Files of 32 MiB.
    fn default() -> Self {
        Self {
            file_bytes_max: 32 << 20,
        }
    }
}

/// The end of a log. Created from what a [`replay`](super::replay) found, it begins a new file
/// with its first group: a file found at start is never written to again.
#[derive(Debug)]
pub struct Writer {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    options: WriterOptions,
    files: Files,
    /// The epoch of the current file, or of the next one.
    epoch: u64,
    /// Bytes of the complete files of that epoch.
    complete_bytes: u64,
    current: Option<Current>,
    /// `None` once all are used up.
    next_number: Option<u64>,
    last_seq: Seq,
    durable_seq: Seq,
    /// The frames of a group, kept for its memory.
    buffer: Vec<u8>,
    /// The failure after which nothing is written: on Linux a sync that follows a failed one
    /// succeeds without the bytes being on the disk.
    poison: Option<WalError>,
}

/// The file that is written to.
#[derive(Debug)]
struct Current {
    file: Box<dyn File>,
    path: PathBuf,
    number: u64,
    /// Where the next frame goes.
    end: u64,
    /// Up to where bytes were written, records or zeros. Whoever goes beyond makes the file system
    /// note that reserved room is in use now.
    written_end: u64,
    /// Where the reserved room ends.
    room_end: u64,
}

impl Current {
    /// Up to where bytes are to be written by a group that ends at `end`.
    fn written_end_after(&self, end: u64) -> u64 {
        match end > self.written_end {
            true => end.next_multiple_of(AHEAD_BYTES).min(self.room_end),
            false => self.written_end,
        }
    }
}

impl Writer {
    /// A writer that goes on after the log in `dir` that was replayed. Touches no file yet, so
    /// that a database opens on a full disk. It goes on with the last epoch of the log, or the
    /// first; [`Writer::begin_epoch`] begins another.
    pub fn new(sys: &Sys, dir: &Path, recovery: &Recovery, options: WriterOptions) -> Self {
        let epoch = recovery.last_epoch.max(FIRST_EPOCH);
        let of_epoch = recovery.files.iter().filter(|file| file.epoch == epoch);
        Self {
            disk: Arc::clone(&sys.disk),
            dir: dir.to_owned(),
            options,
            epoch,
            complete_bytes: of_epoch.map(|file| file.bytes).sum(),
            files: Files::new(Arc::clone(&sys.disk), dir, recovery.files.clone()),
            current: None,
            next_number: recovery.next_file_number,
            last_seq: recovery.last_seq,
            durable_seq: recovery.last_seq,
            buffer: Vec::new(),
            poison: None,
        }
    }

    /// The highest seq appended.
    #[cfg(test)]
    pub fn last_seq(&self) -> Seq {
        self.last_seq
    }

    /// The highest seq of which it is certain that a crash does not harm it or those before.
    #[cfg(test)]
    pub fn durable_seq(&self) -> Seq {
        self.durable_seq
    }

    /// The files of the log, to be counted and dropped by whoever wants to.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// The epoch that the next group belongs to.
    #[cfg(test)]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Bytes of the files of that epoch, without the room that is reserved and not used.
    pub fn epoch_bytes(&self) -> u64 {
        self.complete_bytes + self.current.as_ref().map_or(0, |current| current.end)
    }

    /// Up to where the current file was written, and where its room ends; none without a file.
    #[cfg(test)]
    pub fn written_and_room(&self) -> Option<(u64, u64)> {
        let current = self.current.as_ref()?;
        Some((current.written_end, current.room_end))
    }

    /// Why the writer takes nothing more, if it does not.
    #[cfg(test)]
    pub fn poison(&self) -> Option<&WalError> {
        self.poison.as_ref()
    }

    /// Appends a group of records, given by seq and body, with one write. They are in the log
    /// together or, where this fails, none of them is acknowledged by a later sync.
    ///
    /// Each seq is higher than the one before, and than every one appended so far; gaps may be
    /// left.
    ///
    /// # Errors
    /// See [`WalError`]. After [`WalError::Poisoned`] whatever is tried gives the same error;
    /// after any other the writer is as it was before.
    pub fn append<'a, I>(&mut self, records: I) -> Result<(), WalError>
    where
        I: IntoIterator<Item = (Seq, &'a [u8])>,
        I::IntoIter: Clone,
    {
        self.check_poison()?;
        let records = records.into_iter();
        let mut last = self.last_seq;
        let mut group_bytes = 0u64;
        for (seq, body) in records.clone() {
            if seq <= last {
                return Err(WalError::Order { seq, last });
            }
            if body.len() > BODY_BYTES_MAX {
                return Err(WalError::TooLarge {
                    seq,
                    bytes: body.len(),
                    max: BODY_BYTES_MAX,
                });
            }
            last = seq;
            group_bytes += frame::frame_bytes(body.len()) as u64;
        }
        if group_bytes == 0 {
            return Ok(());
        }
        self.make_room(group_bytes)?;
        self.write(records)?;
        self.last_seq = last;
        Ok(())
    }

    /// Makes all that was appended durable.
    ///
    /// # Errors
    /// [`WalError::Poisoned`], now and from now on.
    pub fn sync(&mut self) -> Result<(), WalError> {
        self.check_poison()?;
        if let Some(current) = &self.current
            && self.durable_seq < self.last_seq
        {
            if let Err(error) = current.file.sync_data() {
                let path = current.path.clone();
                return Err(self.poisoned("sync", path, error));
            }
            self.durable_seq = self.last_seq;
        }
        Ok(())
    }

    /// Syncs and completes the current file, so that the next group begins another and
    /// [`Files::drop_through`] may drop this one.
    ///
    /// # Errors
    /// As [`Writer::sync`].
    pub fn complete_file(&mut self) -> Result<(), WalError> {
        self.sync()?;
        if let Some(current) = self.current.take() {
            self.complete_bytes += current.end;
            self.files.complete(WalFile {
                number: current.number,
                epoch: self.epoch,
                last_seq: self.last_seq,
                bytes: current.end,
            });
        }
        Ok(())
    }

    /// Ends the current epoch: completes the current file, so that the next group begins a file
    /// of `epoch`. Does nothing where that is the current one. Makes no file, so that there need
    /// be no room for one.
    ///
    /// # Errors
    /// [`WalError::Epoch`] where `epoch` lies before the current one; those of [`Writer::sync`].
    /// The epoch is then the same as before.
    pub fn begin_epoch(&mut self, epoch: u64) -> Result<(), WalError> {
        self.check_poison()?;
        if epoch < self.epoch {
            let current = self.epoch;
            return Err(WalError::Epoch { epoch, current });
        }
        if epoch > self.epoch {
            self.complete_file()?;
            self.epoch = epoch;
            self.complete_bytes = 0;
        }
        Ok(())
    }

    fn check_poison(&self) -> Result<(), WalError> {
        match &self.poison {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    fn poisoned(&mut self, action: &'static str, path: PathBuf, source: io::Error) -> WalError {
        let error = WalError::Poisoned {
            action,
            path,
            source: Arc::new(source),
        };
        self.poison = Some(error.clone());
        error
    }

    /// Sees to it that there is a current file with room for a group.
    fn make_room(&mut self, group_bytes: u64) -> Result<(), WalError> {
        if let Some(current) = &self.current
            && current.end + group_bytes <= current.room_end
        {
            return Ok(());
        }
        // A file is whole and durable before the next one exists; replay relies on it.
        self.sync()?;
        let number = self.next_number.ok_or(WalError::Numbers)?;
        let room_end = (file::HEADER_BYTES as u64 + group_bytes).max(self.options.file_bytes_max);
        let next = self.create(number, room_end)?;
        self.next_number = number.checked_add(1);
        self.complete_file()?;
        self.files.set_current(next.end);
        self.current = Some(next);
        Ok(())
    }

    /// Creates a file that is durable, name and header, before any record is written to it.
    fn create(&mut self, number: u64, room_end: u64) -> Result<Current, WalError> {
        let path = file::path(&self.dir, number);
        let file = match self.disk.create_new(&path) {
            Ok(file) => file,
            Err(error) => {
                let source = Arc::new(error);
                return Err(if is_full(&source) {
                    WalError::Full { path, source }
                } else {
                    WalError::Create { path, source }
                });
            }
        };
        let header = FileHeader {
            number,
            durable_seq: self.durable_seq,
            epoch: self.epoch,
        };
        let written_end = AHEAD_BYTES.min(room_end);
        let mut beginning = header.encode().to_vec();
        beginning.resize(beginning.len().max(written_end as usize), 0);
        let prepared = file
            .allocate(room_end)
            .and_then(|()| file.write_all_at(&beginning, 0))
            .and_then(|()| file.sync_data())
            .and_then(|()| self.files.sync_dir());
        match prepared {
            Ok(()) => Ok(Current {
                file,
                path,
                number,
                end: file::HEADER_BYTES as u64,
                written_end,
                room_end,
            }),
            Err(error) => {
                // No frame was ever in that file: its number is free for the next try, or for
                // the next start.
                let removed = self.disk.remove(&path);
                if !is_full(&error) {
                    return Err(self.poisoned("prepare", path, error));
                }
                if let Err(error) = removed {
                    return Err(self.poisoned("remove", path, error));
                }
                let source = Arc::new(error);
                Err(WalError::Full { path, source })
            }
        }
    }

    fn write<'a>(
        &mut self,
        records: impl Iterator<Item = (Seq, &'a [u8])>,
    ) -> Result<(), WalError> {
        let Some(current) = &mut self.current else {
            return Ok(());
        };
        self.buffer.clear();
        for (seq, body) in records {
            let header = FrameHeader {
                seq,
                durable_seq: self.durable_seq,
                epoch: self.epoch,
            };
            let at = current.end as usize + self.buffer.len();
            frame::put(&mut self.buffer, current.number, at, header, body);
        }
        let bytes = self.buffer.len() as u64;
        let end = current.end + bytes;
        let written_end = current.written_end_after(end);
        if written_end > current.written_end {
            self.buffer.resize((written_end - current.end) as usize, 0);
        }
        let written = current.file.write_all_at(&self.buffer, current.end);
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_BYTES_MAX);
        match written {
            Ok(()) => {
                current.end = end;
                current.written_end = written_end;
                self.files.set_current(current.end);
                Ok(())
            }
            Err(error) if is_full(&error) => Err(self.give_up_room(error)),
            Err(error) => {
                let path = current.path.clone();
                Err(self.poisoned("write", path, error))
            }
        }
    }

    /// The disk is full although room was reserved: some file systems reserve none. The tail of
    /// the file that could not be written is cut off for good, and the next group goes to
    /// another file.
    fn give_up_room(&mut self, full: io::Error) -> WalError {
        let Some(current) = &mut self.current else {
            return WalError::Full {
                path: self.dir.clone(),
                source: Arc::new(full),
            };
        };
        let path = current.path.clone();
        let cut = current.file.set_len(current.end);
        if let Err(error) = cut.and_then(|()| current.file.sync_data()) {
            return self.poisoned("cut", path, error);
        }
        current.room_end = current.end;
        self.durable_seq = self.last_seq;
        WalError::Full {
            path,
            source: Arc::new(full),
        }
    }
}
