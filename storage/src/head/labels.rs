//! Label names, values and label sets of what a query selects.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::{Head, LabelsView, Pin};
use crate::chunk::ChunkError;
use crate::index::PostingsIndex;
use crate::model::{Labels, Matcher, SeriesId, SymbolId, TimeRange};

/// How many series are looked at while the registry is locked once.
const LABELS_BATCH: usize = 1024;

type Symbols = HashSet<SymbolId, RandomState>;

impl Head {
    /// The label names of the series that pass all `matchers` and have a sample in `range` that
    /// the pin sees, sorted. Without matchers, those of every series of the head the pin sees,
    /// if the head has samples in the range at all.
    ///
    /// # Errors
    /// A chunk that cannot be read: only a bug makes one.
    pub fn label_names(
        &self,
        pin: &Pin,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, ChunkError> {
        let listed = self.listed(pin, matchers, |index| index.names().collect());
        let names = match listed {
            Some(names) => self.if_overlapping(range, names),
            None => {
                let series = self.select_labels(pin, matchers, range)?;
                self.collect(&series, |name, _| Some(name))
            }
        };
        Ok(self.sorted_texts(names))
    }

    /// The values of the label `name`, as [`Head::label_names`] gives names.
    ///
    /// # Errors
    /// A chunk that cannot be read: only a bug makes one.
    pub fn label_values(
        &self,
        pin: &Pin,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, ChunkError> {
        let Some(name) = self.lookup_symbol(name) else {
            return Ok(Vec::new());
        };
        let listed = self.listed(pin, matchers, |index| index.values(name).collect());
        let values = match listed {
            Some(values) => self.if_overlapping(range, values),
            None => {
                let series = self.select_labels(pin, matchers, range)?;
                self.collect(&series, |own, value| (own == name).then_some(value))
            }
        };
        Ok(self.sorted_texts(values))
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
        list: impl FnOnce(&PostingsIndex) -> Vec<SymbolId>,
    ) -> Option<Vec<SymbolId>> {
        if !matchers.is_empty() {
            return None;
        }
        let index = self.index.read();
        (index.defined_seq <= pin.seq()).then(|| list(&index.postings))
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
    ) -> Result<Vec<SeriesId>, ChunkError> {
        match self.time_range() {
            Some(all) if matchers.is_empty() && all.overlaps(range) => {
                self.select(pin, matchers, TimeRange::ALL)
            }
            _ => self.select(pin, matchers, range),
        }
    }

    /// The different symbols that `pick` takes from the labels of `series`.
    fn collect(
        &self,
        series: &[SeriesId],
        pick: impl Fn(SymbolId, SymbolId) -> Option<SymbolId>,
    ) -> Vec<SymbolId> {
        let mut picked = Symbols::default();
        for series in series.chunks(LABELS_BATCH) {
            let view = self.registry.view();
            for &id in series {
                let labels = view.symbols_of(id).into_iter().flatten();
                picked.extend(labels.filter_map(|(name, value)| pick(name, value)));
            }
        }
        picked.into_iter().collect()
    }

    fn sorted_texts(&self, symbols: Vec<SymbolId>) -> Vec<String> {
        let mut texts = Vec::with_capacity(symbols.len());
        for symbols in symbols.chunks(LABELS_BATCH) {
            let view = self.registry.view();
            let own = symbols.iter().map(|&symbol| view.symbols().text(symbol));
            texts.extend(own.map(str::to_owned));
        }
        texts.sort_unstable();
        texts
    }
}
