//! The header of a group: what each of its rows has, and where that is.
//!
//! ```text
//! varint  n, the number of rows
//! n bytes the kind of each row
//! list    the time column of each row, counted from 1; 0 for a row without samples
//! column  the values of the constant rows, after its length (varint)
//! lanes   of those that a row of the group has any of, in the order of `LaneKind`:
//!   varint  the number of slices
//!   list    lengths of pieces: of the first slice those of all rows that have any of the lane, of
//!           the second slice the same, and so on; 0 where a row has none in a slice
//!   list    lengths of pages
//! ```

use super::footer::Kind;
use super::ints::{put_ints, take_bytes, take_u32s};
use super::page::PAGE_BYTES;
use crate::codec::varint::{put_u64, take_u64};
use crate::column::{decode_values, encode_values};
use crate::immutable::Fault;

/// Most rows of a group.
pub(super) const GROUP_ROWS: usize = 2048;
/// Most pieces of a lane of a group, those of length 0 included.
pub(super) const PIECES_MAX: usize = 1 << 20;
/// Most bytes of a header before it is compressed.
pub(super) const HEADER_BYTES_MAX: usize = 64 << 20;
/// Length of an entry of the section of groups.
pub(super) const ENTRY_BYTES: usize = 20;

/// An entry of the section of groups: the stored header begins at `at`, and the pages follow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct GroupAt {
    /// In section data.
    pub(super) at: u64,
    pub(super) first_row: u32,
    /// Bytes of the header as it is stored.
    pub(super) stored: u32,
    /// Bytes of the header.
    pub(super) bytes: u32,
}

impl GroupAt {
    pub(super) fn encode(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..8].copy_from_slice(&self.at.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.first_row.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.stored.to_le_bytes());
        bytes[16..].copy_from_slice(&self.bytes.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (at, rest) = bytes.split_first_chunk::<8>()?;
        let (words, _) = rest.as_chunks::<4>();
        let &[first_row, stored, bytes] = words else {
            return None;
        };
        Some(Self {
            at: u64::from_le_bytes(*at),
            first_row: u32::from_le_bytes(first_row),
            stored: u32::from_le_bytes(stored),
            bytes: u32::from_le_bytes(bytes),
        })
    }
}

/// What a row has, as one byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct RowKind(pub(super) u8);

impl RowKind {
    /// The lowest two bits say where its floats are.
    const FLOATS: u8 = 3;
    /// In pieces of the lane of values.
    pub(super) const COLUMN: Self = Self(0);
    /// All are the same, which stands in the header.
    pub(super) const CONSTANT: Self = Self(1);
    /// It has none.
    pub(super) const NO_FLOATS: Self = Self(2);
    pub(super) const HISTOGRAMS: u8 = 4;
    pub(super) const STARTS: u8 = 8;
    pub(super) const EXEMPLARS: u8 = 16;
    /// Those that are no floats.
    pub(super) const FLAGS: u8 = Self::HISTOGRAMS | Self::STARTS | Self::EXEMPLARS;

    /// Where its floats are.
    pub(super) fn floats(self) -> Self {
        Self(self.0 & Self::FLOATS)
    }

    pub(super) fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    fn is_known(self) -> bool {
        self.0 & !(Self::FLOATS | Self::FLAGS) == 0 && self.floats().0 <= Self::NO_FLOATS.0
    }
}

/// What a lane holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub(super) enum LaneKind {
    /// Values of floats, a piece for each slice of them.
    Values = 0,
    /// Which points are histograms, and start timestamps: one piece.
    Marks = 1,
    /// Histograms, a piece for each slice of them.
    Histograms = 2,
    /// Exemplars: one piece.
    Exemplars = 3,
}

impl LaneKind {
    pub(super) const ALL: [Self; 4] =
        [Self::Values, Self::Marks, Self::Histograms, Self::Exemplars];

    /// Whether a row of that kind has pieces in it.
    pub(super) fn is_of(self, row: RowKind) -> bool {
        match self {
            Self::Values => row.floats() == RowKind::COLUMN,
            Self::Marks => row.has(RowKind::HISTOGRAMS | RowKind::STARTS),
            Self::Histograms => row.has(RowKind::HISTOGRAMS),
            Self::Exemplars => row.has(RowKind::EXEMPLARS),
        }
    }
}

