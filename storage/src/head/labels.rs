//! Label names, values and label sets of what a query selects.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::{Head, LabelsView, Pin, ReadError};
use crate::index::{PostingsIndex, SortedList};
use crate::model::{Ended, Labels, Matcher, ReadBounds, SeriesId, SymbolId, Tally, TimeRange};

/// How many series are looked at while the registry is locked once.
const LABELS_BATCH: usize = 1024;
/// How many symbols are listed from one check to the next.
const LIST_PACE: usize = 64 << 10;
/// What a symbol takes in a set.
const SYMBOL_BYTES: usize = 6;

type Symbols = HashSet<SymbolId, RandomState>;

impl Head {
    /// The label names of the series that pass all `matchers` and have a sample in `range` that
    /// the pin sees, sorted. Without matchers, those of every series of the head the pin sees,
    /// if the head has samples in the range at all. As many of the first as the bounds say.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn label_names_within(
        &self,
        pin: &Pin,
        matchers: &[Matcher],
        range: TimeRange,
        bounds: ReadBounds<'_>,
    ) -> Result<Vec<String>, ReadError> {
        let listed = self.listed(pin, matchers, |index| list(index.names(), bounds))?;
        let names = match listed {
            Some(names) => self.if_overlapping(range, names),
            None => {
                let series = self.select_labels(pin, matchers, range, bounds)?;
                self.collect(&series, bounds, |name, _| Some(name))?
            }
        };
        self.sorted_texts(&names, bounds)
    }

    /// The values of the label `name`, as [`Head::label_names_within`] gives names.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn label_values_within(
        &self,
        pin: &Pin,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
        bounds: ReadBounds<'_>,
    ) -> Result<Vec<String>, ReadError> {
        let Some(name) = self.lookup_symbol(name) else {
            return Ok(Vec::new());
        };
        let listed = self.listed(pin, matchers, |index| list(index.values(name), bounds))?;
        let values = match listed {
            Some(values) => self.if_overlapping(range, values),
            None => {
                let series = self.select_labels(pin, matchers, range, bounds)?;
                self.collect(&series, bounds, |own, value| (own == name).then_some(value))?
            }
        };
        self.sorted_texts(&values, bounds)
    }

    /// The labels of a series; none for an id never registered or defined.
    pub fn labels(&self, id: SeriesId) -> Option<Labels> {
        self.registry.view().labels(id)
    }

    /// The symbol of a string, if a series of this head has it as a label's name or value.
    pub fn lookup_symbol(&self, text: &str) -> Option<SymbolId> {
        self.registry.view().symbols().get(text)
    }

    /// Labels of many series at the price of one lock; see [`LabelsView`] for how long.
    pub fn labels_view(&self) -> LabelsView<'_> {
        self.registry.view()
    }

    /// What `list` finds in the index, if there is nothing to match and the index holds what the
    /// pin sees: it does unless a series was defined after the pin.
    fn listed(
        &self,
        pin: &Pin,
        matchers: &[Matcher],
        list: impl FnOnce(&PostingsIndex) -> Result<Vec<SymbolId>, Ended>,
    ) -> Result<Option<Vec<SymbolId>>, Ended> {
        if !matchers.is_empty() {
            return Ok(None);
        }
        let index = self.index.read();
        let is_seen = index.defined_seq <= pin.seq();
        is_seen.then(|| list(&index.postings)).transpose()
    }

    fn if_overlapping(&self, range: TimeRange, symbols: Vec<SymbolId>) -> Vec<SymbolId> {
        match self.time_range() {
            Some(all) if all.overlaps(range) => symbols,
            _ => Vec::new(),
        }
    }

    /// The series whose labels are asked for. Without matchers they stand for the whole head, as
    /// the index does.
    fn select_labels(
        &self,
        pin: &Pin,
        matchers: &[Matcher],
        range: TimeRange,
        bounds: ReadBounds<'_>,
    ) -> Result<Vec<SeriesId>, ReadError> {
        let range = match self.time_range() {
            Some(all) if matchers.is_empty() && all.overlaps(range) => TimeRange::ALL,
            _ => range,
        };
        self.select_within(pin, matchers, range, bounds.of_all())
    }

    /// The different symbols that `pick` takes from the labels of `series`.
    fn collect(
        &self,
        series: &[SeriesId],
        bounds: ReadBounds<'_>,
        pick: impl Fn(SymbolId, SymbolId) -> Option<SymbolId>,
    ) -> Result<Vec<SymbolId>, Ended> {
        let mut picked = Symbols::default();
        let mut tally = Tally::new(bounds);
        for series in series.chunks(LABELS_BATCH) {
            bounds.check()?;
            let before = picked.capacity();
            let view = self.registry.view();
            for &id in series {
                let labels = view.symbols_of(id).into_iter().flatten();
                picked.extend(labels.filter_map(|(name, value)| pick(name, value)));
            }
            tally.grow((picked.capacity() - before) * SYMBOL_BYTES)?;
        }
        list(picked.into_iter(), bounds)
    }

    /// The strings of different symbols, sorted: as many of the first as the bounds say.
    fn sorted_texts(
        &self,
        symbols: &[SymbolId],
        bounds: ReadBounds<'_>,
    ) -> Result<Vec<String>, ReadError> {
        let mut texts = SortedList::new(bounds);
        for symbols in symbols.chunks(LABELS_BATCH) {
            bounds.check()?;
            let view = self.registry.view();
            for &symbol in symbols {
                texts.push(view.symbols().text(symbol), str::to_owned)?;
            }
        }
        Ok(texts.finish()?)
    }
}

/// The symbols that there are.
fn list(
    symbols: impl Iterator<Item = SymbolId>,
    bounds: ReadBounds<'_>,
) -> Result<Vec<SymbolId>, Ended> {
    let _list = bounds.hold_all::<SymbolId>(symbols.size_hint().0)?;
    let mut pace = bounds.pace(LIST_PACE);
    symbols
        .map(|symbol| pace.step(1).map(|()| symbol))
        .collect()
}
