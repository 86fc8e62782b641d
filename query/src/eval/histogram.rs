//! `histogram_quantile`, `histogram_quantiles` and `histogram_fraction` over classic histograms.

use hashbrown::HashMap;

use super::Evaluator;
use super::column::{ABSENT, cell, is_present};
use super::rows::{Row, merge_same_labels};
use crate::functions::histogram::{Bucket, Corrected, bound, fraction, quantile, sort_by_bound};
use crate::functions::numeric::open_metrics_float;
use crate::labels::{BUCKET, METRIC_NAME};
use crate::plan::{HistogramCall, HistogramQuestion};
use crate::{Error, Labels};

/// The buckets of a histogram: bounds and rows, sorted by bound.
struct Histogram {
    labels: Labels,
    drop_name: bool,
    buckets: Vec<(f64, usize)>,
}

/// What is asked, its numbers evaluated.
enum Asked<'n> {
    /// For each quantile a column, and the label that tells them apart.
    Quantiles(Vec<Vec<f64>>, Option<&'n str>),
    Fraction {
        lower: Vec<f64>,
        upper: Vec<f64>,
    },
}

impl<'e> Evaluator<'e> {
    pub(super) fn histogram(&self, node: &'e HistogramCall) -> Result<Vec<Row>, Error> {
        let asked = match &node.what {
            HistogramQuestion::Quantiles(quantiles, label) => {
                let mut columns = Vec::with_capacity(quantiles.len());
                for (q, span) in quantiles {
                    let column = self.scalar(q)?;
                    for &q in &column {
                        self.notes.quantile(q, *span);
                    }
                    columns.push(column);
                }
                Asked::Quantiles(columns, label.as_deref())
            }
            HistogramQuestion::Fraction { lower, upper } => Asked::Fraction {
                lower: self.scalar(lower)?,
                upper: self.scalar(upper)?,
            },
        };
        let rows = self.vector(&node.child)?;
        let mut results = Vec::new();
        for histogram in self.histograms(&rows, node) {
            self.limits.check()?;
            match &asked {
                Asked::Fraction { lower, upper } => {
                    let values = self.at_steps(&histogram, &rows, |step, buckets| {
                        fraction(lower[step], upper[step], buckets)
                    });
                    self.push_result(&mut results, &histogram, None, &values)?;
                }
                Asked::Quantiles(quantiles, label) => {
                    for column in quantiles {
                        let mut values = self.at_steps(&histogram, &rows, |step, buckets| {
                            let (value, corrected) = quantile(column[step], buckets);
                            if let Some(corrected) = corrected {
                                self.note_corrected(&histogram, node, step, corrected);
                            }
                            value
                        });
                        for part in by_quantile(column, &mut values, *label) {
                            let label = label.zip(part.label.as_deref());
                            self.push_result(&mut results, &histogram, label, &part.values)?;
                        }
                    }
                }
            }
        }
        merge_same_labels(results)
    }

    /// A value for each step at which the histogram has a bucket.
    fn at_steps(
        &self,
        histogram: &Histogram,
        rows: &[Row],
        compute: impl Fn(usize, &mut Vec<Bucket>) -> f64,
    ) -> Vec<f64> {
        let mut buckets = Vec::with_capacity(histogram.buckets.len());
        let at_step = |step| {
            buckets.clear();
            buckets.extend(histogram.buckets.iter().filter_map(|&(upper, row)| {
                let count = rows[row].at(step);
                is_present(count).then_some(Bucket { upper, count })
            }));
            if buckets.is_empty() {
                ABSENT
            } else {
                cell(compute(step, &mut buckets))
            }
        };
        (0..self.grid.count).map(at_step).collect()
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
            sort_by_bound(&mut histogram.buckets, |&(upper, _)| upper);
            histogram.drop_name = self.delayed_name_removal;
        }
        histograms
    }

    fn push_result(
        &self,
        results: &mut Vec<Row>,
        histogram: &Histogram,
        label: Option<(&str, &str)>,
        values: &[f64],
    ) -> Result<(), Error> {
        let mut labels = histogram.labels.clone();
        if !self.delayed_name_removal {
            labels = labels.without_metadata();
        }
        if let Some((name, value)) = label {
            labels = labels.with(name, value);
        }
        if let Some(row) = Row::trimmed(labels, 0, values) {
            self.limits.hold(row.values.len())?;
            results.push(Row {
                drop_name: histogram.drop_name,
                ..row
            });
        }
        Ok(())
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

/// The steps at which a quantile has one value.
struct Part {
    /// The quantile as a label, where it is one.
    label: Option<String>,
    values: Vec<f64>,
}

/// Takes a column apart by the value of the quantile, where that becomes a label.
fn by_quantile(quantiles: &[f64], values: &mut Vec<f64>, label: Option<&str>) -> Vec<Part> {
    if label.is_none() {
        return vec![Part {
            label: None,
            values: std::mem::take(values),
        }];
    }
    let mut parts: Vec<Part> = Vec::new();
    for (step, (&q, &value)) in quantiles.iter().zip(&*values).enumerate() {
        let label = Some(open_metrics_float(q));
        let at = parts.iter().position(|part| part.label == label);
        let at = at.unwrap_or_else(|| {
            parts.push(Part {
                label,
                values: vec![ABSENT; values.len()],
            });
            parts.len() - 1
        });
        parts[at].values[step] = value;
    }
    parts
}
