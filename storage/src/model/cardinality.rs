//! What there is most of.

use std::cmp::Reverse;

use super::TimeRange;

/// How many series there are, and of which names and values: see
/// [`Bounded::cardinality`](crate::Bounded::cardinality).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Cardinality {
    /// How many series there are.
    pub series: u64,
    /// How many different pairs of a label name and a value.
    pub label_pairs: u64,
    /// Smallest and largest timestamp of the sources that were looked at; none without one.
    pub range: Option<TimeRange>,
    /// Metric names by their series.
    pub series_by_metric: Vec<Count>,
    /// Label names by their values.
    pub values_by_label: Vec<Count>,
    /// Label names by the bytes that they and their values would take if each series had its own
    /// copy, encoded as Prometheus encodes them: length and bytes of both, a length of 255 and more
    /// in 4 bytes, else in one.
    pub bytes_by_label: Vec<Count>,
    /// Labels, as `name=value`, by their series.
    pub series_by_pair: Vec<Count>,
}

/// How much there is of something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Count {
    /// What it is.
    pub name: String,
    /// How much there is of it.
    pub count: u64,
}

impl Cardinality {
    /// Puts the figures of another source beside these: of each the larger one, and of each list
    /// the first `limit`.
    ///
    /// Something that is among the first of all by the largest figure is among the first of the source
    /// that has this figure, so nothing is missed by looking at the first of each.
    pub(crate) fn join(&mut self, other: Self, limit: usize) {
        self.series = self.series.max(other.series);
        self.label_pairs = self.label_pairs.max(other.label_pairs);
        self.range = match (self.range, other.range) {
            (Some(own), Some(other)) => Some(TimeRange {
                start_ms: own.start_ms.min(other.start_ms),
                end_ms: own.end_ms.max(other.end_ms),
            }),
            (own, other) => own.or(other),
        };
        join(&mut self.series_by_metric, other.series_by_metric, limit);
        join(&mut self.values_by_label, other.values_by_label, limit);
        join(&mut self.bytes_by_label, other.bytes_by_label, limit);
        join(&mut self.series_by_pair, other.series_by_pair, limit);
    }

    /// All counts, list by list.
    pub(crate) fn counts(&self) -> impl Iterator<Item = &Count> {
        let lists = [
            &self.series_by_metric,
            &self.values_by_label,
            &self.bytes_by_label,
            &self.series_by_pair,
        ];
        lists.into_iter().flatten()
    }
}

fn join(counts: &mut Vec<Count>, other: Vec<Count>, limit: usize) {
    counts.extend(other);
    counts.sort_unstable_by(|a, b| (&a.name, Reverse(a.count)).cmp(&(&b.name, Reverse(b.count))));
    counts.dedup_by(|later, kept| later.name == kept.name);
    counts.sort_unstable_by(|a, b| (Reverse(a.count), &a.name).cmp(&(Reverse(b.count), &b.name)));
    counts.truncate(limit);
}
