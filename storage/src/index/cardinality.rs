//! What an index has most of, counted label by label.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write;

use super::sorted_list::taken;
use crate::model::{Cardinality, Count, Ended, METRIC_NAME, Pace, ReadBounds, Tally};

/// How many values are counted from one check to the next.
const VALUES_PACE: usize = 16 << 10;
/// From this length on Prometheus writes the length of a string in four bytes.
const LONG_TEXT: usize = 255;

/// Counts the labels of an index, name after name: as many of the first as its bounds say.
pub struct LabelCounts<'a> {
    tally: Tally<'a>,
    pace: Pace<'a>,
    label_pairs: u64,
    metrics: Top,
    values: Top,
    bytes: Top,
    pairs: Top,
    /// The name whose values are being counted.
    name: Option<OpenName>,
    /// The text of a pair.
    pair: String,
}

struct OpenName {
    text: String,
    values: u64,
    bytes: u64,
}

impl<'a> LabelCounts<'a> {
    /// Of nothing yet.
    pub fn new(bounds: ReadBounds<'a>) -> Self {
        let top = || Top {
            limit: bounds.limit,
            heap: BinaryHeap::new(),
        };
        Self {
            tally: Tally::new(bounds),
            pace: bounds.pace(VALUES_PACE),
            label_pairs: 0,
            metrics: top(),
            values: top(),
            bytes: top(),
            pairs: top(),
            name: None,
            pair: String::new(),
        }
    }

    /// The values that come next are those of another name.
    ///
    /// # Errors
    /// The read may not go on, or hold no more.
    pub fn begin(&mut self, name: &str) -> Result<(), Ended> {
        self.end_name()?;
        self.name = Some(OpenName {
            text: name.to_owned(),
            values: 0,
            bytes: 0,
        });
        Ok(())
    }

    /// A value of the name, and how many series have it.
    ///
    /// # Errors
    /// The read may not go on, or hold no more.
    pub fn value(&mut self, value: &str, series: u64) -> Result<(), Ended> {
        self.pace.step(1)?;
        let Some(name) = &mut self.name else {
            return Ok(());
        };
        name.values += 1;
        let label_bytes = encoded_bytes(&name.text) + encoded_bytes(value);
        name.bytes = name
            .bytes
            .saturating_add(label_bytes.saturating_mul(series));
        if name.text == METRIC_NAME {
            self.metrics.push(value, series, &mut self.tally)?;
        }
        if self.pairs.may_take(series) {
            self.pair.clear();
            // A string takes all that is written.
            let _ = write!(self.pair, "{}={value}", name.text);
            self.pairs.push(&self.pair, series, &mut self.tally)?;
        }
        Ok(())
    }

    fn end_name(&mut self) -> Result<(), Ended> {
        let Some(name) = self.name.take() else {
            return Ok(());
        };
        self.label_pairs += name.values;
        self.values.push(&name.text, name.values, &mut self.tally)?;
        self.bytes.push(&name.text, name.bytes, &mut self.tally)
    }

    /// What was counted, of an index of so many series.
    ///
    /// # Errors
    /// The read may hold no more.
    pub fn finish(mut self, series: u64) -> Result<Cardinality, Ended> {
        self.end_name()?;
        Ok(Cardinality {
            series,
            label_pairs: self.label_pairs,
            range: None,
            series_by_metric: self.metrics.into_counts(),
            values_by_label: self.values.into_counts(),
            bytes_by_label: self.bytes.into_counts(),
            series_by_pair: self.pairs.into_counts(),
        })
    }
}

/// What a string takes in a label set of Prometheus (`labelSize` in
/// `model/labels/labels_stringlabels.go`).
fn encoded_bytes(text: &str) -> u64 {
    let length = if text.len() < LONG_TEXT { 1 } else { 4 };
    text.len() as u64 + length
}

/// What counts most, and of what counts the same, what comes first by name.
struct Top {
    limit: usize,
    /// The least of them first.
    heap: BinaryHeap<Reverse<(u64, Reverse<String>)>>,
}

impl Top {
    /// Whether something that counts so much may be among them.
    fn may_take(&self, count: u64) -> bool {
        match self.heap.peek() {
            Some(Reverse((least, _))) if self.heap.len() >= self.limit => count >= *least,
            _ => self.limit > 0,
        }
    }

    fn push(&mut self, name: &str, count: u64, tally: &mut Tally<'_>) -> Result<(), Ended> {
        if !self.may_take(count) {
            return Ok(());
        }
        if self.heap.len() >= self.limit {
            let is_before = |Reverse((least, Reverse(last))): &Reverse<(u64, Reverse<String>)>| {
                (count, Reverse(name)) > (*least, Reverse(last.as_str()))
            };
            if !self.heap.peek().is_some_and(is_before) {
                return Ok(());
            }
            if let Some(Reverse((_, Reverse(last)))) = self.heap.pop() {
                tally.shrink(taken(&last));
            }
        }
        let name = name.to_owned();
        tally.grow(taken(&name))?;
        self.heap.push(Reverse((count, Reverse(name))));
        Ok(())
    }

    fn into_counts(self) -> Vec<Count> {
        // Sorted by what is the least in the heap: what counts most comes first.
        let sorted = self.heap.into_sorted_vec().into_iter();
        let counts = sorted.map(|Reverse((count, Reverse(name)))| Count { name, count });
        counts.collect()
    }
}
