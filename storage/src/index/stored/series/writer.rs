//! Writing label sets.

use std::hash::BuildHasher;
use std::io;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::reader::Pair;
use super::{GROUP, MASKED, values_before};
use crate::codec::varint;
use crate::index::stored::groups::put_offset;
use crate::index::stored::input::{IndexInput, invalid};
use crate::index::stored::symbols::Ranks;
use crate::model::SymbolId;
use crate::section::{FileWriter, SectionRef};

/// Writes the section; says how many shapes it has.
pub(in crate::index::stored) fn write(
    input: &impl IndexInput,
    ranks: &Ranks,
    file: &mut FileWriter,
) -> io::Result<(SectionRef, u32)> {
    let mut section = file.section();
    let mut shapes = Shapes::default();
    let mut table = Vec::new();
    let mut labels = Vec::new();
    let (mut before, mut row_labels): (Vec<Pair>, Vec<Pair>) = (Vec::new(), Vec::new());
    let (mut shape_before, mut names) = (0, Vec::new());
    let mut bytes = Vec::new();
    for row in 0..input.rows() {
        if row.is_multiple_of(GROUP) {
            section.put(&bytes)?;
            bytes.clear();
            put_offset(&mut table, section.position());
            before.clear();
            shape_before = 0;
        }
        labels.clear();
        input.labels(row, &mut labels)?;
        row_labels.clear();
        names.clear();
        for &(name, value) in &labels {
            let name = ranks.of(name)?;
            names.push(name);
            row_labels.push((SymbolId(name), SymbolId(ranks.of(value)?)));
        }
        let shape = shapes.number(&names)?;
        encode(
            shape,
            shape_before,
            &names,
            &row_labels,
            &before,
            &mut bytes,
        );
        shape_before = shape;
        std::mem::swap(&mut before, &mut row_labels);
    }
    section.put(&bytes)?;
    put_offset(&mut table, section.position());
    let mut shape_table = Vec::new();
    for names in shapes.iter() {
        put_offset(&mut shape_table, section.position());
        bytes.clear();
        let mut last = 0;
        for &name in names {
            varint::put_u64(&mut bytes, u64::from(name - last));
            last = name;
        }
        section.put(&bytes)?;
    }
    put_offset(&mut shape_table, section.position());
    section.put(&shape_table)?;
    section.put(&table)?;
    let count = shapes.ends.len() as u32;
    Ok((section.finish()?, count))
}

fn encode(
    shape: u32,
    shape_before: u32,
    names: &[u32],
    row: &[Pair],
    before: &[Pair],
    out: &mut Vec<u8>,
) {
    let mut head = u64::from(shape != shape_before);
    for (index, (&(_, value), old)) in row.iter().zip(values_before(names, before)).enumerate() {
        if index < MASKED && old != Some(value.0) {
            head |= 2 << index;
        }
    }
    varint::put_u64(out, head);
    if shape != shape_before {
        varint::put_u64(out, shape.into());
    }
    for (index, (&(_, value), old)) in row.iter().zip(values_before(names, before)).enumerate() {
        if index >= MASKED || old != Some(value.0) {
            varint::put_i64(out, i64::from(value.0) - i64::from(old.unwrap_or(0)));
        }
    }
}

/// Lists of names, each once.
struct Shapes {
    names: Vec<u32>,
    /// Where each list ends in `names`.
    ends: Vec<usize>,
    numbers: HashTable<u32>,
    hasher: RandomState,
    /// The shape of the last row: mostly that of the next one, too.
    last: u32,
}

impl Default for Shapes {
    /// With shape 0, which has no names.
    fn default() -> Self {
        let mut shapes = Self {
            names: Vec::new(),
            ends: vec![0],
            numbers: HashTable::new(),
            hasher: RandomState::default(),
            last: 0,
        };
        let hash = shapes.hasher.hash_one::<&[u32]>(&[]);
        shapes.numbers.insert_unique(hash, 0, |_| hash);
        shapes
    }
}

impl Shapes {
    fn number(&mut self, names: &[u32]) -> io::Result<u32> {
        if list(&self.names, &self.ends, self.last) == names {
            return Ok(self.last);
        }
        let Self {
            names: all,
            ends,
            numbers,
            hasher,
            ..
        } = self;
        let hash = hasher.hash_one(names);
        let found = numbers.find(hash, |&number| list(all, ends, number) == names);
        let number = match found {
            Some(&number) => number,
            None => {
                if !names.is_sorted_by(|one, next| one < next) {
                    return Err(invalid("the labels of a row are not sorted by name"));
                }
                let number = u32::try_from(ends.len()).map_err(|_| invalid("too many shapes"))?;
                all.extend_from_slice(names);
                ends.push(all.len());
                numbers.insert_unique(hash, number, |&other| {
                    hasher.hash_one(list(all, ends, other))
                });
                number
            }
        };
        self.last = number;
        Ok(number)
    }

    fn iter(&self) -> impl Iterator<Item = &[u32]> {
        (0..self.ends.len() as u32).map(|number| list(&self.names, &self.ends, number))
    }
}

fn list<'a>(names: &'a [u32], ends: &[usize], number: u32) -> &'a [u32] {
    let number = number as usize;
    let start = if number == 0 { 0 } else { ends[number - 1] };
    &names[start..ends[number]]
}
