//! A source in memory, for tests.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::condition::Condition;
use super::{
    Allowance, Column, Cursor, HistogramSample, Selection, SeriesSet, Source, Symbol, Values, View,
};
use crate::{Error, FloatHistogram, Labels};

/// Series in the order in which they were first met, each with its samples by time.
#[derive(Clone, Debug, Default)]
pub struct MemorySource {
    places: HashMap<Labels, usize>,
    series: Vec<(Labels, BTreeMap<i64, f64>)>,
    /// By the place of their series.
    histograms: HashMap<usize, BTreeMap<i64, FloatHistogram>>,
}

impl MemorySource {
    /// Adds a sample; at a time that has one already, in its place.
    pub fn push(&mut self, labels: &Labels, timestamp_ms: i64, value: f64) {
        let place = self.place(labels);
        self.series[place].1.insert(timestamp_ms, value);
    }

    /// Adds a native histogram.
    pub fn push_histogram(
        &mut self,
        labels: &Labels,
        timestamp_ms: i64,
        histogram: FloatHistogram,
    ) {
        let place = self.place(labels);
        let histograms = self.histograms.entry(place).or_default();
        histograms.insert(timestamp_ms, histogram);
    }

    fn place(&mut self, labels: &Labels) -> usize {
        let next = self.series.len();
        let place = *self.places.entry(labels.clone()).or_insert(next);
        if place == next {
            self.series.push((labels.clone(), BTreeMap::new()));
        }
        place
    }
}

impl Source for MemorySource {
    fn view(&self) -> Result<Box<dyn View + '_>, Error> {
        Ok(Box::new(MemoryView(self)))
    }
}

struct MemoryView<'s>(&'s MemorySource);

impl View for MemoryView<'_> {
    fn select(&self, selection: &Selection<'_>) -> Result<Box<dyn SeriesSet + '_>, Error> {
        let conditions: Vec<Condition<'_>> = selection
            .matchers
            .iter()
            .map(Condition::new)
            .collect::<Result<_, _>>()?;
        let holds = |labels: &Labels| {
            let mut conditions = conditions.iter();
            conditions.all(|condition| condition.holds(labels.get(condition.label())))
        };
        let mut set = MemorySet::default();
        for (place, (labels, samples)) in self.0.series.iter().enumerate() {
            selection.allowance.check()?;
            let range = selection.start_ms..=selection.end_ms;
            if range.is_empty() || !holds(labels) {
                continue;
            }
            let histograms = self.0.histograms.get(&place).into_iter();
            let histograms: Vec<_> = histograms
                .flat_map(|all| all.range(range.clone()))
                .map(|(&timestamp_ms, histogram)| (timestamp_ms, histogram.clone()))
                .collect();
            let samples: Vec<(i64, f64)> = samples
                .range(range)
                .map(|(&at, &value)| (at, value))
                .collect();
            if !(samples.is_empty() && histograms.is_empty()) {
                set.push(labels, samples);
                set.histograms.push(histograms);
            }
        }
        Ok(Box::new(set))
    }
}

#[derive(Default)]
struct MemorySet {
    symbols: Vec<String>,
    labels: Vec<Vec<(Symbol, Symbol)>>,
    samples: Vec<Vec<(i64, f64)>>,
    histograms: Vec<Vec<(i64, FloatHistogram)>>,
}

impl MemorySet {
    fn push(&mut self, labels: &Labels, samples: Vec<(i64, f64)>) {
        let symbols = labels
            .iter()
            .map(|(name, value)| (self.intern(name), self.intern(value)))
            .collect();
        self.labels.push(symbols);
        self.samples.push(samples);
    }

    fn intern(&mut self, text: &str) -> Symbol {
        self.symbol(text).unwrap_or_else(|| {
            self.symbols.push(text.to_owned());
            Symbol(self.symbols.len() as u32 - 1)
        })
    }

    fn text(&self, symbol: Symbol) -> &str {
        &self.symbols[symbol.0 as usize]
    }
}

impl SeriesSet for MemorySet {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn label_symbols(&self, series: usize, out: &mut Vec<(Symbol, Symbol)>) {
        out.clone_from(&self.labels[series]);
    }

    fn symbol(&self, text: &str) -> Option<Symbol> {
        let at = self.symbols.iter().position(|known| known == text)?;
        Some(Symbol(at as u32))
    }

    fn labels(&self, series: usize) -> Labels {
        let pairs = self.labels[series].iter();
        Labels::from_pairs(pairs.map(|&(name, value)| (self.text(name), self.text(value))))
    }

    /// In columns of at most three samples; one value alone comes as a constant.
    fn columns(
        &self,
        series: usize,
        cursor: &mut Cursor,
        _allowance: &dyn Allowance,
        each: &mut dyn FnMut(Column<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for samples in self.samples[series].chunks(3) {
            cursor.timestamps_ms.clear();
            cursor.values.clear();
            for &(at, value) in samples {
                cursor.timestamps_ms.push(at);
                cursor.values.push(value);
            }
            let values = match samples {
                [(_, value)] => Values::Constant(*value),
                _ => Values::Floats(&cursor.values),
            };
            each(Column {
                timestamps_ms: &cursor.timestamps_ms,
                values,
                statistics: None,
            })?;
        }
        Ok(())
    }

    fn has_histograms(&self, series: usize) -> Result<bool, Error> {
        Ok(!self.histograms[series].is_empty())
    }

    fn histograms(
        &self,
        series: usize,
        each: &mut dyn FnMut(HistogramSample) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for (timestamp_ms, histogram) in &self.histograms[series] {
            each(HistogramSample {
                timestamp_ms: *timestamp_ms,
                histogram: Arc::new(histogram.clone()),
            })?;
        }
        Ok(())
    }
}
