//! The symbols of a stored index: sorted strings, front-coded in groups.
//!
//! A group is [`GROUP`] strings (the last may have fewer). The first is its length as a varint
//! and its bytes; each other is the number of bytes it shares with the one before, the number
//! of those that follow, both varints, and these. The table of groups ends the section.

use std::io;

use super::groups::{Groups, put_offset};
use super::input::invalid;
use super::part::{Decoder, Part};
use super::{IndexError, IndexInput};
use crate::codec::varint;
use crate::model::SymbolId;
use crate::section::{Bytes, FileWriter, SectionRef};

/// Strings a group.
const GROUP: u32 = 16;
/// How many groups are read at once where a string is searched.
const NEAR_GROUPS: u64 = 32;
/// How many bytes are gathered before they are written.
const WRITE_BYTES: usize = 8 << 10;
/// Stands for the rank of a symbol that no row has.
const UNUSED: u32 = u32::MAX;

/// What the symbols of an input are called in the index.
#[derive(Debug)]
pub(super) struct Ranks {
    ranks: Vec<u32>,
    pub(super) count: u32,
}

impl Ranks {
    /// The rank of an input's symbol.
    pub(super) fn of(&self, symbol: SymbolId) -> io::Result<u32> {
        match self.ranks.get(symbol.index()) {
            Some(&rank) if rank != UNUSED => Ok(rank),
            _ => Err(invalid("a label has a symbol that was not among all")),
        }
    }
}

/// Writes the section.
pub(super) fn write(
    input: &impl IndexInput,
    file: &mut FileWriter,
) -> io::Result<(SectionRef, Ranks)> {
    let mut section = file.section();
    let mut ranks = vec![UNUSED; input.symbols_end() as usize];
    let mut count = 0u32;
    let mut table = Vec::new();
    let mut last: Vec<u8> = Vec::new();
    let mut bytes = Vec::new();
    input.for_each_symbol(&mut |symbol, text| {
        let text = text.as_bytes();
        if count > 0 && *last >= *text {
            return Err(invalid("symbols are not sorted"));
        }
        let rank = ranks.get_mut(symbol.index());
        *rank.ok_or_else(|| invalid("a symbol is not below the end of all"))? = count;
        let shared = if count.is_multiple_of(GROUP) {
            put_offset(&mut table, section.position() + bytes.len() as u64);
            0
        } else {
            let shared = shared(&last, text);
            varint::put_u64(&mut bytes, shared as u64);
            shared
        };
        let (_, own) = text.split_at(shared);
        varint::put_u64(&mut bytes, own.len() as u64);
        bytes.extend_from_slice(own);
        if bytes.len() >= WRITE_BYTES {
            section.put(&bytes)?;
            bytes.clear();
        }
        last.truncate(shared);
        last.extend_from_slice(own);
        count = count
            .checked_add(1)
            .ok_or_else(|| invalid("too many symbols"))?;
        Ok(())
    })?;
    section.put(&bytes)?;
    put_offset(&mut table, section.position());
    section.put(&table)?;
    Ok((section.finish()?, Ranks { ranks, count }))
}

fn shared(one: &[u8], other: &[u8]) -> usize {
    let same = one.iter().zip(other).take_while(|(a, b)| a == b);
    same.count()
}

/// Reads the section.
#[derive(Debug)]
pub(super) struct Symbols {
    part: Part,
    groups: Groups,
    count: u32,
}

