//! Writing a file section by section.

use std::io;

use crc32fast::Hasher;

use super::{PAGE_BYTES, SectionRef};
use crate::sys::File;

/// How many bytes are gathered for one write.
const BUFFER_BYTES: usize = 256 << 10;
/// After how many bytes the disk is made to write them: a disk with tens of megabytes to write keeps
/// the log waiting, whose syncs go to the same one, for as long as that takes.
const SYNC_BYTES: usize = 1 << 20;

/// Writes a new file from start to end.
#[derive(Debug)]
pub struct FileWriter {
    file: Box<dyn File>,
    /// Bytes in the file; those of `buffer` follow.
    written: u64,
    /// Of these, bytes that no sync was asked for.
    unsynced: usize,
    buffer: Vec<u8>,
}

impl FileWriter {
    /// Writes from the start of `file`, which is empty.
    pub fn new(file: Box<dyn File>) -> Self {
        Self {
            file,
            written: 0,
            unsynced: 0,
            buffer: Vec::with_capacity(BUFFER_BYTES),
        }
    }

    /// Where the next byte goes.
    pub fn position(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Adds bytes that are in no section.
    ///
    /// # Errors
    /// What the system says of a write.
    pub fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Begins a section here.
    pub fn section(&mut self) -> SectionWriter<'_> {
        SectionWriter {
            open: self.open_section(),
            file: self,
        }
    }

    /// Begins a section here, for who cannot hold on to the file meanwhile.
    pub fn open_section(&self) -> OpenSection {
        OpenSection {
            start: self.position(),
            page: Hasher::new(),
            page_bytes: 0,
            crcs: Vec::new(),
        }
    }

    /// Makes what was written durable, but for the name of the file. Gives back the file and its
    /// length.
    ///
    /// # Errors
    /// What the system says of a write or of the sync.
    pub fn finish(mut self) -> io::Result<(Box<dyn File>, u64)> {
        self.flush()?;
        self.file.sync_data()?;
        Ok((self.file, self.written))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all_at(&self.buffer, self.written)?;
        self.written += self.buffer.len() as u64;
        self.unsynced += self.buffer.len();
        self.buffer.clear();
        if self.unsynced >= SYNC_BYTES {
            self.file.sync_data()?;
            self.unsynced = 0;
        }
        Ok(())
    }
}

/// Writes one section of a file.
#[derive(Debug)]
pub struct SectionWriter<'a> {
    file: &'a mut FileWriter,
    open: OpenSection,
}

impl SectionWriter<'_> {
    /// Where the next byte goes, from the start of the section.
    pub fn position(&self) -> u64 {
        self.open.position(self.file)
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// What the system says of a write.
    pub fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.open.put(self.file, bytes)
    }

    /// Ends the section.
    ///
    /// # Errors
    /// What the system says of a write.
    pub fn finish(self) -> io::Result<SectionRef> {
        self.open.finish(self.file)
    }
}

/// A section of a file that is being written. All its methods want that file, to which nothing
/// else is added before [`OpenSection::finish`].
#[derive(Debug)]
pub struct OpenSection {
    start: u64,
    page: Hasher,
    page_bytes: usize,
    crcs: Vec<u8>,
}

impl OpenSection {
    /// Where the next byte goes, from the start of the section.
    pub fn position(&self, file: &FileWriter) -> u64 {
        file.position() - self.start
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// What the system says of a write.
    pub fn put(&mut self, file: &mut FileWriter, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let room = PAGE_BYTES - self.page_bytes;
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.page.update(now);
            self.page_bytes += now.len();
            file.put(now)?;
            if self.page_bytes == PAGE_BYTES {
                self.end_page();
            }
            bytes = later;
        }
        Ok(())
    }

    /// Ends the section.
    ///
    /// # Errors
    /// What the system says of a write.
    pub fn finish(mut self, file: &mut FileWriter) -> io::Result<SectionRef> {
        let bytes = self.position(file);
        if self.page_bytes > 0 {
            self.end_page();
        }
        file.put(&self.crcs)?;
        Ok(SectionRef {
            offset: self.start,
            bytes,
            crc: crc32fast::hash(&self.crcs),
        })
    }

    fn end_page(&mut self) {
        let crc = std::mem::take(&mut self.page).finalize();
        self.crcs.extend_from_slice(&crc.to_le_bytes());
        self.page_bytes = 0;
    }
}
