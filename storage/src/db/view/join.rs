//! Joining the series of several sources by their labels.

use hashbrown::HashTable;

use super::lists::{LabelLists, List, count};
use super::part::{Part, RowLabels};
use super::symbol_map::SymbolMap;
use crate::error::{Error, ErrorKind};
use crate::model::{Ended, ReadBounds, SymbolId, Tally};

/// For how many series labels are asked for at once: of a file, what many have in common is read
/// once.
const BATCH: usize = 4096;
/// How many series are put into the table from one check to the next.
const INDEX_PACE: usize = 16 << 10;
/// What a series takes in the table, at most.
const TABLE_BYTES: usize = 12;

/// Where a series stands in one source.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Place {
    /// Which of the sources that were joined.
    pub(super) part: u32,
    pub(super) row: u32,
}

/// Which places each series has: eight bytes a place and four a series.
#[derive(Debug, Default)]
pub(super) struct Places {
    all: Vec<Place>,
    /// Where those of each series end in `all`.
    ends: Vec<u32>,
}

impl Places {
    /// The places of a series, in the order of the sources.
    pub(super) fn of(&self, series: usize) -> &[Place] {
        let start = match series {
            0 => 0,
            _ => self.ends[series - 1] as usize,
        };
        &self.all[start..self.ends[series] as usize]
    }
}

/// Joins the selected rows of sources: series are numbered in the order in which they are met.
///
/// # Errors
/// Those of the sources' labels, with the place of the source; more labels, or bytes of them, than
/// a u32 counts; the read was ended.
pub(super) fn join(
    selected: &[(&Part, Vec<u32>)],
    bounds: ReadBounds<'_>,
) -> Result<(LabelLists, Places), (usize, Error)> {
    let mut joiner = Joiner::new(bounds);
    let mut series = Vec::with_capacity(selected.len());
    for (place, (part, rows)) in selected.iter().enumerate() {
        series.push(joiner.add(part, rows).map_err(|error| (place, error))?);
    }
    let Joiner { mut lists, .. } = joiner;
    lists.shrink();
    let rows = series.iter().map(Vec::len).sum();
    count(rows).map_err(|error| (0, error))?;
    let ended = |ended: Ended| (0, ended.into());
    let _places = bounds.hold_all::<Place>(rows).map_err(ended)?;
    let _ends = bounds.hold_all::<u32>(lists.len()).map_err(ended)?;
    let places = places(selected, &series, lists.len(), bounds).map_err(ended)?;
    Ok((lists, places))
}

/// Puts the rows of all sources in the order of their series; `series` tells for each source
/// and row the number of its series. A u32 counts the rows.
fn places(
    selected: &[(&Part, Vec<u32>)],
    series: &[Vec<u32>],
    count: usize,
    bounds: ReadBounds<'_>,
) -> Result<Places, Ended> {
    // First how many places each has, then where they start, and in the end where they end.
    let mut ends = vec![0u32; count];
    for series in series {
        bounds.check()?;
        for &one in series {
            ends[one as usize] += 1;
        }
    }
    let mut start = 0;
    for end in &mut ends {
        start += std::mem::replace(end, start);
    }
    let mut all = vec![Place::default(); start as usize];
    for ((part, (_, rows)), series) in (0..).zip(selected).zip(series) {
        bounds.check()?;
        for (&row, &one) in rows.iter().zip(series) {
            let end = &mut ends[one as usize];
            all[*end as usize] = Place { part, row };
            *end += 1;
        }
    }
    Ok(Places { all, ends })
}

/// Finds out which rows are the same series.
struct Joiner<'b> {
    bounds: ReadBounds<'b>,
    tally: Tally<'b>,
    lists: LabelLists,
    /// Series by their labels: the first `indexed` of them. Sources mostly have their series in
    /// one order, and where the next row is the next series, no table is needed.
    table: HashTable<u32>,
    indexed: usize,
}

impl<'b> Joiner<'b> {
    fn new(bounds: ReadBounds<'b>) -> Self {
        Self {
            bounds,
            tally: Tally::new(bounds),
            lists: LabelLists::default(),
            table: HashTable::new(),
            indexed: 0,
        }
    }