/// What the header says.
#[derive(Clone, Default, PartialEq, Debug)]
pub(super) struct Header {
    pub(super) kinds: Vec<RowKind>,
    /// The time column of each row, counted from 1; 0 for none.
    pub(super) columns: Vec<u32>,
    pub(super) constants: Vec<f64>,
    /// Those of [`LaneKind::ALL`].
    pub(super) lanes: [Lane; 4],
}

/// Where the pieces of a lane are.
#[derive(Clone, Default, PartialEq, Debug)]
pub(super) struct Lane {
    /// How many rows have pieces.
    pub(super) slots: usize,
    /// Lengths of the pieces, slice by slice, in each as many as there are slots.
    pub(super) pieces: Vec<u32>,
    /// Lengths of its pages as they are stored.
    pub(super) pages: Vec<u32>,
}

impl Lane {
    /// How many slices there are.
    pub(super) fn slices(&self) -> usize {
        self.pieces.len().checked_div(self.slots).unwrap_or(0)
    }

    /// The bytes of all pieces.
    pub(super) fn bytes(&self) -> u64 {
        self.pieces.iter().copied().map(u64::from).sum()
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_u64(out, self.slices() as u64);
        put_ints(out, self.pieces.iter().copied().map(i64::from));
        put_ints(out, self.pages.iter().copied().map(i64::from));
    }

    fn take(input: &mut &[u8], slots: usize) -> Result<Self, &'static str> {
        let slices = take_u64(input).and_then(|slices| usize::try_from(slices).ok());
        let pieces = slices.and_then(|slices| slices.checked_mul(slots));
        let pieces = pieces.filter(|&pieces| 0 < pieces && pieces <= PIECES_MAX);
        let pieces = pieces.ok_or("a bad number of slices")?;
        let mut lane = Self {
            slots,
            pieces: take_u32s(input, pieces)?,
            pages: Vec::new(),
        };
        let pages = lane.bytes().div_ceil(PAGE_BYTES as u64);
        let pages = usize::try_from(pages).map_err(|_| "a bad number of pages")?;
        lane.pages = take_u32s(input, pages)?;
        Ok(lane)
    }
}

impl Header {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_u64(out, self.kinds.len() as u64);
        out.extend(self.kinds.iter().map(|kind| kind.0));
        put_ints(out, self.columns.iter().copied().map(i64::from));
        let mut constants = Vec::new();
        encode_values(&self.constants, &mut constants);
        put_u64(out, constants.len() as u64);
        out.extend(constants);
        let lanes = self.lanes.iter().filter(|lane| lane.slots > 0);
        lanes.for_each(|lane| lane.put(out));
    }

    /// Takes a header apart.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        Self::take(bytes).map_err(|reason| Fault::corrupt(Kind::Data.name(), reason))
    }

    fn take(mut bytes: &[u8]) -> Result<Self, &'static str> {
        let input = &mut bytes;
        let rows = take_u64(input).and_then(|rows| usize::try_from(rows).ok());
        let rows = rows.filter(|&rows| rows <= GROUP_ROWS);
        let kinds = rows.and_then(|rows| input.split_at_checked(rows));
        let (kinds, rest) = kinds.ok_or("a bad number of rows in a group")?;
        *input = rest;
        let kinds: Vec<RowKind> = kinds.iter().copied().map(RowKind).collect();
        if !kinds.iter().all(|kind| kind.is_known()) {
            return Err("the kind of a row is not known");
        }
        let columns = take_u32s(input, kinds.len())?;
        let is_constant = |kind: &&RowKind| kind.floats() == RowKind::CONSTANT;
        let mut constants = vec![0.0; kinds.iter().filter(is_constant).count()];
        let column = take_bytes(input)?;
        decode_values(column, &mut constants).map_err(|_| "the constants are no column")?;
        let mut lanes = <[Lane; 4]>::default();
        for (lane, kind) in lanes.iter_mut().zip(LaneKind::ALL) {
            let slots = kinds.iter().filter(|&&row| kind.is_of(row)).count();
            if slots > 0 {
                *lane = Lane::take(input, slots)?;
            }
        }
        match input.is_empty() {
            true => Ok(Self {
                kinds,
                columns,
                constants,
                lanes,
            }),
            false => Err("a group has more bytes than its header"),
        }
    }
}
