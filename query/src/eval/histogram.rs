//! `histogram_quantile` and `histogram_fraction` over classic histograms.

use hashbrown::HashMap;

use super::Evaluator;
use super::column::{ABSENT, cell, is_present};
use super::rows::{Row, merge_same_labels};
use crate::functions::histogram::{Bucket, Corrected, bound, by_bound, fraction, quantile};
use crate::labels::{BUCKET, METRIC_NAME};
use crate::plan::{HistogramCall, HistogramQuestion};
use crate::{Error, Labels};

/// The buckets of a histogram: bounds and rows, sorted by bound.
struct Histogram {
    labels: Labels,
    drop_name: bool,
    buckets: Vec<(f64, usize)>,
}

impl<'e> Evaluator<'e> {
    pub(super) fn histogram(&self, node: &'e HistogramCall) -> Result<Vec<Row>, Error> {
        let (first, second) = match &node.what {
            HistogramQuestion::Quantile(q, span) => {
                let quantiles = self.scalar(q)?;
                for &q in &quantiles {
                    self.notes.quantile(q, *span);
                }
                (quantiles, None)
            }
            HistogramQuestion::Fraction { lower, upper } => {
                (self.scalar(lower)?, Some(self.scalar(upper)?))
            }
        };
        let rows = self.vector(&node.child)?;
        let mut results = Vec::new();
        let mut buckets = Vec::new();
        for histogram in self.histograms(&rows, node) {
            self.limits.check()?;
            let mut values = vec![ABSENT; self.grid.count];
            for (step, value) in values.iter_mut().enumerate() {
                buckets.clear();
                buckets.extend(histogram.buckets.iter().filter_map(|&(upper, row)| {
                    let count = rows[row].at(step);
                    is_present(count).then_some(Bucket { upper, count })
                }));
                if buckets.is_empty() {
                    continue;
                }
                *value = cell(match &second {
                    Some(upper) => fraction(first[step], upper[step], &mut buckets),
                    None => {
                        let (value, corrected) = quantile(first[step], &mut buckets);
                        if let Some(corrected) = corrected {
                            self.note_corrected(&histogram, node, step, corrected);
                        }
                        value
                    }
                });
            }
            if let Some(row) = self.result(histogram, &values)? {
                results.push(row);
            }
        }
        merge_same_labels(results)
    }

    /// Groups rows by all labels but the bucket's.
    fn histograms(&self, rows: &[Row], node: &HistogramCall) -> Vec<Histogram> {
        let mut numbers: HashMap<Labels, usize, foldhash::fast::RandomState> = HashMap::default();
        let mut histograms: Vec<Histogram> = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            let label = row.labels.get(BUCKET);
            let Some(upper) = bound(label) else {
                let name = if self.delayed_name_removal {
                    row.labels.get(METRIC_NAME)
                } else {
                    ""
                };
                self.notes.bad_bucket(name, label, node.span);
                continue;
            };
            let labels = row.labels.with(BUCKET, "");
            let next = histograms.len();
            let number = *numbers.entry(labels).or_insert_with_key(|labels| {
                histograms.push(Histogram {
                    labels: labels.clone(),
                    drop_name: false,
                    buckets: Vec::new(),
                });
                next
            });
            histograms[number].buckets.push((upper, at));
        }
        for histogram in &mut histograms {
            let bucket = |&(upper, _): &(f64, usize)| Bucket { upper, count: 0.0 };
            histogram
                .buckets
                .sort_by(|a, b| by_bound(&bucket(a), &bucket(b)));
            histogram.drop_name = self.delayed_name_removal;
        }
        histograms
    }

    fn result(&self, histogram: Histogram, values: &[f64]) -> Result<Option<Row>, Error> {
        let labels = if self.delayed_name_removal {
            histogram.labels
        } else {
            histogram.labels.without_metadata()
        };
        let row = Row::trimmed(labels, 0, values);
        Ok(match row {
            Some(row) => {
                self.limits.hold(row.values.len())?;
                Some(Row {
                    drop_name: histogram.drop_name,
                    ..row
                })
            }
            None => None,
        })
    }

    fn note_corrected(
        &self,
        histogram: &Histogram,
        node: &HistogramCall,
        step: usize,
        corrected: Corrected,
    ) {
        let name = if self.delayed_name_removal {
            histogram.labels.get(METRIC_NAME)
        } else {
            ""
        };
        let time_ms = self.grid.time_ms(step);
        self.notes
            .forced_monotonicity(name, node.span, time_ms, corrected);
    }
}
