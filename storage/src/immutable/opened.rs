//! Opening a file, as far as its footer.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::footer::TRAILER_BYTES;
use super::format::HEADER_BYTES;
use super::{FileError, Format, Listed, Trailer, Unusable};
use crate::index::stored::{IndexRefs, StoredIndex};
use crate::section::{Section, SectionRef};
use crate::sys::{File, Sys};

/// An open file whose header and footer are what was written.
#[derive(Debug)]
pub struct Opened {
    /// The file.
    pub file: Arc<dyn File>,
    /// The number in its name.
    pub number: u64,
    /// Its length.
    pub bytes: u64,
    /// The footer, which has the checksum of its trailer and a version that is known.
    pub footer: Vec<u8>,
    /// Where the footer begins: sections end before.
    footer_at: u64,
}

impl Opened {
    /// Opens the file at `path`, whose name is one of that kind.
    ///
    /// # Errors
    /// [`FileError::Io`], [`FileError::Damaged`], [`FileError::Newer`]
    pub fn open(sys: &Sys, format: &'static Format, path: &Path) -> Result<Self, FileError> {
        let opened = sys.disk.open_immutable(path);
        let file: Arc<dyn File> = Arc::from(opened.map_err(FileError::io(format, "open", path))?);
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name.and_then(|name| format.number_of(name));
        let number = number.ok_or(Stop::Unusable(Unusable::Damaged(
            "its name is not that of such a file",
        )));
        let opened = number.and_then(|number| Self::read(file, format, number));
        opened.map_err(|stop| match stop {
            Stop::Unusable(why) => why.of(format, path),
            Stop::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Unusable::Damaged("the file is cut short").of(format, path)
            }
            Stop::Io(error) => FileError::io(format, "read", path)(error),
        })
    }

    fn read(file: Arc<dyn File>, format: &'static Format, number: u64) -> Result<Self, Stop> {
        let bytes = file.len()?;
        // Copies: what is used must be what was checked, whatever becomes of a mapped file.
        let header = file.bytes(0, HEADER_BYTES)?.into_owned();
        let header_bytes = format.header_length(&header)?;
        let header = file.bytes(0, header_bytes)?.into_owned();
        format.check_header(&header, number)?;
        let cut = || Stop::Io(io::ErrorKind::UnexpectedEof.into());
        let trailer_at = bytes.checked_sub(TRAILER_BYTES as u64).ok_or_else(cut)?;
        let trailer = Trailer::decode(&file.bytes(trailer_at, TRAILER_BYTES)?)?;
        let footer_at = trailer_at
            .checked_sub(u64::from(trailer.footer_bytes))
            .filter(|&at| at >= header_bytes as u64)
            .ok_or(Unusable::Damaged(
                "the footer has not the length that the trailer says",
            ))?;
        let footer = file.bytes(footer_at, trailer.footer_bytes as usize)?;
        let footer = footer.into_owned();
        trailer.check(format, &footer)?;
        Ok(Self {
            file,
            number,
            bytes,
            footer,
            footer_at,
        })
    }

    /// The section of a kind, which ends before the footer; none where none is listed.
    ///
    /// # Errors
    /// It does not.
    pub fn section(&self, sections: &[Listed], kind: u16) -> Result<Option<Section>, Unusable> {
        let Some(&Listed { at, .. }) = sections.iter().find(|listed| listed.kind == kind) else {
            return Ok(None);
        };
        self.check_place(at)?;
        Ok(Some(Section::new(Arc::clone(&self.file), at)))
    }

    /// Whether a section ends before the footer. One that does not could not be told from a file
    /// that the system does not let be read.
    fn check_place(&self, at: SectionRef) -> Result<(), Unusable> {
        match at.end() {
            Some(end) if end <= self.footer_at => Ok(()),
            _ => Err(Unusable::Damaged("a section lies outside of the file")),
        }
    }

    /// As [`Opened::section`], of a kind that each file has.
    ///
    /// # Errors
    /// It is missing, or lies elsewhere.
    pub fn needed_section(&self, sections: &[Listed], kind: u16) -> Result<Section, Unusable> {
        let section = self.section(sections, kind)?;
        section.ok_or(Unusable::Damaged("a section is missing"))
    }

    /// The index at these encoded references.
    ///
    /// # Errors
    /// [`FileError::Damaged`], [`FileError::Index`]
    pub fn index(
        &self,
        format: &Format,
        path: &Path,
        refs: &[u8],
    ) -> Result<StoredIndex, FileError> {
        let refs = refs.try_into().ok().and_then(IndexRefs::decode);
        let refs = refs
            .ok_or(Unusable::Damaged(
                "the footer does not say where the index is",
            ))
            .and_then(|refs| {
                let mut places = refs.section_refs().into_iter();
                places.try_for_each(|at| self.check_place(at))?;
                Ok(refs)
            })
            .map_err(|why| why.of(format, path))?;
        StoredIndex::open(&self.file, &refs).map_err(|source| FileError::Index {
            noun: format.noun,
            path: path.to_owned(),
            source,
        })
    }
}

/// Why a file is not opened.
#[derive(Debug)]
enum Stop {
    Io(io::Error),
    Unusable(Unusable),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Unusable> for Stop {
    fn from(why: Unusable) -> Self {
        Self::Unusable(why)
    }
}

impl Unusable {
    /// As the error of the file at `path`.
    pub fn of(self, format: &Format, path: &Path) -> FileError {
        let (noun, path) = (format.noun, path.to_owned());
        match self {
            Self::Newer(what) => FileError::Newer { noun, path, what },
            Self::Damaged(reason) => FileError::Damaged { noun, path, reason },
        }
    }
}
