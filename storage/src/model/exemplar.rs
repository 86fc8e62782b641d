//! Exemplars.

use std::cmp::Ordering;

use super::Labels;

/// An example of what a series counted: one observation with the labels (a trace id, mostly)
/// that lead to it.
#[derive(Clone, PartialEq, Debug)]
pub struct Exemplar {
    /// Labels of the exemplar, not of its series. They need no metric name.
    pub labels: Labels,
    /// When it was observed, in milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// The observed value.
    pub value: f64,
}

/// The exemplars of a series that a reader found.
#[derive(Clone, PartialEq, Debug)]
pub struct SeriesExemplars {
    /// Labels of the series.
    pub labels: Labels,
    /// Its exemplars in order of time, none twice.
    pub exemplars: Vec<Exemplar>,
}

impl Exemplar {
    /// What it takes in memory, about.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.labels.text_bytes()
    }

    /// Puts exemplars in order of time, then value and labels, and drops those that are there
    /// twice.
    pub(crate) fn sort(exemplars: &mut Vec<Self>) {
        exemplars.sort_by(Self::compare);
        exemplars.dedup_by(|one, other| one.compare(other).is_eq());
    }

    fn compare(&self, other: &Self) -> Ordering {
        let key = |one: &Self| (one.timestamp_ms, one.value.to_bits());
        key(self)
            .cmp(&key(other))
            .then_with(|| self.labels.cmp(&other.labels))
    }
}