    /// The numbers of the series of a source's rows.
    fn add(&mut self, part: &Part, rows: &[u32]) -> Result<Vec<u32>, Error> {
        // The rows of one source are different series: only those of sources before it need to be
        // looked through.
        let known = self.lists.len();
        let mut translation = Translation::default();
        let mut guess = 0;
        self.tally.grow(size_of_val(rows))?;
        let mut series = Vec::with_capacity(rows.len());
        for rows in rows.chunks(BATCH) {
            self.bounds.check()?;
            let before = self.lists.bytes();
            translation.load(part, rows, &mut self.lists)?;
            let Translation {
                map,
                rows,
                names,
                values,
                ..
            } = &mut translation;
            for row in rows.rows() {
                translate(map, row, names, values)?;
                let list = self.lists.list(names, values)?;
                let found = if guess < known && self.lists.is(guess, list) {
                    Some(guess as u32)
                } else {
                    self.find(known, list)?
                };
                let number = match found {
                    Some(number) => {
                        guess = number as usize + 1;
                        number
                    }
                    None => self.lists.push(list)?,
                };
                series.push(number);
            }
            self.tally.grow(self.lists.bytes() - before)?;
        }
        debug_assert_eq!(series.len(), rows.len());
        Ok(series)
    }

    /// Which of the first `known` series has these labels.
    fn find(&mut self, known: usize, list: List<'_>) -> Result<Option<u32>, Ended> {
        let Self {
            bounds,
            tally,
            lists,
            table,
            indexed,
        } = self;
        if *indexed < known {
            let hash = |&one: &u32| lists.hash(lists.at(one as usize));
            tally.grow((known - *indexed) * TABLE_BYTES)?;
            if table.capacity() < known {
                // A table that grows hashes all it has in one go.
                *table = HashTable::with_capacity(known);
                *indexed = 0;
            }
            let mut pace = bounds.pace(INDEX_PACE);
            for one in *indexed..known {
                pace.step(1)?;
                let one = one as u32;
                table.insert_unique(hash(&one), one, hash);
            }
            *indexed = known;
        }
        if known == 0 {
            return Ok(None);
        }
        let is_it = |&one: &u32| lists.is(one as usize, list);
        Ok(table.find(lists.hash(list), is_it).copied())
    }
}

/// Labels of a source on their way into a selection.
#[derive(Default)]
struct Translation {
    map: SymbolMap,
    /// The labels of a batch of rows, in symbols of the source.
    rows: RowLabels,
    /// Symbols that are met in the batch for the first time.
    new: Vec<SymbolId>,
    /// The labels of one row, in symbols of the selection.
    names: Vec<u32>,
    values: Vec<u32>,
}

impl Translation {
    /// Takes the labels of a batch of rows, and sees to it that the selection has their symbols.
    fn load(&mut self, part: &Part, rows: &[u32], lists: &mut LabelLists) -> Result<(), Error> {
        let Self {
            map,
            rows: labels,
            new,
            ..
        } = self;
        labels.clear();
        part.row_labels(rows, labels)?;
        new.clear();
        for &(name, value) in labels.pairs() {
            new.extend([name, value].into_iter().filter(|&symbol| map.meet(symbol)));
        }
        new.sort_unstable();
        let mut interned = Ok(());
        part.texts(new, |symbol, text| match lists.intern(text) {
            Ok(own) => map.set(symbol, own),
            Err(error) => interned = Err(error),
        })?;
        interned
    }
}

/// Puts the labels of a row into `names` and `values`, as symbols of the selection.
fn translate(
    map: &SymbolMap,
    row: &[(SymbolId, SymbolId)],
    names: &mut Vec<u32>,
    values: &mut Vec<u32>,
) -> Result<(), Error> {
    names.clear();
    values.clear();
    for &(name, value) in row {
        let (Some(name), Some(value)) = (map.get(name), map.get(value)) else {
            let message = "labels have a symbol that has no string";
            return Err(Error::new(ErrorKind::Corrupt, message));
        };
        names.push(name.0);
        values.push(value.0);
    }
    Ok(())
}
