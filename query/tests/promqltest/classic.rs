//! Native histograms with custom buckets, made of classic ones (`load_with_nhcb`).

use std::collections::BTreeMap;

use silverback_query::{CUSTOM_SCHEMA, FloatHistogram, Labels};
use silverback_storage::WriteBatch;

use super::histogram::to_stored;
use super::script::Load;
use super::series::{Points, Value};

/// What a classic histogram is at a step: counts by bound, and what its other series say.
#[derive(Default)]
struct Classic {
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
}

impl Classic {
    /// None where the buckets do not count up.
    fn native(mut self) -> Option<FloatHistogram> {
        self.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        // One bound written in two ways is one.
        self.buckets.dedup_by_key(|bucket| bucket.0);
        let last = self.buckets.last().copied();
        let count = self.count.or(last.map(|bucket| bucket.1))?;
        if last.is_none_or(|bucket| bucket.0 != f64::INFINITY) {
            self.buckets.push((f64::INFINITY, count));
        }
        let bounds = self.buckets.iter().map(|bucket| bucket.0);
        let mut below = 0.0;
        let mut positive = Vec::new();
        for (index, &(_, total)) in (0..).zip(&self.buckets) {
            if total < below {
                return None;
            }
            if total > below {
                positive.push((index, total - below));
            }
            below = total;
        }
        (below == count).then(|| FloatHistogram {
            schema: CUSTOM_SCHEMA,
            count,
            sum: self.sum,
            positive,
            custom_bounds: bounds.filter(|bound| bound.is_finite()).collect(),
            ..FloatHistogram::default()
        })
    }
}

/// Adds the native histograms of the classic ones that are loaded; gives how many.
pub(crate) fn add_native(batch: &mut WriteBatch, load: &Load) -> Result<usize, String> {
    let mut all: BTreeMap<Labels, BTreeMap<i64, Classic>> = BTreeMap::new();
    for series in &load.series {
        let name = series.labels.get("__name__");
        let ends = ["_bucket", "_count", "_sum"];
        let Some(end) = ends.into_iter().find(|end| name.ends_with(end)) else {
            continue;
        };
        let base = name.strip_suffix(end).unwrap_or(name);
        let kept = series.labels.iter().filter(|&(label, _)| label != "le");
        let renamed = kept.map(|(label, value)| match label {
            "__name__" => (label, base),
            _ => (label, value),
        });
        let bound = match (end, series.labels.get("le").parse::<f64>()) {
            ("_bucket", Ok(bound)) if !bound.is_nan() => bound,
            ("_bucket", _) => continue,
            _ => 0.0,
        };
        let Points::Values(points) = &series.points else {
            continue;
        };
        let steps = all.entry(Labels::from_pairs(renamed)).or_default();
        for (step, point) in (0..).zip(points) {
            let Some(Value::Float(value)) = point else {
                continue;
            };
            let classic = steps.entry(step * load.step_ms).or_default();
            match end {
                "_bucket" => classic.buckets.push((bound, *value)),
                "_count" => classic.count = Some(*value),
                _ => classic.sum = *value,
            }
        }
    }
    let mut samples = 0;
    for (labels, steps) in all {
        let pairs: Vec<(&str, &str)> = labels.iter().collect();
        let id = batch.series(&pairs).map_err(|error| error.to_string())?;
        for (at_ms, classic) in steps {
            let Some(histogram) = classic.native() else {
                return Err(format!("{labels} at {at_ms} does not count up"));
            };
            let added = batch.histogram(id, at_ms, None, to_stored(&histogram));
            added.map_err(|error| format!("{labels}: {error}"))?;
            samples += 1;
        }
    }
    Ok(samples)
}
