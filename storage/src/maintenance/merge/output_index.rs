//! The index of an output: gathered while rows are written, and then handed to its writer.

use std::borrow::Cow;
use std::io;

use roaring::RoaringBitmap;

use super::error::MergeError;
use super::label_log::LabelLog;
use super::labels::Key;
use super::run_lists::RunLists;
use super::source::Input;
use super::symbols::Symbols;
use crate::index::stored::{IndexInput, InputRows};
use crate::model::{METRIC_NAME, SymbolId};

/// Stands for any value of a name: no symbol has this number.
const ANY: u32 = u32::MAX;
/// How many rows or symbols are written between two questions whether to go on.
const ASK_EVERY: u32 = 256;

/// The labels of the rows of an output, compressed. Symbols are numbers of [`Symbols`].
#[derive(Debug, Default)]
pub(super) struct OutputLabels {
    log: LabelLog,
    lists: RunLists,
    /// Labels of the last row with the lists of the label and of its name, that of the metric
    /// name first. Rows that follow each other mostly have most of them.
    last: Vec<(u32, u32, [u32; 2])>,
    /// The number of the metric name's name.
    metric: Option<u32>,
}

impl OutputLabels {
    /// Without a row; `metric` is the number of the metric name's name, where any source has it.
    pub(super) fn new(metric: Option<u32>) -> Self {
        Self {
            metric,
            ..Self::default()
        }
    }

    /// Adds a row, and gives its number.
    pub(super) fn push(&mut self, key: &Key) -> Result<u32, MergeError> {
        let row = u32::try_from(self.log.rows()).ok();
        let row = row.filter(|&row| row < u32::MAX - 1);
        let row = row.ok_or(MergeError::TooLarge { what: "2^32 rows" })?;
        self.log.push(key);
        let mut place = 0;
        let Self { lists, last, .. } = self;
        for_each_label(key, self.metric, |name, value| {
            match last.get(place) {
                Some(&(n, v, _)) if (n, v) == (name, value) => {}
                _ => {
                    let own = [lists.find((name, value)), lists.find((name, ANY))];
                    match last.get_mut(place) {
                        Some(last) => *last = (name, value, own),
                        None => last.push((name, value, own)),
                    }
                }
            }
            place += 1;
        });
        last.truncate(place);
        for &(_, _, own) in &*last {
            own.into_iter().for_each(|list| lists.push(list, row));
        }
        Ok(row)
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> u32 {
        self.log.rows() as u32
    }

    /// As what an index is made from.
    pub(super) fn index<'a>(
        &'a self,
        symbols: &'a Symbols,
        inputs: &'a [Input<'a>],
        is_cancelled: &'a dyn Fn() -> bool,
    ) -> OutputIndex<'a> {
        OutputIndex {
            sorted: self.lists.sorted(),
            labels: self,
            symbols,
            inputs,
            is_cancelled,
        }
    }
}

/// Calls `each` with the labels of a key, that of the metric name at its place among names.
fn for_each_label(key: &Key, metric: Option<u32>, mut each: impl FnMut(u32, u32)) {
    let Some((&value, others)) = key.split_first() else {
        return;
    };
    let mut metric = metric.filter(|_| value > 0);
    let (others, _) = others.as_chunks::<2>();
    for &[name, own] in others {
        if let Some(metric) = metric.take_if(|metric| *metric < name) {
            each(metric, value - 1);
        }
        each(name, own);
    }
    if let Some(metric) = metric {
        each(metric, value - 1);
    }
}

/// What the index of an output is made from. Its strings are read from the sources.
pub(super) struct OutputIndex<'a> {
    labels: &'a OutputLabels,
    /// The lists, in order of name and value.
    sorted: Vec<u32>,
    symbols: &'a Symbols,
    inputs: &'a [Input<'a>],
    is_cancelled: &'a dyn Fn() -> bool,
}

