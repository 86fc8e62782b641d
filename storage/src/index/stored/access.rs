//! Matchers over a stored index.

use std::borrow::Cow;
use std::ops::Range;

use roaring::RoaringBitmap;

use super::{IndexError, ListRef, RowsAt, StoredIndex};
use crate::index::Memory;
use crate::index::access::{SCAN_PACE, SCAN_WORK};
use crate::index::matchers::{Searchable, SeriesLists, evaluate_with};
use crate::index::prefixes::{after_prefix, prefixes};
use crate::model::{Matcher, Pace, ReadBounds, SymbolId};

/// Up to this many values are looked up one by one in a union, and more if they are fewer than
/// this part of all.
const SINGLE_VALUES: usize = 16;
/// A name with up to this many values is scanned whole: it costs less than to find a range.
const WHOLE_SCAN: u32 = 64;
/// How many values a regular expression is tried on at once.
const SCAN_BATCH: usize = 16 << 10;
/// How many values are read from one check to the next, and as how many of them counts one that
/// is looked up by itself.
pub(super) const VALUES_PACE: usize = 64 << 10;
const VALUE_WORK: usize = 64;

impl StoredIndex {
    /// The rows that pass all of `matchers`; see [`evaluate_with`].
    ///
    /// # Errors
    /// The index cannot be read; the read was ended.
    pub fn evaluate_with(
        &self,
        matchers: &[Matcher],
        memory: Option<&mut Memory<'_>>,
        bounds: ReadBounds<'_>,
    ) -> Result<RoaringBitmap, IndexError> {
        evaluate_with(self, matchers, memory, bounds)
    }

    fn all_symbols(&self) -> Range<u32> {
        0..self.symbols.count()
    }

    /// The ranges of symbols where strings that `pattern` matches can be.
    fn ranges(&self, pattern: &str) -> Result<Vec<Range<u32>>, IndexError> {
        let mut ranges = Vec::new();
        match prefixes(pattern) {
            None => ranges.push(self.all_symbols()),
            Some(prefixes) => {
                for prefix in prefixes {
                    let start = self.symbols.lower_bound(&prefix)?.0;
                    let end = match after_prefix(&prefix) {
                        Some(after) => self.symbols.lower_bound(&after)?.0,
                        None => self.symbols.count(),
                    };
                    ranges.push(start..end);
                }
            }
        }
        Ok(ranges)
    }

    /// Adds those of `values`, which rise, that `pick` takes.
    fn pick(
        &self,
        values: &[SymbolId],
        pick: &dyn Fn(&str) -> bool,
        pace: &mut Pace<'_>,
        out: &mut Vec<SymbolId>,
    ) -> Result<(), IndexError> {
        let mut going_on = Ok(());
        self.symbols.texts(values, |symbol, text| {
            // Once told to end, what is left of these is read and not looked at.
            if going_on.is_ok() {
                going_on = pace.step(SCAN_WORK + text.len());
            }
            if going_on.is_ok() && pick(text) {
                out.push(symbol);
            }
        })?;
        Ok(going_on?)
    }
}

impl Searchable for StoredIndex {
    type Error = IndexError;

    fn lookup(&self, text: &str) -> Result<Option<SymbolId>, IndexError> {
        self.symbols.lookup(text)
    }

    fn pick_values(
        &self,
        name: SymbolId,
        pattern: Option<&str>,
        pick: &dyn Fn(&str) -> bool,
        bounds: ReadBounds<'_>,
    ) -> Result<Vec<SymbolId>, IndexError> {
        let mut pace = bounds.pace(SCAN_PACE);
        let mut picked = Vec::new();
        let Some(name) = self.names.find(name.0)? else {
            return Ok(picked);
        };
        let ranges = match pattern.filter(|_| name.values > WHOLE_SCAN) {
            Some(pattern) => self.ranges(pattern)?,
            None => vec![self.all_symbols()],
        };
        let mut values = Vec::new();
        for range in ranges {
            self.names.for_each_value(&name, range, |value| {
                values.push(SymbolId(value.symbol));
                if values.len() >= SCAN_BATCH {
                    self.pick(&values, pick, &mut pace, &mut picked)?;
                    values.clear();
                }
                Ok(())
            })?;
        }
        self.pick(&values, pick, &mut pace, &mut picked)?;
        Ok(picked)
    }

    fn with_lists<R>(&self, read: impl FnOnce(&dyn SeriesLists<IndexError>) -> R) -> R {
        read(self)
    }
}

impl SeriesLists<IndexError> for StoredIndex {
    fn all(&self) -> Result<Cow<'_, RoaringBitmap>, IndexError> {
        self.lists.get(RowsAt::List(self.all)).map(Cow::Owned)
    }

    fn present(&self, name: SymbolId) -> Result<Cow<'_, RoaringBitmap>, IndexError> {
        match self.names.find(name.0)? {
            Some(name) => self.lists.get(RowsAt::List(name.present)).map(Cow::Owned),
            None => Ok(Cow::default()),
        }
    }

    fn postings(
        &self,
        name: SymbolId,
        value: SymbolId,
    ) -> Result<Cow<'_, RoaringBitmap>, IndexError> {
        let value = match self.names.find(name.0)? {
            Some(name) => self.names.value(&name, value.0)?,
            None => None,
        };
        match value {
            Some(value) => self.lists.get(value.rows).map(Cow::Owned),
            None => Ok(Cow::default()),
        }
    }

    fn union(
        &self,
        name: SymbolId,
        values: &[SymbolId],
        bounds: ReadBounds<'_>,
    ) -> Result<RoaringBitmap, IndexError> {
        let Some(name) = self.names.find(name.0)? else {
            return Ok(RoaringBitmap::new());
        };
        let mut values: Vec<u32> = values.iter().map(|value| value.0).collect();
        let _lists = bounds.hold_all::<ListRef>(values.len())?;
        values.sort_unstable();
        values.dedup();
        bounds.check()?;
        let mut pace = bounds.pace(VALUES_PACE);
        let (mut one, mut lists) = (Vec::new(), Vec::new());
        let mut take = |rows: RowsAt| match rows {
            RowsAt::One(row) => one.push(row),
            RowsAt::List(list) => lists.push(list),
        };
        let few = SINGLE_VALUES.max(name.values as usize / SINGLE_VALUES);
        if values.len() <= few {
            for &value in &values {
                pace.step(VALUE_WORK)?;
                if let Some(value) = self.names.value(&name, value)? {
                    take(value.rows);
                }
            }
        } else {
            let range = match (values.first(), values.last()) {
                (Some(&first), Some(&last)) => first..last.saturating_add(1),
                _ => 0..0,
            };
            let mut wanted = values.iter().peekable();
            self.names.for_each_value(&name, range, |value| {
                pace.step(1)?;
                while wanted.next_if(|&&symbol| symbol < value.symbol).is_some() {}
                if wanted.next_if_eq(&&value.symbol).is_some() {
                    take(value.rows);
                }
                Ok(())
            })?;
        }
        self.lists.union(&one, &lists, bounds)
    }
}
