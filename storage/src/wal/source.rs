//! A file of the log while it is read: a window that moves over it, so that memory does not
//! follow the size of files.

use std::io;
use std::path::PathBuf;

use super::frame::{self, FrameHeader, Parsed};
use crate::sys::File;

/// How much of a file is read at a time: little enough to stay in the processor's cache until it is
/// decoded. A frame that is longer is read whole, and so is what follows bytes that are no frame.
/// Tests have small files, and move over them too.
const WINDOW_BYTES: usize = if cfg!(test) { 300 } else { 256 << 10 };

/// A file of the log.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    pub(super) file: Box<dyn File>,
    /// No later file was there when the replay began. A later one is created only after this
    /// one is synced, so that whatever is bad in a file that is not the last is damage.
    pub(super) is_last: bool,
    pub(super) epoch: SourceEpoch,
    window: Window,
    /// How long the file was when it was last looked at.
    length: usize,
}

/// What is known of the epoch of a file.
#[derive(Clone, Copy, Debug)]
pub(super) enum SourceEpoch {
    /// Its header or its first frame says so.
    Known(u64),
    /// The header is damaged: that of the file before, or a later one.
    AtLeast(u64),
}

impl SourceEpoch {
    pub(super) fn may_be(self, epoch: u64) -> bool {
        match self {
            Self::Known(known) => epoch == known,
            Self::AtLeast(least) => epoch >= least,
        }
    }

    /// The epoch; the lowest it may be where it is not known.
    pub(super) fn get(self) -> u64 {
        let (Self::Known(epoch) | Self::AtLeast(epoch)) = self;
        epoch
    }
}

/// Bytes of a file. Its memory serves one file after the other.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// The bytes, and what is left of others.
    buffer: Vec<u8>,
    /// How many there are.
    filled: usize,
    /// Where in the file they begin.
    start: usize,
}

impl Window {
    fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.filled).unwrap_or_default()
    }

    fn end(&self) -> usize {
        self.start + self.filled
    }

    /// The bytes from a place of the file on.
    fn after(&self, at: usize) -> &[u8] {
        let from = at.checked_sub(self.start);
        from.and_then(|from| self.bytes().get(from..))
            .unwrap_or_default()
    }

    /// Moves on to `at`, not before where it begins, and reads up to `end`.
    fn read(&mut self, file: &dyn File, at: usize, end: usize) -> io::Result<()> {
        let kept = self.after(at).len();
        self.buffer.copy_within(self.filled - kept..self.filled, 0);
        (self.start, self.filled) = (at, kept);
        let wanted = end.saturating_sub(at);
        if self.buffer.len() < wanted {
            self.buffer.try_reserve_exact(wanted - self.buffer.len())?;
            self.buffer.resize(wanted, 0);
        }
        let free = self.buffer.get_mut(kept..wanted).unwrap_or_default();
        self.filled += file.read_at(free, (at + kept) as u64)?;
        Ok(())
    }

    /// The same memory, without bytes; what a single file needed beyond the usual goes.
    fn emptied(mut self) -> Self {
        self.buffer.truncate(WINDOW_BYTES);
        self.buffer.shrink_to_fit();
        Self {
            buffer: self.buffer,
            ..Self::default()
        }
    }
}

impl Source {
    /// Begins a file, with the memory of one before.
    pub(super) fn new(
        number: u64,
        path: PathBuf,
        file: Box<dyn File>,
        window: Window,
        epoch: SourceEpoch,
    ) -> io::Result<Self> {
        let mut source = Self {
            number,
            path,
            file,
            is_last: false,
            epoch,
            window: window.emptied(),
            length: 0,
        };
        source.length = source.file_length()?;
        Ok(source)
    }

    fn file_length(&self) -> io::Result<usize> {
        let length = usize::try_from(self.file.len()?);
        Ok(length.map_err(|_| io::ErrorKind::OutOfMemory)?)
    }

    /// How long the file is, in bytes.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// The memory, for another file.
    pub(super) fn into_window(self) -> Window {
        self.window
    }

    /// The bytes from `at` on that are in memory.
    pub(super) fn after(&self, at: usize) -> &[u8] {
        self.window.after(at)
    }

    /// Takes `bytes` bytes at `at` into memory, or as many as there are.
    pub(super) fn hold(&mut self, at: usize, bytes: usize) -> io::Result<()> {
        let needed = at.saturating_add(bytes).min(self.length);
        if self.window.end() >= needed {
            return Ok(());
        }
        let end = needed.max(at.saturating_add(WINDOW_BYTES)).min(self.length);
        self.window.read(&*self.file, at, end)?;
        if self.window.end() < end {
            // It has become shorter.
            self.length = self.window.end();
        }
        Ok(())
    }

