//! Groups: the one read last is held, with the pages of it that were decompressed.

use super::Source;
use crate::block::footer::Kind;
use crate::block::group::{
    ENTRY_BYTES, GroupAt, HEADER_BYTES_MAX, Header, Lane, LaneKind, RowKind,
};
use crate::block::page::{PAGE_BYTES, Unpacker};
use crate::immutable::Fault;
use crate::section::{Bytes, SectionError};

/// How many bytes of decompressed pages are held; so little in tests that they are let go of now
/// and then.
const HELD_BYTES: usize = if cfg!(all(test, debug_assertions)) {
    100_000
} else {
    4 << 20
};

/// Finds rows and their pieces. What it holds belongs to no mapped file.
#[derive(Debug)]
pub(super) struct Groups<'a> {
    source: Source<'a>,
    section: &'a dyn Bytes,
    rows: u32,
    unpacker: Unpacker,
    group: Option<Group>,
    /// Buffers of pages that are not held any more.
    spare: Vec<Vec<u8>>,
    /// How many bytes of pages are held.
    held: usize,
    /// A piece that lies in several pages.
    assembled: Vec<u8>,
}

/// A group whose header was read.
#[derive(Debug)]
struct Group {
    first_row: u32,
    header: Header,
    /// Of a constant row which of the constants is its value, of one with a column where it
    /// stands among those that have one.
    slots: Vec<u16>,
    /// Those of [`LaneKind::ALL`].
    lanes: [OpenLane; 4],
}

/// Where the pieces and pages of a lane are, and pages.
#[derive(Debug)]
struct OpenLane {
    /// Where each piece begins among the bytes of the lane, and where the last one ends.
    pieces: Vec<u64>,
    /// Where each page begins in section data, and where the last one ends.
    places: Vec<u64>,
    pages: Vec<Option<Vec<u8>>>,
}

/// A row, and where it is in the group that is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct RowAt {
    /// Its number in the group.
    place: usize,
    pub(super) kind: RowKind,
}

impl<'a> Groups<'a> {
    pub(super) fn new(source: Source<'a>, section: &'a dyn Bytes, rows: u32) -> Self {
        Self {
            source,
            section,
            rows,
            unpacker: Unpacker::default(),
            group: None,
            spare: Vec::new(),
            held: 0,
            assembled: Vec::new(),
        }
    }

    /// Where a row is; none where it does not exist. It is there until another row is asked for.
    pub(super) fn find(&mut self, row: u32) -> Result<Option<RowAt>, Fault> {
        if row >= self.rows {
            return Ok(None);
        }
        if self.row_of(row).is_none() {
            self.load(row)?;
        }
        let found = self.row_of(row);
        found
            .map(Some)
            .ok_or_else(|| corrupt_groups("a row is in none of the groups"))
    }

    /// Where a row is that has points, and the number of their time column.
    pub(super) fn with_points(&mut self, row: u32) -> Result<Option<(RowAt, u32)>, Fault> {
        let found = self.find(row)?;
        Ok(found.and_then(|row| {
            let column = self.group.as_ref()?.header.columns.get(row.place)?;
            Some((row, column.checked_sub(1)?))
        }))
    }

    fn row_of(&self, row: u32) -> Option<RowAt> {
        let group = self.group.as_ref()?;
        let place = row.checked_sub(group.first_row)? as usize;
        let kind = *group.header.kinds.get(place)?;
        Some(RowAt { place, kind })
    }

    /// The value of a constant row.
    pub(super) fn constant(&self, row: &RowAt) -> Result<f64, Fault> {
        let constant = self.group.as_ref().and_then(|group| {
            let slot = *group.slots.get(row.place)?;
            group.header.constants.get(usize::from(slot)).copied()
        });
        constant.ok_or_else(|| corrupt("a row has no constant"))
    }

