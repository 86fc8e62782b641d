//! What a database must answer, computed the plain way.

use std::collections::{BTreeMap, BTreeSet};

use crate::db::View;
use crate::error::Error;
use crate::model::{Labels, MatchOp, Matcher, Samples, TimeRange};

/// Samples by labels and time, floats by their bits.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Model(BTreeMap<Labels, BTreeMap<i64, u64>>);

/// One write, as the model takes it.
pub(super) type Rows = Vec<(Labels, i64, f64)>;

impl Model {
    /// Of two samples at one timestamp the later one counts.
    pub(super) fn write(&mut self, rows: &Rows) {
        for (labels, timestamp_ms, value) in rows {
            self.0
                .entry(labels.clone())
                .or_default()
                .insert(*timestamp_ms, value.to_bits());
        }
    }

    /// Everything that a view shows, which is everything there is.
    pub(super) fn read(view: &View) -> Self {
        let model = Self::read_damaged(view).unwrap();
        assert_eq!(view.read_damage(), []);
        model
    }

    /// What a view shows. Of a series that cannot be read it may show no sample.
    pub(super) fn read_damaged(view: &View) -> Result<Self, Error> {
        let everything = Matcher::new(MatchOp::Regex, "__name__", ".+").unwrap();
        let selection = view.select(&[everything], TimeRange::ALL)?;
        let mut model = Self::default();
        let mut samples = Samples::default();
        for series in 0..selection.len() {
            selection.samples(series, &mut samples)?;
            assert!(
                samples.timestamps_ms.is_sorted_by(|a, b| a < b),
                "{samples:?}"
            );
            let points = samples.iter().map(|(t, v)| (t, v.to_bits())).collect();
            let before = model.0.insert(selection.labels(series), points);
            assert_eq!(before, None, "the same series twice");
        }
        Ok(model)
    }

    /// The series that have a sample here and none at that time in `other`.
    pub(super) fn missing_in(&self, other: &Self) -> BTreeSet<&Labels> {
        let missing = self
            .samples()
            .filter(|&(labels, timestamp_ms, _)| other.get(labels, timestamp_ms).is_none());
        missing.map(|(labels, ..)| labels).collect()
    }

    /// The bits of a sample.
    pub(super) fn get(&self, labels: &Labels, timestamp_ms: i64) -> Option<u64> {
        self.0.get(labels)?.get(&timestamp_ms).copied()
    }

    /// All samples.
    pub(super) fn samples(&self) -> impl Iterator<Item = (&Labels, i64, u64)> {
        let of_series = |(labels, points)| {
            let points: &BTreeMap<i64, u64> = points;
            points.iter().map(move |(&t, &bits)| (labels, t, bits))
        };
        self.0.iter().flat_map(of_series)
    }
}