impl Symbols {
    pub(super) fn new(bytes: Box<dyn Bytes>, count: u32) -> Result<Self, IndexError> {
        let part = Part::new("symbols", bytes);
        let groups = Groups::before(&part, part.len(), count.div_ceil(GROUP).into())?;
        Ok(Self {
            part,
            groups,
            count,
        })
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// The symbol of a string.
    pub(super) fn lookup(&self, text: &str) -> Result<Option<SymbolId>, IndexError> {
        let (symbol, is_it) = self.lower_bound(text.as_bytes())?;
        Ok(is_it.then_some(SymbolId(symbol)))
    }

    /// The first symbol whose string is not before `text`, and whether that is its string.
    pub(super) fn lower_bound(&self, text: &[u8]) -> Result<(u32, bool), IndexError> {
        // Groups before `low` begin at or before `text`, those from `high` on after it.
        let (mut low, mut high) = (0, self.groups.count());
        let mut near = None;
        while low < high {
            if near.is_none() && high - low <= NEAR_GROUPS {
                // All that is left, with the group before, is read at once.
                let first = low.saturating_sub(1);
                near = Some(self.groups.window(&self.part, first, high - 1)?);
            }
            let middle = low.midpoint(high);
            let own;
            let window = match &near {
                Some(near) if near.contains(middle) => near,
                _ => {
                    own = self.groups.read(&self.part, middle)?;
                    &own
                }
            };
            let mut group = window.group(middle)?;
            let length = group.u64()?;
            match group.bytes(length)? <= text {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        let Some(group) = low.checked_sub(1) else {
            return Ok((0, false));
        };
        let window = match near {
            Some(near) if near.contains(group) => near,
            _ => self.groups.read(&self.part, group)?,
        };
        let mut strings = Strings::new(window.group(group)?);
        let start = group as u32 * GROUP;
        let end = self.count.min(start.saturating_add(GROUP));
        for symbol in start..end {
            let own = strings.next()?;
            if own >= text {
                return Ok((symbol, own == text));
            }
        }
        Ok((end, false))
    }

    /// Calls `each` with the strings of `symbols`, which rise.
    pub(super) fn texts(
        &self,
        mut symbols: &[SymbolId],
        mut each: impl FnMut(SymbolId, &str),
    ) -> Result<(), IndexError> {
        let mut buffer = Vec::new();
        while let Some(&first) = symbols.first() {
            let window =
                self.groups
                    .read_close(&self.part, symbols.iter().map(|symbol| symbol.0), GROUP)?;
            let group_of = |symbol: SymbolId| u64::from(symbol.0 / GROUP);
            let mut number = group_of(first);
            while window.contains(number) {
                let in_group = symbols.partition_point(|&symbol| group_of(symbol) <= number);
                let (wanted, later) = symbols.split_at(in_group);
                symbols = later;
                let group = window.group(number)?;
                let mut strings = Strings::with_buffer(group, std::mem::take(&mut buffer));
                let mut next = number as u32 * GROUP;
                for &symbol in wanted {
                    while next < symbol.0 {
                        strings.next()?;
                        next += 1;
                    }
                    if next == symbol.0 {
                        strings.next()?;
                        next += 1;
                    }
                    each(symbol, strings.text()?);
                }
                buffer = strings.buffer;
                match symbols.first() {
                    Some(&symbol) => number = group_of(symbol),
                    None => return Ok(()),
                }
            }
        }
        Ok(())
    }
}

/// The strings of a group, one after the other.
struct Strings<'a> {
    group: Decoder<'a>,
    buffer: Vec<u8>,
    is_first: bool,
}

impl<'a> Strings<'a> {
    fn new(group: Decoder<'a>) -> Self {
        Self::with_buffer(group, Vec::new())
    }

    fn with_buffer(group: Decoder<'a>, buffer: Vec<u8>) -> Self {
        Self {
            group,
            buffer,
            is_first: true,
        }
    }

    /// Takes the next one.
    fn next(&mut self) -> Result<&[u8], IndexError> {
        let shared = match std::mem::take(&mut self.is_first) {
            true => 0,
            false => self.group.u64()?,
        };
        if shared > self.buffer.len() as u64 {
            return Err(self.group.malformed("a string shares more than there is"));
        }
        let length = self.group.u64()?;
        let own = self.group.bytes(length)?;
        self.buffer.truncate(shared as usize);
        self.buffer.extend_from_slice(own);
        Ok(&self.buffer)
    }

    /// The one taken last.
    fn text(&self) -> Result<&str, IndexError> {
        std::str::from_utf8(&self.buffer).map_err(|_| self.group.malformed("a string is not UTF-8"))
    }
}