    /// The piece of a row in a lane, of the slice with that number.
    pub(super) fn piece(
        &mut self,
        kind: LaneKind,
        row: &RowAt,
        slice: usize,
    ) -> Result<&[u8], Fault> {
        let Some(group) = &mut self.group else {
            return Err(corrupt("there is no group"));
        };
        let (begin, end) = group.piece_of(kind, row, slice)?;
        let first = (begin / PAGE_BYTES as u64) as usize;
        let last = ((end - 1) / PAGE_BYTES as u64) as usize;
        let from = (begin % PAGE_BYTES as u64) as usize;
        let length = (end - begin) as usize;
        if first == last {
            let page = self.page(kind, first)?;
            let piece = page.get(from..from + length);
            return piece.ok_or_else(|| corrupt("a piece lies outside of its page"));
        }
        let mut assembled = std::mem::take(&mut self.assembled);
        assembled.clear();
        for number in first..=last {
            let page = self.page(kind, number)?;
            let from = if number == first { from } else { 0 };
            let left = length - assembled.len();
            let part = page.get(from..page.len().min(from + left));
            assembled.extend_from_slice(part.unwrap_or_default());
        }
        self.assembled = assembled;
        match self.assembled.len() == length {
            true => Ok(&self.assembled),
            false => Err(corrupt("a piece lies outside of its pages")),
        }
    }

    /// A page of a lane, decompressed.
    fn page(&mut self, kind: LaneKind, number: usize) -> Result<&[u8], Fault> {
        let Some(group) = &mut self.group else {
            return Err(corrupt("there is no group"));
        };
        if !group.lanes[kind as usize].has(number) {
            if self.held > HELD_BYTES {
                group
                    .lanes
                    .iter_mut()
                    .for_each(|lane| lane.let_go(&mut self.spare));
                self.held = 0;
            }
            let lane = &mut group.lanes[kind as usize];
            let (at, stored, bytes) = lane.page_at(number)?;
            let mut page = self.spare.pop().unwrap_or_default();
            let unpacker = &mut self.unpacker;
            self.source.load(|data| {
                let stored = data.get(at, stored).map_err(unreadable)?;
                let unpacked = unpacker.unpack(&stored, bytes, &mut page);
                unpacked.map_err(corrupt)
            })?;
            self.held += page.len();
            if let Some(slot) = lane.pages.get_mut(number) {
                *slot = Some(page);
            }
        }
        let lane = &group.lanes[kind as usize];
        let page = lane.pages.get(number).and_then(Option::as_deref);
        page.ok_or_else(|| corrupt("there is no such page"))
    }

    /// Reads the header of the group of a row.
    fn load(&mut self, row: u32) -> Result<(), Fault> {
        if let Some(mut group) = self.group.take() {
            group
                .lanes
                .iter_mut()
                .for_each(|lane| lane.let_go(&mut self.spare));
            self.held = 0;
        }
        let (at, rows) = self.source.load(|_| self.group_of(row))?;
        if at.bytes as usize > HEADER_BYTES_MAX {
            return Err(corrupt_groups(
                "the header of a group is longer than one can be",
            ));
        }
        let mut header = self.spare.pop().unwrap_or_default();
        let unpacker = &mut self.unpacker;
        let data_bytes = self.source.load(|data| {
            let stored = data.get(at.at, at.stored as usize).map_err(unreadable)?;
            let unpacked = unpacker.unpack(&stored, at.bytes as usize, &mut header);
            unpacked.map_err(corrupt)?;
            Ok(data.len())
        })?;
        let decoded = Header::decode(&header)?;
        self.spare.push(header);
        if decoded.kinds.len() != rows as usize {
            return Err(corrupt(
                "a group has another number of rows than the groups say",
            ));
        }
        let pages_at = at.at.saturating_add(u64::from(at.stored));
        self.group = Some(Group::new(at.first_row, decoded, pages_at, data_bytes)?);
        Ok(())
    }

    /// Where the group of a row is, and how many rows it has.
    fn group_of(&self, row: u32) -> Result<(GroupAt, u32), Fault> {
        let count = self.section.len() / ENTRY_BYTES as u64;
        // The last group that begins with that row or one before it.
        let (mut from, mut to) = (0, count);
        while to - from > 1 {
            let middle = from + (to - from) / 2;
            match self.entry(middle)?.first_row <= row {
                true => from = middle,
                false => to = middle,
            }
        }
        let found = self.entry(from)?;
        let end = match to < count {
            true => self.entry(to)?.first_row,
            false => self.rows,
        };
        match end.checked_sub(found.first_row) {
            Some(rows) if found.first_row <= row => Ok((found, rows)),
            _ => Err(corrupt_groups("the first rows of groups do not rise")),
        }
    }

    fn entry(&self, number: u64) -> Result<GroupAt, Fault> {
        let bytes = self.section.get(number * ENTRY_BYTES as u64, ENTRY_BYTES);
        let bytes = bytes.map_err(|error| Fault::Section(Kind::Groups.name(), error))?;
        GroupAt::decode(&bytes).ok_or_else(|| corrupt_groups("an entry is cut short"))
    }
}

