//! Reading the label table.

use std::ops::{ControlFlow, Range};

use super::{GROUP, HEAD_BYTES, NAME_BYTES, Name};
use crate::index::stored::IndexError;
use crate::index::stored::groups::{Groups, Window};
use crate::index::stored::part::Part;
use crate::index::stored::postings::RowsAt;
use crate::section::Bytes;

/// Up to this many bytes of sorted entries are read at once; more are searched by single reads.
const SEARCH_BYTES: u64 = 16 << 10;
/// How many entries of names are read at once where all are wanted.
const NAMES_BATCH: u32 = 4096;

/// A value of a name and its rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::index::stored) struct Value {
    pub(in crate::index::stored) symbol: u32,
    pub(in crate::index::stored) rows: RowsAt,
}

/// Reads the section.
#[derive(Debug)]
pub(in crate::index::stored) struct Names {
    part: Part,
    count: u32,
}

impl Names {
    pub(in crate::index::stored) fn new(
        bytes: Box<dyn Bytes>,
        count: u32,
    ) -> Result<Self, IndexError> {
        let part = Part::new("names", bytes);
        if u64::from(count) * NAME_BYTES > part.len() {
            return Err(part.malformed(0, "there is no room for the entries of names"));
        }
        Ok(Self { part, count })
    }

    pub(in crate::index::stored) fn count(&self) -> u32 {
        self.count
    }

    /// The name of a symbol.
    pub(in crate::index::stored) fn find(&self, symbol: u32) -> Result<Option<Name>, IndexError> {
        let Some(index) = self.last_not_above(0, self.count.into(), NAME_BYTES, symbol)? else {
            return Ok(None);
        };
        let offset = index * NAME_BYTES;
        let bytes = self.part.get(offset, NAME_BYTES)?;
        let name = self.name(&bytes, offset)?;
        Ok((name.symbol == symbol).then_some(name))
    }

    /// Calls `each` with all names, in order of symbol.
    pub(in crate::index::stored) fn for_each(
        &self,
        mut each: impl FnMut(&Name) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        for start in (0..self.count).step_by(NAMES_BATCH as usize) {
            let count = NAMES_BATCH.min(self.count - start);
            let offset = u64::from(start) * NAME_BYTES;
            let bytes = self.part.get(offset, u64::from(count) * NAME_BYTES)?;
            for entry in bytes.chunks(NAME_BYTES as usize) {
                each(&self.name(entry, offset)?)?;
            }
        }
        Ok(())
    }

    fn name(&self, bytes: &[u8], offset: u64) -> Result<Name, IndexError> {
        let name = bytes.first_chunk().and_then(Name::decode);
        name.ok_or_else(|| {
            self.part
                .malformed(offset, "the entry of a name makes no sense")
        })
    }

    /// A value of a name.
    pub(in crate::index::stored) fn value(
        &self,
        name: &Name,
        symbol: u32,
    ) -> Result<Option<Value>, IndexError> {
        let values = self.values_of(name)?;
        let Some(group) = values.group_of(symbol)? else {
            return Ok(None);
        };
        let window = values.groups.read(&self.part, group)?;
        let mut found = None;
        values.for_each_of_group(&window, group, |value| {
            if value.symbol == symbol {
                found = Some(value);
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Calls `each` with the values of a name whose symbols are in `range`, in order.
    pub(in crate::index::stored) fn for_each_value(
        &self,
        name: &Name,
        range: Range<u32>,
        mut each: impl FnMut(Value) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        self.while_value(name, range, |value| {
            each(value).map(|()| ControlFlow::Continue(()))
        })
    }

    /// The same until `each` wants no more.
    pub(in crate::index::stored) fn while_value(
        &self,
        name: &Name,
        range: Range<u32>,
        mut each: impl FnMut(Value) -> Result<ControlFlow<()>, IndexError>,
    ) -> Result<(), IndexError> {
        let Some(last) = range.end.checked_sub(1) else {
            return Ok(());
        };
        let values = self.values_of(name)?;
        let Some(last) = values.group_of(last)? else {
            return Ok(());
        };
        let mut group = values.group_of(range.start)?.unwrap_or(0);
        while group <= last {
            let window = values.groups.window(&self.part, group, last)?;
            while group < window.end() {
                let mut flow = ControlFlow::Continue(());
                values.for_each_of_group(&window, group, |value| {
                    if range.contains(&value.symbol) && flow.is_continue() {
                        flow = each(value)?;
                    }
                    Ok(())
                })?;
                if flow.is_break() {
                    return Ok(());
                }
                group += 1;
            }
        }
        Ok(())
    }

    fn values_of(&self, name: &Name) -> Result<Values<'_>, IndexError> {
        let count = u64::from(name.values.div_ceil(GROUP));
        let heads = name.end.checked_sub(count * HEAD_BYTES);
        let heads = heads.filter(|_| name.end <= self.part.len());
        let heads =
            heads.ok_or_else(|| self.part.malformed(name.end, "values have no such place"))?;
        Ok(Values {
            names: self,
            groups: Groups::before(&self.part, heads, count)?,
            heads,
            count: name.values,
        })
    }

    /// The last of `count` sorted entries of `stride` bytes, from `at` on, whose symbol is not
    /// above `symbol`. An entry begins with its symbol.
    fn last_not_above(
        &self,
        at: u64,
        count: u64,
        stride: u64,
        symbol: u32,
    ) -> Result<Option<u64>, IndexError> {
        let (mut low, mut high) = (0, count);
        while (high - low) * stride > SEARCH_BYTES {
            let middle = low.midpoint(high);
            let bytes = self.part.get(at + middle * stride, HEAD_BYTES)?;
            match symbol_of(&bytes).is_some_and(|own| own <= symbol) {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        let bytes = self.part.get(at + low * stride, (high - low) * stride)?;
        let (mut left, mut right) = (0, high - low);
        while left < right {
            let middle = left.midpoint(right);
            let entry = bytes.get((middle * stride) as usize..).unwrap_or_default();
            match symbol_of(entry).is_some_and(|own| own <= symbol) {
                true => left = middle + 1,
                false => right = middle,
            }
        }
        Ok((low + left).checked_sub(1))
    }
}

fn symbol_of(entry: &[u8]) -> Option<u32> {
    entry.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

/// The values of one name.
struct Values<'a> {
    names: &'a Names,
    groups: Groups,
    /// Where the symbols of the groups' first values stand.
    heads: u64,
    count: u32,
}

impl Values<'_> {
    /// The group where a symbol would stand; none if it is before all.
    fn group_of(&self, symbol: u32) -> Result<Option<u64>, IndexError> {
        let count = self.groups.count();
        self.names
            .last_not_above(self.heads, count, HEAD_BYTES, symbol)
    }

    fn for_each_of_group(
        &self,
        window: &Window<'_>,
        number: u64,
        mut each: impl FnMut(Value) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        let mut group = window.group(number)?;
        let mut offset = group.u64()?;
        let mut symbol = 0u32;
        let before = number as u32 * GROUP;
        for _ in 0..GROUP.min(self.count.saturating_sub(before)) {
            let next = symbol.checked_add(group.u32()?);
            symbol = next.ok_or_else(|| group.malformed("a symbol exceeds 32 bits"))?;
            let rows = RowsAt::from_descriptor(group.u64()?, offset);
            let rows = rows.ok_or_else(|| group.malformed("there is no such form of a list"))?;
            if let RowsAt::List(list) = rows {
                offset = offset.saturating_add(list.bytes);
            }
            each(Value { symbol, rows })?;
        }
        Ok(())
    }
}
