//! Reading parts of a section.

use std::borrow::Cow;
use std::fmt::Debug;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::{CRC_BYTES, PAGE_BYTES, SectionError, SectionRef};
use crate::sys::File;

/// Bytes that can be read in parts: a section, or a slice in a test.
#[cfg_attr(
    feature = "simulation",
    expect(
        clippy::len_without_is_empty,
        reason = "nobody asks whether it is zero"
    )
)]
pub trait Bytes: Debug + Send + Sync {
    /// How many there are.
    fn len(&self) -> u64;

    /// The `bytes` bytes at `offset`, checked.
    ///
    /// # Errors
    /// They cannot be read, are not what was written, or there are not as many.
    fn get(&self, offset: u64, bytes: usize) -> Result<Cow<'_, [u8]>, SectionError>;
}

impl Bytes for [u8] {
    fn len(&self) -> u64 {
        self.len() as u64
    }

    fn get(&self, offset: u64, bytes: usize) -> Result<Cow<'_, [u8]>, SectionError> {
        let part = usize::try_from(offset)
            .ok()
            .and_then(|start| self.get(start..)?.get(..bytes));
        part.map(Cow::Borrowed)
            .ok_or_else(|| out_of_bounds(offset, bytes, self.len() as u64))
    }
}

/// A section of a file. Cheap to make: the checksums are read when it is first used.
#[derive(Debug)]
pub struct Section {
    file: Arc<dyn File>,
    at: SectionRef,
    pages: OnceLock<Pages>,
}

/// What the pages of a section must be.
#[derive(Debug)]
struct Pages {
    crcs: Box<[u32]>,
    /// A bit for each page that was found to be right while the file was mapped. A file that loses
    /// bytes is not mapped any more for those who come later, so that no bit needs to be taken back.
    checked: Box<[AtomicU64]>,
}

impl Section {
    /// The section at `at` of `file`.
    pub fn new(file: Arc<dyn File>, at: SectionRef) -> Self {
        Self {
            file,
            at,
            pages: OnceLock::new(),
        }
    }

    fn pages(&self) -> Result<&Pages, SectionError> {
        if let Some(pages) = self.pages.get() {
            return Ok(pages);
        }
        let offset = self.at.offset.saturating_add(self.at.bytes);
        let bytes = self.at.pages().saturating_mul(CRC_BYTES as u64);
        // A copy: what is used must be what was checked, whatever becomes of a map meanwhile.
        let table = read(&*self.file, offset, bytes)?.into_owned();
        if crc32fast::hash(&table) != self.at.crc {
            return Err(SectionError::Checksums { offset });
        }
        let (crcs, _) = table.as_chunks::<CRC_BYTES>();
        let crcs: Box<[u32]> = crcs.iter().map(|&crc| u32::from_le_bytes(crc)).collect();
        let words = crcs.len().div_ceil(64);
        // Threads that get here together make the same.
        Ok(self.pages.get_or_init(|| Pages {
            checked: std::iter::repeat_with(AtomicU64::default)
                .take(words)
                .collect(),
            crcs,
        }))
    }

    /// Checks a page of a mapped file, unless that was done before.
    ///
    /// The page is read by a call, and the map finds it in the system's cache afterwards. Were it
    /// loaded by touching the map, the system would either read far ahead at every place or, told
    /// not to, load it by a fault for each 4 KiB; and a disk that fails would be a signal, not an
    /// error.
    fn check_mapped(&self, pages: &Pages, page: usize, bytes: usize) -> Result<(), SectionError> {
        let (word, bit) = (page / 64, 1 << (page % 64));
        let checked = &pages.checked[word];
        if checked.load(Ordering::Relaxed) & bit != 0 {
            return Ok(());
        }
        let offset = self.at.offset + (page * PAGE_BYTES) as u64;
        let mut copy = vec![0; bytes];
        let error = match self.file.read_at(&mut copy, offset) {
            Ok(read) if read == bytes => {
                self.check(pages, page, &copy)?;
                checked.fetch_or(bit, Ordering::Relaxed);
                return Ok(());
            }
            Ok(_) => io::ErrorKind::UnexpectedEof.into(),
            Err(error) => error,
        };
        Err(io_error(offset, bytes as u64, error))
    }

    /// Checks the bytes of one page.
    fn check(&self, pages: &Pages, page: usize, bytes: &[u8]) -> Result<(), SectionError> {
        if pages.crcs.get(page) == Some(&crc32fast::hash(bytes)) {
            return Ok(());
        }
        let offset = self.at.offset + (page * PAGE_BYTES) as u64;
        Err(SectionError::Checksum { offset })
    }
}

impl Bytes for Section {
    fn len(&self) -> u64 {
        self.at.bytes
    }

    fn get(&self, offset: u64, bytes: usize) -> Result<Cow<'_, [u8]>, SectionError> {
        let end = offset
            .checked_add(bytes as u64)
            .filter(|&end| end <= self.at.bytes)
            .ok_or_else(|| out_of_bounds(offset, bytes, self.at.bytes))?;
        if bytes == 0 {
            return Ok(Cow::default());
        }
        let pages = self.pages()?;
        let first = offset / PAGE_BYTES as u64;
        let last = (end - 1) / PAGE_BYTES as u64;
        let start = first * PAGE_BYTES as u64;
        let stop = ((last + 1) * PAGE_BYTES as u64).min(self.at.bytes);
        let from = (offset - start) as usize;
        match read(&*self.file, self.at.offset + start, stop - start)? {
            Cow::Borrowed(all) => {
                for (page, bytes) in (first as usize..).zip(all.chunks(PAGE_BYTES)) {
                    self.check_mapped(pages, page, bytes.len())?;
                }
                Ok(Cow::Borrowed(&all[from..from + bytes]))
            }
            Cow::Owned(mut all) => {
                for (page, bytes) in (first as usize..).zip(all.chunks(PAGE_BYTES)) {
                    self.check(pages, page, bytes)?;
                }
                all.truncate(from + bytes);
                all.drain(..from);
                Ok(Cow::Owned(all))
            }
        }
    }
}

fn read(file: &dyn File, offset: u64, bytes: u64) -> Result<Cow<'_, [u8]>, SectionError> {
    let read = match usize::try_from(bytes) {
        Ok(bytes) => file.bytes(offset, bytes),
        Err(_) => Err(io::ErrorKind::OutOfMemory.into()),
    };
    read.map_err(|source| io_error(offset, bytes, source))
}

fn io_error(offset: u64, bytes: u64, source: io::Error) -> SectionError {
    SectionError::Io {
        offset,
        bytes,
        source,
    }
}

fn out_of_bounds(offset: u64, bytes: usize, section_bytes: u64) -> SectionError {
    SectionError::OutOfBounds {
        offset,
        bytes: bytes as u64,
        section_bytes,
    }
}