impl Group {
    /// The group with this header, the pages of which begin at `at` of `data_bytes`.
    fn new(first_row: u32, mut header: Header, at: u64, data_bytes: u64) -> Result<Self, Fault> {
        let (mut constants, mut columns) = (0u16, 0u16);
        let slot_of = |kind: &RowKind| {
            let counter = match kind.floats() == RowKind::CONSTANT {
                true => &mut constants,
                false => &mut columns,
            };
            // A group has fewer rows than u16 has numbers.
            let slot = *counter;
            *counter += u16::from(kind.floats() != RowKind::NO_FLOATS);
            slot
        };
        let slots = header.kinds.iter().map(slot_of).collect();
        let mut at = at;
        let lanes = header
            .lanes
            .each_mut()
            .map(|lane| OpenLane::new(lane, &mut at));
        match at <= data_bytes {
            true => Ok(Self {
                first_row,
                header,
                slots,
                lanes,
            }),
            false => Err(corrupt("a page lies outside of it")),
        }
    }

    /// Where a piece begins among the bytes of its lane, and where it ends.
    fn piece_of(&self, kind: LaneKind, row: &RowAt, slice: usize) -> Result<(u64, u64), Fault> {
        let slot = match kind {
            LaneKind::Values => self
                .slots
                .get(row.place)
                .map_or(0, |&slot| usize::from(slot)),
            // Few rows have any.
            _ => {
                let before = self.header.kinds.iter().take(row.place);
                before.filter(|&&row| kind.is_of(row)).count()
            }
        };
        let slots = self.header.lanes[kind as usize].slots;
        let piece = slice
            .checked_mul(slots)
            .and_then(|first| first.checked_add(slot));
        let pieces = &self.lanes[kind as usize].pieces;
        let ends = piece.and_then(|piece| Some((pieces.get(piece)?, pieces.get(piece + 1)?)));
        match ends {
            Some((&begin, &end)) if kind.is_of(row.kind) && begin < end => Ok((begin, end)),
            _ => Err(corrupt("a row has no such piece")),
        }
    }
}

impl OpenLane {
    /// The pages of the lane begin at `at`, which is moved to their end.
    fn new(lane: &mut Lane, at: &mut u64) -> Self {
        let sums = |lengths: &[u32], mut sum: u64| -> Vec<u64> {
            let mut sums = Vec::with_capacity(lengths.len() + 1);
            sums.push(sum);
            sums.extend(lengths.iter().map(|&length| {
                sum = sum.saturating_add(length.into());
                sum
            }));
            sums
        };
        let pieces = sums(&std::mem::take(&mut lane.pieces), 0);
        let places = sums(&std::mem::take(&mut lane.pages), *at);
        *at = places.last().copied().unwrap_or(*at);
        let mut pages = Vec::new();
        pages.resize_with(places.len() - 1, || None);
        Self {
            pieces,
            places,
            pages,
        }
    }

    fn has(&self, number: usize) -> bool {
        matches!(self.pages.get(number), Some(Some(_)))
    }

    /// Where a page is in section data, how long it is there, and decompressed.
    fn page_at(&self, number: usize) -> Result<(u64, usize, usize), Fault> {
        let place = (self.places.get(number), self.places.get(number + 1));
        let (Some(&at), Some(&end)) = place else {
            return Err(corrupt("there is no such page"));
        };
        let all = self.pieces.last().copied().unwrap_or(0);
        let left = all.saturating_sub(number as u64 * PAGE_BYTES as u64);
        let bytes = left.min(PAGE_BYTES as u64) as usize;
        // As long as what it is made of at most.
        match usize::try_from(end - at) {
            Ok(stored) if stored <= bytes => Ok((at, stored, bytes)),
            _ => Err(corrupt("a page is longer than what is in it")),
        }
    }

    fn let_go(&mut self, spare: &mut Vec<Vec<u8>>) {
        spare.extend(self.pages.iter_mut().filter_map(Option::take));
    }
}

fn corrupt(reason: &str) -> Fault {
    Fault::corrupt(Kind::Data.name(), reason)
}

fn corrupt_groups(reason: &str) -> Fault {
    Fault::corrupt(Kind::Groups.name(), reason)
}

fn unreadable(error: SectionError) -> Fault {
    Fault::Section(Kind::Data.name(), error)
}
