//! The label sets of the rows of an output, until its index is written.

use std::cell::RefCell;

use super::labels::Key;
use crate::codec::varint::{put_i64, put_u64, take_i64, take_u64};

/// Rows that are read from a place in the bytes on.
const GROUP: usize = 64;
/// How many values, that of the metric name among them, have a bit that says whether they changed.
const MASKED: usize = 62;

/// Label sets by row, each as what is different from that of the row before: a few bytes a row
/// where rows are in order of their labels.
///
/// A row is a number whose lowest bit says that names differ from those of the row before. If
/// they do, the length of the key follows with its numbers; else each bit above it says of a
/// value whether it changed, and the changed ones follow. Numbers stand as their distance from
/// that at the same place in the row before.
#[derive(Debug, Default)]
pub(super) struct LabelLog {
    bytes: Vec<u8>,
    /// Where each [`GROUP`] of rows begins.
    groups: Vec<usize>,
    rows: usize,
    last: Vec<u32>,
    cursor: RefCell<Cursor>,
}

/// Where the log was read last.
#[derive(Debug, Default)]
struct Cursor {
    /// The row after the one that `key` is of.
    next: usize,
    at: usize,
    key: Vec<u32>,
}

impl LabelLog {
    /// Adds the labels of the next row.
    pub(super) fn push(&mut self, key: &Key) {
        if self.rows.is_multiple_of(GROUP) {
            self.groups.push(self.bytes.len());
            self.last.clear();
        }
        self.rows += 1;
        let out = &mut self.bytes;
        let is_alike = key.len() == self.last.len() && key.len() <= 2 * MASKED;
        if is_alike && names(key).eq(names(&self.last)) {
            let values = || key.iter().zip(&self.last).step_by(2);
            let mut head = 0;
            for (place, (value, before)) in values().enumerate() {
                head |= u64::from(value != before) << (place + 1);
            }
            put_u64(out, head);
            for (&value, &before) in values().filter(|(value, before)| value != before) {
                put_i64(out, i64::from(value) - i64::from(before));
            }
        } else {
            put_u64(out, 1);
            put_u64(out, key.len() as u64);
            let before = self.last.iter().copied().chain(std::iter::repeat(0));
            for (&number, before) in key.iter().zip(before) {
                put_i64(out, i64::from(number) - i64::from(before));
            }
        }
        self.last.clear();
        self.last.extend_from_slice(key);
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Calls `read` with the labels of a row; none for a row that is not there. Quickest for the
    /// row after the one that was read last.
    pub(super) fn with<T>(&self, row: usize, read: impl FnOnce(&Key) -> T) -> Option<T> {
        if row >= self.rows {
            return None;
        }
        let mut cursor = self.cursor.borrow_mut();
        let group = row / GROUP;
        if cursor.next > row || cursor.next < group * GROUP {
            cursor.next = group * GROUP;
            cursor.at = *self.groups.get(group)?;
        }
        while cursor.next <= row {
            if cursor.next.is_multiple_of(GROUP) {
                cursor.key.clear();
            }
            let mut rest = self.bytes.get(cursor.at..)?;
            let length = rest.len();
            take(&mut rest, &mut cursor.key)?;
            cursor.at += length - rest.len();
            cursor.next += 1;
        }
        Some(read(&cursor.key))
    }
}

fn names(key: &Key) -> impl Iterator<Item = u32> + '_ {
    key.iter().skip(1).step_by(2).copied()
}

/// Turns the key of a row into that of the next one.
fn take(input: &mut &[u8], key: &mut Vec<u32>) -> Option<()> {
    let head = take_u64(input)?;
    let mut change = |number: &mut u32| {
        *number = u32::try_from(i64::from(*number) + take_i64(input)?).ok()?;
        Some(())
    };
    if head & 1 == 0 {
        for (place, value) in key.iter_mut().step_by(2).enumerate() {
            if place < MASKED && head >> (place + 1) & 1 == 1 {
                change(value)?;
            }
        }
        return Some(());
    }
    let length = take_u64(input)?;
    key.resize(usize::try_from(length).ok()?, 0);
    for number in key {
        *number = u32::try_from(i64::from(*number) + take_i64(input)?).ok()?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> impl Strategy<Value = Vec<u32>> {
        let number = prop_oneof![8 => 0..4u32, 1 => any::<u32>()];
        prop_oneof![
            30 => prop::collection::vec(number.clone(), 3..=3),
            5 => prop::collection::vec(number.clone(), 0..4),
            1 => prop::collection::vec(number, 100..140),
        ]
        .prop_map(|mut key| {
            key.truncate(key.len() - usize::from(key.len().is_multiple_of(2) && !key.is_empty()));
            key
        })
    }

    proptest! {
        #[test]
        fn label_sets_come_back(
            keys in prop::collection::vec(key(), 0..300),
            others in prop::collection::vec(0..310usize, 0..20),
        ) {
            let mut log = LabelLog::default();
            keys.iter().for_each(|key| log.push(key));
            prop_assert_eq!(log.rows(), keys.len());
            for row in (0..keys.len()).chain(others) {
                let read = log.with(row, <[u32]>::to_vec);
                prop_assert_eq!(read.as_ref(), keys.get(row));
            }
        }
    }

    #[test]
    fn a_row_that_differs_in_one_value_takes_two_bytes() {
        let mut log = LabelLog::default();
        for row in 0..6400 {
            log.push(&[7, 1, 70_000, 2, 80_000 + row, 3, 9]);
        }
        assert!(log.bytes.len() < 6400 * 2 + 100 * 20, "{}", log.bytes.len());
    }
}
