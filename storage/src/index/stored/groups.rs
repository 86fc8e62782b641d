//! Entries in groups, with a table of where each group begins.
//!
//! The table has an offset for each group and one for the end of the last, 5 bytes each, little
//! endian, from the start of the section.

use std::borrow::Cow;

use super::IndexError;
use super::part::{Decoder, Part};

/// Bytes of an offset: files of a terabyte.
pub(super) const OFFSET_BYTES: u64 = 5;
/// How many bytes of groups are read at once, unless one group has more.
const WINDOW_BYTES: u64 = 128 << 10;
/// How many groups are read at once.
const WINDOW_GROUPS: u64 = 1024;
/// How many groups that nobody asks for are read with those around them: less than a page.
const WINDOW_GAP: u64 = 16;

/// The low five bytes.
pub(super) fn put_offset(out: &mut Vec<u8>, offset: u64) {
    out.extend_from_slice(&offset.to_le_bytes()[..OFFSET_BYTES as usize]);
}

/// The offset at the place `index` of a table.
pub(super) fn offset_at(table: &[u8], index: usize) -> Option<u64> {
    let &[a, b, c, d, e] = table
        .as_chunks::<{ OFFSET_BYTES as usize }>()
        .0
        .get(index)?;
    Some(u64::from_le_bytes([a, b, c, d, e, 0, 0, 0]))
}

/// Groups of a section.
#[derive(Clone, Copy, Debug)]
pub(super) struct Groups {
    /// Where the table begins.
    table: u64,
    count: u64,
}

impl Groups {
    /// `count` groups whose table ends at `end`.
    pub(super) fn before(part: &Part, end: u64, count: u64) -> Result<Self, IndexError> {
        let bytes = (count + 1) * OFFSET_BYTES;
        match end.checked_sub(bytes) {
            Some(table) => Ok(Self { table, count }),
            None => Err(part.malformed(end, "there is no room for the table of groups")),
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Where the table begins, which is behind all groups.
    pub(super) fn table(&self) -> u64 {
        self.table
    }

    /// One group.
    pub(super) fn read<'a>(&self, part: &'a Part, group: u64) -> Result<Window<'a>, IndexError> {
        self.window(part, group, group)
    }

    /// The group of the first entry, with those of the entries after it that lie close by. Entries
    /// rise, `per_group` of them stand in a group.
    pub(super) fn read_close<'a>(
        &self,
        part: &'a Part,
        entries: impl Iterator<Item = u32>,
        per_group: u32,
    ) -> Result<Window<'a>, IndexError> {
        let mut groups = entries.map(|entry| u64::from(entry / per_group));
        let first = groups.next().unwrap_or_default();
        let mut last = first;
        for group in groups {
            if group > last + WINDOW_GAP || group >= first + WINDOW_GROUPS {
                break;
            }
            last = last.max(group);
        }
        self.window(part, first, last)
    }

    /// Groups from `first` to `last`, or as many of them as are read at once.
    pub(super) fn window<'a>(
        &self,
        part: &'a Part,
        first: u64,
        last: u64,
    ) -> Result<Window<'a>, IndexError> {
        if first > last || last >= self.count {
            return Err(part.malformed(self.table, "there is no such group"));
        }
        let last = last.min(first + WINDOW_GROUPS);
        let at = self.table + first * OFFSET_BYTES;
        let offsets = part.get(at, (last - first + 2) * OFFSET_BYTES)?;
        let bad = || part.malformed(at, "groups are out of order");
        let start = offset_at(&offsets, 0).ok_or_else(bad)?;
        let mut groups = 1;
        let mut end = offset_at(&offsets, 1).ok_or_else(bad)?;
        for index in 2.. {
            match offset_at(&offsets, index) {
                Some(next) if next.saturating_sub(start) <= WINDOW_BYTES => end = next,
                _ => break,
            }
            groups += 1;
        }
        let bytes = end.checked_sub(start).filter(|_| end <= self.table);
        let data = part.get(start, bytes.ok_or_else(bad)?)?;
        Ok(Window {
            part,
            first,
            end: first + groups,
            offsets,
            start,
            data,
        })
    }
}

/// Some groups, read at once.
#[derive(Debug)]
pub(super) struct Window<'a> {
    part: &'a Part,
    first: u64,
    end: u64,
    offsets: Cow<'a, [u8]>,
    start: u64,
    data: Cow<'a, [u8]>,
}

impl Window<'_> {
    /// The first group after those that were read.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Whether a group is among those that were read.
    pub(super) fn contains(&self, group: u64) -> bool {
        (self.first..self.end).contains(&group)
    }

    /// The bytes of a group.
    pub(super) fn group(&self, group: u64) -> Result<Decoder<'_>, IndexError> {
        let bytes = || {
            let index = usize::try_from(group.checked_sub(self.first)?).ok()?;
            let from = offset_at(&self.offsets, index)?;
            let to = offset_at(&self.offsets, index + 1)?;
            let start = usize::try_from(from.checked_sub(self.start)?).ok()?;
            let end = usize::try_from(to.checked_sub(self.start)?).ok()?;
            Some((self.data.get(start..end)?, from))
        };
        match bytes() {
            Some((bytes, offset)) => Ok(self.part.decoder(bytes, offset)),
            None => Err(self.part.malformed(self.start, "groups are out of order")),
        }
    }
}
