//! The rows of a source in the order of their labels.

use std::ops::Range;

use super::error::MergeError;
use super::source::{Input, Source};
use crate::index::stored::{StoredIndex, ValueRows};
use crate::model::{METRIC_NAME, SymbolId};

/// How many rows are taken at once, more where a metric has more.
const BATCH: usize = 4096;

/// Labels as numbers of [`super::symbols::Symbols`], in the order of rows when compared as a
/// list: first that of the metric name and one more, or 0 without one, then name and value of
/// each other label, in order of name.
pub(super) type Key = [u32];

/// Rows of a source with their labels, in order of these.
#[derive(Debug, Default)]
pub(super) struct Batch {
    keys: Vec<u32>,
    /// Where the key of each row ends.
    ends: Vec<usize>,
    rows: Vec<u32>,
    /// Places of rows, in the order of their keys.
    order: Vec<u32>,
}

impl Batch {
    fn clear(&mut self) {
        self.keys.clear();
        self.ends.clear();
        self.rows.clear();
        self.order.clear();
    }

    fn key(&self, place: u32) -> &Key {
        let place = place as usize;
        let start = match place {
            0 => 0,
            _ => self.ends[place - 1],
        };
        &self.keys[start..self.ends[place]]
    }

    /// Labels and row that come at a place in the order.
    fn get(&self, at: usize) -> Option<(&Key, u32)> {
        let place = *self.order.get(at)?;
        Some((self.key(place), self.rows[place as usize]))
    }

    /// Adds a row; none of its symbols is above the end of `numbers`.
    fn push(
        &mut self,
        row: u32,
        labels: &[(SymbolId, SymbolId)],
        numbers: &[u32],
        metric: Option<SymbolId>,
    ) -> Option<()> {
        let start = self.keys.len();
        self.keys.push(0);
        for &(name, value) in labels {
            let value = *numbers.get(value.index())?;
            if Some(name) == metric {
                self.keys[start] = value.checked_add(1)?;
                continue;
            }
            let name = *numbers.get(name.index())?;
            self.keys.extend([name, value]);
        }
        self.order.push(u32::try_from(self.rows.len()).ok()?);
        self.rows.push(row);
        self.ends.push(self.keys.len());
        Some(())
    }

    fn sort(&mut self) {
        let mut order = std::mem::take(&mut self.order);
        let key = |&place: &u32| self.key(place);
        if !order.is_sorted_by_key(key) {
            order.sort_unstable_by(|one, other| key(one).cmp(key(other)));
        }
        self.order = order;
    }

    /// The rows, in the order of their labels.
    pub(super) fn rows(&self) -> impl ExactSizeIterator<Item = u32> + '_ {
        self.order.iter().map(|&place| self.rows[place as usize])
    }
}

/// Walks the rows of a source in the order of their labels. Held are the labels of a batch of
/// rows, or of the rows of one metric where those are more, and 32 bytes a metric of a segment.
#[derive(Debug)]
pub(super) struct OrderedRows<'a> {
    input: Input<'a>,
    numbers: &'a [u32],
    metric: Option<SymbolId>,
    next: Next,
    batch: Batch,
    at: usize,
    /// The labels of the row before the batch.
    last: Vec<u32>,
}

/// What the next batch is made of.
#[derive(Debug)]
enum Next {
    /// These rows, which are in order.
    Rows(Range<u32>),
    /// The rows of a segment that have no metric name.
    Nameless,
    /// Those of its metrics from this one on.
    Metrics(std::vec::IntoIter<ValueRows>),
}

impl<'a> OrderedRows<'a> {
    /// The rows of a source whose symbols have these `numbers`, before the first.
    pub(super) fn new(input: Input<'a>, numbers: &'a [u32]) -> Result<Self, MergeError> {
        let next = match input.source {
            Source::Segment(_) => Next::Nameless,
            Source::Block(own) => Next::Rows(0..own.info().rows),
        };
        let mut rows = Self {
            input,
            numbers,
            metric: input.with_index(|index| index.lookup(METRIC_NAME))?,
            next,
            batch: Batch::default(),
            at: 0,
            last: Vec::new(),
        };
        rows.load()?;
        Ok(rows)
    }