    /// Takes the frame at `at` into memory as a whole, if there is one.
    pub(super) fn hold_frame(&mut self, at: usize) -> io::Result<()> {
        self.hold(at, frame::HEADER_BYTES)?;
        match frame::claimed_bytes(self.after(at)) {
            Some(bytes) => self.hold(at, bytes),
            None => Ok(()),
        }
    }

    /// Takes all from `at` on into memory.
    pub(super) fn hold_rest(&mut self, at: usize) -> io::Result<()> {
        self.hold(at, usize::MAX)
    }

    /// The same with what the file holds now, which may have grown.
    pub(super) fn read_again(&mut self, at: usize) -> io::Result<()> {
        self.length = self.file_length()?;
        let window = std::mem::take(&mut self.window);
        self.window = window.emptied();
        self.hold_rest(at)
    }

    /// Whether there are zeros alone from `at` on; keeps no more in memory than there is.
    pub(super) fn is_zero_from(&self, at: usize) -> io::Result<bool> {
        if !is_zero(self.after(at)) {
            return Ok(false);
        }
        let mut at = self.window.end().max(at);
        let mut bytes = vec![0; WINDOW_BYTES.min(self.length.saturating_sub(at))];
        while at < self.length {
            let read = self.file.read_at(&mut bytes, at as u64)?;
            if !is_zero(bytes.get(..read).unwrap_or_default()) {
                return Ok(false);
            }
            if read == 0 {
                break;
            }
            at += read;
        }
        Ok(true)
    }

    /// Where the zeros at the end of the file begin, not before `at`. All from there on is in
    /// memory.
    pub(super) fn used_end(&self, at: usize) -> usize {
        let bytes = self.after(at);
        at + bytes
            .iter()
            .rposition(|&byte| byte != 0)
            .map_or(0, |place| place + 1)
    }

    /// What stands at a place, as far as it is in memory. A frame of another epoch than the file's
    /// is none: its ids would be taken for those of other series.
    pub(super) fn parse(&self, at: usize) -> Parsed<'_> {
        let parsed = frame::parse(self.after(at), at, self.number);
        match parsed {
            Parsed::Frame { header, .. }
            | Parsed::BadBody { header, .. }
            | Parsed::Newer { header, .. }
                if !self.epoch.may_be(header.epoch) =>
            {
                Parsed::Nothing
            }
            parsed => parsed,
        }
    }

    /// The frame headers from `at` on that are in memory, with their places. Where there is none
    /// the search goes on at the next multiple of eight; the body of a whole header is never
    /// searched.
    pub(super) fn headers(&self, mut at: usize) -> impl Iterator<Item = (usize, Seen)> {
        std::iter::from_fn(move || {
            while at < self.window.end() {
                let place = at;
                match self.parse(place) {
                    Parsed::Frame { header, next, .. } => {
                        at = next;
                        return Some((place, Seen::Whole(header)));
                    }
                    Parsed::BadBody { header, next } => {
                        at = next;
                        return Some((place, Seen::Broken(header)));
                    }
                    Parsed::Newer { header, .. } => {
                        at += frame::HEADER_BYTES;
                        return Some((place, Seen::Whole(header)));
                    }
                    Parsed::Nothing => at += frame::ALIGNMENT,
                }
            }
            None
        })
    }

    /// Writes what stands from `from` to `to` once more, as it is.
    ///
    /// # Errors
    /// What was tried, and why it failed.
    pub(super) fn rewrite(
        &mut self,
        from: usize,
        to: usize,
    ) -> Result<(), (&'static str, io::Error)> {
        let mut bytes = vec![0; WINDOW_BYTES.min(to.saturating_sub(from))];
        let mut at = from;
        while at < to {
            let length = bytes.len().min(to - at);
            let bytes = bytes.get_mut(..length).unwrap_or_default();
            let read = self.file.read_at(bytes, at as u64);
            if read.map_err(|e| ("read", e))? < length {
                return Err(("read", io::ErrorKind::UnexpectedEof.into()));
            }
            let written = self.file.write_all_at(bytes, at as u64);
            written.map_err(|e| ("write", e))?;
            at += length;
        }
        Ok(())
    }
}

/// A frame header found in a search.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seen {
    /// Its frame is whole, or of a newer version.
    Whole(FrameHeader),
    /// Its body is damaged.
    Broken(FrameHeader),
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}
