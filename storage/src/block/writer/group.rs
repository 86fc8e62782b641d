//! The group that rows are added to.

use std::io;

use super::row::EncodedRow;
use crate::block::group::{
    GROUP_ROWS, GroupAt, HEADER_BYTES_MAX, Header, Lane, PIECES_MAX, RowKind,
};
use crate::block::page::{PAGE_BYTES, Packer};
use crate::section::{FileWriter, OpenSection};

/// Most bytes of a lane of a group of more than one row: what is decompressed for a row is held
/// for the next one.
const LANE_BYTES_MAX: usize = 1 << 20;

/// A group that rows are added to.
#[derive(Debug, Default)]
pub(super) struct OpenGroup {
    first_row: u32,
    header: Header,
    lanes: [OpenLane; 4],
    /// Pieces in the order of the file, and pages of them as they are stored.
    sorted: Vec<u8>,
    stored: Vec<u8>,
}

/// The pieces of a lane, row by row.
#[derive(Debug, Default)]
struct OpenLane {
    bytes: Vec<u8>,
    lengths: Vec<u32>,
    /// How many pieces each row has that has any.
    rows: Vec<u32>,
    slices: usize,
}

impl OpenLane {
    fn has_room(&self, pieces: usize, bytes: usize) -> bool {
        // A page for each slice, so that those who read few of them read few pages.
        let slices = self.slices.max(pieces);
        let room = PAGE_BYTES.saturating_mul(slices).min(LANE_BYTES_MAX);
        let rows = self.rows.len() + usize::from(pieces > 0);
        self.bytes.len() + bytes <= room && rows * slices <= PIECES_MAX
    }

    /// Lengths of the pieces in the order of the file; the pieces go to `sorted`.
    fn sort(&self, sorted: &mut Vec<u8>) -> Vec<u32> {
        sorted.clear();
        if self.slices <= 1 {
            sorted.extend_from_slice(&self.bytes);
            return self.lengths.clone();
        }
        // Where the next piece of each row is: among the pieces, and in the bytes.
        let (mut places, mut piece, mut at) = (Vec::with_capacity(self.rows.len()), 0, 0);
        for &pieces in &self.rows {
            let end = piece + pieces as usize;
            let lengths = self.lengths.get(piece..end).unwrap_or_default();
            places.push((lengths, at));
            at += lengths.iter().map(|&length| length as usize).sum::<usize>();
            piece = end;
        }
        let mut lengths = Vec::with_capacity(self.slices * self.rows.len());
        for _ in 0..self.slices {
            for (rest, at) in &mut places {
                let length = rest.split_off_first().copied().unwrap_or(0);
                let end = *at + length as usize;
                sorted.extend_from_slice(self.bytes.get(*at..end).unwrap_or_default());
                lengths.push(length);
                *at = end;
            }
        }
        lengths
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.lengths.clear();
        self.rows.clear();
        self.slices = 0;
    }
}

impl OpenGroup {
    pub(super) fn is_empty(&self) -> bool {
        self.header.kinds.is_empty()
    }

    /// Whether a row may be added; to an empty group any may.
    pub(super) fn has_room(&self, row: &EncodedRow) -> bool {
        let lanes = self.lanes.iter().zip(&row.lanes);
        self.is_empty()
            || self.header.kinds.len() < GROUP_ROWS
                && lanes
                    .into_iter()
                    .all(|(lane, row)| lane.has_room(row.lengths.len(), row.bytes.len()))
    }

    /// Adds a row with the time column of that number, counted from 1; 0 for none.
    pub(super) fn add(&mut self, row: &EncodedRow, column: u32) {
        self.header.kinds.push(row.kind);
        self.header.columns.push(column);
        if row.kind.floats() == RowKind::CONSTANT {
            self.header.constants.push(row.constant);
        }
        for (lane, row) in self.lanes.iter_mut().zip(&row.lanes) {
            if !row.lengths.is_empty() {
                lane.bytes.extend_from_slice(&row.bytes);
                lane.lengths.extend_from_slice(&row.lengths);
                lane.rows.push(row.lengths.len() as u32);
                lane.slices = lane.slices.max(row.lengths.len());
            }
        }
    }

    /// Writes the group and begins the next one; `between` is called after each page. Says where
    /// it is.
    pub(super) fn write(
        &mut self,
        packer: &mut Packer,
        data: &mut OpenSection,
        file: &mut FileWriter,
        between: &dyn Fn(),
    ) -> io::Result<GroupAt> {
        self.stored.clear();
        for (number, lane) in self.lanes.iter_mut().enumerate() {
            let lengths = lane.sort(&mut self.sorted);
            let mut pages = Vec::new();
            for page in self.sorted.chunks(PAGE_BYTES) {
                pages.push(packer.pack(page, &mut self.stored)? as u32);
                between();
            }
            self.header.lanes[number] = Lane {
                slots: lane.rows.len(),
                pieces: lengths,
                pages,
            };
            lane.clear();
        }
        let mut header = Vec::new();
        self.header.encode(&mut header);
        if header.len() > HEADER_BYTES_MAX {
            let what = "the header of a group is longer than the format allows";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let mut stored_header = Vec::new();
        let stored = packer.pack(&header, &mut stored_header)?;
        let at = GroupAt {
            at: data.position(file),
            first_row: self.first_row,
            stored: stored as u32,
            bytes: header.len() as u32,
        };
        data.put(file, &stored_header)?;
        data.put(file, &self.stored)?;
        self.first_row += self.header.kinds.len() as u32;
        self.header = Header::default();
        Ok(at)
    }
}