    /// Labels and number of the current row; none behind the last.
    pub(super) fn current(&self) -> Option<(&Key, u32)> {
        self.batch.get(self.at)
    }

    /// The current batch, which holds the rows from [`OrderedRows::at`] on.
    pub(super) fn batch(&self) -> &Batch {
        &self.batch
    }

    /// The place of the current row in the batch.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Goes on to the next row; says whether it is the first of a batch.
    pub(super) fn advance(&mut self) -> Result<bool, MergeError> {
        self.at += 1;
        if self.at < self.batch.order.len() {
            return Ok(false);
        }
        self.load()?;
        Ok(true)
    }

    /// Takes the next batch; an empty one at the end.
    fn load(&mut self) -> Result<(), MergeError> {
        if let Some((key, _)) = self.at.checked_sub(1).and_then(|last| self.batch.get(last)) {
            self.last.clear();
            self.last.extend_from_slice(key);
        }
        let is_first = self.last.is_empty();
        self.at = 0;
        self.batch.clear();
        while self.batch.rows.is_empty() {
            let Some(rows) = self.next_rows()? else {
                return Ok(());
            };
            self.load_labels(&rows)?;
        }
        let is_in_order = matches!(self.next, Next::Rows(_));
        if !is_in_order {
            self.batch.sort();
        }
        let batch = &self.batch;
        let mut keys = batch.order.iter().map(|&place| batch.key(place));
        let first = keys.next();
        let rises = first.is_none_or(|first| is_first || self.last.as_slice() < first);
        let is_sorted = batch
            .order
            .is_sorted_by(|&a, &b| batch.key(a) < batch.key(b));
        match rises && is_sorted {
            true => Ok(()),
            false => Err(self
                .input
                .disorder("its rows are not in order, or two have the same labels")),
        }
    }

    /// The rows of the next batch, in rising order; none at the end.
    fn next_rows(&mut self) -> Result<Option<Vec<u32>>, MergeError> {
        let metric = self.metric;
        match &mut self.next {
            Next::Rows(rows) if rows.start >= rows.end => Ok(None),
            Next::Rows(rows) => Ok(Some(rows.by_ref().take(BATCH).collect())),
            Next::Nameless => {
                let nameless = |index: &StoredIndex| index.rows_without(metric);
                let rows = self.input.with_index(nameless)?;
                let metrics = match metric {
                    Some(name) => self.input.with_index(|index| index.value_rows(name))?,
                    None => Vec::new(),
                };
                self.next = Next::Metrics(metrics.into_iter());
                Ok(Some(rows))
            }
            Next::Metrics(metrics) if metrics.len() == 0 => Ok(None),
            Next::Metrics(metrics) => {
                let mut rows = Vec::new();
                let mut taken = 0;
                self.input.with_index(|index| {
                    rows.clear();
                    taken = 0;
                    for metric in metrics.as_slice() {
                        index.rows_of(metric, &mut rows)?;
                        taken += 1;
                        if rows.len() >= BATCH {
                            break;
                        }
                    }
                    Ok(())
                })?;
                metrics.nth(taken - 1);
                rows.sort_unstable();
                Ok(Some(rows))
            }
        }
    }

    fn load_labels(&mut self, rows: &[u32]) -> Result<(), MergeError> {
        let Self {
            batch,
            numbers,
            metric,
            input,
            ..
        } = self;
        let mut is_whole = true;
        input.with_index(|index| {
            batch.clear();
            is_whole = true;
            index.symbols_of_rows(rows, |row, labels| {
                is_whole &= batch.push(row, labels, numbers, *metric).is_some();
            })
        })?;
        match is_whole {
            true => Ok(()),
            false => Err(input.disorder("a label has a symbol that is not there")),
        }
    }
}
