//! Which rows of an output have which label, until its index is written.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use roaring::RoaringBitmap;

use crate::codec::varint::{put_u64, take_u64};

/// Stands for a piece that is not there.
const NONE: u32 = u32::MAX;
/// Bytes of a piece.
const PIECE_BYTES: usize = 27;
/// No run takes more bytes.
const RUN_BYTES_MAX: usize = 20;

/// Rows by label, in runs of successive ones. Rows come in rising order. Some thirty bytes a
/// label, and a byte or two for each run after its first.
#[derive(Debug, Default)]
pub(super) struct RunLists {
    lists: Vec<RunList>,
    pieces: Vec<Piece>,
    /// Lists by their labels.
    table: HashTable<u32>,
    hasher: RandomState,
}

/// The rows of one label.
#[derive(Debug)]
struct RunList {
    label: (u32, u32),
    /// The run that grows: its first row and the row after its last.
    start: u32,
    end: u32,
    /// The row after the run before it.
    written: u32,
    /// The piece with the runs before it.
    tail: u32,
}

/// Some bytes of the runs of a label.
#[derive(Debug)]
struct Piece {
    before: u32,
    length: u8,
    bytes: [u8; PIECE_BYTES],
}

impl RunLists {
    /// The number of a label's list: one of its own for each. Whoever adds a row adds it to the
    /// list before asking for another.
    pub(super) fn find(&mut self, label: (u32, u32)) -> u32 {
        let Self {
            lists,
            table,
            hasher,
            ..
        } = self;
        let hash = hasher.hash_one(label);
        if let Some(&number) = table.find(hash, |&number| lists[number as usize].label == label) {
            return number;
        }
        // Labels of a file are fewer than a u32 counts: each takes more than a byte of it.
        let number = lists.len() as u32;
        lists.push(RunList {
            label,
            start: 0,
            end: 0,
            written: 0,
            tail: NONE,
        });
        table.insert_unique(hash, number, |&other| {
            hasher.hash_one(lists[other as usize].label)
        });
        number
    }

    /// Adds a row, above all before, to a list.
    pub(super) fn push(&mut self, list: u32, row: u32) {
        let list = &mut self.lists[list as usize];
        if list.start == list.end {
            list.start = row;
        } else if list.end != row {
            let mut bytes = Vec::with_capacity(RUN_BYTES_MAX);
            put_run(list, &mut bytes);
            list.written = list.end;
            let has_room = self
                .pieces
                .get(list.tail as usize)
                .is_some_and(|piece| usize::from(piece.length) + bytes.len() <= PIECE_BYTES);
            if !has_room {
                self.pieces.push(Piece {
                    before: list.tail,
                    length: 0,
                    bytes: [0; PIECE_BYTES],
                });
                list.tail = self.pieces.len() as u32 - 1;
            }
            let piece = &mut self.pieces[list.tail as usize];
            let at = usize::from(piece.length);
            piece.bytes[at..at + bytes.len()].copy_from_slice(&bytes);
            piece.length += bytes.len() as u8;
            list.start = row;
        }
        list.end = row + 1;
    }

    /// The lists in the order of their labels.
    pub(super) fn sorted(&self) -> Vec<u32> {
        let mut sorted: Vec<u32> = (0..self.lists.len() as u32).collect();
        sorted.sort_unstable_by_key(|&list| self.lists[list as usize].label);
        sorted
    }

    /// The label of a list.
    pub(super) fn label(&self, list: u32) -> (u32, u32) {
        self.lists[list as usize].label
    }

    /// The only row of a list; none if it has several.
    pub(super) fn only(&self, list: u32) -> Option<u32> {
        let list = &self.lists[list as usize];
        (list.tail == NONE && list.start + 1 == list.end).then_some(list.start)
    }

    /// The rows of a list.
    pub(super) fn rows(&self, list: u32) -> RoaringBitmap {
        let list = &self.lists[list as usize];
        let mut pieces = Vec::new();
        let mut next = list.tail;
        while let Some(piece) = self.pieces.get(next as usize) {
            pieces.push(piece);
            next = piece.before;
        }
        let mut rows = RoaringBitmap::new();
        let mut end = 0;
        for piece in pieces.into_iter().rev() {
            let mut runs = &piece.bytes[..usize::from(piece.length)];
            while let Some((start, after)) = take_run(&mut runs, end) {
                rows.insert_range(start..after);
                end = after;
            }
        }
        rows.insert_range(list.start..list.end);
        rows
    }

    /// Bytes it takes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.lists.capacity() * size_of::<RunList>()
            + self.pieces.capacity() * size_of::<Piece>()
            + self.table.allocation_size()
    }
}

/// The distance from the run before, its lowest bit whether there is more than one row, and how
/// many more than two.
fn put_run(list: &RunList, out: &mut Vec<u8>) {
    let distance = u64::from(list.start - list.written) << 1;
    match list.end - list.start {
        1 => put_u64(out, distance),
        rows => {
            put_u64(out, distance | 1);
            put_u64(out, u64::from(rows - 2));
        }
    }
}

fn take_run(input: &mut &[u8], end: u32) -> Option<(u32, u32)> {
    let head = take_u64(input)?;
    let start = end + (head >> 1) as u32;
    let rows = match head & 1 {
        0 => 1,
        _ => take_u64(input)? as u32 + 2,
    };
    Some((start, start + rows))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_come_back(
            rows in prop::collection::vec(
                (prop_oneof![9 => Just(0u32), 1 => 0..200_000u32], prop::collection::btree_set((0..3u32, 0..4u32), 0..4)),
                0..400,
            ),
        ) {
            let mut lists = RunLists::default();
            let mut model: BTreeMap<(u32, u32), RoaringBitmap> = BTreeMap::new();
            let mut row = 0;
            for (skipped, labels) in rows {
                row += skipped;
                for label in labels {
                    let list = lists.find(label);
                    lists.push(list, row);
                    model.entry(label).or_default().insert(row);
                }
                row += 1;
            }
            let sorted = lists.sorted();
            let labels = sorted.iter().map(|&list| lists.label(list));
            prop_assert!(labels.eq(model.keys().copied()));
            for (&list, expected) in sorted.iter().zip(model.values()) {
                prop_assert_eq!(&lists.rows(list), expected);
                let only = expected.min().filter(|_| expected.len() == 1);
                prop_assert_eq!(lists.only(list), only);
            }
        }
    }

    #[test]
    fn a_label_of_every_other_row_takes_a_byte_a_row() {
        let mut lists = RunLists::default();
        let list = lists.find((1, 2));
        for row in (0..200_000).step_by(2) {
            lists.push(list, row);
        }
        assert!(lists.bytes() < 300_000, "{}", lists.bytes());
    }
}
