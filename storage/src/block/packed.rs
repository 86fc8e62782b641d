//! A section that is compressed as a whole, page by page.
//!
//! Its pages as they are stored, one after the other; then the length of each, 4 bytes; then how
//! many bytes they have together before they are compressed, 8 bytes.

use std::borrow::Cow;
use std::io;

use super::footer::Kind;
use super::page::{PAGE_BYTES, Packer, Unpacker};
use crate::immutable::Fault;
use crate::section::{Bytes, FileWriter, OpenSection, SectionError};

/// Bytes of a length of a page.
const LENGTH_BYTES: u64 = 4;
/// Bytes of the number at the end.
const TOTAL_BYTES: u64 = 8;

/// Such a section while it is written.
#[derive(Debug, Default)]
pub(super) struct PackedPages {
    /// Bytes that are in no page yet.
    bytes: Vec<u8>,
    /// How many are in pages.
    packed: u64,
    lengths: Vec<u8>,
    stored: Vec<u8>,
}

impl PackedPages {
    /// Where the next byte goes.
    pub(super) fn position(&self) -> u64 {
        self.packed + self.bytes.len() as u64
    }

    /// What bytes are to be appended to.
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Writes pages that are full.
    pub(super) fn hand_on(
        &mut self,
        packer: &mut Packer,
        section: &mut OpenSection,
        file: &mut FileWriter,
    ) -> io::Result<()> {
        let full = self.bytes.len() / PAGE_BYTES * PAGE_BYTES;
        self.pack(full, packer, section, file)
    }

    fn pack(
        &mut self,
        bytes: usize,
        packer: &mut Packer,
        section: &mut OpenSection,
        file: &mut FileWriter,
    ) -> io::Result<()> {
        let rest = self.bytes.split_off(bytes);
        for page in self.bytes.chunks(PAGE_BYTES) {
            self.stored.clear();
            let length = packer.pack(page, &mut self.stored)?;
            self.lengths.extend((length as u32).to_le_bytes());
            section.put(file, &self.stored)?;
        }
        self.packed += bytes as u64;
        self.bytes = rest;
        Ok(())
    }

    /// Writes what is left.
    pub(super) fn finish(
        mut self,
        packer: &mut Packer,
        section: &mut OpenSection,
        file: &mut FileWriter,
    ) -> io::Result<()> {
        self.pack(self.bytes.len(), packer, section, file)?;
        section.put(file, &self.lengths)?;
        section.put(file, &self.packed.to_le_bytes())
    }
}

/// The bytes of a section before they were compressed.
#[derive(Debug)]
pub(super) struct Unpacked(Vec<u8>);

impl Bytes for Unpacked {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn get(&self, offset: u64, bytes: usize) -> Result<Cow<'_, [u8]>, SectionError> {
        Bytes::get(&self.0[..], offset, bytes)
    }
}

/// Reads the section of metadata.
pub(super) fn unpack(section: &dyn Bytes) -> Result<Unpacked, Fault> {
    let unreadable = |error| Fault::Section(Kind::Metadata.name(), error);
    let corrupt = |reason| Fault::corrupt(Kind::Metadata.name(), reason);
    let cut = || corrupt("it is shorter than its table");
    let total_at = section.len().checked_sub(TOTAL_BYTES).ok_or_else(cut)?;
    let total = section
        .get(total_at, TOTAL_BYTES as usize)
        .map_err(unreadable)?;
    let total = u64::from_le_bytes(*total.first_chunk().ok_or_else(cut)?);
    let table = total.div_ceil(PAGE_BYTES as u64).checked_mul(LENGTH_BYTES);
    let table_at = table
        .and_then(|table| total_at.checked_sub(table))
        .ok_or_else(cut)?;
    let table = section
        .get(table_at, (total_at - table_at) as usize)
        .map_err(unreadable)?;
    let (lengths, _) = table.as_chunks::<4>();
    let (mut all, mut page, mut at) = (Vec::new(), Vec::new(), 0);
    let mut unpacker = Unpacker::default();
    for length in lengths {
        let length = u32::from_le_bytes(*length);
        let end = at + u64::from(length);
        if end > table_at {
            return Err(corrupt("a page lies outside of it"));
        }
        let stored = section.get(at, length as usize).map_err(unreadable)?;
        let left = total - all.len() as u64;
        let bytes = left.min(PAGE_BYTES as u64) as usize;
        unpacker
            .unpack(&stored, bytes, &mut page)
            .map_err(corrupt)?;
        all.extend_from_slice(&page);
        at = end;
    }
    Ok(Unpacked(all))
}
