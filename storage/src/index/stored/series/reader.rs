//! Reading label sets.

use super::shapes::{ShapeReader, Shapes};
use super::{GROUP, MASKED, values_before};
use crate::index::stored::IndexError;
use crate::index::stored::groups::Groups;
use crate::index::stored::part::{Decoder, Part};
use crate::model::SymbolId;
use crate::section::Bytes;

/// Symbols of a label's name and value.
pub(in crate::index::stored) type Pair = (SymbolId, SymbolId);

/// Reads the section.
#[derive(Debug)]
pub(in crate::index::stored) struct Series {
    part: Part,
    groups: Groups,
    shapes: Shapes,
    rows: u32,
    /// Symbols are below this.
    symbols: u32,
}

impl Series {
    pub(in crate::index::stored) fn new(
        bytes: Box<dyn Bytes>,
        rows: u32,
        shapes: u32,
        symbols: u32,
    ) -> Result<Self, IndexError> {
        let part = Part::new("series", bytes);
        let groups = Groups::before(&part, part.len(), rows.div_ceil(GROUP).into())?;
        let shapes = Groups::before(&part, groups.table(), shapes.into())?;
        Ok(Self {
            part,
            groups,
            shapes: Shapes::new(shapes, symbols),
            rows,
            symbols,
        })
    }

    /// Calls `each` with the labels of `rows`, which rise.
    pub(in crate::index::stored) fn labels(
        &self,
        mut rows: &[u32],
        mut each: impl FnMut(u32, &[Pair]),
    ) -> Result<(), IndexError> {
        let mut reader = RowReader {
            symbols: self.symbols,
            shapes: ShapeReader::new(&self.shapes, &self.part),
            row: Row::default(),
            before: Row::default(),
        };
        while let Some(&first) = rows.first() {
            let window = self
                .groups
                .read_close(&self.part, rows.iter().copied(), GROUP)?;
            let mut number = u64::from(first / GROUP);
            while window.contains(number) {
                let in_group = rows.partition_point(|&row| u64::from(row / GROUP) <= number);
                let (wanted, later) = rows.split_at(in_group);
                rows = later;
                let mut group = window.group(number)?;
                let mut next = number as u32 * GROUP;
                reader.row.clear();
                for &row in wanted {
                    if row >= self.rows {
                        return Err(group.malformed("there is no such row"));
                    }
                    while next <= row {
                        reader.next(&mut group)?;
                        next += 1;
                    }
                    each(row, &reader.row.labels);
                }
                match rows.first() {
                    Some(row) => number = u64::from(row / GROUP),
                    None => return Ok(()),
                }
            }
        }
        Ok(())
    }
}

/// A row as it was read.
#[derive(Debug, Default)]
struct Row {
    shape: u32,
    labels: Vec<Pair>,
}

impl Row {
    fn clear(&mut self) {
        self.shape = 0;
        self.labels.clear();
    }
}

/// Reads rows of a group one after the other.
struct RowReader<'a> {
    symbols: u32,
    shapes: ShapeReader<'a>,
    /// The row read last.
    row: Row,
    /// The one before that: kept for its memory.
    before: Row,
}

impl RowReader<'_> {
    fn next(&mut self, group: &mut Decoder<'_>) -> Result<(), IndexError> {
        let head = group.u64()?;
        if head & 1 == 0 {
            return self.next_of_same_shape(group, head >> 1);
        }
        let shape = group.u32()?;
        let names = self.shapes.names(shape)?;
        std::mem::swap(&mut self.row, &mut self.before);
        self.row.shape = shape;
        self.row.labels.clear();
        let mut mask = head >> 1;
        let old = values_before(names, &self.before.labels);
        for ((index, &name), old) in names.iter().enumerate().zip(old) {
            let is_here = index >= MASKED || mask & 1 == 1;
            mask >>= 1;
            let value = match (is_here, old) {
                (true, old) => value(group, old.unwrap_or(0), self.symbols)?,
                (false, Some(old)) => old,
                (false, None) => return Err(group.malformed("the row before has no such label")),
            };
            self.row.labels.push((SymbolId(name), SymbolId(value)));
        }
        Ok(())
    }

    fn next_of_same_shape(
        &mut self,
        group: &mut Decoder<'_>,
        mut mask: u64,
    ) -> Result<(), IndexError> {
        for (index, (_, own)) in self.row.labels.iter_mut().enumerate() {
            if index >= MASKED || mask & 1 == 1 {
                own.0 = value(group, own.0, self.symbols)?;
            }
            mask >>= 1;
        }
        Ok(())
    }
}

/// Takes a value that is written as its distance from `old`.
fn value(group: &mut Decoder<'_>, old: u32, symbols: u32) -> Result<u32, IndexError> {
    let value = i64::from(old).checked_add(group.i64()?);
    value
        .and_then(|value| u32::try_from(value).ok())
        .filter(|&value| value < symbols)
        .ok_or_else(|| group.malformed("a value is not among the symbols"))
}