impl OutputIndex<'_> {
    /// Fails if the merge was called off; asked for some of the numbers that are met.
    fn go_on(&self, number: u32) -> Result<(), MergeError> {
        match number.is_multiple_of(ASK_EVERY) && (self.is_cancelled)() {
            true => Err(MergeError::Cancelled),
            false => Ok(()),
        }
    }

    /// The lists of a name: those of its values, then that of the name.
    fn of_name(&self, name: u32) -> &[u32] {
        let lists = &self.labels.lists;
        let start = self.sorted.partition_point(|&l| lists.label(l).0 < name);
        let end = self.sorted.partition_point(|&l| lists.label(l).0 <= name);
        &self.sorted[start..end]
    }

    /// A bit for each symbol that a row has.
    fn used(&self) -> Vec<u64> {
        let mut used = vec![0u64; self.symbols.count() as usize / 64 + 1];
        for &list in &self.sorted {
            let (name, value) = self.labels.lists.label(list);
            for number in [name, value] {
                if number != ANY {
                    used[number as usize / 64] |= 1 << (number % 64);
                }
            }
        }
        used
    }
}

impl IndexInput for OutputIndex<'_> {
    fn symbols_end(&self) -> u32 {
        self.symbols.count()
    }

    fn for_each_symbol(
        &self,
        each: &mut dyn FnMut(SymbolId, &str) -> io::Result<()>,
    ) -> io::Result<()> {
        let used = self.used();
        let is_used = |&number: &u32| used[number as usize / 64] >> (number % 64) & 1 == 1;
        let wanted = (0..self.symbols.count()).filter(is_used);
        self.symbols.texts(self.inputs, wanted, |number, text| {
            each(SymbolId(number), text)
        })
    }

    fn rows(&self) -> u32 {
        self.labels.rows()
    }

    fn all(&self) -> io::Result<Cow<'_, RoaringBitmap>> {
        let mut all = RoaringBitmap::new();
        all.insert_range(0..self.rows());
        Ok(Cow::Owned(all))
    }

    fn labels(&self, row: u32, out: &mut Vec<(SymbolId, SymbolId)>) -> io::Result<()> {
        self.go_on(row)?;
        let metric = self.labels.metric;
        let read = self.labels.log.with(row as usize, |key| {
            for_each_label(key, metric, |name, value| {
                out.push((SymbolId(name), SymbolId(value)));
            });
        });
        read.ok_or_else(|| io::Error::other("a row has no labels"))
    }

    fn names(&self) -> io::Result<Vec<SymbolId>> {
        let labels = self
            .sorted
            .iter()
            .map(|&list| self.labels.lists.label(list));
        let names = labels.filter(|&(_, value)| value == ANY);
        Ok(names.map(|(name, _)| SymbolId(name)).collect())
    }

    fn values(&self, name: SymbolId) -> io::Result<Vec<SymbolId>> {
        let labels = self.of_name(name.0).iter();
        let values = labels.map(|&list| self.labels.lists.label(list).1);
        Ok(values.filter(|&value| value != ANY).map(SymbolId).collect())
    }

    fn present(&self, name: SymbolId) -> io::Result<Cow<'_, RoaringBitmap>> {
        Ok(match self.of_name(name.0).last() {
            Some(&list) => Cow::Owned(self.labels.lists.rows(list)),
            None => Cow::default(),
        })
    }

    fn postings(&self, name: SymbolId, value: SymbolId) -> io::Result<InputRows<'_>> {
        self.go_on(value.0)?;
        let lists = &self.labels.lists;
        let label = (name.0, value.0);
        let found = self
            .sorted
            .binary_search_by_key(&label, |&list| lists.label(list));
        let list = found.ok().and_then(|place| self.sorted.get(place));
        Ok(match list.map(|&list| (list, lists.only(list))) {
            Some((_, Some(row))) => InputRows::One(row),
            Some((list, None)) => InputRows::Many(Cow::Owned(lists.rows(list))),
            None => InputRows::Many(Cow::default()),
        })
    }
}

/// The number of the metric name's name, where a source has it.
pub(super) fn metric_number(
    symbols: &Symbols,
    inputs: &[Input<'_>],
) -> Result<Option<u32>, MergeError> {
    for (place, input) in inputs.iter().enumerate() {
        let own = input.with_index(|index| index.lookup(METRIC_NAME))?;
        if let Some(own) = own {
            return Ok(symbols.numbers(place).get(own.index()).copied());
        }
    }
    Ok(None)
}
