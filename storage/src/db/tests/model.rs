//! What a database must answer, computed the plain way.

use std::collections::BTreeMap;

use crate::db::View;
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

    /// Everything that a view shows.
    pub(super) fn read(view: &View) -> Self {
        let everything = Matcher::new(MatchOp::Regex, "__name__", ".+").unwrap();
        let selection = view.select(&[everything], TimeRange::ALL).unwrap();
        let mut model = Self::default();
        let mut samples = Samples::default();
        for series in 0..selection.len() {
            selection.samples(series, &mut samples).unwrap();
            assert!(
                samples.timestamps_ms.is_sorted_by(|a, b| a < b),
                "{samples:?}"
            );
            let points = samples.iter().map(|(t, v)| (t, v.to_bits())).collect();
            let before = model.0.insert(selection.labels(series), points);
            assert_eq!(before, None, "the same series twice");
        }
        model
    }
}
